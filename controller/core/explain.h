// `loglink-controller explain`: resolve, desired_set and answer on a file of pods, and the text of
// it. The same code path as in a cluster.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/core/answers.h"

namespace loglink {

struct ExplainedPod {
  std::size_t place = 0;  // in the input
  ResolvedPod pod;
  Answer answer;  // the one before the agent answers
  std::vector<LeftOut> left_out;
  std::vector<Note> doubts;  // what only the node could tell
};

struct PodNotAsking {
  std::size_t place = 0;  // in the input
  ObjectKey pod;

  auto operator<=>(const PodNotAsking&) const = default;
};

struct Explanation {
  // By node name; all names::kUnscheduledNode pods in one. Nodes with at least one source.
  std::vector<NodeLinkSet> node_link_sets;
  std::vector<ExplainedPod> pods;        // in the order of the input; only those that ask
  std::vector<PodNotAsking> not_asking;  // without any annotation of ours, in the same order
};

// Pods whose place is in `workloads` stand for those of a workload: a Pod and a Deployment may have
// one name. Any other pod that is given twice is judged once, as the last one says: so it would be
// after `kubectl apply`.
Explanation explain(const std::vector<PodView>& pods, const ControllerConfig& config, WallTime now,
                    const std::set<std::size_t>& workloads = {});

// What a person reads: what is linked, where on the node, as which names; what is refused, why, and
// the cure. Workloads are called "web-*". Printable ASCII and newlines only.
std::string explanation_to_text(const Explanation& explanation, const ControllerConfig& config,
                                const std::set<std::size_t>& workloads = {});

}  // namespace loglink
