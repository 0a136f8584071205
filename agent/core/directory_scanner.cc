#include "agent/core/directory_scanner.h"

#include <algorithm>
#include <utility>

#include "lib/model/path.h"

namespace loglink {
namespace {

// One slice of work: short enough that an event of another tenant never waits long for it.
constexpr std::size_t kSliceEntries = 1000;
constexpr std::size_t kSliceDirectories = 64;
constexpr std::size_t kSliceChecks = 256;
constexpr int kAncestorSteps = 64;

constexpr Duration kPollInterval = std::chrono::seconds(1);
constexpr Duration kFirstRetry = std::chrono::seconds(1);
constexpr Duration kLastRetry = std::chrono::minutes(5);
// A change within a clock tick of the listing leaves the same ctime behind; coarse clocks tick in
// milliseconds, some file systems in seconds.
constexpr Duration kCoarseClock = std::chrono::seconds(2);

void combine(std::size_t& hash, std::size_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6U) + (hash >> 2U);
}

void combine(std::size_t& hash, const std::vector<std::string>& texts) {
  for (const std::string& text : texts) combine(hash, std::hash<std::string>()(text));
  combine(hash, texts.size());
}

auto entry_position(std::vector<DirectoryEntry>& entries, std::string_view name) {
  return std::lower_bound(
      entries.begin(), entries.end(), name,
      [](const DirectoryEntry& entry, std::string_view wanted) { return entry.name < wanted; });
}

// A deleted name is not the end of a file that has a hard link beside it.
bool has_other_name(const ObservedDirectory& directory, const DirectoryEntry& deleted) {
  return std::any_of(directory.entries.begin(), directory.entries.end(),
                     [&](const DirectoryEntry& each) {
                       return each.info.id == deleted.info.id && each.name != deleted.name;
                     });
}

Reason reason_of(FileErrorKind kind) {
  switch (kind) {
    case FileErrorKind::kNotFound:
      return Reason::kDirectoryNotFound;
    case FileErrorKind::kPermissionDenied:
      return Reason::kPermissionDenied;
    case FileErrorKind::kCrossesMount:
      return Reason::kMountBelowRoot;
    case FileErrorKind::kUnsupported:
      return Reason::kUnsupportedFileSystem;
    case FileErrorKind::kNotADirectory:
    case FileErrorKind::kSymlinkInPath:
    case FileErrorKind::kNameTooLong:
    case FileErrorKind::kAlreadyExists:
    case FileErrorKind::kNoSpace:
    case FileErrorKind::kTooManyOpenFiles:
    case FileErrorKind::kReadOnly:
    case FileErrorKind::kNotOurs:
    case FileErrorKind::kWatchLimit:
    case FileErrorKind::kIo:
      return Reason::kReadError;
  }
  __builtin_unreachable();
}

std::string_view explain(FileErrorKind kind) {
  switch (kind) {
    case FileErrorKind::kNotFound:
      return "no such directory yet; check its spelling, or wait until the application makes it";
    case FileErrorKind::kPermissionDenied:
      return "the agent may not read it; give it mode 0755";
    case FileErrorKind::kCrossesMount:
      return "another file system is mounted there, which is not entered; mount an emptyDir or an "
             "allowed hostPath";
    case FileErrorKind::kUnsupported:
      return "the file system does not support what the agent needs; mount an emptyDir or an "
             "allowed "
             "hostPath";
    case FileErrorKind::kNotADirectory:
      return "it is not a directory; name the directory of the log files";
    case FileErrorKind::kSymlinkInPath:
      return "it is or lies below a symbolic link, which is never followed; use a real directory";
    case FileErrorKind::kNameTooLong:
      return "its name is too long; shorten it";
    case FileErrorKind::kTooManyOpenFiles:
      return "the agent has too many open files; ask the administrator";
    case FileErrorKind::kAlreadyExists:
    case FileErrorKind::kNoSpace:
    case FileErrorKind::kReadOnly:
    case FileErrorKind::kNotOurs:
    case FileErrorKind::kWatchLimit:
    case FileErrorKind::kIo:
      return "it cannot be read; ask the administrator to look at the node's disk";
  }
  __builtin_unreachable();
}

// Whether a file below can be there at all, as far as the error tells.
DirectoryKnowledge knowledge_of(FileErrorKind kind) {
  switch (kind) {
    case FileErrorKind::kNotFound:
    case FileErrorKind::kNotADirectory:
    case FileErrorKind::kSymlinkInPath:
      return DirectoryKnowledge::kMissing;
    case FileErrorKind::kPermissionDenied:
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
      return DirectoryKnowledge::kUnknown;
  }
  __builtin_unreachable();
}

Duration retry_delay(int failures) {
  Duration delay = kFirstRetry;
  for (int i = 1; i < failures && delay < kLastRetry; ++i) delay *= 2;
  return std::min(delay, kLastRetry);
}

}  // namespace

