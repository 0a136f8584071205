// The part of DirectoryScanner that events reach: one entry is looked at, at once.
#include <algorithm>

#include "agent/core/directory_scanner.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

auto entry_position(std::vector<DirectoryEntry>& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const DirectoryEntry& entry, std::string_view wanted) { return entry.name < wanted; });
}

// Inode numbers are reused; together with the birth time they name one file.
bool is_same_file(const FileInfo& a, const FileInfo& b) {
  return a.id == b.id && a.birth_ns == b.birth_ns;
}

// A deleted name is not the end of a file that has a hard link beside it.
bool has_other_name(const ObservedDirectory& directory, const DirectoryEntry& deleted) {
  return std::any_of(directory.entries.begin(), directory.entries.end(),
                     [&](const DirectoryEntry& each) {
                       return each.info.id == deleted.info.id && each.name != deleted.name;
                     });
}

}  // namespace

std::optional<AppearedFile> DirectoryScanner::take(const FileNotice& notice, const Now& now) {
  switch (notice.kind) {
    case FileNotice::Kind::kOverflow:
      mark_all_dirty();
      return std::nullopt;
    case FileNotice::Kind::kLinkDirectory:
      return std::nullopt;
    case FileNotice::Kind::kDirectoryGone:
      for (const Target& served : watches_.ended(notice.watch)) {
        const auto book = books_.find(served);
        if (book != books_.end()) want_scan(served, book->second);
      }
      return std::nullopt;
    case FileNotice::Kind::kEntry:
    case FileNotice::Kind::kEntryDeleted:
      break;
  }
  const Target* const found = watches_.find(notice.watch);
  if (found == nullptr) return std::nullopt;
  const Target directory = *found;
  for (const Target& missing : watches_.waiting(directory, notice.name)) {
    const auto waiting = books_.find(missing);
    if (waiting == books_.end() || waiting->second.users.empty()) continue;
    // Whoever fills a parent directory with events pays as in a directory of its own.
    if (pay_for_event(missing, waiting->second, now)) want_scan(missing, waiting->second);
  }
  const auto book = books_.find(directory);
  if (book == books_.end() || !watches_.is_watched(directory)) return std::nullopt;
  if (!pay_for_event(directory, book->second, now)) return std::nullopt;
  if (open_scan_ && open_scan_->directory() == directory) {
    open_scan_->note_change(notice.name);
  }
  // Also while it waits to be read anew: its new files need not wait, and are then no change.
  if (!book->second.listed) return std::nullopt;
  const std::string& payer = payer_of(book->second).source.namespace_name;
  std::optional<AppearedFile> appeared = reconcile_entry(directory, book->second, notice);
  pay_for_walks(payer, now);
  return appeared;
}

void DirectoryScanner::look_at(const Target& file, const Now& now) {
  const Target directory{file.root, std::string(parent_path(file.path))};
  const auto book = books_.find(directory);
  if (book == books_.end()) return;
  if (!book->second.listed) return want_scan(directory, book->second);
  const FileNotice notice{FileNotice::Kind::kEntry, 0, std::string(base_name(file.path))};
  const std::string& payer = payer_of(book->second).source.namespace_name;
  if (reconcile_entry(directory, book->second, notice)) changed_ = true;
  pay_for_walks(payer, now);
}

bool DirectoryScanner::pay_for_event(const Target& directory, Book& book, const Now& now) {
  const IndexedSource& payer = payer_of(book);
  const AgentLimits& limits = config_.limits;
  const auto bucket =
      buckets_.try_emplace(payer.identity, limits.events_per_second, limits.event_burst);
  // An event costs one look, unless it sends sources on their way through their directories again.
  const bool may_read =
      !book.deeper || budget_.ready_at(payer.source.namespace_name, now.monotonic) <= now.monotonic;
  if (bucket.first->second.try_take(now.monotonic) && may_read) return true;
  // The kernel's queue is shared: this source no longer fills it.
  ++counters_.watches_given_up;
  book.polled = true;
  watches_.unwatch(directory);
  watches_.stop_waiting(directory);
  set_timer(directory, book, now.monotonic + kDirectoryPollInterval);
  return false;
}

