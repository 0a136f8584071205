// The agent's engine: owns what is known of the node, and keeps the link directory as plan() wants
// it. Deterministic: files, time and randomness come in through FilePort, Now and Random.
//
// A shell calls step(now) until it says that nothing is left to do at once, then sleeps until
// next_wakeup() or until the FilePort has notices. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/directory_scanner.h"
#include "agent/core/file_port.h"
#include "agent/core/inode_memory.h"
#include "agent/core/link_table.h"
#include "agent/core/operation.h"
#include "agent/core/plan.h"
#include "agent/core/plan_pace.h"
#include "agent/core/source_index.h"
#include "agent/core/status.h"
#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/base/random.h"
#include "lib/model/config.h"
#include "lib/model/node_link_set.h"

namespace loglink {

struct AgentOptions {
  AgentConfig config;
  std::size_t watch_limit = 4096;  // min(4096, 5 % of fs.inotify.max_user_watches)
  bool dry_run = false;            // operations are planned, nothing is changed or stored
  bool store_desired = true;       // false where the set comes from a file
  // The last known set on disk is the shell's to spell. Both or neither.
  std::function<std::string(const NodeLinkSet&)> encode_desired;
  std::function<Expected<NodeLinkSet>(std::string_view)> decode_desired;
};

// Something for the log: a constant message and what it is about.
struct LogNote {
  enum class Level { kDebug, kInfo, kWarning };
  Level level = Level::kInfo;
  std::string message;
  std::vector<std::pair<std::string, std::string>> fields;

  auto operator<=>(const LogNote&) const = default;
};

struct AgentCounters {
  std::uint64_t links_made = 0;
  std::uint64_t links_replaced = 0;
  std::map<OperationReason, std::uint64_t> links_removed;
  std::uint64_t operations_failed = 0;
  std::uint64_t links_lost = 0;  // links of ours that somebody else removed or replaced
  std::uint64_t notices = 0;
  std::uint64_t overflows = 0;
  std::uint64_t plans = 0;
  std::uint64_t rescans = 0;

  auto operator<=>(const AgentCounters&) const = default;
};

class Agent {
 public:
  Agent(FilePort& port, Random& random, AgentOptions options);

  // Loads what the last run has left and adopts the links that exist. Once, before the first step.
  // REQUIRES: the link directory is locked.
  void start(const Now& now);

  // The set as its origin (API server or file) has it now.
  void set_desired(NodeLinkSet desired, const Now& now);
  // The API server works and says that the object does not exist. Only when it has said nothing
  // else for long enough is the set empty.
  void set_absent(const Now& now);
  // Whatever the API server says instead: the wait of set_absent() starts anew.
  void set_unknown() { absent_since_.reset(); }

  // One bounded piece of work. True: there is more to do at once.
  bool step(const Now& now);
  [[nodiscard]] MonotonicTime next_wakeup() const;
  // Stores what is not stored yet: before the process ends.
  void flush(const Now& now);

  // Of the last complete plan. `now` dates changed conditions.
  NodeLinkSetStatus status(const Now& now);
  // Links are adopted, each root that is needed is safe (kubelet-pods always is needed, and so is
  // some root), the link directory can be written.
  [[nodiscard]] bool ready() const { return !blocker(); }
  // What `loglink-agent status` prints: source → file → link → target, and why not.
  [[nodiscard]] std::vector<std::string> explain() const;
  // Of it only what is refused, a line each.
  [[nodiscard]] std::vector<std::string> explain_troubles() const;

  // Planned and not applied yet; in a dry run what would be done.
  [[nodiscard]] std::vector<Operation> pending() const {
    return {operations_.begin(), operations_.end()};
  }
  [[nodiscard]] const SourceIndex& sources() const { return *sources_; }
  [[nodiscard]] const std::vector<SourceOutcome>& outcomes() const { return outcomes_; }
  [[nodiscard]] std::map<Reason, int> refusals() const;
  // Files that need no link, by why.
  [[nodiscard]] std::map<Reason, int> skips() const;
  [[nodiscard]] const LinkMap& link_directory() const { return links_.links(); }
  [[nodiscard]] const std::map<std::string, RootState>& roots() const { return roots_; }
  [[nodiscard]] int link_count() const { return link_count_; }
  [[nodiscard]] const DirectoryScanner& scanner() const { return scanner_; }
  [[nodiscard]] const InodeMemory& memory() const { return memory_; }
  [[nodiscard]] const AgentCounters& counters() const { return counters_; }
  [[nodiscard]] const std::optional<NodeLinkSet>& desired() const { return desired_; }

