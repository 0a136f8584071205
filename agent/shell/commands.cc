#include "agent/shell/commands.h"

#include <fcntl.h>
#include <poll.h>

#include <algorithm>
#include <ostream>
#include <random>

#include "agent/core/agent.h"
#include "agent/shell/agent_loop.h"
#include "agent/shell/beneath.h"
#include "agent/shell/node_files.h"
#include "agent/shell/safe_roots.h"
#include "lib/base/unique_fd.h"
#include "lib/codec/manifest.h"
#include "lib/io/text_file.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

// With --last collectors and the agent itself wait for the pass, and directories that never come to
// rest must not keep them waiting.
constexpr Duration kLastPassAtMost = std::chrono::seconds(30);
constexpr Duration kPassAtMost = std::chrono::minutes(5);
constexpr Duration kStateAtMost = std::chrono::seconds(10);

// These commands have no loop: they may wait where the agent must not.
void pause(Duration duration) {
  const auto wait = std::chrono::ceil<std::chrono::milliseconds>(duration);
  ::poll(nullptr, 0, static_cast<int>(wait.count()));
}

// Until every directory has been read, the whole set has had its plan and nothing is left to do -
// but for directories that change all the time. False when that took too long.
bool run_one_pass(Agent& agent, const Clock& clock, Duration at_most) {
  const MonotonicTime end = clock.now().monotonic + at_most;
  std::optional<std::uint64_t> plans_of_part;  // made when something was still unread
  for (;;) {
    const Now now = clock.now();
    const bool has_more = agent.step(now);
    const std::uint64_t plans = agent.counters().plans;
    if (plans_of_part || agent.scanner().unread_count() == 0) {
      if (!plans_of_part) plans_of_part = plans;
      const MonotonicTime next = agent.next_wakeup();
      const bool rests = !has_more && next > now.monotonic + std::chrono::milliseconds(50);
      if (rests && plans > 0) return true;
      if (plans > *plans_of_part + 1 && agent.pending().empty()) return true;
    }
    if (now.monotonic >= end) return false;
    if (has_more) continue;
    const Duration wait = agent.next_wakeup() - now.monotonic;
    pause(std::clamp(wait, Duration(0), Duration(std::chrono::seconds(1))));
  }
}

std::string unread_directories(const Agent& agent) {
  const std::size_t unread = agent.scanner().unread_count();
  return std::to_string(unread) + (unread == 1 ? " directory was" : " directories were") +
         " not read in time";
}

std::string field(const LogNote& note, std::string_view key) {
  for (const auto& [name, value] : note.fields) {
    if (name == key) return value;
  }
  return "";
}

void print_notes(Agent& agent, std::ostream& out) {
  for (const LogNote& note : agent.take_notes()) {
    const std::string link = field(note, "link");
    const std::string target = field(note, "target");
    const std::string reason = field(note, "reason");
    out << note.message;
    if (!link.empty()) out << ": " << link;
    if (!target.empty()) out << " -> " << target;
    if (!reason.empty()) out << " (" << reason << ")";
    for (const auto& [name, value] : note.fields) {
      const bool is_shown = name == "link" || name == "target" || name == "reason";
      if (!is_shown) out << " " << name << "=" << value;
    }
    out << "\n";
  }
}

void print_refusals(const Agent& agent, std::ostream& out) {
  for (const auto& [reason, count] : agent.refusals()) {
    out << "refused: " << to_string(reason) << ": " << count << "\n";
  }
  for (const std::string& line : agent.explain_troubles()) out << line << "\n";
}

std::string not_ready(Agent& agent, const Clock& clock) {
  for (const Condition& condition : agent.status(clock.now()).conditions) {
    const bool is_it = condition.type == names::kConditionReady && condition.status != "True";
    if (!is_it) continue;
    return condition.reason + ": " + condition.message;
  }
  return "the link directory cannot be used";
}

