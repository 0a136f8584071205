#include "controller/core/cluster_state.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <tuple>
#include <utility>

#include "lib/model/names.h"

namespace loglink {
namespace {

// How long the answer to our own write beats an older event of the watch.
constexpr Duration kAnswerTrust = std::chrono::seconds(30);

bool claims_static(const PodView& pod) {
  return pod.annotations.contains(std::string(names::kConfigMirror)) ||
         pod.annotations.contains(std::string(names::kConfigHash));
}

// Requests of ours, or answers of ours that may have to be taken away.
bool has_annotation_of_ours(const PodView& pod) {
  const auto first = pod.annotations.lower_bound(std::string(names::kAnnotationPrefix));
  return first != pod.annotations.end() && first->first.starts_with(names::kAnnotationPrefix);
}

auto position(std::vector<ResolvedPod>& pods, const ObjectKey& key) {
  return std::lower_bound(pods.begin(), pods.end(), key,
                          [](const ResolvedPod& a, const ObjectKey& b) { return a.pod.key() < b; });
}

// What desired_set reads of a pod besides its resolution.
bool same_for_spec(const ResolvedPod& a, const ResolvedPod& b) {
  return a.pod.uid == b.pod.uid && a.pod.created == b.pod.created &&
         a.pod.finished() == b.pod.finished() && a.pod.deleting == b.pod.deleting &&
         a.resolution == b.resolution;
}

// The id, if more than one pod of the node has it.
std::set<std::string> shared_ids(const NodeState& node, const std::string& id) {
  const auto found = node.bearers.find(id);
  if (found == node.bearers.end() || found->second.size() < 2) return {};
  return {id};
}

void merge(Dirty& into, Dirty from) {
  into.specs.merge(from.specs);
  into.answers.merge(from.answers);
  into.pods.merge(from.pods);
}

template <class T>  // a Source or the agent's entry
bool is_of(const T& each, const PodView& pod) {
  return each.pod == pod.name && each.namespace_name == pod.namespace_name;
}

NodeLinkSetSpec spec_of(const NodeLinkSet& object, const UidIndex& index, const PodView& pod) {
  NodeLinkSetSpec part;
  const std::vector<Source>& sources = object.spec.sources;
  for (const std::uint32_t position : index.find(sources, claimed_pod_id(pod))) {
    if (is_of(sources[position], pod)) part.sources.push_back(sources[position]);
  }
  return part;
}

// Orders sources against the pod that they are of.
struct ByPod {
  static auto key(const Source& source) { return std::tie(source.namespace_name, source.pod); }
  static auto key(const ObjectKey& pod) { return std::tie(pod.namespace_name, pod.name); }
  template <class A, class B>
  bool operator()(const A& a, const B& b) const {
    return key(a) < key(b);
  }
};

// What a pod that waited for a node was told, and is being told, stays; how long it waited for
// answers of its node begins anew, and so do its changes, which is once in its life, or after a
// restore once more. What was refused is tried at once.
PodState bound(PodState state, const PodView& pod) {
  // That it waits for a node is not to be said any more, before its node's answer is known.
  if (!state.in_flight) {
    state.wanted = state.told ? *state.told : answers_on(pod);
    state.wanted_reason.reset();
  }
  if (state.told_trouble && !passes(*state.told_trouble)) state.retry_at = {};
  state.changes = PodState().changes;
  state.sources_since_generation = 0;
  state.waiting_since.reset();
  state.silent_since.reset();
  return state;
}

}  // namespace

PodAnswers answers_on(const PodView& pod) {
  const auto value = [&](std::string_view key) -> std::optional<std::string> {
    const auto found = pod.annotations.find(std::string(key));
    if (found == pod.annotations.end()) return std::nullopt;
    return found->second;
  };
  return {value(names::kStatus), value(names::kLinks), value(names::kMessage)};
}

std::vector<Source> live_sources(const NodeLinkSetSpec& of_pod) {
  std::vector<Source> found;
  for (const Source& source : of_pod.sources) {
    if (source.withdrawn()) continue;
    found.push_back(source);
    // A pod that ends has not asked for anything else.
    found.back().finished = false;
  }
  return found;
}

NodeLinkSet NodeState::object_of(const ResolvedPod& pod) const {
  NodeLinkSet part;
  part.name = object->name;
  part.generation = object->generation;
  part.spec = spec_of(*object, source_index, pod.pod);
  part.status.observed_generation = object->status.observed_generation;
  part.status.conditions = object->status.conditions;
  const std::vector<PodLinks>& entries = object->status.pods;
  for (const std::uint32_t position : entry_index.find(entries, claimed_pod_id(pod.pod))) {
    if (is_of(entries[position], pod.pod)) part.status.pods.push_back(entries[position]);
  }
  return part;
}

std::vector<Source> NodeState::desired_of(const ResolvedPod& pod) const {
  NodeLinkSetSpec part;
  if (!desired) {
    if (object) part = spec_of(*object, source_index, pod.pod);
    return live_sources(part);
  }
  // It is sorted.
  const auto [first, last] =
      std::equal_range(desired->sources.begin(), desired->sources.end(), pod.pod.key(), ByPod());
  const std::string id = claimed_pod_id(pod.pod);
  std::copy_if(first, last, std::back_inserter(part.sources),
               [&](const Source& source) { return source.uid == id; });
  return live_sources(part);
}

NodeState* ClusterState::find_node(const std::string& name) {
  const auto found = nodes_.find(name);
  return found == nodes_.end() ? nullptr : &found->second;
}

PodState* ClusterState::find_pod(const ObjectKey& key) {
  const auto found = pods_.find(key);
  return found == pods_.end() ? nullptr : &found->second;
}

ResolvedPod* ClusterState::find_resolved(const ObjectKey& key) {
  const PodState* state = find_pod(key);
  NodeState* node = state == nullptr ? nullptr : find_node(state->node_name);
  if (node == nullptr) return nullptr;
  const auto found = position(node->pods, key);
  return found == node->pods.end() || found->pod.key() != key ? nullptr : &*found;
}

void ClusterState::forget_if_empty(const std::string& name) {
  const auto found = nodes_.find(name);
  if (found != nodes_.end() && found->second.empty()) nodes_.erase(found);
}

void ClusterState::remove_static_id(const ObjectKey& key) {
  const auto found = static_nodes_.find(key);
  if (found == static_nodes_.end()) return;
  if (NodeState* node = find_node(found->second)) {
    const auto id = node->static_ids.find(key);
    if (id != node->static_ids.end()) {
      remove_bearer(*node, id->second, key);
      node->static_ids.erase(id);
    }
  }
  static_nodes_.erase(found);
}

// Among thousands of pods of one node, what one of them changes must not cost a look at each.
void ClusterState::add_bearer(NodeState& node, const std::string& id, const ObjectKey& key) {
  // Unless the administrator admits static pods, no neighbour can make a difference.
  if (!config_.static_pods) return;
  std::set<ObjectKey>& keys = node.bearers[id];
  if (!keys.insert(key).second || keys.size() != 2) return;
  for (const ObjectKey& each : keys) unsettle(node, each);
}

void ClusterState::unsettle(NodeState& node, const ObjectKey& key) {
  // Only those with annotations of ours are ever resolved.
  if (pods_.contains(key)) node.unsettled.insert(key);
}

void ClusterState::remove_bearer(NodeState& node, const std::string& id, const ObjectKey& key) {
  const auto found = node.bearers.find(id);
  if (found == node.bearers.end()) return;
  std::set<ObjectKey>& keys = found->second;
  if (keys.erase(key) != 0 && keys.size() == 1) unsettle(node, *keys.begin());
  if (keys.empty()) node.bearers.erase(found);
}

Dirty ClusterState::replace_pods(std::vector<PodView> pods) {
  Dirty dirty;
  std::vector<ObjectKey> gone;
  std::set<ObjectKey> present;
  std::map<std::string, std::size_t> per_node;
  for (const PodView& pod : pods) {
    if (has_annotation_of_ours(pod)) ++per_node[pod.node_name];
    // The first list of a large cluster is the most that is ever held at once.
    if (!pods_.empty() || !static_nodes_.empty()) present.insert(pod.key());
  }
  for (const auto& [key, state] : pods_) {
    if (!present.contains(key)) gone.push_back(key);
  }
  for (const auto& [key, node] : static_nodes_) {
    if (!present.contains(key)) gone.push_back(key);
  }
  for (const ObjectKey& key : gone) merge(dirty, delete_pod(key));
  for (const auto& [node, count] : per_node) nodes_[node].pods.reserve(count);
  for (PodView& pod : pods) merge(dirty, upsert_pod(std::move(pod)));
  return dirty;
}

Dirty ClusterState::delete_pod(const ObjectKey& key) {
  PodState state;
  return remove_pod(key, state);
}

Dirty ClusterState::remove_pod(const ObjectKey& key, PodState& state) {
  Dirty dirty;
  if (const auto found = static_nodes_.find(key); found != static_nodes_.end()) {
    dirty.specs.insert(found->second);
  }
  remove_static_id(key);
  const auto found = pods_.find(key);
  if (found == pods_.end()) return dirty;
  const std::string name = found->second.node_name;
  NodeState& node = nodes_[name];
  const auto at = position(node.pods, key);
  if (at != node.pods.end() && at->pod.key() == key) {
    remove_bearer(node, claimed_pod_id(at->pod), key);
    node.pods.erase(at);
  }
  node.unsettled.erase(key);
  state = std::move(found->second);
  pods_.erase(found);
  // An unbound pod has no object to leave.
  if (!name.empty()) dirty.specs.insert(name);
  return dirty;
}

Dirty ClusterState::upsert_pod(PodView pod) {
  const ObjectKey key = pod.key();
  if (!has_annotation_of_ours(pod)) {
    Dirty dirty = delete_pod(key);
    if (claims_static(pod) && !pod.node_name.empty()) {
      NodeState& node = nodes_[pod.node_name];
      node.static_ids[key] = claimed_pod_id(pod);
      add_bearer(node, node.static_ids[key], key);
      static_nodes_[key] = pod.node_name;
      dirty.specs.insert(pod.node_name);
    }
    return dirty;
  }
  Dirty dirty;
  remove_static_id(key);
  if (const PodState* old = find_pod(key);
      old != nullptr && (old->uid != pod.uid || old->node_name != pod.node_name)) {
    PodState before;
    merge(dirty, remove_pod(key, before));
    if (before.uid == pod.uid) pods_.emplace(key, bound(std::move(before), pod));
  }
  PodState& state = pods_[key];
  state.uid = pod.uid;
  state.node_name = pod.node_name;
  state.refused_until_change = false;
  // What passes does not pass sooner because the pod changes.
  if (!state.told_trouble || !passes(*state.told_trouble)) state.failures = 0;

  const std::string name = pod.node_name;
  NodeState& node = nodes_[name];
  ResolvedPod resolved{std::move(pod), {}};
  const auto at = position(node.pods, key);
  const bool known = at != node.pods.end() && at->pod.key() == key;
  const std::string id = claimed_pod_id(resolved.pod);
  if (known && claimed_pod_id(at->pod) != id) remove_bearer(node, claimed_pod_id(at->pod), key);
  add_bearer(node, id, key);
  node.unsettled.erase(key);
  resolved.resolution = resolve(resolved.pod, config_, shared_ids(node, id));
  const bool is_static = claims_static(resolved.pod);
  if (!is_static) {
    // Of a resolved pod nobody reads them again, and a tenant's may be large.
    resolved.pod.containers = {};
    resolved.pod.volumes = {};
  }
  if (!known || is_static || !same_for_spec(*at, resolved)) {
    // A source that the server rejected gets another chance when its pod changes.
    std::erase_if(node.rejected, [&](const SourceIdentity& source) {
      return source.namespace_name == key.namespace_name && source.pod == key.name;
    });
    if (!name.empty()) dirty.specs.insert(name);
  }
  if (known) {
    *at = std::move(resolved);
  } else {
    node.pods.insert(at, std::move(resolved));
  }
  if (resolve_static_pods(node)) {
    if (!name.empty()) dirty.specs.insert(name);
    dirty.answers.insert(name);
  }
  dirty.pods.insert(key);
  return dirty;
}

bool ClusterState::resolve_static_pods(NodeState& node) {
  bool changed = false;
  for (const ObjectKey& key : std::exchange(node.unsettled, {})) {
    const auto at = position(node.pods, key);
    const bool known = at != node.pods.end() && at->pod.key() == key;
    if (!known || !claims_static(at->pod)) continue;
    Resolution resolution = resolve(at->pod, config_, shared_ids(node, claimed_pod_id(at->pod)));
    if (resolution == at->resolution) continue;
    at->resolution = std::move(resolution);
    changed = true;
  }
  return changed;
}

Dirty ClusterState::replace_objects(std::vector<NodeLinkSet> objects, MonotonicTime now) {
  Dirty dirty;
  std::set<std::string> present;
  for (const NodeLinkSet& object : objects) present.insert(object.name);
  std::vector<std::string> gone;
  for (const auto& [name, node] : nodes_) {
    if (node.object && !present.contains(name)) gone.push_back(name);
  }
  for (const std::string& name : gone) merge(dirty, delete_object(name));
  for (NodeLinkSet& object : objects) merge(dirty, upsert_object(std::move(object), now));
  return dirty;
}

Dirty ClusterState::upsert_object(NodeLinkSet object, MonotonicTime now) {
  Dirty dirty;
  const std::string name = object.name;
  NodeState& node = nodes_[name];
  node.shown_uid = object.uid;
  // It is back: from a backup, or its deletion was told of an earlier one of our own writes.
  if (object.uid == node.gone_uid) node.gone_uid.clear();
  if (node.object && node.object->uid == object.uid &&
      object.generation < node.object->generation && now < node.answer_trusted_until) {
    node.held_back = std::move(object);
    // So that it is looked at again when the answer is no longer trusted.
    dirty.specs.insert(name);
    return dirty;
  }
  node.held_back.reset();
  dirty.answers.insert(name);
  const bool is_awaited = std::exchange(node.wants_news, false);
  if (is_awaited || !node.object || node.object->uid != object.uid ||
      node.object->spec != object.spec || node.object->owners != object.owners ||
      node.object->generation != object.generation) {
    dirty.specs.insert(name);
  }
  take_object(node, std::move(object));
  return dirty;
}

// Generations count within one object: those of an object that is gone say nothing about the next.
void ClusterState::forget_generations(const NodeState& node) { keep_generations(node, 0); }

// Later ones than that of the object we have are of a history that a backup has replaced, or of an
// answer of ours that is no longer trusted.
void ClusterState::keep_generations(const NodeState& node, std::int64_t up_to) {
  for (const ResolvedPod& pod : node.pods) {
    std::int64_t& since = pods_[pod.pod.key()].sources_since_generation;
    if (since > up_to) since = 0;
  }
}

// An agent has answered a pod when it has observed the generation that brought the pod's sources.
void ClusterState::take_object(NodeState& node, NodeLinkSet object) {
  if (node.object) {
    keep_generations(node, node.object->uid == object.uid ? object.generation : 0);
  }
  const bool same_spec = node.object && node.object->spec == object.spec;
  const bool first_seen = !node.object && !node.in_flight;
  UidIndex index(object.spec.sources);
  if (!same_spec && !first_seen) {
    // A pod that it does not name waits for no answer.
    std::set<ObjectKey> named;
    for (const Source& each : object.spec.sources) named.insert({each.namespace_name, each.pod});
    for (const ObjectKey& key : named) {
      const auto at = position(node.pods, key);
      if (at == node.pods.end() || at->pod.key() != key) continue;
      NodeLinkSetSpec before;
      if (node.object) before = spec_of(*node.object, node.source_index, at->pod);
      if (live_sources(before) == live_sources(spec_of(object, index, at->pod))) continue;
      pods_[key].sources_since_generation = object.generation;
    }
  }
  node.object = std::move(object);
  node.not_found = false;
  node.source_index = std::move(index);
  node.entry_index = UidIndex(node.object->status.pods);
}

Dirty ClusterState::delete_object(const std::string& name) {
  NodeState* node = find_node(name);
  if (node == nullptr) return {};
  forget_generations(*node);
  if (node->object) node->gone_uid = node->object->uid;
  node->object.reset();
  node->not_found = false;
  node->held_back.reset();
  node->vain_write.reset();
  // The server has said no more than that.
  if (node->refused_writes && node->refused_writes->kind == KubeErrorKind::kNotFound) {
    node->refused_writes.reset();
  }
  return {{name}, {name}, {}};
}

Dirty ClusterState::adopt_written(NodeLinkSet object, MonotonicTime now) {
  const std::string name = object.name;
  NodeState& node = nodes_[name];
  // Its deletion has overtaken the answer. Taken for the node's object, it would stay for ever.
  if (!object.uid.empty() && object.uid == node.gone_uid) return {{name}, {name}, {}};
  node.answer_trusted_until = now + kAnswerTrust;
  const bool watch_is_ahead =
      node.object && node.object->uid == object.uid && node.object->generation >= object.generation;
  if (!watch_is_ahead) {
    take_object(node, std::move(object));
    node.held_back.reset();
  }
  return {{}, {name}, {}};
}

void ClusterState::begin_term() {
  for (auto& [name, node] : nodes_) {
    node.refused_writes.reset();
    node.conflict_excused = false;
    node.node_uid.clear();
    node.node_missing = false;
  }
  for (auto& [key, pod] : pods_) {
    pod.waiting_since.reset();
    pod.silent_since.reset();
  }
}

void ClusterState::distrust_answer(NodeState& node) {
  node.answer_trusted_until = {};
  if (node.held_back) take_object(node, std::move(*node.held_back));
  node.held_back.reset();
}

}  // namespace loglink
