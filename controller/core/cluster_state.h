// What the controller knows: pods that concern it, by node, and each node's object. No decision is
// taken here but which node a change makes dirty.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/core/desired_set.h"
#include "controller/core/uid_index.h"
#include "lib/base/token_bucket.h"
#include "lib/model/kube_error.h"
#include "lib/model/pod_answers.h"

namespace loglink {

// How fast one node's object may be rewritten, and one pod's answers.
inline constexpr double kNodeWritesPerSecond = 10;
inline constexpr double kNodeWriteBurst = 20;
inline constexpr double kNodeBytesPerSecond = 64 * 1024;
inline constexpr double kNodeByteBurst = 1024 * 1024;
inline constexpr double kPodChangesPerSecond = 0.1;
inline constexpr double kPodChangeBurst = 3;

// A spec that the server did not take as it was sent: writing it again would change nothing.
struct VainWrite {
  NodeLinkSetSpec sent;
  NodeLinkSetSpec stored;  // what the server has instead
  MonotonicTime until;     // tried again from then on: the CRD may have been replaced

  auto operator<=>(const VainWrite&) const = default;
};

// The server refuses what we write of a node's object, or fails over it, since its last good
// answer.
struct RefusedWrites {
  MonotonicTime since;
  KubeErrorKind kind = KubeErrorKind::kUnexpected;  // of the last one
  bool told = false;                                // to the node's pods: it has lasted

  auto operator<=>(const RefusedWrites&) const = default;
};

struct NodeState {
  std::vector<ResolvedPod> pods;                // annotated ones, sorted by key
  std::map<ObjectKey, std::string> static_ids;  // ids of static pods without annotations of ours
  // Where static pods are linked: who has which id. One that two have is believed of neither.
  std::map<std::string, std::set<ObjectKey>> bearers;
  std::set<ObjectKey> unsettled;  // static pods that lost or got a neighbour with their id

  std::optional<NodeLinkSet> object;  // changed as a whole, with both indices
  UidIndex source_index;              // of object->spec.sources
  UidIndex entry_index;               // of object->status.pods
  // An event that is older than the answer to our own last write; it counts again when that answer
  // proves wrong (a conflict) or has not been confirmed in time.
  std::optional<NodeLinkSet> held_back;
  MonotonicTime answer_trusted_until{};
  // Of the object that went last: an answer about it that was still on its way is no news.
  std::string gone_uid;
  // Of the object that the watch showed last. What we know only from the answer to its making may
  // be gone again without the watch having had anything to tell.
  std::string shown_uid;

  bool looked_at = false;  // desired and left_out are known
  // Not before: a look at what a node is to have, and one at all of its answers, cost their time
  // where a tenant has bound thousands of pods to it.
  MonotonicTime next_look{};
  bool look_waits =
      false;  // for that time; until then left_out may be about what pods asked before
  MonotonicTime next_comparison{};
  std::optional<NodeLinkSetSpec> desired;  // only while it differs from the object's spec
  std::vector<PodLeftOut> left_out;
  std::set<SourceIdentity> rejected;  // named by a 422
  MonotonicTime rejected_until{};
  std::optional<VainWrite> vain_write;
  std::optional<RefusedWrites> refused_writes;

  bool wants_owner = false;                  // its Node is to be read before it can be written
  std::string node_uid;                      // of a GET whose answer is not used yet; "" otherwise
  bool puts_owner_back = false;              // what is being written
  MonotonicTime owner_trusted_until{};       // whether or not it is there
  std::optional<NodeLinkSetSpec> in_flight;  // the spec that is being written
  std::string sent_version;                  // of the object that it was made from
  bool not_found = false;                    // what we know as object: a write has answered so
  bool conflict_excused = false;             // one since the last write that was taken
  bool wants_news = false;                   // after it: the next version is written from at once
  bool node_missing = false;                 // said once in the log

  std::optional<MonotonicTime> written_at;  // taken by the server last
  TokenBucket writes{kNodeWritesPerSecond, kNodeWriteBurst};
  TokenBucket bytes{kNodeBytesPerSecond, kNodeByteBurst};

  // The object as far as it is about the pod; REQUIRES: object.
  [[nodiscard]] NodeLinkSet object_of(const ResolvedPod& pod) const;
  // What the node is to have for the pod, whether or not it has ended; REQUIRES: looked_at.
  [[nodiscard]] std::vector<Source> desired_of(const ResolvedPod& pod) const;
  [[nodiscard]] bool only_answered() const { return object && object->uid != shown_uid; }
  // The server keeps something else than what we ask for, and asking again would not help.
  [[nodiscard]] bool outdated() const { return vain_write.has_value(); }
  // Why its object has not been written for long; nullopt while all is well.
  [[nodiscard]] std::optional<KubeErrorKind> unwritable_because() const {
    if (!refused_writes || !refused_writes->told) return std::nullopt;
    return refused_writes->kind;
  }
  [[nodiscard]] bool empty() const {
    return pods.empty() && static_ids.empty() && !object && !in_flight;
  }
};

// What we told a pod and what we still have to.
struct PodState {
  std::string node_name;
  std::string uid;

