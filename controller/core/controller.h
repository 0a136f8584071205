// The controller's whole state and all of its decisions, as a deterministic state machine: changes
// of pods and objects and answers to its effects come in, effects go out. No clock, no JSON, no
// sockets. Level-based: an input only marks what it touches; step() looks at the state and decides.
//
// Single-threaded; the owner calls step() at next_wakeup() and after every input.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "controller/core/answer_writer.h"
#include "controller/core/cluster_state.h"
#include "controller/core/effects.h"
#include "controller/core/spec_writer.h"

namespace loglink {

// What the metrics show of the state.
struct ControllerFigures {
  std::size_t pods_annotated = 0;
  std::size_t nodes = 0;  // that are known: with pods that concern us, or an object
  std::size_t node_link_sets = 0;
  std::map<std::string, std::size_t> sources_by_root;
  std::map<Reason, std::size_t> refusals;
  std::size_t nodes_queued = 0;
  std::size_t patches_queued = 0;
  std::size_t events_queued = 0;
  std::size_t events_dropped = 0;
  std::size_t nodes_outdated = 0;    // CRDOutdated; 0 while another one leads, as the next
  std::size_t nodes_unwritable = 0;  // their pods are told that their object cannot be written

  auto operator<=>(const ControllerFigures&) const = default;
};

class Controller {
 public:
  // `random` must outlive it. `instance` names this process in Events.
  Controller(ControllerConfig config, std::string instance, Random& random);
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Watches. Nothing is written before both have been replaced once.
  void pods_replaced(std::vector<PodView> pods, Now now);
  void pod_upserted(PodView pod, Now now);
  void pod_deleted(const ObjectKey& pod, Now now);
  void objects_replaced(std::vector<NodeLinkSet> objects, Now now);
  void object_upserted(NodeLinkSet object, Now now);
  void object_deleted(const std::string& name, Now now);

  // Until when we may write; nullopt while another one leads.
  void set_leadership(std::optional<MonotonicTime> allowed_until) {
    allowed_until_ = allowed_until;
  }

  // Answers to effects; each effect is answered exactly once.
  void node_answered(const std::string& node, const tl::expected<std::string, KubeError>& uid,
                     Now now);
  void object_written(const std::string& node, tl::expected<NodeLinkSet, KubeError> answer,
                      Now now);
  void pod_patched(const ObjectKey& pod, const std::string& uid, const AnswerWriter::Result& result,
                   Now now);
  void event_written(const ObjectKey& pod, const std::string& event_name,
                     const AnswerWriter::Result& result, Now now);

  std::vector<Effect> step(Now now);
  [[nodiscard]] MonotonicTime next_wakeup(MonotonicTime now) const;
  // What happened since the last call that is worth a line in the log.
  std::vector<Remark> take_remarks();

  [[nodiscard]] bool synced() const { return pods_synced_ && objects_synced_; }
  [[nodiscard]] ControllerFigures figures() const;
  [[nodiscard]] const ClusterState& state() const { return state_; }

 private:
  [[nodiscard]] bool may_write(MonotonicTime now) const;
  void mark(const Dirty& dirty, Now now);
  void mark_everything(Now now);
  void take(SpecWriter::Outcome outcome, Now now);
  void take(AnswerWriter::Outcome outcome);

  ClusterState state_;
  SpecWriter specs_;
  AnswerWriter answers_;
  bool pods_synced_ = false;
  bool objects_synced_ = false;
  bool was_writing_ = false;
  std::optional<MonotonicTime> allowed_until_;
  std::vector<Effect> effects_;
  std::vector<Remark> remarks_;
};

}  // namespace loglink
