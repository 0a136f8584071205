// Keeps what stands on the pods as answer() says, and tells changes for the worse by Events; within
// the rates, namespaces in turn.
#pragma once

#include <map>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "controller/core/answers.h"
#include "controller/core/cluster_state.h"
#include "controller/core/effects.h"
#include "controller/core/turn_queue.h"
#include "lib/base/work_queue.h"
#include "lib/model/kube_error.h"

namespace loglink {

class AnswerWriter {
 public:
  struct Outcome {
    std::vector<Effect> effects;
    std::vector<Remark> remarks;
  };
  using Result = tl::expected<void, KubeError>;

  // `instance`: who we are, for the Events' reportingInstance.
  AnswerWriter(ClusterState& state, std::string instance, Random& random);

  // The answers of the node's pods, or of one pod, are to be compared with what stands on them.
  void mark(const std::string& node, MonotonicTime at) { nodes_.add(node, at); }
  void mark(const ObjectKey& pod, MonotonicTime at);
  // REQUIRES: we may write.
  void step(Now now, Outcome& outcome);
  void pod_patched(const ObjectKey& pod, const std::string& uid, const Result& result, Now now,
                   Outcome& outcome);
  void event_written(const ObjectKey& pod, const std::string& event_name, const Result& result,
                     Now now, Outcome& outcome);

  // When step() has something to do; never() when nothing is due.
  [[nodiscard]] MonotonicTime next_due(MonotonicTime now) const;
  [[nodiscard]] std::size_t queued_patches() const { return patches_.size(); }
  [[nodiscard]] std::size_t queued_events() const { return events_.size(); }
  [[nodiscard]] std::size_t dropped_events() const { return dropped_events_; }

 private:
  struct PendingEvent {
    std::string uid;
    StatusWord word = StatusWord::kDegraded;
    std::string reason;
    std::string note;
    std::string name;
    bool repeats = false;  // under way as a patch
    int attempts = 0;
  };

  void compare(const std::string& node_name, Now now);
  void compare(const ObjectKey& key, Now now);
  void compare_pod(const NodeState& node, const ResolvedPod& pod, Now now);
  Answer present_answer(const NodeState& node, const ResolvedPod& pod, PodState& state, Now now);
  void take_landed(const ResolvedPod& pod, PodState& state, const PodAnswers& there, Now now);
  void take_result(const ResolvedPod& pod, PodState& state, const PodAnswers& sent,
                   const Result& result, Now now, Outcome& outcome);
  void send_patches(Now now, Outcome& outcome);
  void send_events(Now now, Outcome& outcome);
  void told(const ResolvedPod& pod, PodState& state, Now now);
  void announce_new(const ResolvedPod& pod, const PodState& state, const PodAnswers& answers,
                    Now now);
  void announce(const ResolvedPod& pod, const PodState& state, const PodAnswers& answers, Now now);
  void drop_events_beyond_bound();

  ClusterState& state_;
  std::string instance_;
  Random& random_;
  WorkQueue nodes_;
  WorkQueue pods_;  // namespace/name
  TurnQueue patches_;
  TurnQueue events_;
  std::map<ObjectKey, PendingEvent> pending_events_;  // queued or under way, one a pod
  TokenBucket patch_rate_;
  TokenBucket event_rate_;
  int patches_under_way_ = 0;
  bool patches_fail_ = false;  // said in the log, until one succeeds
  int events_under_way_ = 0;
  std::size_t dropped_events_ = 0;
};

}  // namespace loglink