DirectoryScanner::DirectoryScanner(FilePort& port, const AgentConfig& config,
                                   std::size_t watch_limit)
    : port_(port),
      config_(config),
      watches_(port, watch_limit),
      budget_(static_cast<std::size_t>(std::max(1, config.limits.entries_per_scan))) {}

// Sources and walks.

void DirectoryScanner::set_sources(const SourceIndex& sources) {
  sources_ = &sources;
  for (auto& [directory, book] : books_) book.users.clear();
  walks_.assign(sources.sources().size(), {});
  std::set<std::string> identities;
  std::set<std::string> namespaces;
  for (SourceId id = 0; id < walks_.size(); ++id) {
    const IndexedSource& each = sources.at(id);
    identities.insert(each.identity);
    namespaces.insert(each.source.namespace_name);
    if (!each.refusal) walk(id);
  }
  std::erase_if(buckets_, [&](const auto& each) { return identities.count(each.first) == 0; });
  budget_.keep_namespaces(namespaces);
  walked_ = 0;
  std::set<Target> all;
  for (const auto& [directory, book] : books_) all.insert(directory);
  settle(all);
  changed_ = true;
}

// Breadth first, so that a bound on directories keeps those near the top.
void DirectoryScanner::walk(SourceId id) {
  const Source& source = sources_->at(id).source;
  Walk next;
  std::deque<Target> queue = {{source.root, source.path}};
  while (!queue.empty()) {
    Target directory = std::move(queue.front());
    queue.pop_front();
    if (next.directories.size() >=
        static_cast<std::size_t>(std::max(1, config_.limits.directories_per_source))) {
      next.too_many = true;
      break;
    }
    const auto book = books_.find(directory);
    if (book != books_.end() && sources_->level(id, directory.path) < source.max_depth) {
      for (const std::string& child : book->second.children) {
        Target below{directory.root, join_path(directory.path, child)};
        if (sources_->may_enter(below.root, below.path)) queue.push_back(std::move(below));
      }
    }
    next.directories.insert(std::move(directory));
  }
  for (const Target& gone : walks_[id].directories) {
    const auto book = books_.find(gone);
    if (next.directories.count(gone) == 0 && book != books_.end()) {
      std::erase(book->second.users, id);
    }
  }
  for (const Target& directory : next.directories) add_user(directory, id);
  walks_[id] = std::move(next);
}

void DirectoryScanner::add_user(const Target& directory, SourceId id) {
  std::vector<SourceId>& users = books_[directory].users;
  const auto position = std::lower_bound(users.begin(), users.end(), id);
  if (position == users.end() || *position != id) users.insert(position, id);
}

void DirectoryScanner::refresh_users(const Target& directory, Book& book) {
  book.own_directory = false;
  book.deeper = false;
  std::size_t signature = 0;
  for (const SourceId id : book.users) {
    const IndexedSource& each = sources_->at(id);
    const int level = sources_->level(id, directory.path);
    if (level == 1) book.own_directory = true;
    if (each.source.max_depth > level) book.deeper = true;
    combine(signature, std::hash<std::string>()(each.identity));
    combine(signature, each.source.include);
    combine(signature, each.source.exclude);
    combine(signature, static_cast<std::size_t>(each.source.max_depth));
  }
  // The listing kept only what the former users wanted.
  if (!book.listed || signature != book.signature) want_scan(directory, book);
  book.signature = signature;
}

void DirectoryScanner::settle(const std::set<Target>& touched) {
  for (const Target& directory : touched) {
    const auto book = books_.find(directory);
    if (book == books_.end()) continue;
    if (book->second.users.empty()) {
      drop(book);
    } else {
      refresh_users(directory, book->second);
    }
  }
}

void DirectoryScanner::rewalk_users_of(const Target& directory) {
  std::set<Target> touched;
  const std::vector<SourceId> users = books_[directory].users;
  for (const SourceId id : users) {
    if (sources_->at(id).source.max_depth <= sources_->level(id, directory.path)) continue;
    touched.insert(walks_[id].directories.begin(), walks_[id].directories.end());
    walk(id);
    touched.insert(walks_[id].directories.begin(), walks_[id].directories.end());
    walked_ += walks_[id].directories.size();
  }
  settle(touched);
}

