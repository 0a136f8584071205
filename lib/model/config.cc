#include "lib/model/config.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "lib/base/text.h"
#include "lib/base/time_text.h"
#include "lib/model/glob.h"
#include "lib/model/kube_names.h"
#include "lib/model/limits.h"
#include "lib/model/link_name.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kRunDir = "/run/loglink";
constexpr std::string_view kDefaultKubeletPods = "/var/lib/kubelet/pods";
constexpr std::string_view kPodLogs = "/var/log/pods";
constexpr Duration kKeepMax = hours(24 * 30);
constexpr std::size_t kSelectorBytes = 1024;

tl::unexpected<Error> bad(const std::string& key, const std::string& why) {
  return fail(ErrorCode::kInvalidArgument, key + ": " + why);
}

std::string quoted(std::string_view text) { return "\"" + sanitize(text, 256) + "\""; }

Expected<void> check_one_of(const std::string& key, const std::string& value,
                            const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return {};
  return bad(key, quoted(value) + " is not known; use one of: " + join(allowed, ", "));
}

Expected<void> check_range(const std::string& key, Duration value, Duration low, Duration high) {
  if (value >= low && value <= high) return {};
  const std::string sign = value < Duration(0) ? "-" : "";
  return bad(key, sign + format_duration(std::chrono::abs(value)) + " is out of range; use " +
                      format_duration(low) + " to " + format_duration(high));
}

Expected<void> check_range(const std::string& key, int value, int low, int high) {
  if (value >= low && value <= high) return {};
  return bad(key, std::to_string(value) + " is out of range; use " + std::to_string(low) + " to " +
                      std::to_string(high));
}

Expected<void> check_directory(const std::string& key, const std::string& path) {
  const bool is_good = path.size() > 1 && path.front() == '/' && normalize_path(path) == path &&
                       !has_dot_dot(path) && !has_control_character(path) &&
                       path.size() <= limits::kPathBytes;
  if (is_good) return {};
  return bad(key, quoted(path) +
                      " is not usable; give an absolute directory without \"//\", \".\", \"..\" or "
                      "a trailing \"/\", and not \"/\" itself");
}

bool overlap(std::string_view a, std::string_view b) {
  return path_contains(a, b) || path_contains(b, a);
}

Expected<void> check_directories(const SharedConfig& config) {
  const std::vector<std::pair<std::string, std::string>> directories = {
      {"linkDir", config.link_dir}, {"rootsDir", config.roots_dir}, {"stateDir", config.state_dir}};
  for (const auto& [key, path] : directories) LOGLINK_TRY(check_directory(key, path));
  for (std::size_t i = 0; i < directories.size(); ++i) {
    for (std::size_t j = i + 1; j < directories.size(); ++j) {
      const auto& [key, path] = directories[i];
      const auto& [other_key, other] = directories[j];
      if (overlap(path, other)) {
        return bad(key, path + " and " + other_key + " " + other +
                            " are one directory or one contains the other; keep them apart");
      }
    }
  }
  if (path_contains(kPodLogs, config.link_dir)) {
    return bad("linkDir", config.link_dir +
                              " belongs to the kubelet, which deletes what it finds there; use a "
                              "directory of its own");
  }
  return {};
}

// "*" or a namespace's name.
Expected<void> check_namespaces(const std::string& key, const std::vector<std::string>& values) {
  for (const std::string& value : values) {
    if (value != "*" && !is_dns_label(value)) {
      return bad(key, quoted(value) + " is not a namespace; give a name, or \"*\" for all");
    }
  }
  return {};
}

std::string kubelet_pods_of(const SharedConfig& config) {
  const Root* root = find_root(config, std::string(names::kKubeletPodsRoot));
  return root == nullptr ? std::string(kDefaultKubeletPods) : root->path;
}

// A tenant who may mount a root must not reach what is ours or the kubelet's through it.
Expected<void> check_root_place(const std::string& key, const Root& root,
                                const SharedConfig& config) {
  std::vector<std::pair<std::string, std::string>> kept_apart = {
      {"rootsDir", config.roots_dir},
      {"stateDir", config.state_dir},
      {"loglink's own directory", std::string(kRunDir)}};
  if (root.name != names::kKubeletPodsRoot) {
    kept_apart.emplace_back("the kubelet's pods directory", kubelet_pods_of(config));
  }
  for (const auto& [what, path] : kept_apart) {
    if (overlap(root.path, path)) {
      return bad(key, root.path + " equals, contains or lies inside " + what + " " + path +
                          "; choose a directory apart from it");
    }
  }
  if (path_contains(root.path, config.link_dir)) {
    return bad(key, root.path + " equals or contains linkDir " + config.link_dir +
                        ": whoever mounts it could plant links; move one of them");
  }
  return {};
}

