// `loglink-controller explain`: resolve, desired_set and answer on a file of pods, and the text of
// it. The same code path as in a cluster.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/core/answers.h"

namespace loglink {

struct ExplainedPod {
  ResolvedPod pod;
  Answer answer;  // the one before the agent answers
  std::vector<LeftOut> left_out;
  std::vector<Note> doubts;  // what only the node could tell
};

struct Explanation {
  // By node name; all names::kUnscheduledNode pods in one. Nodes with at least one source.
  std::vector<NodeLinkSet> node_link_sets;
  std::vector<ExplainedPod> pods;     // in the order of the input; only those that ask
  std::vector<ObjectKey> not_asking;  // without any annotation of ours, in the order of the input
};

Explanation explain(const std::vector<PodView>& pods, const ControllerConfig& config, WallTime now);

// What a person reads: what is linked, where on the node, as which names; what is refused, why, and
// the cure. Pods whose key is in `workloads` stand for those of a workload: "web-*". Printable
// ASCII and newlines only.
std::string explanation_to_text(const Explanation& explanation, const ControllerConfig& config,
                                const std::set<ObjectKey>& workloads = {});

}  // namespace loglink