// The best of the sources that share a directory pays for it.
const IndexedSource& DirectoryScanner::payer_of(const Book& book) const {
  return sources_->at(book.users.front());
}

bool DirectoryScanner::has_room(const Book& book) const {
  const IndexedSource& payer = payer_of(book);
  return budget_.room(payer.identity, payer.source.namespace_name) > 0;
}

// A directory made or removed sends every source that walks there on its way again.
void DirectoryScanner::pay_for_walks(const Book& book, const Now& now) {
  const std::size_t walked = std::exchange(walked_, 0);
  if (walked > 0 && !book.users.empty()) {
    budget_.spend(payer_of(book).source.namespace_name, walked, now.monotonic);
  }
}

void DirectoryScanner::drop(Books::iterator book) {
  const Target directory = book->first;
  watches_.unwatch(directory);
  watches_.stop_waiting(directory);
  clear_timer(directory, book->second);
  budget_.release(book->second.charge);
  books_.erase(book);
  observed_.erase(directory);
  changed_ = true;
}

void DirectoryScanner::set_root(const std::string& root, bool usable) {
  const bool was_usable = usable_roots_.count(root) > 0;
  if (was_usable == usable) return;
  if (usable) {
    usable_roots_.insert(root);
  } else {
    usable_roots_.erase(root);
  }
  for (auto each = books_.lower_bound({root, ""}); each != books_.end() && each->first.root == root;
       ++each) {
    // The mount may be another one now: old watches show the old one.
    if (open_scan_ && open_scan_->directory == each->first) open_scan_.reset();
    watches_.unwatch(each->first);
    want_scan(each->first, each->second);
  }
  changed_ = true;
}

// What to do next.

void DirectoryScanner::want_scan(const Target& directory, Book& book) {
  if (book.need == Need::kScan) return;
  book.need = Need::kScan;
  scans_.push_back(directory);
}

void DirectoryScanner::want_check(const Target& directory, Book& book) {
  if (book.need != Need::kNothing) return;
  book.need = Need::kCheck;
  checks_.push_back(directory);
}

void DirectoryScanner::set_timer(const Target& directory, Book& book, MonotonicTime at) {
  clear_timer(directory, book);
  book.timer = at;
  timers_.insert({at, directory});
}

void DirectoryScanner::clear_timer(const Target& directory, Book& book) {
  if (!book.timer) return;
  timers_.erase({*book.timer, directory});
  book.timer.reset();
}

MonotonicTime DirectoryScanner::next_wakeup() const {
  if (timers_.empty()) return MonotonicTime::never();
  return timers_.begin()->first;
}

void DirectoryScanner::run_timers(const Now& now) {
  while (!timers_.empty() && timers_.begin()->first <= now.monotonic) {
    const Target directory = timers_.begin()->second;
    Book& book = books_.find(directory)->second;
    clear_timer(directory, book);
    if (book.polled) {
      const FileExpected<FileInfo> info = port_.stat(directory.root, directory.path);
      const bool quiet =
          info && book.listed && info->id == book.seen.id && info->change_ns == book.seen.change_ns;
      if (quiet) {
        book.polled = false;
      } else {
        set_timer(directory, book, now.monotonic + kPollInterval);
      }
    }
    want_scan(directory, book);
  }
}

void DirectoryScanner::mark_all_dirty() {
  for (auto& [directory, book] : books_) want_scan(directory, book);
}

void DirectoryScanner::rescan(const std::set<Target>& growing) {
  for (auto& [directory, book] : books_) {
    book.growing = growing.count(directory) > 0;
    want_check(directory, book);
  }
}

bool DirectoryScanner::take_changed() { return std::exchange(changed_, false); }

std::vector<InodeKey> DirectoryScanner::take_deleted() { return std::exchange(deleted_, {}); }

void DirectoryScanner::take_back_evicted() {
  while (const std::optional<Target> evicted = watches_.take_evicted()) {
    const auto book = books_.find(*evicted);
    if (book != books_.end()) book->second.watch_limited = true;
  }
}

// Scans.