  PodAnswers wanted;
  std::optional<Reason> wanted_reason;  // what wanted.status rests on
  // What few pods have at a time costs the others a pointer.
  std::unique_ptr<PodAnswers> in_flight;
  // What stood there when in_flight was sent; from before a try that is unheard of, where that was
  // better.
  std::optional<std::string> status_before;
  // What the server took last, until the watch shows it; for pods with too many annotations, which
  // are never patched, what was told by Events.
  std::unique_ptr<PodAnswers> told;
  MonotonicTime told_until{};
  std::unique_ptr<PodAnswers> refused_answer;  // by the server, and told by an Event instead
  bool refused_until_change = false;  // the object is not the one we know; wait for its event
  // The last try failed, for all that we know: where its answer was lost, the watch may show it
  // yet.
  bool unheard = false;
  int failures = 0;
  std::optional<KubeErrorKind> told_trouble;  // of the last try, when it failed
  MonotonicTime retry_at{};
  TokenBucket changes{kPodChangesPerSecond, kPodChangeBurst};
  std::optional<MonotonicTime> count_written;

  // The first generation that is known to have this pod's present sources; 0 when we did not see it
  // being written (a new leader), which takes the agent's entry as it is.
  std::int64_t sources_since_generation = 0;
  std::optional<MonotonicTime> waiting_since;  // for the agent's answer
  std::optional<MonotonicTime> silent_since;   // it has no answer yet, and would be Pending

  std::string event_name;  // the last Event about the pod
  int event_count = 0;
};

// Which nodes and pods a change touches.
struct Dirty {
  std::set<std::string> specs;
  std::set<std::string> answers;  // of all of the node's pods
  std::set<ObjectKey> pods;       // the answers of which alone
};

class ClusterState {
 public:
  explicit ClusterState(ControllerConfig config) : config_(std::move(config)) {}

  Dirty replace_pods(std::vector<PodView> pods);
  Dirty upsert_pod(PodView pod);
  Dirty delete_pod(const ObjectKey& key);

  Dirty replace_objects(std::vector<NodeLinkSet> objects, MonotonicTime now);
  Dirty upsert_object(NodeLinkSet object, MonotonicTime now);
  Dirty delete_object(const std::string& name);
  // The server's answer to our own write, which may come before or after the watch's event.
  Dirty adopt_written(NodeLinkSet object, MonotonicTime now);
  // What lasted in a former term, or was about to be used, says nothing about this one: another has
  // led meanwhile.
  void begin_term();
  // What we took for the newest version is not: use what the watch said.
  void distrust_answer(NodeState& node);

  // Static pods depend on the ids of their neighbours: resolves those again whose neighbours
  // changed. True when a resolution changed.
  bool resolve_static_pods(NodeState& node);

  NodeState* find_node(const std::string& name);
  PodState* find_pod(const ObjectKey& key);
  // The pod's record in its node; nullptr when it is not known.
  ResolvedPod* find_resolved(const ObjectKey& key);
  void forget_if_empty(const std::string& name);

  [[nodiscard]] const std::map<std::string, NodeState>& nodes() const { return nodes_; }
  [[nodiscard]] const std::map<ObjectKey, PodState>& pods() const { return pods_; }
  [[nodiscard]] const ControllerConfig& config() const { return config_; }

 private:
  // `state` gets what was kept of it.
  Dirty remove_pod(const ObjectKey& key, PodState& state);
  void remove_static_id(const ObjectKey& key);
  void add_bearer(NodeState& node, const std::string& id, const ObjectKey& key);
  void unsettle(NodeState& node, const ObjectKey& key);
  void remove_bearer(NodeState& node, const std::string& id, const ObjectKey& key);
  void forget_generations(const NodeState& node);
  void keep_generations(const NodeState& node, std::int64_t up_to);
  void take_object(NodeState& node, NodeLinkSet object);

  ControllerConfig config_;
  std::map<std::string, NodeState> nodes_;  // "": pods that are not bound yet
  std::map<ObjectKey, PodState> pods_;
  std::map<ObjectKey, std::string> static_nodes_;  // where static_ids has the key
};

// The answers that the pod's annotations show.
PodAnswers answers_on(const PodView& pod);
// What of a pod's sources is linked now, in their order, whether or not the pod has ended.
std::vector<Source> live_sources(const NodeLinkSetSpec& of_pod);

}  // namespace loglink
