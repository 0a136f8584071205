// Step 11: what a pod is told. (resolution, the node's object, now) -> the three annotations.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "controller/core/desired_set.h"
#include "lib/model/kube_error.h"

namespace loglink {

struct Answer {
  StatusWord word = StatusWord::kPending;
  std::optional<int> links;  // nullopt before the agent has answered
  std::string message;       // one line, sanitized, at most limits::kMessageBytes; may be ""
  // What the word rests on, for Events: a change to Degraded or Invalid is a Warning.
  std::optional<Reason> reason;

  auto operator<=>(const Answer&) const = default;
};

struct AnswerInput {
  const ResolvedPod* pod = nullptr;
  std::vector<LeftOut> left_out;             // of this pod
  const NodeLinkSet* node_object = nullptr;  // nullptr: not there (yet)
  // The first generation whose spec has this pod's present sources; an agent that has observed
  // less has not answered this pod. 0: not published yet, or unknown (a new leader).
  std::int64_t sources_since_generation = 0;
  bool write_pending = false;    // what the object is to have of the pod is not in it yet
  bool entries_dropped = false;  // the agent's answer has no room for all of the node's pods
  std::optional<StatusWord> previous_word;  // what stands on the pod now
  std::string previous_message;
  bool agent_silent = false;  // no answer for 60 s
  bool crd_outdated = false;
  // The node's object cannot be written, and has not been for some time.
  std::optional<KubeErrorKind> unwritable_because;
};

// REQUIRES: input.pod->resolution.requested.
Answer answer(const AnswerInput& input);

}  // namespace loglink
