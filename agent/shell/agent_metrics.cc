#include "agent/shell/agent_metrics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace loglink {
namespace {

using Row = std::pair<const char*, const char*>;

constexpr std::array kGauges = {
    Row{"loglink_links", "Symbolic links of loglink on this node now"},
    Row{"loglink_refused_files", "Files and directories that are not linked, by reason"},
    Row{"loglink_skipped_files", "Files that need no link, by reason"},
    Row{"loglink_sources", "Directories that the controller asks for"},
    Row{"loglink_known_directories", "Directories that are looked at, subdirectories included"},
    Row{"loglink_watched_directories", "Directories with an inotify watch"},
    Row{"loglink_usable_roots", "1 for a root that links may point into, 0 for one that is not"},
    Row{"loglink_conditions", "1 for each condition of the status, by its state"},
    Row{"loglink_link_mode_info", "1 for the configured linkMode; direct has no protection"},
};

constexpr std::array kCounters = {
    Row{"loglink_links_made_total", "Links that were made"},
    Row{"loglink_links_replaced_total", "Links that were pointed at another file"},
    Row{"loglink_links_removed_total", "Links that were removed, by reason"},
    Row{"loglink_links_lost_total", "Links that somebody else removed or replaced"},
    Row{"loglink_operation_failures_total", "Changes of the link directory that failed"},
    Row{"loglink_inotify_events_total", "Events that inotify has told"},
    Row{"loglink_inotify_overflows_total", "Times that inotify lost events"},
    Row{"loglink_plans_total", "Times that the link set was computed"},
    Row{"loglink_rescans_total", "Times that all directories were looked at"},
    Row{"loglink_watch_restarts_total", "Streams of the API server that ended, by reason"},
    Row{"loglink_status_writes_total", "Writes of the status, by result"},
};

}  // namespace

AgentMetrics::AgentMetrics(LinkMode mode) {
  for (const auto& [name, help] : kGauges) metrics_.describe_gauge(name, help);
  for (const auto& [name, help] : kCounters) metrics_.describe_counter(name, help);
  metrics_.describe_histogram(
      "loglink_create_to_link_seconds", "Time from the birth of a file to its link",
      {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60});
  metrics_.set("loglink_link_mode_info", {{"mode", mode == LinkMode::kSafe ? "safe" : "direct"}},
               1);
}

void AgentMetrics::raise(const std::string& name, const Metrics::Labels& labels, std::uint64_t to) {
  std::uint64_t& at = raised_[{name, labels}];
  metrics_.add(name, labels, static_cast<double>(to - std::min(at, to)));
  at = to;
}

void AgentMetrics::observe_durations(Agent& agent) {
  for (const Duration& duration : agent.take_create_to_link()) {
    metrics_.observe("loglink_create_to_link_seconds", {},
                     std::chrono::duration<double>(duration).count());
  }
}

std::string AgentMetrics::text(Agent& agent, const NodeLinkSetSession* session, const Now& now) {
  observe_durations(agent);
  metrics_.set("loglink_links", {}, agent.link_count());
  metrics_.set("loglink_sources", {}, static_cast<double>(agent.sources().sources().size()));
  metrics_.set("loglink_known_directories", {},
               static_cast<double>(agent.scanner().directory_count()));
  metrics_.set("loglink_watched_directories", {},
               static_cast<double>(agent.scanner().watch_count()));
  metrics_.clear("loglink_refused_files");
  for (const auto& [reason, count] : agent.refusals()) {
    metrics_.set("loglink_refused_files", {{"reason", std::string(to_string(reason))}}, count);
  }
  for (const auto& [reason, count] : agent.skips()) {
    metrics_.set("loglink_skipped_files", {{"reason", std::string(to_string(reason))}}, count);
  }
  metrics_.clear("loglink_usable_roots");
  for (const auto& [root, state] : agent.roots()) {
    metrics_.set("loglink_usable_roots", {{"root", root}}, state == RootState::kUsable ? 1 : 0);
  }
  metrics_.clear("loglink_conditions");
  for (const Condition& condition : agent.status(now).conditions) {
    const Metrics::Labels labels = {
        {"type", condition.type}, {"status", condition.status}, {"reason", condition.reason}};
    metrics_.set("loglink_conditions", labels, 1);
  }

  const AgentCounters& counters = agent.counters();
  raise("loglink_links_made_total", {}, counters.links_made);
  raise("loglink_links_replaced_total", {}, counters.links_replaced);
  for (const auto& [reason, count] : counters.links_removed) {
    raise("loglink_links_removed_total", {{"reason", std::string(to_string(reason))}}, count);
  }
  raise("loglink_links_lost_total", {}, counters.links_lost);
  raise("loglink_operation_failures_total", {}, counters.operations_failed);
  raise("loglink_inotify_events_total", {}, counters.notices);
  raise("loglink_inotify_overflows_total", {}, counters.overflows);
  raise("loglink_plans_total", {}, counters.plans);
  raise("loglink_rescans_total", {}, counters.rescans);
  if (session != nullptr) {
    for (const auto& [reason, count] : session->counters().watch_restarts) {
      raise("loglink_watch_restarts_total", {{"reason", reason}}, count);
    }
    for (const auto& [result, count] : session->counters().status_writes) {
      raise("loglink_status_writes_total", {{"result", result}}, count);
    }
  }
  return metrics_.text();
}

}  // namespace loglink
