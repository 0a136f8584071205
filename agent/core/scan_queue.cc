#include "agent/core/scan_queue.h"

#include <algorithm>
#include <utility>

namespace loglink {

void ScanQueue::push(const std::string& namespace_name, Target directory, bool busy) {
  Lane& lane = lanes_[namespace_name];
  (busy ? lane.busy : lane.quiet).push_back(std::move(directory));
}

std::optional<std::string> ScanQueue::next() const {
  const auto is_ready = [](const auto& each) { return !each.second.blocked_until; };
  const auto after = lanes_.upper_bound(last_);
  auto found = std::find_if(after, lanes_.end(), is_ready);
  if (found == lanes_.end()) {
    found = std::find_if(lanes_.begin(), after, is_ready);
    if (found == after) return std::nullopt;
  }
  return found->first;
}

Target ScanQueue::pop(const std::string& namespace_name) {
  const auto found = lanes_.find(namespace_name);
  Lane& lane = found->second;
  const bool take_busy = lane.quiet.empty() || (lane.busy_next && !lane.busy.empty());
  std::deque<Target>& from = take_busy ? lane.busy : lane.quiet;
  lane.busy_next = !take_busy;
  Target directory = std::move(from.front());
  from.pop_front();
  last_ = namespace_name;
  if (lane.quiet.empty() && lane.busy.empty()) lanes_.erase(found);
  return directory;
}

void ScanQueue::block(const std::string& namespace_name, MonotonicTime until) {
  const auto found = lanes_.find(namespace_name);
  if (found != lanes_.end()) found->second.blocked_until = until;
}

void ScanQueue::unblock(MonotonicTime now) {
  for (auto& [name, lane] : lanes_) {
    if (lane.blocked_until && *lane.blocked_until <= now) lane.blocked_until.reset();
  }
}

bool ScanQueue::is_blocked(const std::string& namespace_name) const {
  const auto found = lanes_.find(namespace_name);
  return found != lanes_.end() && found->second.blocked_until;
}

MonotonicTime ScanQueue::next_wakeup() const {
  MonotonicTime earliest = MonotonicTime::never();
  for (const auto& [name, lane] : lanes_) {
    if (lane.blocked_until) earliest = std::min(earliest, *lane.blocked_until);
  }
  return earliest;
}

}  // namespace loglink
