#include "agent/core/scan_queue.h"

#include <algorithm>
#include <utility>

namespace loglink {

void ScanQueue::push(const Target& directory, std::set<std::string> namespaces, bool busy) {
  const auto [found, is_new] = places_.try_emplace(directory);
  Place& place = found->second;
  if (is_new) place.number = pushed_++;
  if (place.namespaces == namespaces && place.busy == busy) return;
  // Into the new lanes first: one that is empty meanwhile would forget that it is blocked.
  for (const std::string& name : namespaces) {
    Lane& lane = lanes_[name];
    line_of(lane, place.busy).erase(place.number);
    line_of(lane, busy).emplace(place.number, &found->first);
  }
  for (const std::string& name : place.namespaces) {
    if (namespaces.count(name) == 0) leave(name, place);
  }
  place.namespaces = std::move(namespaces);
  place.busy = busy;
}

void ScanQueue::remove(const Target& directory) {
  const auto found = places_.find(directory);
  if (found == places_.end()) return;
  for (const std::string& name : found->second.namespaces) leave(name, found->second);
  places_.erase(found);
}

void ScanQueue::leave(const std::string& namespace_name, const Place& place) {
  const auto found = lanes_.find(namespace_name);
  line_of(found->second, place.busy).erase(place.number);
  if (found->second.quiet.empty() && found->second.busy.empty()) lanes_.erase(found);
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
  Lane& lane = lanes_.find(namespace_name)->second;
  const bool take_busy = lane.quiet.empty() || (lane.busy_next && !lane.busy.empty());
  lane.busy_next = !take_busy;
  Target directory = *line_of(lane, take_busy).begin()->second;
  last_ = namespace_name;
  remove(directory);
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

bool ScanQueue::is_held_back(const Target& directory) const {
  const auto found = places_.find(directory);
  if (found == places_.end()) return false;
  const std::set<std::string>& namespaces = found->second.namespaces;
  return std::all_of(namespaces.begin(), namespaces.end(), [this](const std::string& name) {
    return lanes_.find(name)->second.blocked_until.has_value();
  });
}

std::size_t ScanQueue::size() const {
  std::size_t count = 0;
  for (const auto& [name, lane] : lanes_) count += lane.quiet.size() + lane.busy.size();
  return count;
}

MonotonicTime ScanQueue::next_wakeup() const {
  MonotonicTime earliest = MonotonicTime::never();
  for (const auto& [name, lane] : lanes_) {
    if (lane.blocked_until) earliest = std::min(earliest, *lane.blocked_until);
  }
  return earliest;
}

}  // namespace loglink