void DirectoryScanner::scan_slice(const Now& now) {
  run_timers(now);
  std::size_t entries = continue_scan(now);
  for (std::size_t i = 0; i < kSliceDirectories && entries < kSliceEntries && !scans_.empty();
       ++i) {
    const Target directory = std::move(scans_.front());
    scans_.pop_front();
    const auto book = books_.find(directory);
    if (book == books_.end() || book->second.need != Need::kScan) continue;
    book->second.need = Need::kNothing;
    begin_scan(directory, book->second, now);
    entries += 1 + continue_scan(now);
  }
  if (is_scanning()) return;
  for (std::size_t i = 0; i < kSliceChecks && !checks_.empty(); ++i) {
    const Target directory = std::move(checks_.front());
    checks_.pop_front();
    const auto book = books_.find(directory);
    if (book == books_.end() || book->second.need != Need::kCheck) continue;
    book->second.need = Need::kNothing;
    check(directory, book->second, now);
  }
}

// One stat where nothing has changed since the last listing.
void DirectoryScanner::check(const Target& directory, Book& book, const Now& now) {
  ++counters_.quiet_checks;
  if (!book.listed || book.error || book.growing || book.incomplete ||
      usable_roots_.count(directory.root) == 0) {
    want_scan(directory, book);
    return;
  }
  const FileExpected<FileInfo> info = port_.stat(directory.root, directory.path);
  const bool same = info && info->id == book.seen.id && info->change_ns == book.seen.change_ns;
  const Duration age = book.listed_at.time_since_epoch() - Duration(book.seen.change_ns);
  if (!same || age <= kCoarseClock || (book.cut && has_room(book))) {
    want_scan(directory, book);
  } else if (!book.polled && !watches_.is_watched(directory)) {
    ensure_watch(directory, book);
    // What happened before the watch is not known to it.
    if (watches_.is_watched(directory)) want_scan(directory, book);
  }
  (void)now;
}

void DirectoryScanner::begin_scan(const Target& directory, Book& book, const Now& now) {
  if (usable_roots_.count(directory.root) == 0) {
    know(directory, {});
    return;
  }
  const std::string& payer = payer_of(book).source.namespace_name;
  if (const MonotonicTime ready = budget_.ready_at(payer, now.monotonic); ready > now.monotonic) {
    set_timer(directory, book, ready);
    return;
  }
  const bool was_watched = watches_.is_watched(directory);
  ensure_watch(directory, book);
  ++counters_.listings;
  FileExpected<OpenDirectory> opened = port_.open_directory(directory.root, directory.path);
  if (opened && was_watched && book.listed && opened->directory.id != book.seen.id) {
    // Another directory has taken the name: the watch is on the old one.
    watches_.unwatch(directory);
    ensure_watch(directory, book);
    opened = port_.open_directory(directory.root, directory.path);
  }
  if (!opened) {
    fail(directory, book, opened.error(), now);
    return;
  }
  open_scan_ = OpenScan{directory, std::move(opened->reader), opened->directory, {}, false, {}};
}

std::size_t DirectoryScanner::continue_scan(const Now& now) {
  if (!open_scan_) return 0;
  const auto book = books_.find(open_scan_->directory);
  if (book == books_.end()) {
    open_scan_.reset();
    return 0;
  }
  std::vector<DirectoryEntry>& entries = open_scan_->entries;
  const std::size_t before = entries.size();
  const auto most = static_cast<std::size_t>(config_.limits.entries_per_scan);
  // One more than is kept, so that it is noticed.
  const std::size_t piece = std::min(kSliceEntries, most + 1 - before);
  const FileExpected<void> read = open_scan_->reader->read(piece, entries);
  if (!read) {
    const Target directory = open_scan_->directory;
    open_scan_.reset();
    fail(directory, book->second, read.error(), now);
    return 1;
  }
  const std::size_t added = entries.size() - before;
  budget_.spend(payer_of(book->second).source.namespace_name, added + 1, now.monotonic);
  open_scan_->truncated = entries.size() > most;
  if (open_scan_->truncated) entries.pop_back();
  // Sorted piece by piece: at the end it would be long work in one go.
  const auto by_name = [](const DirectoryEntry& a, const DirectoryEntry& b) {
    return a.name < b.name;
  };
  const auto fresh =
      entries.begin() + static_cast<std::ptrdiff_t>(std::min(before, entries.size()));
  std::sort(fresh, entries.end(), by_name);
  std::inplace_merge(entries.begin(), fresh, entries.end(), by_name);
  if (added < piece || open_scan_->truncated) {
    OpenScan scan = std::move(*open_scan_);
    open_scan_.reset();
    finish_scan(std::move(scan), now);
  }
  return added;
}

