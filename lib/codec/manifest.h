// Files that people write: YAML or JSON, several documents, kind: List. Errors name file and line.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"
#include "lib/model/source_bounds.h"  // check_source_bounds: the CRD's bounds on one source

namespace loglink {

// A key that looks like an annotation of ours and is none: its prefix is another, or its field of
// the metadata is not `annotations`.
struct StrayKey {
  std::string object;  // "Pod/web"
  std::string field;
  std::string key;

  auto operator<=>(const StrayKey&) const = default;
};

// Pods of a manifest, for `explain`. Workloads (Deployment, StatefulSet, DaemonSet, ReplicaSet,
// Job, CronJob) give the pod of their template, called as the workload; their places in `pods` are
// in `workloads`, as are those of pods with a generateName: the real names go on after a dash.
// Missing nodeName and uid become names::kUnscheduledNode and names::kUnassignedUid, a missing
// namespace the default one. Other kinds are skipped and named in `skipped` ("Service/web").
// Workloads with an annotation of ours on themselves, where it does nothing, are named in
// `misplaced`.
struct ManifestPods {
  std::vector<PodView> pods;
  std::set<std::size_t> workloads;
  std::vector<std::string> skipped;
  std::vector<std::string> misplaced;
  std::vector<StrayKey> strays;
};
Expected<ManifestPods> read_pods(std::string_view text, const std::string& file_name,
                                 const std::string& default_namespace = "default");

// A NodeLinkSet document for `agent --from-file` and `apply`, with the CRD's defaults and bounds
// applied as the API server would. Exactly one document of that kind is required.
Expected<NodeLinkSet> read_node_link_set(std::string_view text, const std::string& file_name);

// What people read back: YAML and JSON documents as kubectl would print them.
std::string node_link_set_to_yaml(const NodeLinkSet& object);
std::string node_link_set_to_json(const NodeLinkSet& object);

}  // namespace loglink
