#include "lib/base/work_queue.h"

#include <algorithm>

namespace loglink {

void WorkQueue::add(const std::string& key, MonotonicTime at, Turn turn) {
  const auto failed = failures_.find(key);
  if (failed != failures_.end()) at = std::max(at, failed->second.not_before);
  const auto processing = processing_.find(key);
  if (processing != processing_.end()) {
    std::optional<Due>& dirty = processing->second;
    if (!dirty || at < dirty->at) dirty = Due{at, turn};
    return;
  }
  const auto [waiting, is_new] = waiting_.emplace(key, Due{at, turn});
  if (!is_new) {
    Due& due = waiting->second;
    if (at >= due.at) return;
    order(due.turn).erase({due.at, key});
    due = {at, turn};
  }
  order(turn).emplace(at, key);
}

std::optional<std::string> WorkQueue::take(MonotonicTime now) {
  const auto is_due = [&](Turn turn, MonotonicTime by) {
    return !order(turn).empty() && order(turn).begin()->first <= by;
  };
  Turn turn = Turn::kFirst;
  if (!is_due(Turn::kFirst, now)) {
    if (!is_due(Turn::kLast, now)) return std::nullopt;
    turn = Turn::kLast;
  } else if (is_due(Turn::kLast, now - kPatience)) {
    turn = patience_is_next_ ? Turn::kLast : Turn::kFirst;
    patience_is_next_ = !patience_is_next_;
  }
  std::string key = order(turn).begin()->second;
  order(turn).erase(order(turn).begin());
  waiting_.erase(key);
  processing_.emplace(key, std::nullopt);
  return key;
}

void WorkQueue::done(const std::string& key) {
  const auto processing = processing_.find(key);
  if (processing == processing_.end()) return;
  const std::optional<Due> dirty = processing->second;
  processing_.erase(processing);
  if (dirty) add(key, dirty->at, dirty->turn);
}

void WorkQueue::retry(const std::string& key, MonotonicTime now, Random& random, Bounds bounds) {
  Failure& failure = failures_.try_emplace(key, Failure{Backoff(retry_), now}).first->second;
  Duration delay = failure.backoff.next(random);
  // Many keys at the bound must not come back in step.
  if (delay > bounds.at_most) delay = random.between(bounds.at_most / 2, bounds.at_most);
  failure.not_before = now + std::max(delay, bounds.at_least);
  done(key);
  add(key, now, bounds.turn);
}

MonotonicTime WorkQueue::next_due() const {
  MonotonicTime next = MonotonicTime::never();
  for (const Order& each : orders_) {
    if (!each.empty()) next = std::min(next, each.begin()->first);
  }
  return next;
}

}  // namespace loglink
