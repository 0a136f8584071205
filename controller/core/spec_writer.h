// Keeps each node's object as desired_set says: looks at dirty nodes, compares values, and writes
// at most one thing per node at a time, within the rates. Nodes that are to own an object are read
// on a lane of their own: pods can name thousands that do not exist, and a read may hang.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "controller/core/cluster_state.h"
#include "controller/core/effects.h"
#include "lib/base/work_queue.h"
#include "lib/model/kube_error.h"

namespace loglink {

class SpecWriter {
 public:
  // What a step did.
  struct Outcome {
    std::vector<Effect> effects;
    std::set<std::string> answers_dirty;  // nodes
    std::vector<Remark> remarks;
  };

  SpecWriter(ClusterState& state, Random& random);

  void mark(const std::string& node, MonotonicTime at);
  // Looks at nodes that are due, a bounded number of them. REQUIRES: we may write.
  void step(Now now, Outcome& outcome);
  void node_answered(const std::string& node, const tl::expected<std::string, KubeError>& uid,
                     Now now, Outcome& outcome);
  void object_written(const std::string& node, tl::expected<NodeLinkSet, KubeError> answer, Now now,
                      Outcome& outcome);

  // When step() has something to do; never() when nothing is due.
  [[nodiscard]] MonotonicTime next_due(MonotonicTime now) const;
  // Nodes that wait to be looked at or are written, and Nodes that are to be read.
  [[nodiscard]] std::size_t queue_depth() const { return queue_.size() + reads_.size(); }

 private:
  void step_writes(Now now, Outcome& outcome);
  [[nodiscard]] WorkQueue::Turn turn_of(const std::string& name, MonotonicTime at);
  void enqueue(const std::string& name, MonotonicTime at);
  void step_reads(Now now, Outcome& outcome);
  void keep_owner(NodeState& node, const std::string& name, const NodeLinkSet& object, Now now,
                  Outcome& outcome);
  // True when a write is under way, which keeps the node from being looked at.
  bool look_at(const std::string& name, Now now, Outcome& outcome);
  bool write(const std::string& name, NodeState& node, const NodeLinkSetSpec& desired, Now now,
             Outcome& outcome);
  bool may_retry(const std::string& name, NodeState& node, Now now);
  void retry_others(Now now, Outcome& outcome);
  void expire(NodeState& node, MonotonicTime now);
  void plan_next_look(const std::string& name, const NodeState& node,
                      const NodeLinkSetSpec& desired, Now now);
  void written(NodeState& node, const std::string& name, NodeLinkSet object, Now now,
               Outcome& outcome);
  void conflicted(NodeState& node, const std::string& name, const KubeError& error, Now now,
                  Outcome& outcome);
  void refused(NodeState& node, const std::string& name, const KubeError& error, Now now,
               Outcome& outcome);
  void invalid(NodeState& node, const std::string& name, const KubeError& error, Now now,
               Outcome& outcome);
  void give_back(const std::string& name, Now now, const KubeError& error);
  void trouble(NodeState& node, const std::string& name, const KubeError& error, Now now,
               Outcome& outcome);
  void well_again(NodeState& node, const std::string& name, Outcome& outcome);

  ClusterState& state_;
  Random& random_;
  WorkQueue queue_;
  WorkQueue reads_;  // of Nodes
  TokenBucket writes_;
  std::optional<KubeErrorKind> told_trouble_;  // of the last write, when it failed
  TokenBucket bytes_;
  TokenBucket vain_retries_;
  TokenBucket read_rate_;
  TokenBucket missing_rate_;
  int under_way_ = 0;
  int reads_under_way_ = 0;
  bool owner_dropped_ = false;  // said in the log
};

}  // namespace loglink