std::string root_key(const Root& root) { return "roots[" + root.name + "]"; }

Expected<void> check_root_by_itself(const Root& root) {
  if (!is_dns_label(root.name)) {
    return bad("roots", quoted(root.name) +
                            " is not a name; use 1 to 63 of a-z, 0-9 and -, a letter or digit at "
                            "both ends");
  }
  const std::string key = root_key(root);
  if (root.name.rfind(names::kReservedRootPrefix, 0) == 0) {
    return bad(key, "names that begin with " + std::string(names::kReservedRootPrefix) +
                        " are reserved; choose another");
  }
  LOGLINK_TRY(check_directory(key + ".path", root.path));
  if (root.namespaces.empty()) {
    return bad(key + ".namespaces",
               "nobody could use this root; name namespaces, or \"*\" for all");
  }
  LOGLINK_TRY(check_namespaces(key + ".namespaces", root.namespaces));
  if (root.per_namespace && root.name == names::kKubeletPodsRoot) {
    return bad(key + ".perNamespace",
               "the kubelet's pods directory is divided by pod; leave this out");
  }
  return {};
}

Expected<void> check_root_among(const Root& root, const SharedConfig& config) {
  const auto is_same = [&](const Root& other) { return other.name == root.name; };
  if (std::count_if(config.roots.begin(), config.roots.end(), is_same) > 1) {
    return bad(root_key(root), "this name is given twice; names are unique");
  }
  return check_root_place(root_key(root) + ".path", root, config);
}

// What can be listened on without a resolver. IPv6 by its letters alone: the listener knows the
// rest.
bool is_listening_host(std::string_view host) {
  if (host.empty() || host == "localhost") return true;
  if (host.front() == '[') {
    return host.find_first_not_of("[]0123456789abcdefABCDEF:.") == std::string_view::npos;
  }
  return host.find_first_not_of("0123456789.") == std::string_view::npos &&
         std::count(host.begin(), host.end(), '.') == 3;
}

// "host:port", ":port", "[v6]:port", or "".
Expected<void> check_address(const std::string& key, const std::string& address) {
  if (address.empty()) return {};
  const std::size_t colon = address.rfind(':');
  const std::string_view port =
      colon == std::string::npos ? std::string_view() : std::string_view(address).substr(colon + 1);
  const std::string_view host = std::string_view(address).substr(0, colon);
  const bool is_bare_v6 =
      host.find(':') != std::string_view::npos && (host.front() != '[' || host.back() != ']');
  const bool is_number = !port.empty() && port.size() <= 5 &&
                         port.find_first_not_of("0123456789") == std::string_view::npos;
  if (!is_number || std::stoi(std::string(port)) > 65535 || is_bare_v6 ||
      !is_listening_host(host)) {
    return bad(key, quoted(address) +
                        " is not an address; use \":8080\", \"127.0.0.1:8080\", \"[::1]:8080\", or "
                        "\"\" for none");
  }
  return {};
}

Expected<void> check_limits(const AgentLimits& limits) {
  static constexpr int kMost = 1'000'000;
  const std::vector<std::pair<std::string, int>> values = {
      {"linksPerSource", limits.links_per_source},
      {"linksPerPod", limits.links_per_pod},
      {"linksPerNamespace", limits.links_per_namespace},
      {"linksPerNode", limits.links_per_node},
      {"directoriesPerSource", limits.directories_per_source},
      {"entriesPerScan", limits.entries_per_scan},
      {"eventsPerSecond", limits.events_per_second},
      {"eventBurst", limits.event_burst}};
  for (const auto& [key, value] : values)
    LOGLINK_TRY(check_range("limits." + key, value, 1, kMost));
  return {};
}

