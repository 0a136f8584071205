// Keeps what is known of the sources' directories true: watches, scans, walks and retries. Events
// are hints; with none at all everything still converges by rescans.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/directory_scan.h"
#include "agent/core/directory_trouble.h"
#include "agent/core/directory_walk.h"
#include "agent/core/directory_watches.h"
#include "agent/core/file_port.h"
#include "agent/core/inode_memory.h"
#include "agent/core/plan.h"
#include "agent/core/scan_budget.h"
#include "agent/core/scan_queue.h"
#include "agent/core/source_index.h"
#include "lib/base/clock.h"
#include "lib/base/token_bucket.h"
#include "lib/model/config.h"
#include "lib/model/reason.h"

namespace loglink {

// A wanted entry that an event has shown.
struct AppearedFile {
  Target directory;
  std::string name;
  FileInfo info;
};

// A directory whose source caused too many events is looked at this often, until it is quiet.
inline constexpr Duration kDirectoryPollInterval = std::chrono::seconds(1);

struct ScannerCounters {
  std::uint64_t listings = 0;
  std::uint64_t quiet_checks = 0;
  std::uint64_t watches_given_up = 0;

  auto operator<=>(const ScannerCounters&) const = default;
};

class DirectoryScanner {
 public:
  DirectoryScanner(FilePort& port, const AgentConfig& config, std::size_t watch_limit);

  // New sources; directories that they share with the old ones keep what is known of them.
  // `sources` outlives its use here.
  void set_sources(const SourceIndex& sources);
  // Usable or not; a change makes the root's directories dirty or unknown.
  void set_root(const std::string& root, bool usable);

  // A notice about a directory. Returns a file that may be linked at once; whether or not the
  // caller does so, it is already in observed(), and the caller says by mark_changed() that it did
  // not.
  std::optional<AppearedFile> take(const FileNotice& notice, const Now& now);
  void mark_changed() { changed_ = true; }
  // One file, as if a notice had named it.
  void look_at(const Target& file, const Now& now);
  void mark_all_dirty();
  // Until the next rescan another size of a file in these is a change.
  void watch_sizes(const std::set<Target>& growing);
  // Each directory is looked at once: one stat where nothing changed.
  void rescan(const std::set<Target>& growing);

  // A bounded piece of work: some directories, or a part of a large one.
  void scan_slice(const Now& now);
  [[nodiscard]] bool has_work() const { return is_scanning() || !checks_.empty(); }
  [[nodiscard]] bool is_scanning() const { return open_scan_ || scans_.has_ready(); }
  // When a retry or a poll is due, or a namespace may read on.
  [[nodiscard]] MonotonicTime next_wakeup() const;

  [[nodiscard]] const ObservedDirectories& observed() const { return observed_; }
  // True once after anything changed that a plan depends on.
  bool take_changed();
  // Files that were deleted: their inode numbers may be used again.
  std::vector<InodeKey> take_deleted();
  // The most severe first.
  [[nodiscard]] std::vector<DirectoryTrouble> troubles(SourceId id) const;
  [[nodiscard]] std::size_t watch_count() const { return watches_.size(); }
  [[nodiscard]] std::size_t directory_count() const { return books_.size(); }
  // Directories that wait to be read, each once for each of the namespaces that share it.
  [[nodiscard]] std::size_t queued_count() const { return scans_.size(); }
  // Neither read for their present sources nor found unreadable yet, though their root can be used.
  [[nodiscard]] std::size_t unread_count() const;
  // Whether some namespace that may read on now asks for any of them. One that has read too much
  // waits alone, and nobody's answer waits for it.
  [[nodiscard]] bool has_unread() const;
  // Whether the source's watch dir has neither been read nor found unreadable ever yet, for
  // whomever. Nobody reads it for a source that is refused.
  [[nodiscard]] bool is_unread(SourceId id) const;
  // In whose directories there may be files that are not seen now: not read yet, unreadable, in
  // a root that cannot be used, cut off by a limit, or of a source of which this version only keeps
  // the links. A directory that is missing has none.
  [[nodiscard]] std::set<FileOwner> unseen_owners() const;
  [[nodiscard]] const ScannerCounters& counters() const { return counters_; }

