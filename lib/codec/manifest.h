// Files that people write: YAML or JSON, several documents, kind: List. Errors name file and line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lib/base/error.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"
#include "lib/model/source_bounds.h"  // check_source_bounds: the CRD's bounds on one source

namespace loglink {

// Pods of a manifest, for `explain`. Workloads (Deployment, StatefulSet, DaemonSet, ReplicaSet,
// Job, CronJob) give the pod of their template, called as the workload. Missing nodeName and uid
// become names::kUnscheduledNode and names::kUnassignedUid, a missing namespace "default". Other
// kinds are skipped and named in `skipped` ("Service/web").
struct ManifestPods {
  std::vector<PodView> pods;
  std::vector<std::string> skipped;
};
Expected<ManifestPods> read_pods(std::string_view text, const std::string& file_name);

// A NodeLinkSet document for `agent --from-file` and `apply`, with the CRD's defaults and bounds
// applied as the API server would. Exactly one document of that kind is required.
Expected<NodeLinkSet> read_node_link_set(std::string_view text, const std::string& file_name);

// What people read back: YAML and JSON documents as kubectl would print them.
std::string node_link_set_to_yaml(const NodeLinkSet& object);
std::string node_link_set_to_json(const NodeLinkSet& object);

}  // namespace loglink
