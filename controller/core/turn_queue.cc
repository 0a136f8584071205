#include "controller/core/turn_queue.h"

#include <algorithm>

namespace loglink {

void TurnQueue::change_length(const std::string& namespace_name, std::size_t before,
                              std::size_t after) {
  if (before > 0) lengths_.erase({before, namespace_name});
  if (after > 0) lengths_.emplace(after, namespace_name);
}

void TurnQueue::add(const ObjectKey& key, MonotonicTime due) {
  remove(key);
  due_[key] = due;
  Lane& lane = lanes_[key.namespace_name];
  lane.emplace(due, key.name);
  change_length(key.namespace_name, lane.size() - 1, lane.size());
}

void TurnQueue::remove(const ObjectKey& key) {
  const auto found = due_.find(key);
  if (found == due_.end()) return;
  const auto lane = lanes_.find(key.namespace_name);
  lane->second.erase({found->second, key.name});
  change_length(key.namespace_name, lane->second.size() + 1, lane->second.size());
  if (lane->second.empty()) lanes_.erase(lane);
  due_.erase(found);
}

std::optional<ObjectKey> TurnQueue::take(MonotonicTime now) {
  auto lane = lanes_.upper_bound(last_served_);
  for (std::size_t tried = 0; tried < lanes_.size(); ++tried, ++lane) {
    if (lane == lanes_.end()) lane = lanes_.begin();
    const auto& [due, name] = *lane->second.begin();
    if (due > now) continue;
    ObjectKey key{lane->first, name};
    last_served_ = lane->first;
    remove(key);
    return key;
  }
  return std::nullopt;
}

std::optional<ObjectKey> TurnQueue::drop() {
  if (lengths_.empty()) return std::nullopt;
  const std::string& longest = lengths_.rbegin()->second;
  ObjectKey key{longest, lanes_.at(longest).rbegin()->second};
  remove(key);
  return key;
}

MonotonicTime TurnQueue::next_due() const {
  MonotonicTime next = MonotonicTime::never();
  for (const auto& [name, lane] : lanes_) next = std::min(next, lane.begin()->first);
  return next;
}

}  // namespace loglink
