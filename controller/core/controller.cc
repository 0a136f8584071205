#include "controller/core/controller.h"

#include <algorithm>
#include <iterator>

namespace loglink {

Controller::Controller(ControllerConfig config, std::string instance, Random& random)
    : state_(std::move(config)),
      specs_(state_, random),
      answers_(state_, std::move(instance), random) {}

bool Controller::may_write(MonotonicTime now) const {
  return synced() && allowed_until_ && now < *allowed_until_;
}

void Controller::mark(const Dirty& dirty, Now now) {
  if (!was_writing_) {
    // Who does not write keeps no queue: everything is looked at when that changes. Nor does it
    // keep nodes that are gone, which are many where a cluster grows and shrinks.
    for (const std::string& node : dirty.specs) state_.forget_if_empty(node);
    for (const std::string& node : dirty.answers) state_.forget_if_empty(node);
    return;
  }
  for (const std::string& node : dirty.specs) specs_.mark(node, now.monotonic);
  for (const std::string& node : dirty.answers) answers_.mark(node, now.monotonic);
  for (const ObjectKey& pod : dirty.pods) answers_.mark(pod, now.monotonic);
}

void Controller::mark_everything(Now now) {
  for (const auto& [name, node] : state_.nodes()) {
    specs_.mark(name, now.monotonic);
    answers_.mark(name, now.monotonic);
  }
}

void Controller::pods_replaced(std::vector<PodView> pods, Now now) {
  pods_synced_ = true;
  mark(state_.replace_pods(std::move(pods)), now);
}

void Controller::pod_upserted(PodView pod, Now now) {
  mark(state_.upsert_pod(std::move(pod)), now);
}

void Controller::pod_deleted(const ObjectKey& pod, Now now) { mark(state_.delete_pod(pod), now); }

void Controller::objects_replaced(std::vector<NodeLinkSet> objects, Now now) {
  objects_synced_ = true;
  mark(state_.replace_objects(std::move(objects), now.monotonic), now);
}

void Controller::object_upserted(NodeLinkSet object, Now now) {
  mark(state_.upsert_object(std::move(object), now.monotonic), now);
}

void Controller::object_deleted(const std::string& name, Now now) {
  mark(state_.delete_object(name), now);
}

void Controller::take(SpecWriter::Outcome outcome, Now now) {
  std::move(outcome.effects.begin(), outcome.effects.end(), std::back_inserter(effects_));
  std::move(outcome.remarks.begin(), outcome.remarks.end(), std::back_inserter(remarks_));
  mark({{}, std::move(outcome.answers_dirty), {}}, now);
}

void Controller::take(AnswerWriter::Outcome outcome) {
  std::move(outcome.effects.begin(), outcome.effects.end(), std::back_inserter(effects_));
  std::move(outcome.remarks.begin(), outcome.remarks.end(), std::back_inserter(remarks_));
}

void Controller::node_answered(const std::string& node,
                               const tl::expected<std::string, KubeError>& uid, Now now) {
  SpecWriter::Outcome outcome;
  specs_.node_answered(node, uid, now, outcome);
  take(std::move(outcome), now);
}

void Controller::object_written(const std::string& node,
                                tl::expected<NodeLinkSet, KubeError> answer, Now now) {
  SpecWriter::Outcome outcome;
  specs_.object_written(node, std::move(answer), now, outcome);
  take(std::move(outcome), now);
}

void Controller::pod_patched(const ObjectKey& pod, const std::string& uid,
                             const AnswerWriter::Result& result, Now now) {
  AnswerWriter::Outcome outcome;
  answers_.pod_patched(pod, uid, result, now, outcome);
  take(std::move(outcome));
}

void Controller::event_written(const ObjectKey& pod, const std::string& event_name,
                               const AnswerWriter::Result& result, Now now) {
  AnswerWriter::Outcome outcome;
  answers_.event_written(pod, event_name, result, now, outcome);
  take(std::move(outcome));
}

std::vector<Effect> Controller::step(Now now) {
  const bool writing = may_write(now.monotonic);
  if (writing && !was_writing_) {
    state_.begin_term();
    mark_everything(now);
  }
  was_writing_ = writing;
  if (writing) {
    // Specs first: links matter more than what is said about them.
    SpecWriter::Outcome specs;
    specs_.step(now, specs);
    take(std::move(specs), now);
    AnswerWriter::Outcome answers;
    answers_.step(now, answers);
    take(std::move(answers));
  }
  return std::exchange(effects_, {});
}

MonotonicTime Controller::next_wakeup(MonotonicTime now) const {
  const bool writing = may_write(now);
  if (writing != was_writing_) return now;
  if (!writing) return MonotonicTime::never();
  return std::min(specs_.next_due(now), answers_.next_due(now));
}

std::vector<Remark> Controller::take_remarks() { return std::exchange(remarks_, {}); }

ControllerFigures Controller::figures() const {
  ControllerFigures figures;
  figures.nodes_queued = specs_.queue_depth();
  figures.patches_queued = answers_.queued_patches();
  figures.events_queued = answers_.queued_events();
  figures.events_dropped = answers_.dropped_events();
  for (const auto& [name, node] : state_.nodes()) {
    for (const ResolvedPod& pod : node.pods) {
      if (pod.resolution.requested) ++figures.pods_annotated;
      for (const Refusal& refusal : pod.resolution.refusals) ++figures.refusals[refusal.reason];
    }
    for (const PodLeftOut& pod : node.left_out) {
      for (const LeftOut& left : pod.sources) ++figures.refusals[left.reason];
    }
    if (!name.empty()) ++figures.nodes;
    // Who does not write does not hear when it is over.
    if (was_writing_ && node.outdated()) ++figures.nodes_outdated;
    if (was_writing_ && node.unwritable_because()) ++figures.nodes_unwritable;
    if (!node.object) continue;
    ++figures.node_link_sets;
    for (const Source& source : node.object->spec.sources) ++figures.sources_by_root[source.root];
  }
  return figures;
}

}  // namespace loglink