AgentOptions pass_options(const AgentConfig& config, bool dry_run, bool restores) {
  AgentOptions options;
  options.config = config;
  options.watch_limit = affordable_watches();
  options.dry_run = dry_run;
  options.store_desired = false;
  if (restores) {
    options.encode_desired = encode_desired;
    options.decode_desired = decode_desired;
  }
  return options;
}

Expected<std::unique_ptr<NodeFiles>> open_files(const AgentConfig& config, bool dry_run) {
  LOGLINK_ASSIGN_OR_RETURN(auto files, NodeFiles::open(NodeFiles::options_from(
                                           config, dry_run ? LinkDirectory::Access::kRead
                                                           : LinkDirectory::Access::kWrite)));
  if (dry_run) return files;
  LOGLINK_ASSIGN_OR_RETURN(const bool locked, files->try_lock());
  if (!locked) {
    return fail(ErrorCode::kFailedPrecondition, "AnotherAgent: another process owns linkDir " +
                                                    config.link_dir +
                                                    ": a running agent keeps the links itself");
  }
  return files;
}

// What is no directory was misspelt, and never holds a set.
Expected<void> check_state_directory(NodeFiles& files, const AgentConfig& config) {
  const auto stored = files.load_state(std::string(names::kDesiredFile));
  if (stored || stored.error().kind != FileErrorKind::kNotADirectory) return {};
  return fail(ErrorCode::kInvalidArgument, "stateDir " + config.state_dir +
                                               " is not a directory; move what is there away, or "
                                               "name another one");
}

}  // namespace

Expected<NodeLinkSet> read_set_file(const std::string& path) {
  LOGLINK_ASSIGN_OR_RETURN(const std::string text, read_text_file(path, limits::kFileBytes));
  return read_node_link_set(text, path);
}

Expected<void> apply_once(const AgentConfig& config, const ApplyOptions& options,
                          std::ostream& out) {
  const bool is_last = options.file.empty();
  std::optional<NodeLinkSet> desired;
  if (!is_last) {
    LOGLINK_ASSIGN_OR_RETURN(desired, read_set_file(options.file));
  }
  LOGLINK_ASSIGN_OR_RETURN(const auto files, open_files(config, options.dry_run));
  if (is_last) LOGLINK_TRY(check_state_directory(*files, config));
  SystemClock clock;
  SeededRandom random(std::random_device{}());
  Agent agent(*files, random, pass_options(config, options.dry_run, is_last));
  agent.start(clock.now());
  if (desired) agent.set_desired(*std::move(desired), clock.now());
  if (is_last && !agent.desired()) {
    // The first start of a node: there is nothing to make before collectors start. Nor is there
    // when the set cannot be read; a broken disk must not keep the agent itself from starting.
    print_notes(agent, out);
    out << "no set of links is known yet\n";
    return {};
  }
  const bool is_whole = run_one_pass(agent, clock, is_last ? kLastPassAtMost : kPassAtMost);
  print_notes(agent, out);
  for (const Operation& operation : agent.pending()) out << describe(operation) << "\n";
  print_refusals(agent, out);
  out << agent.link_count() << " links\n";
  // The agent goes on with them.
  if (!is_whole && is_last) out << unread_directories(agent) << "\n";
  if (!options.dry_run) {
    agent.flush(clock.now());
    if (!files->flush_state(kStateAtMost) || !files->state_trouble().empty()) {
      const std::string trouble = "the inode memory cannot be written: " + files->state_trouble();
      if (!is_last) return fail(ErrorCode::kIo, trouble);
      // The links are there, and collectors and the agent itself wait for this to end.
      out << trouble << "\n";
    }
  }
  if (!agent.ready()) return fail(ErrorCode::kFailedPrecondition, not_ready(agent, clock));
  if (!is_whole && !is_last) {
    return fail(ErrorCode::kResourceExhausted,
                unread_directories(agent) +
                    ": their files change all the time, or the disk is slow; "
                    "`loglink-agent run` reads them in turn");
  }
  if (agent.counters().operations_failed > 0) {
    return fail(ErrorCode::kIo,
                std::to_string(agent.counters().operations_failed) + " operations failed");
  }
  return {};
}