  std::vector<LogNote> take_notes();
  // From a file's birth to its link, for links made since the last call; bounded.
  std::vector<Duration> take_create_to_link();

 private:
  struct Blocker {
    std::string reason;
    std::string message;
  };

  void restore_desired();
  void restore_memory();
  void adopt_set(NodeLinkSet desired, const Now& now);
  void expire_absent(const Now& now);

  void take_notices(const Now& now);
  void relist_links(const Now& now);
  void begin_own_changes();
  void end_own_changes();
  void count_lost(std::uint64_t links);  // that somebody else has taken away
  void reread_link(const std::string& name);
  [[nodiscard]] bool is_own(const LinkEntry& entry) const;
  void run_rescan(const Now& now);
  void check_roots(const Now& now);
  void run_probes();

  void try_fast_path(const AppearedFile& file, const Now& now);
  [[nodiscard]] std::optional<Operation> fast_operation(const AppearedFile& file) const;

  // A plan of the present set has known all its directories.
  [[nodiscard]] bool is_answered() const;
  [[nodiscard]] bool may_plan(const Now& now) const;
  void run_plan(const Now& now);
  void expire_memory(const Now& now);
  void apply_slice(const Now& now);
  void apply(const Operation& operation, const Now& now);
  [[nodiscard]] bool is_still_gone(const Target& target);
  void keep(const Operation& operation, const Target& target, const Now& now);
  void give_place_back(const Operation& operation);
  [[nodiscard]] bool has_place(const Operation& make);
  void count_links(const Operation& operation, int links);
  void uncount_before(const std::string& name);
  void applied(const Operation& operation, const Now& now);
  void failed(const Operation& operation, const FileError& error, const Now& now);

  void store_when_due(const Now& now);
  void store_desired(const Now& now);
  void store_memory(const Now& now);
  void note(LogNote::Level level, std::string message,
            std::vector<std::pair<std::string, std::string>> fields);
  [[nodiscard]] std::optional<Blocker> blocker() const;
  [[nodiscard]] std::optional<std::string> missing_safe_root() const;
  [[nodiscard]] StatusInput status_input() const;

  FilePort& port_;
  Random& random_;
  const AgentOptions options_;
  const TargetSpelling spelling_;
  DirectoryScanner scanner_;

  // The desired set.
  std::optional<NodeLinkSet> desired_;
  bool set_observed_ = false;
  std::optional<MonotonicTime> absent_since_;
  std::unique_ptr<SourceIndex> sources_;
  std::int64_t planned_generation_ = 0;
  std::optional<NodeLinkSetStatus> status_before_;  // while a new set has no plan yet

  // The node.
  LinkTable links_;
  bool links_known_ = false;
  bool links_dirty_ = false;
  std::optional<FileErrorKind> links_error_;
  MonotonicTime links_retry_at_{};
  std::optional<std::int64_t> links_version_;
  std::optional<FileExpected<std::int64_t>> version_before_changes_;  // in this step
  std::map<std::string, RootState> roots_;
  std::map<std::string, int> unsafe_readings_;
  MonotonicTime roots_recheck_at_ = MonotonicTime::never();
  std::map<Target, TargetView> probes_;
  std::set<Target> probe_queue_;
  InodeMemory memory_;

  // The plan.
  PlanClocks clocks_;
  std::vector<SourceOutcome> outcomes_;
  LinkCounts counts_;
  std::set<Target> growing_;
  int link_count_ = 0;
  bool no_birth_time_ = false;
  bool equal_inodes_ = false;
  bool plan_wanted_ = false;
  PlanPace pace_;
  MonotonicTime next_change_ = MonotonicTime::never();
  std::deque<Operation> operations_;
  std::set<std::string> pending_names_;
  std::set<FileId> pending_files_;
  bool plan_failed_ = false;        // some operation of the last plan
  bool places_given_back_ = false;  // since the last plan
  std::optional<FileErrorKind> apply_error_;
  int apply_failures_ = 0;
  MonotonicTime apply_retry_at_ = MonotonicTime::never();

  // Time.
  MonotonicTime started_at_{};
  MonotonicTime stepped_at_{};
  MonotonicTime rescan_at_{};
  std::uint64_t rescans_ = 0;
  bool expire_due_ = false;  // the memory's old entries
  bool desired_dirty_ = false;
  MonotonicTime desired_store_at_{};
  std::uint64_t stored_memory_version_ = 0;
  MonotonicTime memory_store_at_{};

  // Output.
  std::vector<Condition> conditions_;
  std::vector<LogNote> notes_;
  std::vector<Duration> create_to_link_;
  AgentCounters counters_;
};

}  // namespace loglink
