#include "agent/core/directory_scan.h"

#include <algorithm>
#include <utility>

namespace loglink {

DirectoryScan::DirectoryScan(Target directory, OpenDirectory opened, std::size_t most)
    : directory_(std::move(directory)),
      reader_(std::move(opened.reader)),
      info_(opened.directory),
      most_(most) {}

FileExpected<std::size_t> DirectoryScan::read_piece(std::size_t max_entries) {
  const std::size_t before = entries_.size();
  // One more than is kept, so that it is noticed.
  const std::size_t piece = std::min(max_entries, most_ + 1 - before);
  const FileExpected<void> read = reader_->read(piece, entries_);
  if (!read) return tl::unexpected(read.error());
  const std::size_t added = entries_.size() - before;
  is_truncated_ = entries_.size() > most_;
  if (is_truncated_) entries_.pop_back();
  // Sorted piece by piece: at the end it would be long work in one go.
  const auto by_name = [](const DirectoryEntry& a, const DirectoryEntry& b) {
    return a.name < b.name;
  };
  const auto fresh =
      entries_.begin() + static_cast<std::ptrdiff_t>(std::min(before, entries_.size()));
  std::sort(fresh, entries_.end(), by_name);
  std::inplace_merge(entries_.begin(), fresh, entries_.end(), by_name);
  is_done_ = added < piece || is_truncated_;
  return added;
}

void DirectoryScan::amend(
    const std::map<std::string, std::optional<FileInfo>, std::less<>>& changed) {
  std::erase_if(entries_, [&](const DirectoryEntry& entry) {
    return changed.find(entry.name) != changed.end();
  });
  const auto kept = static_cast<std::ptrdiff_t>(entries_.size());
  for (const auto& [name, info] : changed) {
    if (info) entries_.push_back({name, *info});
  }
  std::inplace_merge(
      entries_.begin(), entries_.begin() + kept, entries_.end(),
      [](const DirectoryEntry& a, const DirectoryEntry& b) { return a.name < b.name; });
  if (entries_.size() <= most_) return;
  entries_.resize(most_);
  is_truncated_ = true;
}

std::vector<DirectoryEntry> DirectoryScan::take_entries() {
  // A file system may name an entry twice when it changes while it is read.
  const auto is_same = [](const DirectoryEntry& a, const DirectoryEntry& b) {
    return a.name == b.name;
  };
  entries_.erase(std::unique(entries_.begin(), entries_.end(), is_same), entries_.end());
  return std::move(entries_);
}

}  // namespace loglink