Expected<void> check_shared(const SharedConfig& config) {
  LOGLINK_TRY(check_directories(config));
  LOGLINK_TRY(
      check_one_of("naming", config.naming,
                   {std::string(names::kNamingLogfile), std::string(names::kNamingKubelet)}));
  for (const Root& root : config.roots) LOGLINK_TRY(check_root_by_itself(root));
  for (const Root& root : config.roots) LOGLINK_TRY(check_root_among(root, config));
  LOGLINK_TRY(check_range("linger", config.linger, Duration(0), kKeepMax));
  LOGLINK_TRY(check_address("metricsAddress", config.metrics_address));
  LOGLINK_TRY(check_one_of("logLevel", config.log_level, {"debug", "info", "warning", "error"}));
  LOGLINK_TRY(check_one_of("logFormat", config.log_format, {"text", "json"}));
  return check_limits(config.limits);
}

Expected<void> check_leader_election(const LeaderElectionConfig& config) {
  if (!config.enabled) return {};
  const std::string key = "leaderElection.";
  if (!is_dns_label(config.lease_namespace)) {
    return bad(key + "leaseNamespace", quoted(config.lease_namespace) + " is not a namespace");
  }
  if (!is_dns_subdomain(config.lease_name)) {
    return bad(key + "leaseName",
               quoted(config.lease_name) + " is not a name; use a-z, 0-9, - and .");
  }
  LOGLINK_TRY(check_range(key + "leaseDuration", config.lease_duration, seconds(1), hours(1)));
  if (config.lease_duration % seconds(1) != Duration(0)) {
    return bad(key + "leaseDuration", format_duration(config.lease_duration) +
                                          " is not in whole seconds, as the Lease has it");
  }
  LOGLINK_TRY(check_range(key + "retryPeriod", config.retry_period, milliseconds(100), hours(1)));
  if (config.renew_deadline >= config.lease_duration) {
    return bad(key + "renewDeadline", format_duration(config.renew_deadline) +
                                          " must be less than leaseDuration " +
                                          format_duration(config.lease_duration) +
                                          ": a leader has to stop before another begins");
  }
  // 1.2 is the jitter of candidates.
  if (config.renew_deadline * 10 <= config.retry_period * 12) {
    return bad(key + "renewDeadline", format_duration(config.renew_deadline) +
                                          " must be more than 1.2 times retryPeriod " +
                                          format_duration(config.retry_period) +
                                          ": one failed try must not lose the lease");
  }
  return {};
}

Expected<void> check_include(const std::vector<std::string>& include) {
  if (include.empty() || include.size() > limits::kPatterns) {
    return bad("include", "give 1 to " + std::to_string(limits::kPatterns) + " patterns");
  }
  for (const std::string& pattern : include) {
    if (!is_valid_glob(pattern)) {
      return bad("include", quoted(pattern) +
                                " is not a pattern; use 1 to 64 of letters, digits and ._*?@+=~-");
    }
  }
  return {};
}

}  // namespace

Expected<void> validate(const ControllerConfig& config) {
  LOGLINK_TRY(check_shared(config));
  LOGLINK_TRY(check_include(config.include));
  LOGLINK_TRY(check_range("maxDepth", config.max_depth, 1, limits::kMaxDepth));
  LOGLINK_TRY(check_namespaces("namespaces.allow", config.namespaces.allow));
  LOGLINK_TRY(check_namespaces("namespaces.deny", config.namespaces.deny));
  LOGLINK_TRY(check_range("policyLinger", config.policy_linger, Duration(0), kKeepMax));
  if (has_control_character(config.pod_selector) || config.pod_selector.size() > kSelectorBytes) {
    return bad("podSelector", "give a label selector in one line of at most " +
                                  std::to_string(kSelectorBytes) + " bytes");
  }
  return check_leader_election(config.leader_election);
}

Expected<void> validate(const AgentConfig& config) {
  LOGLINK_TRY(check_shared(config));
  if (!config.node_name.empty() && !is_dns_subdomain(config.node_name)) {
    return bad("nodeName", quoted(config.node_name) + " is not a node's name");
  }
  LOGLINK_TRY(check_range("rescanInterval", config.rescan_interval, milliseconds(100), hours(1)));
  return check_range("missingTargetGrace", config.missing_target_grace, Duration(0), kKeepMax);
}

const Root* find_root(const SharedConfig& config, const std::string& name) {
  for (const Root& root : config.roots) {
    if (root.name == name) return &root;
  }
  return nullptr;
}

}  // namespace loglink