void DirectoryScanner::finish_scan(OpenScan scan, const Now& now) {
  // A file system may name an entry twice when it changes while it is read.
  scan.entries.erase(std::unique(scan.entries.begin(), scan.entries.end(),
                                 [](const DirectoryEntry& a, const DirectoryEntry& b) {
                                   return a.name == b.name;
                                 }),
                     scan.entries.end());
  const Target directory = scan.directory;
  const std::set<std::string> changed_meanwhile = std::move(scan.changed_meanwhile);
  accept(std::move(scan), books_.find(directory)->second, now);
  // What was read before it changed is looked at again.
  for (const std::string& name : changed_meanwhile) {
    const auto book = books_.find(directory);
    if (book == books_.end() || !book->second.listed) return;
    const FileNotice notice{FileNotice::Kind::kEntry, 0, name};
    if (reconcile_entry(directory, book->second, notice)) changed_ = true;
  }
}

void DirectoryScanner::ensure_watch(const Target& directory, Book& book) {
  if (book.polled || book.users.empty()) return;
  const Source& source = sources_->at(book.users.front()).source;
  const DirectoryWatches::Result result =
      watches_.watch(directory, source.namespace_name, book.own_directory);
  book.watch_limited = result == DirectoryWatches::Result::kLimitReached;
  take_back_evicted();
}

bool DirectoryScanner::is_wanted_by_any(const Book& book, std::string_view name) const {
  return std::any_of(book.users.begin(), book.users.end(),
                     [&](SourceId id) { return sources_->wants(id, name); });
}

void DirectoryScanner::accept(OpenScan scan, Book& book, const Now& now) {
  const Target& directory = scan.directory;
  watches_.stop_waiting(directory);
  if (!book.polled) clear_timer(directory, book);
  book.listed = true;
  book.seen = scan.info;
  book.listed_at = now.wall;
  book.error.reset();
  book.failures = 0;
  book.incomplete = false;
  const bool was_blind = std::exchange(book.blind, false);
  std::vector<std::string> children;
  // One more than a source may walk, so that it is noticed.
  const auto most = static_cast<std::size_t>(config_.limits.directories_per_source) + 1;
  for (const DirectoryEntry& entry : scan.entries) {
    const FileKind kind = entry.info.kind;
    if (kind == FileKind::kUnknown) {
      const bool is_wanted = is_wanted_by_any(book, entry.name);
      if (book.deeper || is_wanted) book.incomplete = true;
      // The plan speaks of the wanted ones.
      if (book.deeper && !is_wanted) book.blind = true;
    }
    const bool enter =
        book.deeper &&
        (kind == FileKind::kDirectory ||
         (kind == FileKind::kUnknown &&
          std::binary_search(book.children.begin(), book.children.end(), entry.name)));
    if (enter && children.size() < most) children.push_back(entry.name);
  }
  std::erase_if(scan.entries,
                [&](const DirectoryEntry& entry) { return !is_wanted_by_any(book, entry.name); });
  if (book.blind != was_blind) changed_ = true;
  budget_.release(book.charge);
  book.cut = false;
  const IndexedSource& payer = payer_of(book);
  const std::size_t room = budget_.room(payer.identity, payer.source.namespace_name);
  if (scan.entries.size() > room) {
    scan.entries.resize(room);
    scan.truncated = true;
    book.cut = true;
  }
  scan.entries.shrink_to_fit();
  budget_.charge(book.charge, payer.identity, payer.source.namespace_name, scan.entries.size());
  know(directory, {DirectoryKnowledge::kKnown, scan.truncated, std::move(scan.entries)});
  if (children != book.children) {
    book.children = std::move(children);
    changed_ = true;
    rewalk_users_of(directory);
    pay_for_walks(book, now);
  }
}

void DirectoryScanner::fail(const Target& directory, Book& book, FileError error, const Now& now) {
  const DirectoryKnowledge knowledge = knowledge_of(error.kind);
  if (book.error != error.kind) changed_ = true;
  book.error = error.kind;
  book.listed = false;
  budget_.release(book.charge);
  know(directory, {knowledge, false, {}});
  if (knowledge == DirectoryKnowledge::kMissing) {
    book.failures = 0;
    watches_.unwatch(directory);
    if (book.own_directory) wait_for(directory, book);
    if (!book.children.empty()) {
      book.children.clear();
      rewalk_users_of(directory);
      pay_for_walks(book, now);
    }
    return;
  }
  ++book.failures;
  set_timer(directory, book, now.monotonic + retry_delay(book.failures));
}

