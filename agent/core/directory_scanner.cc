#include "agent/core/directory_scanner.h"

#include <algorithm>
#include <utility>

#include "lib/model/path.h"

namespace loglink {
namespace {

// One slice of work: short enough that an event of another tenant never waits long for it.
constexpr std::size_t kSliceEntries = 250;
constexpr std::size_t kSliceDirectories = 64;
constexpr std::size_t kSliceChecks = 256;
// While there is something to read, which a tenant may see to for ever, rescans still come round.
constexpr std::size_t kSliceChecksBesides = 32;
constexpr int kAncestorSteps = 64;

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

Duration retry_delay(int failures) {
  Duration delay = kFirstRetry;
  for (int i = 1; i < failures && delay < kLastRetry; ++i) delay *= 2;
  return std::min(delay, kLastRetry);
}

// Log files grow all the time. Only of a file that may have been renamed into place is that a
// question.
bool is_same_to_a_plan(const ObservedDirectory& a, const ObservedDirectory& b) {
  const auto is_same = [](const DirectoryEntry& one, const DirectoryEntry& other) {
    return one.name == other.name && one.info.kind == other.info.kind &&
           one.info.id == other.info.id && one.info.birth_ns == other.info.birth_ns;
  };
  return a.knowledge == b.knowledge && a.truncated == b.truncated &&
         std::equal(a.entries.begin(), a.entries.end(), b.entries.begin(), b.entries.end(),
                    is_same);
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

void DirectoryScanner::walk(SourceId id) {
  const auto most = static_cast<std::size_t>(std::max(1, config_.limits.directories_per_source));
  DirectoryWalk next = walk_directories(*sources_, id, most, [this](const Target& directory) {
    const auto book = books_.find(directory);
    return book == books_.end() ? nullptr : &book->second.children;
  });
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
  const auto [book, is_new] = books_.try_emplace(directory);
  if (is_new) {
    // Not read yet: unknown, not a directory that nobody looks at, whose files a plan asks to see
    // one by one.
    observed_.try_emplace(directory);
    changed_ = true;
  }
  std::vector<SourceId>& users = book->second.users;
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
  if (signature != book.signature) book.stale = true;
  // Also where it waits already: it may be others whose turns it waits for.
  if (!book.listed || book.stale || book.need == Need::kScan) queue_scan(directory, book);
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

// The best of the sources that share a directory pays for what is kept of it and for its events.
// Reading it is paid by the namespace in whose turn it is read.
const IndexedSource& DirectoryScanner::payer_of(const Book& book) const {
  return sources_->at(book.users.front());
}

bool DirectoryScanner::has_room(const Book& book) const {
  const IndexedSource& payer = payer_of(book);
  return budget_.room(payer.identity, payer.source.namespace_name) > 0;
}

// A directory made or removed sends every source that walks there on its way again.
void DirectoryScanner::pay_for_walks(const std::string& namespace_name, const Now& now) {
  const std::size_t walked = std::exchange(walked_, 0);
  if (walked > 0) budget_.spend(namespace_name, walked, now.monotonic);
}

void DirectoryScanner::drop(Books::iterator book) {
  const Target directory = book->first;
  watches_.unwatch(directory);
  watches_.stop_waiting(directory);
  scans_.remove(directory);
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
    if (open_scan_ && open_scan_->directory() == each->first) open_scan_.reset();
    watches_.unwatch(each->first);
    want_scan(each->first, each->second);
  }
  changed_ = true;
}

// What to do next.

void DirectoryScanner::want_scan(const Target& directory, Book& book) {
  if (book.need != Need::kScan) queue_scan(directory, book);
}

void DirectoryScanner::queue_scan(const Target& directory, Book& book) {
  std::set<std::string> namespaces;
  for (const SourceId id : book.users) namespaces.insert(sources_->at(id).source.namespace_name);
  if (namespaces.empty()) return;
  book.need = Need::kScan;
  scans_.push(directory, std::move(namespaces), book.polled);
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
  const MonotonicTime unblocked = scans_.next_wakeup();
  return timers_.empty() ? unblocked : std::min(unblocked, timers_.begin()->first);
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
        set_timer(directory, book, now.monotonic + kDirectoryPollInterval);
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

void DirectoryScanner::watch_sizes(const std::set<Target>& growing) {
  for (const Target& directory : growing) {
    const auto book = books_.find(directory);
    if (book != books_.end()) book->second.growing = true;
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
  scans_.unblock(now.monotonic);
  std::size_t entries = continue_scan(now);
  for (std::size_t i = 0; i < kSliceDirectories && entries < kSliceEntries; ++i) {
    const std::optional<Target> directory = next_scan(now);
    if (!directory) break;
    const auto book = books_.find(*directory);
    if (book == books_.end() || book->second.need != Need::kScan) continue;
    book->second.need = Need::kNothing;
    begin_scan(*directory, book->second, now);
    entries += 1 + continue_scan(now);
  }
  const std::size_t most = is_scanning() ? kSliceChecksBesides : kSliceChecks;
  for (std::size_t i = 0; i < most && !checks_.empty(); ++i) {
    const Target directory = std::move(checks_.front());
    checks_.pop_front();
    const auto book = books_.find(directory);
    if (book == books_.end() || book->second.need != Need::kCheck) continue;
    book->second.need = Need::kNothing;
    const bool is_being_read = open_scan_ && open_scan_->directory() == directory;
    if (!is_being_read) check(directory, book->second, now);
  }
}

std::optional<Target> DirectoryScanner::next_scan(const Now& now) {
  while (const std::optional<std::string> namespace_name = scans_.next()) {
    const MonotonicTime ready = budget_.ready_at(*namespace_name, now.monotonic);
    if (ready <= now.monotonic) {
      scanning_namespace_ = *namespace_name;
      return scans_.pop(*namespace_name);
    }
    scans_.block(*namespace_name, ready);
  }
  return std::nullopt;
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
  open_scan_.emplace(directory, std::move(*opened),
                     static_cast<std::size_t>(config_.limits.entries_per_scan));
}

std::size_t DirectoryScanner::continue_scan(const Now& now) {
  if (!open_scan_) return 0;
  const auto book = books_.find(open_scan_->directory());
  if (book == books_.end()) {
    open_scan_.reset();
    return 0;
  }
  const FileExpected<std::size_t> added = open_scan_->read_piece(kSliceEntries);
  if (!added) {
    const Target directory = open_scan_->directory();
    open_scan_.reset();
    fail(directory, book->second, added.error(), now);
    return 1;
  }
  budget_.spend(scanning_namespace_, *added + 1, now.monotonic);
  if (open_scan_->is_done()) {
    DirectoryScan scan = std::move(*open_scan_);
    open_scan_.reset();
    finish_scan(std::move(scan), now);
  }
  return *added;
}

void DirectoryScanner::finish_scan(DirectoryScan scan, const Now& now) {
  // What was read before it changed is looked at again, and first: what notices have told already
  // must not look like another change, for which everything is planned anew.
  std::map<std::string, std::optional<FileInfo>, std::less<>> changed;
  std::vector<std::string> unclear;
  for (const std::string& name : scan.take_changed_meanwhile()) {
    const Book& book = books_.find(scan.directory())->second;
    if (!book.deeper && !is_wanted_by_any(book, name)) continue;
    const FileExpected<FileInfo> info =
        port_.stat(scan.directory().root, join_path(scan.directory().path, name));
    if (info) {
      changed[name] = *info;
    } else if (info.error().kind == FileErrorKind::kNotFound) {
      changed[name] = std::nullopt;
    } else {
      unclear.push_back(name);
    }
  }
  scan.amend(changed);
  accept(scan, books_.find(scan.directory())->second, now);
  for (const std::string& name : unclear) {
    const auto book = books_.find(scan.directory());
    if (book == books_.end() || !book->second.listed) return;
    const FileNotice notice{FileNotice::Kind::kEntry, 0, name};
    if (reconcile_entry(scan.directory(), book->second, notice)) changed_ = true;
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

void DirectoryScanner::accept(DirectoryScan& scan, Book& book, const Now& now) {
  const Target& directory = scan.directory();
  std::vector<DirectoryEntry> entries = scan.take_entries();
  bool truncated = scan.is_truncated();
  watches_.stop_waiting(directory);
  if (!book.polled) clear_timer(directory, book);
  book.listed = true;
  book.stale = false;
  book.seen = scan.info();
  book.listed_at = now.wall;
  book.error.reset();
  book.failures = 0;
  book.incomplete = false;
  const bool was_blind = std::exchange(book.blind, false);
  std::vector<std::string> children;
  // One more than a source may walk, so that it is noticed.
  const auto most = static_cast<std::size_t>(config_.limits.directories_per_source) + 1;
  for (const DirectoryEntry& entry : entries) {
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
  std::erase_if(entries,
                [&](const DirectoryEntry& entry) { return !is_wanted_by_any(book, entry.name); });
  if (book.blind != was_blind) changed_ = true;
  budget_.release(book.charge);
  book.cut = false;
  const IndexedSource& payer = payer_of(book);
  const std::size_t room = budget_.room(payer.identity, payer.source.namespace_name);
  if (entries.size() > room) {
    entries.resize(room);
    truncated = true;
    book.cut = true;
  }
  entries.shrink_to_fit();
  budget_.charge(book.charge, payer.identity, payer.source.namespace_name, entries.size());
  know(directory, {DirectoryKnowledge::kKnown, truncated, std::move(entries)});
  if (children != book.children) {
    book.children = std::move(children);
    changed_ = true;
    rewalk_users_of(directory);
    pay_for_walks(scanning_namespace_, now);
  }
}

void DirectoryScanner::fail(const Target& directory, Book& book, FileError error, const Now& now) {
  const DirectoryKnowledge knowledge = knowledge_after(error.kind);
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
      pay_for_walks(scanning_namespace_, now);
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
  const auto book = books_.find(directory);
  const bool sizes_matter = book != books_.end() && book->second.growing;
  changed_ = changed_ || (sizes_matter ? known != observed : !is_same_to_a_plan(known, observed));
  known = std::move(observed);
}

// Answers.

bool DirectoryScanner::is_unread(const Target& directory, const Book& book) const {
  const bool is_known = book.error || (book.listed && !book.stale);
  return !is_known && usable_roots_.count(directory.root) > 0;
}

std::size_t DirectoryScanner::unread_count() const {
  return static_cast<std::size_t>(
      std::count_if(books_.begin(), books_.end(),
                    [this](const auto& each) { return is_unread(each.first, each.second); }));
}

bool DirectoryScanner::has_unread() const {
  return std::any_of(books_.begin(), books_.end(), [this](const auto& each) {
    return is_unread(each.first, each.second) && !scans_.is_held_back(each.first);
  });
}

bool DirectoryScanner::is_unread(SourceId id) const {
  const IndexedSource& each = sources_->at(id);
  if (each.refusal) return false;
  const Source& source = each.source;
  const auto book = books_.find({source.root, source.path});
  return book != books_.end() && !book->second.listed && !book->second.error &&
         usable_roots_.count(source.root) > 0;
}

std::set<FileOwner> DirectoryScanner::unseen_owners() const {
  std::set<FileOwner> found;
  for (const auto& [directory, book] : books_) {
    const ObservedDirectory& observed = observed_.find(directory)->second;
    const bool is_seen = usable_roots_.count(directory.root) > 0 && !is_unread(directory, book) &&
                         observed.knowledge != DirectoryKnowledge::kUnknown &&
                         !observed.truncated && !book.incomplete;
    if (!is_seen) found.insert(owner_of(directory.root, directory.path));
  }
  for (SourceId id = 0; id < walks_.size(); ++id) {
    const IndexedSource& each = sources_->at(id);
    const bool is_kept = each.refusal && each.refusal->keeps_links;
    if (is_kept || walks_[id].too_many) {
      found.insert(owner_of(each.source.root, each.source.path));
    }
  }
  return found;
}

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
      found.push_back(cannot_be_read(directory.path, *book.error));
    }
    if (book.blind && !book.error) found.push_back(has_unknown_entry(directory.path));
    const auto observed = observed_.find(directory);
    if (observed != observed_.end() && observed->second.truncated) {
      found.push_back(has_too_many_files(directory.path, config_.limits.entries_per_scan));
    }
    if (book.watch_limited) found.push_back(is_not_watched(directory.path));
  }
  if (walks_[id].too_many) {
    found.push_back(
        has_too_many_subdirectories(source.path, config_.limits.directories_per_source));
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return severity(a.reason) < severity(b.reason);
  });
  return found;
}

}  // namespace loglink