 private:
  enum class Need { kNothing, kCheck, kScan };

  struct Book {
    std::vector<SourceId> users;  // best first
    std::size_t signature = 0;    // of what the users want of it
    bool own_directory = false;   // some user's watch dir itself
    bool deeper = false;          // some user walks further down
    std::vector<std::string> children;
    bool listed = false;
    bool stale = false;    // listed for other users, who wanted other names
    FileInfo seen;         // the directory when it was listed
    WallTime listed_at{};  // not later than that
    std::optional<FileErrorKind> error;
    int failures = 0;
    Need need = Need::kNothing;
    bool growing = false;
    bool incomplete = false;     // an entry could not be asked: listed anew at each rescan
    bool blind = false;          // it may be a directory that should be entered
    bool polled = false;         // its source caused too many events
    bool watch_limited = false;  // there was no watch left for it
    std::optional<MonotonicTime> timer;
    ScanBudget::Charge charge;  // for what is kept of it
    bool cut = false;           // there was no room for all that is wanted
  };
  using Books = std::map<Target, Book>;

  void walk(SourceId id);
  void add_user(const Target& directory, SourceId id);
  void refresh_users(const Target& directory, Book& book);
  void rewalk_users_of(const Target& directory);
  [[nodiscard]] const IndexedSource& payer_of(const Book& book) const;
  [[nodiscard]] bool has_room(const Book& book) const;
  void pay_for_walks(const std::string& namespace_name, const Now& now);
  void settle(const std::set<Target>& touched);
  void drop(Books::iterator book);
  [[nodiscard]] bool is_unread(const Target& directory, const Book& book) const;

  void want_scan(const Target& directory, Book& book);
  void queue_scan(const Target& directory, Book& book);
  void want_check(const Target& directory, Book& book);
  void set_timer(const Target& directory, Book& book, MonotonicTime at);
  void clear_timer(const Target& directory, Book& book);
  void run_timers(const Now& now);
  void take_back_evicted();

  // Also sets whose turn it is.
  std::optional<Target> next_scan(const Now& now);
  void begin_scan(const Target& directory, Book& book, const Now& now);
  // Returns how many entries it has read.
  std::size_t continue_scan(const Now& now);
  void finish_scan(DirectoryScan scan, const Now& now);
  void check(const Target& directory, Book& book, const Now& now);
  void ensure_watch(const Target& directory, Book& book);
  void wait_for(const Target& directory, Book& book);
  void accept(DirectoryScan& scan, Book& book, const Now& now);
  void fail(const Target& directory, Book& book, FileError error, const Now& now);
  void know(const Target& directory, ObservedDirectory observed);
  [[nodiscard]] bool is_wanted_by_any(const Book& book, std::string_view name) const;
  std::optional<AppearedFile> reconcile_entry(const Target& directory, Book& book,
                                              const FileNotice& notice);
  std::optional<AppearedFile> entry_found(const Target& directory, Book& book,
                                          const std::string& name, const FileInfo& info);
  void entry_gone(const Target& directory, Book& book, const std::string& name);
  bool pay_for_event(const Target& directory, Book& book, const Now& now);

  FilePort& port_;
  const AgentConfig& config_;
  const SourceIndex* sources_ = nullptr;
  DirectoryWatches watches_;
  ObservedDirectories observed_;
  Books books_;
  std::vector<DirectoryWalk> walks_;            // by SourceId
  std::map<std::string, TokenBucket> buckets_;  // by source identity
  ScanBudget budget_;
  std::size_t walked_ = 0;  // directories in walks that nobody has paid for yet
  std::set<std::string> usable_roots_;
  std::optional<DirectoryScan> open_scan_;
  std::string scanning_namespace_;  // in whose turn, and at whose cost, a directory is read
  ScanQueue scans_;
  std::deque<Target> checks_;
  std::set<std::pair<MonotonicTime, Target>> timers_;
  std::vector<InodeKey> deleted_;
  bool changed_ = false;
  ScannerCounters counters_;
};

}  // namespace loglink
