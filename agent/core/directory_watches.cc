#include "agent/core/directory_watches.h"

#include <algorithm>

#include "lib/model/path.h"

namespace loglink {

DirectoryWatches::Result DirectoryWatches::watch(const Target& directory,
                                                 const std::string& namespace_name,
                                                 bool own_directory) {
  const auto found = watches_.find(directory);
  if (found != watches_.end()) {
    Watch& watch = found->second;
    if (!watch.scanned) {
      watch.scanned = true;
      watch.namespace_name = namespace_name;
      ++per_namespace_[namespace_name];
    }
    watch.own_directory = own_directory;
    return Result::kWatched;
  }
  if (!own_directory && per_namespace_[namespace_name] >= std::max<std::size_t>(1, limit_ / 2)) {
    return Result::kLimitReached;
  }
  if (watches_.size() >= limit_ && !(own_directory && evict_subdirectory())) {
    return Result::kLimitReached;
  }
  Watch watch;
  watch.scanned = true;
  watch.own_directory = own_directory;
  watch.namespace_name = namespace_name;
  const Result result = add(directory, std::move(watch));
  if (result == Result::kWatched) ++per_namespace_[namespace_name];
  return result;
}

DirectoryWatches::Result DirectoryWatches::wait_at(const Target& ancestor, const Target& missing) {
  const auto before = waits_at_.find(missing);
  if (before != waits_at_.end()) {
    if (before->second == ancestor) return Result::kWatched;
    stop_waiting(missing);
  }
  auto found = watches_.find(ancestor);
  if (found == watches_.end()) {
    if (watches_.size() >= limit_ && !evict_subdirectory()) return Result::kLimitReached;
    const Result result = add(ancestor, Watch{});
    if (result != Result::kWatched) return result;
    found = watches_.find(ancestor);
  }
  found->second.waiting.insert(missing);
  waits_at_[missing] = ancestor;
  return Result::kWatched;
}

void DirectoryWatches::unwatch(const Target& directory) {
  const auto found = watches_.find(directory);
  if (found == watches_.end() || !found->second.scanned) return;
  found->second.scanned = false;
  found->second.own_directory = false;
  --per_namespace_[found->second.namespace_name];
  drop_if_unused(found);
}

void DirectoryWatches::stop_waiting(const Target& missing) {
  const auto at = waits_at_.find(missing);
  if (at == waits_at_.end()) return;
  const auto found = watches_.find(at->second);
  waits_at_.erase(at);
  if (found == watches_.end()) return;
  found->second.waiting.erase(missing);
  drop_if_unused(found);
}

bool DirectoryWatches::is_watched(const Target& directory) const {
  const auto found = watches_.find(directory);
  return found != watches_.end() && found->second.scanned;
}

const Target* DirectoryWatches::find(std::uint64_t watch) const {
  const auto found = by_id_.find(watch);
  if (found == by_id_.end()) return nullptr;
  return &found->second;
}

std::vector<Target> DirectoryWatches::waiting(const Target& ancestor, std::string_view name) const {
  std::vector<Target> matching;
  const auto found = watches_.find(ancestor);
  if (found == watches_.end()) return matching;
  for (const Target& missing : found->second.waiting) {
    const std::string rest = path_below(ancestor.path, missing.path);
    if (std::string_view(rest).substr(0, rest.find('/')) == name) matching.push_back(missing);
  }
  return matching;
}

std::vector<Target> DirectoryWatches::ended(std::uint64_t watch) {
  std::vector<Target> served;
  const auto by_id = by_id_.find(watch);
  if (by_id == by_id_.end()) return served;
  const Target directory = by_id->second;
  by_id_.erase(by_id);
  const auto found = watches_.find(directory);
  if (found->second.scanned) {
    served.push_back(directory);
    --per_namespace_[found->second.namespace_name];
  }
  for (const Target& missing : found->second.waiting) {
    served.push_back(missing);
    waits_at_.erase(missing);
  }
  watches_.erase(found);
  return served;
}

std::optional<Target> DirectoryWatches::take_evicted() {
  if (evicted_.empty()) return std::nullopt;
  Target evicted = std::move(evicted_.back());
  evicted_.pop_back();
  return evicted;
}

DirectoryWatches::Result DirectoryWatches::add(const Target& directory, Watch watch) {
  const FileExpected<std::uint64_t> id = port_.watch(directory.root, directory.path);
  if (!id) {
    switch (id.error().kind) {
      case FileErrorKind::kNotFound:
      case FileErrorKind::kNotADirectory:
      case FileErrorKind::kSymlinkInPath:
        return Result::kNotFound;
      case FileErrorKind::kWatchLimit:
      case FileErrorKind::kNoSpace:
      case FileErrorKind::kTooManyOpenFiles:
        return Result::kLimitReached;
      case FileErrorKind::kPermissionDenied:
      case FileErrorKind::kCrossesMount:
      case FileErrorKind::kNameTooLong:
      case FileErrorKind::kAlreadyExists:
      case FileErrorKind::kReadOnly:
      case FileErrorKind::kNotOurs:
      case FileErrorKind::kUnsupported:
      case FileErrorKind::kIo:
        return Result::kFailed;
    }
    __builtin_unreachable();
  }
  watch.id = *id;
  by_id_[*id] = directory;
  watches_[directory] = std::move(watch);
  return Result::kWatched;
}

void DirectoryWatches::drop_if_unused(std::map<Target, Watch>::iterator watch) {
  if (watch->second.scanned || !watch->second.waiting.empty()) return;
  port_.unwatch(watch->second.id);
  by_id_.erase(watch->second.id);
  watches_.erase(watch);
}

bool DirectoryWatches::evict_subdirectory() {
  const auto found = std::find_if(watches_.begin(), watches_.end(), [](const auto& each) {
    return each.second.scanned && !each.second.own_directory && each.second.waiting.empty();
  });
  if (found == watches_.end()) return false;
  const Target directory = found->first;
  unwatch(directory);
  evicted_.push_back(directory);
  return true;
}

}  // namespace loglink