// Watches the nearest existing ancestor. Watch first, look then: whatever is made between the two
// is seen by one of them.
void DirectoryScanner::wait_for(const Target& directory, Book& book) {
  std::string ancestor(parent_path(directory.path));
  if (directory.path.empty()) return;
  for (int step = 0; step < kAncestorSteps; ++step) {
    const auto result = watches_.wait_at({directory.root, ancestor}, directory);
    take_back_evicted();
    if (result == DirectoryWatches::Result::kNotFound && !ancestor.empty()) {
      ancestor = std::string(parent_path(ancestor));
      continue;
    }
    if (result == DirectoryWatches::Result::kLimitReached) book.watch_limited = true;
    if (result != DirectoryWatches::Result::kWatched) return;
    const std::string rest = path_below(ancestor, directory.path);
    std::string next = join_path(ancestor, rest.substr(0, rest.find('/')));
    const FileExpected<FileInfo> info = port_.stat(directory.root, next);
    if (!info || info->kind != FileKind::kDirectory) return;
    if (next == directory.path) {
      want_scan(directory, book);
      return;
    }
    ancestor = std::move(next);
  }
}

void DirectoryScanner::know(const Target& directory, ObservedDirectory observed) {
  ObservedDirectory& known = observed_[directory];
  if (known == observed) return;
  known = std::move(observed);
  changed_ = true;
}

// Events.

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
  if (open_scan_ && open_scan_->directory == directory) {
    open_scan_->changed_meanwhile.insert(notice.name);
  }
  if (!book->second.listed || book->second.need == Need::kScan) return std::nullopt;
  std::optional<AppearedFile> appeared = reconcile_entry(directory, book->second, notice);
  pay_for_walks(book->second, now);
  return appeared;
}

bool DirectoryScanner::pay_for_event(const Target& directory, Book& book, const Now& now) {
  const IndexedSource& payer = payer_of(book);
  const AgentLimits& limits = config_.limits;
  const auto bucket =
      buckets_.try_emplace(payer.identity, limits.events_per_second, limits.event_burst);
  const bool may_read =
      budget_.ready_at(payer.source.namespace_name, now.monotonic) <= now.monotonic;
  if (bucket.first->second.try_take(now.monotonic) && may_read) return true;
  // The kernel's queue is shared: this source no longer fills it.
  ++counters_.watches_given_up;
  book.polled = true;
  watches_.unwatch(directory);
  watches_.stop_waiting(directory);
  set_timer(directory, book, now.monotonic + kPollInterval);
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
      (!info || info->id != known->info.id) && !has_other_name(observed, *known)) {
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
    if (!known || position->info.id != info.id || position->info.kind != info.kind) {
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

// Answers.

std::vector<DirectoryTrouble> DirectoryScanner::troubles(SourceId id) const {
  std::vector<DirectoryTrouble> found;
  if (sources_ == nullptr || id >= walks_.size()) return found;
  const Source& source = sources_->at(id).source;
  for (const Target& directory : walks_[id].directories) {
    const auto each = books_.find(directory);
    if (each == books_.end()) continue;
    const Book& book = each->second;
    const bool own = directory.path == source.path;
    // A subdirectory that has just gone is no trouble: its parent will say so.
    if (book.error && (own || *book.error != FileErrorKind::kNotFound)) {
      found.push_back(
          {reason_of(*book.error), directory.path + ": " + std::string(explain(*book.error))});
    }
    if (book.blind && !book.error) {
      found.push_back(
          {Reason::kReadError, directory.path +
                                   ": an entry cannot be looked at, so it is not known whether "
                                   "it is a directory; remove it, or lower loglink/max-depth"});
    }
    const auto observed = observed_.find(directory);
    if (observed != observed_.end() && observed->second.truncated) {
      found.push_back(
          {Reason::kTooManyFiles,
           directory.path + ": more than " + std::to_string(config_.limits.entries_per_scan) +
               " entries, here or in all of its directories; the rest is not looked at; remove "
               "old ones"});
    }
    if (book.watch_limited) {
      found.push_back({Reason::kWatchLimitReached,
                       directory.path +
                           ": too many directories are watched on the node, so new files "
                           "are found with a delay; lower loglink/max-depth"});
    }
  }
  if (walks_[id].too_many) {
    found.push_back(
        {Reason::kTooManySubdirectories, source.path + ": more than " +
                                             std::to_string(config_.limits.directories_per_source) +
                                             " directories, and the rest is not looked at; "
                                             "lower loglink/max-depth or name them one by one"});
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return severity(a.reason) < severity(b.reason);
  });
  return found;
}

}  // namespace loglink
