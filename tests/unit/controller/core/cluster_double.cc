#include "tests/unit/controller/core/cluster_double.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "lib/base/time_text.h"
#include "lib/model/names.h"

namespace loglink {

KubeError kube_error(KubeErrorKind kind, std::vector<StatusCause> causes) {
  KubeError error;
  error.kind = kind;
  error.message = std::string(to_string(kind));
  error.causes = std::move(causes);
  return error;
}

ClusterDouble::ClusterDouble(ControllerConfig the_config, std::uint64_t seed)
    : now{MonotonicTime{std::chrono::hours(5)}, parse_time("2026-01-02T04:00:00Z").value()},
      config(std::move(the_config)),
      random_(seed) {
  controller_ = std::make_unique<Controller>(config, "controller-1", random_);
}

void ClusterDouble::tell(Delivery delivery) {
  held_.push_back(std::move(delivery));
  if (!holding_) deliver();
}

void ClusterDouble::deliver() {
  while (!held_.empty()) {
    const Delivery next = std::move(held_.front());
    held_.pop_front();
    next(*controller_, now);
  }
}

void ClusterDouble::tell_pod(const PodView& pod) {
  tell([pod](Controller& controller, Now at) { controller.pod_upserted(pod, at); });
}

void ClusterDouble::tell_object(const NodeLinkSet& object) {
  tell([object](Controller& controller, Now at) { controller.object_upserted(object, at); });
}

void ClusterDouble::add_node(const std::string& name) {
  nodes_[name] = "node-uid-" + std::to_string(++uids_);
  collect_garbage();
}

void ClusterDouble::remove_node(const std::string& name) {
  nodes_.erase(name);
  collect_garbage();
}

void ClusterDouble::collect_garbage() {
  std::vector<std::string> orphans;
  for (const auto& [name, object] : objects_) {
    const auto node = nodes_.find(name);
    const bool has_owner =
        std::any_of(object.owners.begin(), object.owners.end(), [&](const OwnerReference& owner) {
          return node != nodes_.end() && owner.uid == node->second;
        });
    if (!has_owner && !object.owners.empty()) orphans.push_back(name);
  }
  for (const std::string& name : orphans) remove_object(name);
}

void ClusterDouble::put_pod(PodView pod) {
  const auto known = pods_.find(pod.key());
  if (known != pods_.end() && known->second.uid == pod.uid) {
    for (const std::string_view key : {names::kStatus, names::kLinks, names::kMessage}) {
      const auto value = known->second.annotations.find(std::string(key));
      if (value != known->second.annotations.end()) {
        pod.annotations.emplace(value->first, value->second);
      }
    }
  }
  pod.resource_version = next_version();
  pods_[pod.key()] = pod;
  tell_pod(pod);
}

void ClusterDouble::remove_pod(const ObjectKey& pod) {
  pods_.erase(pod);
  tell([pod](Controller& controller, Now at) { controller.pod_deleted(pod, at); });
}

void ClusterDouble::agent_answers(const std::string& node, int links, const std::string& reason,
                                  const std::string& message) {
  edit_object(node, [&](NodeLinkSet& object) {
    object.status = {};
    object.status.observed_generation = object.generation;
    for (const Source& source : object.spec.sources) {
      std::vector<PodLinks>& pods = object.status.pods;
      auto entry = std::find_if(pods.begin(), pods.end(), [&](const PodLinks& each) {
        return each.uid == source.uid && each.pod == source.pod;
      });
      if (entry == pods.end()) {
        pods.push_back({source.namespace_name, source.pod, source.uid, 0, 0, reason, message});
        entry = pods.end() - 1;
      }
      entry->links += links;
      object.status.links += links;
    }
  });
}

void ClusterDouble::edit_object(const std::string& node,
                                const std::function<void(NodeLinkSet&)>& edit) {
  const auto found = objects_.find(node);
  if (found == objects_.end()) return;
  const NodeLinkSet before = found->second;
  edit(found->second);
  if (before == found->second) return;
  if (before.spec != found->second.spec) ++found->second.generation;
  found->second.resource_version = next_version();
  tell_object(found->second);
}

void ClusterDouble::remove_object(const std::string& node) {
  if (objects_.erase(node) == 0) return;
  tell([node](Controller& controller, Now at) { controller.object_deleted(node, at); });
}

void ClusterDouble::lead(Duration time) { lease_until_ = now.monotonic + time; }

void ClusterDouble::lose_lease() { lease_until_.reset(); }

void ClusterDouble::sync() {
  std::vector<PodView> pods;
  for (const auto& [key, pod] : pods_) pods.push_back(pod);
  std::vector<NodeLinkSet> objects;
  for (const auto& [name, object] : objects_) objects.push_back(object);
  held_.clear();
  controller_->pods_replaced(std::move(pods), now);
  controller_->objects_replaced(std::move(objects), now);
}

void ClusterDouble::restart_controller() {
  controller_ = std::make_unique<Controller>(config, "controller-2", random_);
  sync();
}

void ClusterDouble::settle() {
  for (int round = 0; round < 10000; ++round) {
    controller_->set_leadership(lease_until_);
    const std::vector<Effect> wanted = controller_->step(now);
    for (const Remark& remark : controller_->take_remarks()) remarks.push_back(remark);
    if (wanted.empty() && controller_->next_wakeup(now.monotonic) > now.monotonic) return;
    for (const Effect& effect : wanted) perform(effect);
  }
  FAIL() << "the controller never comes to rest";
}

void ClusterDouble::advance(Duration time) {
  const Now end{now.monotonic + time, now.wall + time};
  for (int round = 0; round < 100000; ++round) {
    settle();
    if (testing::Test::HasFatalFailure()) return;
    const MonotonicTime next = controller_->next_wakeup(now.monotonic);
    if (next >= end.monotonic) {
      now = end;
      settle();
      return;
    }
    now.wall += next - now.monotonic;
    now.monotonic = next;
  }
  FAIL() << "the controller wakes up again and again";
}

void ClusterDouble::perform(const Effect& effect) {
  effects.push_back(effect);
  if (hang_with && hang_with(effect)) return;
  std::optional<Failure> failure;
  if (fail_with) failure = fail_with(effect);
  if (const auto* get = std::get_if<GetNode>(&effect)) {
    perform(*get, failure);
  } else if (const auto* create = std::get_if<CreateNodeLinkSet>(&effect)) {
    perform_write(create->object, true, failure);
  } else if (const auto* put = std::get_if<PutSpec>(&effect)) {
    perform_write(put->object, false, failure);
  } else if (const auto* patch = std::get_if<PatchPod>(&effect)) {
    perform(*patch, failure);
  } else if (const auto* event = std::get_if<CreateEvent>(&effect)) {
    AnswerWriter::Result result;
    if (failure) {
      result = tl::unexpected(failure->error);
    } else if (!events.emplace(event->event.name, 1).second) {
      result = tl::unexpected(kube_error(KubeErrorKind::kAlreadyExists));
    }
    controller_->event_written(event->pod, event->event.name, result, now);
  } else if (const auto* series = std::get_if<PatchEvent>(&effect)) {
    AnswerWriter::Result result;
    const auto known = events.find(series->event_name);
    if (failure) {
      result = tl::unexpected(failure->error);
    } else if (known == events.end()) {
      result = tl::unexpected(kube_error(KubeErrorKind::kNotFound));
    } else {
      known->second = series->count;
    }
    controller_->event_written(series->pod, series->event_name, result, now);
  }
}

void ClusterDouble::perform(const GetNode& get, const std::optional<Failure>& failure) {
  tl::expected<std::string, KubeError> uid = tl::unexpected(kube_error(KubeErrorKind::kNotFound));
  if (failure) {
    uid = tl::unexpected(failure->error);
  } else if (const auto node = nodes_.find(get.name); node != nodes_.end()) {
    uid = node->second;
  }
  controller_->node_answered(get.name, uid, now);
}

tl::expected<NodeLinkSet, KubeError> ClusterDouble::store(NodeLinkSet object, bool create) {
  if (prune) prune(object.spec);
  if (mutate) mutate(object);
  const auto found = objects_.find(object.name);
  if (create) {
    if (found != objects_.end()) {
      return tl::unexpected(kube_error(KubeErrorKind::kAlreadyExists));
    }
    object.uid = "object-uid-" + std::to_string(++uids_);
    object.generation = 1;
    object.status = {};
  } else {
    if (found == objects_.end()) return tl::unexpected(kube_error(KubeErrorKind::kNotFound));
    if (found->second.resource_version != object.resource_version) {
      return tl::unexpected(kube_error(KubeErrorKind::kConflict));
    }
    object.status = found->second.status;
    object.generation = found->second.generation;
    if (object.spec != found->second.spec) ++object.generation;
    if (object == found->second) return object;
  }
  object.resource_version = next_version();
  objects_[object.name] = object;
  tell_object(object);
  return object;
}

void ClusterDouble::perform_write(NodeLinkSet object, bool create,
                                  const std::optional<Failure>& failure) {
  const std::string name = object.name;
  tl::expected<NodeLinkSet, KubeError> result;
  if (!failure || failure->applied) result = store(std::move(object), create);
  if (failure) result = tl::unexpected(failure->error);
  controller_->object_written(name, std::move(result), now);
}

void ClusterDouble::perform(const PatchPod& patch, const std::optional<Failure>& failure) {
  AnswerWriter::Result result;
  const auto pod = pods_.find(patch.pod);
  if (failure && !failure->applied) {
    result = tl::unexpected(failure->error);
  } else if (pod == pods_.end()) {
    result = tl::unexpected(kube_error(KubeErrorKind::kNotFound));
  } else if (pod->second.uid != patch.uid) {
    result = tl::unexpected(
        kube_error(KubeErrorKind::kInvalid, {{"FieldValueInvalid", "", "metadata.uid"}}));
  } else {
    const auto set = [&](std::string_view key, const std::optional<std::string>& value) {
      if (value) {
        pod->second.annotations[std::string(key)] = *value;
      } else {
        pod->second.annotations.erase(std::string(key));
      }
    };
    const PodView before = pod->second;
    set(names::kStatus, patch.answers.status);
    set(names::kLinks, patch.answers.links);
    set(names::kMessage, patch.answers.message);
    if (before != pod->second) {
      pod->second.resource_version = next_version();
      tell_pod(pod->second);
    }
    if (failure) result = tl::unexpected(failure->error);
  }
  controller_->pod_patched(patch.pod, patch.uid, result, now);
}

const NodeLinkSet* ClusterDouble::object(const std::string& node) const {
  const auto found = objects_.find(node);
  return found == objects_.end() ? nullptr : &found->second;
}

PodAnswers ClusterDouble::answers(const ObjectKey& pod) const {
  const auto found = pods_.find(pod);
  return found == pods_.end() ? PodAnswers{} : answers_on(found->second);
}

}  // namespace loglink
