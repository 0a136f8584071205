#include "tests/fakes/kube_store.h"

namespace loglink::fakes {

KubeObject::KubeObject(Json value, std::uint64_t version)
    : value_(std::move(value)), version_(version) {}

const std::string& KubeObject::text() const {
  if (text_.empty()) text_ = dump(value_);
  return text_;
}

const KubeStore::Objects& KubeStore::objects(const std::string& plural) const {
  static const Objects none;
  const auto found = collections_.find(plural);
  return found == collections_.end() ? none : found->second.objects;
}

ObjectPtr KubeStore::find(const std::string& plural, const std::string& key) const {
  const Objects& all = objects(plural);
  const auto found = all.find(key);
  return found == all.end() ? nullptr : found->second;
}

ObjectPtr KubeStore::put(const std::string& plural, const std::string& key, Json value) {
  value["metadata"]["resourceVersion"] = std::to_string(++version_);
  Collection& collection = collections_[plural];
  ObjectPtr& slot = collection.objects[key];
  KubeChange change{version_, key, slot, nullptr};
  slot = std::make_shared<const KubeObject>(std::move(value), version_);
  change.after = slot;
  record(collection, std::move(change));
  return slot;
}

void KubeStore::erase(const std::string& plural, const std::string& key) {
  Collection& collection = collections_[plural];
  const auto found = collection.objects.find(key);
  if (found == collection.objects.end()) return;
  ++version_;
  KubeChange change{version_, key, found->second, nullptr};
  collection.objects.erase(found);
  record(collection, std::move(change));
}

void KubeStore::record(Collection& collection, KubeChange change) {
  collection.last_change = change.version;
  collection.changes.push_back(std::move(change));
  while (collection.changes.size() > changes_max_) {
    collection.oldest = collection.changes.front().version;
    collection.changes.pop_front();
  }
}

std::uint64_t KubeStore::oldest(const std::string& plural) const {
  const auto found = collections_.find(plural);
  return found == collections_.end() ? 0 : found->second.oldest;
}

std::uint64_t KubeStore::last_change(const std::string& plural) const {
  const auto found = collections_.find(plural);
  return found == collections_.end() ? 0 : found->second.last_change;
}

const std::deque<KubeChange>& KubeStore::changes(const std::string& plural) const {
  static const std::deque<KubeChange> none;
  const auto found = collections_.find(plural);
  return found == collections_.end() ? none : found->second.changes;
}

KubeStore::Objects KubeStore::objects_at(const std::string& plural, std::uint64_t version) const {
  Objects result = objects(plural);
  const std::deque<KubeChange>& all = changes(plural);
  for (auto change = all.rbegin(); change != all.rend() && change->version > version; ++change) {
    if (change->before == nullptr) {
      result.erase(change->key);
    } else {
      result[change->key] = change->before;
    }
  }
  return result;
}

void KubeStore::forget_changes(const std::string& plural) {
  Collection& collection = collections_[plural];
  collection.changes.clear();
  collection.oldest = version_;
}

void KubeStore::forget_all_changes() {
  for (auto& [plural, collection] : collections_) forget_changes(plural);
}

}  // namespace loglink::fakes