Expected<void> print_status(const AgentConfig& config, std::ostream& out) {
  LOGLINK_ASSIGN_OR_RETURN(const auto files, open_files(config, true));
  SystemClock clock;
  SeededRandom random(std::random_device{}());
  Agent agent(*files, random, pass_options(config, true, true));
  agent.start(clock.now());
  const bool is_whole = run_one_pass(agent, clock, kLastPassAtMost);
  out << "linkDir " << config.link_dir << ", linkMode "
      << (config.link_mode == LinkMode::kSafe ? "safe" : "direct") << "\n";
  for (const auto& [name, state] : agent.roots()) {
    out << "root " << name << " " << files->target_prefix(name) << ": ";
    switch (state) {
      case RootState::kUsable:
        out << "usable\n";
        break;
      case RootState::kUnsafe:
        out << "UnsafeRoot: not nosymfollow and read-only\n";
        break;
      case RootState::kAbsent:
        out << "not there"
            << (config.link_mode == LinkMode::kSafe ? "; `loglink-agent mount` makes it" : "")
            << "\n";
        break;
      case RootState::kRemote:
        out << "on a remote file system\n";
        break;
    }
  }
  if (!agent.desired()) {
    out << "no set of links is known yet (" << config.state_dir
        << "); one that comes from a file is not kept: see \"loglink-agent apply -f FILE "
           "--dry-run\"\n";
  }
  for (const std::string& line : agent.explain()) out << line << "\n";
  for (const Operation& operation : agent.pending()) {
    out << "to do: " << describe(operation) << "\n";
  }
  out << agent.link_count() << " links wanted or there\n";
  if (!is_whole) out << unread_directories(agent) << "\n";
  if (!agent.ready()) out << "not ready: " << not_ready(agent, clock) << "\n";
  return {};
}

Expected<void> mount_roots(const AgentConfig& config, MountAction action, std::ostream& out) {
  SafeRootOptions options;
  options.roots_dir = config.roots_dir;
  const bool is_safe = config.link_mode == LinkMode::kSafe;
  if (is_safe) options.roots = config.roots;
  const SafeRootReport report = [&](const std::string& line) { out << line << "\n"; };
  switch (action) {
    case MountAction::kMount:
      if (is_safe) return make_safe_roots(options, report);
      out << "linkMode is direct: there are no safe roots to make\n";
      return {};
    case MountAction::kOpenGate:
      return open_gate(options, report);
    case MountAction::kUnmount:
      return remove_safe_roots(options, report);
  }
  __builtin_unreachable();
}

Expected<void> verify_roots(const AgentConfig& config, bool only_configured, Duration wait,
                            std::ostream& out) {
  if (config.link_mode == LinkMode::kDirect) {
    return fail(ErrorCode::kFailedPrecondition,
                "linkMode is direct: links point at host paths, and there are no safe roots to "
                "verify; set linkMode: safe, or leave `loglink-agent verify` out");
  }
  SafeRootOptions options;
  options.roots_dir = config.roots_dir;
  const auto end = std::chrono::steady_clock::now() + wait;
  for (;;) {
    options.roots.clear();
    if (only_configured) {
      options.roots = config.roots;
    } else {
      const UniqueFd directory(
          ::open(config.roots_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      const auto there = list_names(directory.get());
      for (const std::string& name : there.value_or(std::vector<std::string>())) {
        if (name != names::kReadyFile) options.roots.push_back(Root{name, "", {}, false});
      }
    }
    const auto verified = verify_safe_roots(options);
    if (verified) {
      out << "the safe roots in " << config.roots_dir << " are visible and safe\n";
      return {};
    }
    if (std::chrono::steady_clock::now() >= end) return verified;
    pause(std::chrono::milliseconds(200));
  }
}

}  // namespace loglink
