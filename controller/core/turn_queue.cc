#include "controller/core/turn_queue.h"

#include <algorithm>

namespace loglink {

void TurnQueue::add(const ObjectKey& key, MonotonicTime due) {
  remove(key);
  due_[key] = due;
  lanes_[key.namespace_name].emplace(due, key.name);
}

void TurnQueue::remove(const ObjectKey& key) {
  const auto found = due_.find(key);
  if (found == due_.end()) return;
  const auto lane = lanes_.find(key.namespace_name);
  lane->second.erase({found->second, key.name});
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

MonotonicTime TurnQueue::next_due() const {
  MonotonicTime next = MonotonicTime::never();
  for (const auto& [name, lane] : lanes_) next = std::min(next, lane.begin()->first);
  return next;
}

}  // namespace loglink