std::optional<AppearedFile> DirectoryScanner::reconcile_entry(const Target& directory, Book& book,
                                                              const FileNotice& notice) {
  const bool wanted = is_wanted_by_any(book, notice.name);
  if (!wanted && !book.deeper) return std::nullopt;
  const FileExpected<FileInfo> info =
      port_.stat(directory.root, join_path(directory.path, notice.name));
  ObservedDirectory& observed = observed_[directory];
  const auto known = entry_position(observed.entries, notice.name);
  const bool is_known = known != observed.entries.end() && known->name == notice.name;
  if (notice.kind == FileNotice::Kind::kEntryDeleted && is_known &&
      (!info || !is_same_file(*info, known->info)) && !has_other_name(observed, *known)) {
    std::optional<InodeKey> key = inode_key(directory.root, known->info);
    if (key) deleted_.push_back(std::move(*key));
  }
  if (info) return entry_found(directory, book, notice.name, *info);
  switch (info.error().kind) {
    case FileErrorKind::kNotFound:
      entry_gone(directory, book, notice.name);
      break;
    case FileErrorKind::kPermissionDenied:
    case FileErrorKind::kNotADirectory:
    case FileErrorKind::kSymlinkInPath:
    case FileErrorKind::kCrossesMount:
    case FileErrorKind::kNameTooLong:
    case FileErrorKind::kAlreadyExists:
    case FileErrorKind::kNoSpace:
    case FileErrorKind::kTooManyOpenFiles:
    case FileErrorKind::kReadOnly:
    case FileErrorKind::kNotOurs:
    case FileErrorKind::kWatchLimit:
    case FileErrorKind::kUnsupported:
    case FileErrorKind::kIo:
      want_scan(directory, book);
      break;
  }
  return std::nullopt;
}

std::optional<AppearedFile> DirectoryScanner::entry_found(const Target& directory, Book& book,
                                                          const std::string& name,
                                                          const FileInfo& info) {
  std::optional<AppearedFile> appeared;
  if (is_wanted_by_any(book, name)) {
    ObservedDirectory& observed = observed_[directory];
    const auto position = entry_position(observed.entries, name);
    const bool known = position != observed.entries.end() && position->name == name;
    if (!known || !is_same_file(position->info, info) || position->info.kind != info.kind) {
      if (known) {
        position->info = info;
      } else if (has_room(book)) {
        observed.entries.insert(position, {name, info});
        budget_.add_one(book.charge);
      } else {
        observed.truncated = true;
        book.cut = true;
      }
      if (info.kind == FileKind::kRegular) {
        appeared = AppearedFile{directory, name, info};
      } else {
        changed_ = true;
      }
    }
  }
  if (!book.deeper) return appeared;
  const auto child = std::lower_bound(book.children.begin(), book.children.end(), name);
  const bool is_child = child != book.children.end() && *child == name;
  const bool is_directory = info.kind == FileKind::kDirectory;
  if (is_child == is_directory) return appeared;
  if (is_directory) {
    book.children.insert(child, name);
  } else {
    book.children.erase(child);
  }
  changed_ = true;
  rewalk_users_of(directory);
  return appeared;
}

void DirectoryScanner::entry_gone(const Target& directory, Book& book, const std::string& name) {
  ObservedDirectory& observed = observed_[directory];
  const auto position = entry_position(observed.entries, name);
  if (position != observed.entries.end() && position->name == name) {
    observed.entries.erase(position);
    budget_.take_one(book.charge);
    changed_ = true;
  }
  const auto child = std::lower_bound(book.children.begin(), book.children.end(), name);
  if (child == book.children.end() || *child != name) return;
  book.children.erase(child);
  changed_ = true;
  rewalk_users_of(directory);
}

}  // namespace loglink
