#include "lib/base/work_queue.h"

#include <algorithm>

namespace loglink {

void WorkQueue::add(const std::string& key, MonotonicTime at) {
  const auto failed = failures_.find(key);
  if (failed != failures_.end()) at = std::max(at, failed->second.not_before);
  const auto processing = processing_.find(key);
  if (processing != processing_.end()) {
    std::optional<MonotonicTime>& dirty = processing->second;
    dirty = dirty ? std::min(*dirty, at) : at;
    return;
  }
  const auto [waiting, is_new] = waiting_.emplace(key, at);
  if (!is_new) {
    if (at >= waiting->second) return;
    order_.erase({waiting->second, key});
    waiting->second = at;
  }
  order_.emplace(at, key);
}

std::optional<std::string> WorkQueue::take(MonotonicTime now) {
  if (order_.empty() || order_.begin()->first > now) return std::nullopt;
  std::string key = order_.begin()->second;
  order_.erase(order_.begin());
  waiting_.erase(key);
  processing_.emplace(key, std::nullopt);
  return key;
}

void WorkQueue::done(const std::string& key) {
  const auto processing = processing_.find(key);
  if (processing == processing_.end()) return;
  const std::optional<MonotonicTime> dirty = processing->second;
  processing_.erase(processing);
  if (dirty) add(key, *dirty);
}

void WorkQueue::retry(const std::string& key, MonotonicTime now, Random& random, Bounds bounds) {
  Failure& failure = failures_.try_emplace(key, Failure{Backoff(retry_), now}).first->second;
  Duration delay = failure.backoff.next(random);
  // Many keys at the bound must not come back in step.
  if (delay > bounds.at_most) delay = random.between(bounds.at_most / 2, bounds.at_most);
  failure.not_before = now + std::max(delay, bounds.at_least);
  done(key);
  add(key, now);
}

MonotonicTime WorkQueue::next_due() const {
  return order_.empty() ? MonotonicTime::never() : order_.begin()->first;
}

}  // namespace loglink
