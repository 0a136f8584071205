#include "lib/codec/config_yaml.h"

#include <array>
#include <utility>

#include "lib/codec/strict_map.h"

namespace loglink {
namespace {

constexpr std::array<std::string_view, 7> kControllerKeys = {
    "include",      "maxDepth",    "staticPods",    "namespaces",
    "policyLinger", "podSelector", "leaderElection"};
constexpr std::array<std::string_view, 4> kAgentKeys = {"nodeName", "linkMode", "rescanInterval",
                                                        "missingTargetGrace"};

constexpr std::array<std::string_view, 8> kChartKeys = {
    "image", "config", "controller", "agent", "rbac", "policies", "drain", "metrics"};

// The keys of the other program, and of the chart, whose values are the file that is at hand.
template <class Keys>
void name_strangers(StrictMap& map, const Keys& others, std::string_view other,
                    const std::string& own_file) {
  for (const std::string_view key : others) {
    map.belongs_elsewhere(key,
                          "a key of " + std::string(other) + "'s configuration, not known here");
  }
  for (const std::string_view key : kChartKeys) {
    map.belongs_elsewhere(key, "a value of the Helm chart, not known here; give " + own_file +
                                   " of the ConfigMap that `helm template` makes of it");
  }
}

void read_root(StrictMap map, Root& root) {
  map.require("name");
  map.require("path");
  map.text("name", root.name);
  map.text("path", root.path);
  map.texts("namespaces", root.namespaces);
  map.flag("perNamespace", root.per_namespace);
  map.finish();
}

void read_limits(StrictMap map, AgentLimits& limits) {
  map.number("linksPerSource", limits.links_per_source);
  map.number("linksPerPod", limits.links_per_pod);
  map.number("linksPerNamespace", limits.links_per_namespace);
  map.number("linksPerNode", limits.links_per_node);
  map.number("directoriesPerSource", limits.directories_per_source);
  map.number("entriesPerScan", limits.entries_per_scan);
  map.number("eventsPerSecond", limits.events_per_second);
  map.number("eventBurst", limits.event_burst);
  map.finish();
}

void read_shared(StrictMap& map, SharedConfig& config) {
  map.text("linkDir", config.link_dir);
  map.text("rootsDir", config.roots_dir);
  map.text("stateDir", config.state_dir);
  map.text("naming", config.naming);
  if (map.has("roots")) config.roots.clear();
  map.each("roots",
           [&](StrictMap root) { read_root(std::move(root), config.roots.emplace_back()); });
  map.duration("linger", config.linger);
  map.text("metricsAddress", config.metrics_address);
  map.text("logLevel", config.log_level);
  map.text("logFormat", config.log_format);
  map.child("limits", [&](StrictMap limits) { read_limits(std::move(limits), config.limits); });
}

void read_election(StrictMap map, LeaderElectionConfig& election) {
  map.flag("enabled", election.enabled);
  map.text("leaseNamespace", election.lease_namespace);
  map.text("leaseName", election.lease_name);
  map.duration("leaseDuration", election.lease_duration);
  map.duration("renewDeadline", election.renew_deadline);
  map.duration("retryPeriod", election.retry_period);
  map.finish();
}

void read_controller(StrictMap map, ControllerConfig& config) {
  read_shared(map, config);
  map.texts("include", config.include);
  map.number("maxDepth", config.max_depth);
  map.flag("staticPods", config.static_pods);
  map.child("namespaces", [&](StrictMap namespaces) {
    namespaces.texts("allow", config.namespaces.allow);
    namespaces.texts("deny", config.namespaces.deny);
    namespaces.finish();
  });
  map.duration("policyLinger", config.policy_linger);
  map.text("podSelector", config.pod_selector);
  map.child("leaderElection", [&](StrictMap election) {
    read_election(std::move(election), config.leader_election);
  });
  name_strangers(map, kAgentKeys, "the agent", "controller.yaml");
  map.finish();
}

void read_agent(StrictMap map, AgentConfig& config) {
  read_shared(map, config);
  map.text("nodeName", config.node_name);
  map.word<LinkMode>("linkMode", {{"safe", LinkMode::kSafe}, {"direct", LinkMode::kDirect}},
                     config.link_mode);
  map.duration("rescanInterval", config.rescan_interval);
  map.duration("missingTargetGrace", config.missing_target_grace);
  name_strangers(map, kControllerKeys, "the controller", "agent.yaml");
  map.finish();
}

tl::unexpected<Error> error_at(const std::string& file, int line, const std::string& message) {
  std::string place = file;
  if (line > 0) place += ":" + std::to_string(line);
  return fail(ErrorCode::kInvalidArgument, place + ": " + message);
}

// "roots[applogs].path" as validate() names a root, with the root's index instead.
std::string with_index(const YamlNode& document, const std::string& key) {
  const std::size_t open = key.find('[');
  const std::size_t close = key.find(']');
  const YamlNode::Entry* roots = document.find("roots");
  if (open == std::string::npos || close == std::string::npos || roots == nullptr) return key;
  const std::string name = key.substr(open + 1, close - open - 1);
  for (std::size_t i = 0; i < roots->value->items.size(); ++i) {
    const YamlNode::Entry* entry = roots->value->items[i]->find("name");
    if (entry == nullptr || entry->value->text != name) continue;
    return key.substr(0, open + 1) + std::to_string(i) + key.substr(close);
  }
  return key;
}

// The line of the key that an error of validate() begins with; 0 when the file does not have it.
int line_of_key(const YamlNode* document, const std::string& message) {
  if (document == nullptr) return 0;
  const std::string key = message.substr(0, message.find(':'));
  const YamlNode::Entry* entry = document->find(key.substr(0, key.find_first_of(".[")));
  if (entry == nullptr) return 0;
  return line_of(*document, with_index(*document, key));
}

template <class Config>
Expected<Config> parse_config(std::string_view yaml, const std::string& file,
                              void (*read)(StrictMap, Config&)) {
  const auto documents = parse_yaml(yaml);
  if (!documents) {
    return error_at(file, documents.error().line, "not valid YAML: " + documents.error().message);
  }
  if (documents->size() > 1) {
    return error_at(file, (*documents)[1]->line, "a second document; a configuration is one");
  }
  Config config;
  const YamlNode* document = nullptr;
  if (!documents->empty()) {
    document = documents->front().get();
    if (document->kind != YamlNode::Kind::kMap) {
      return error_at(file, document->line, "expected keys and values, like \"linger: 5m\"");
    }
    ConfigProblem problem;
    read(StrictMap(*document, "", problem), config);
    if (problem.found()) return error_at(file, problem.line, problem.message);
  }
  const Expected<void> valid = validate(config);
  if (!valid) {
    const std::string& message = valid.error().message;
    return error_at(file, line_of_key(document, message), message);
  }
  return config;
}

}  // namespace

Expected<ControllerConfig> parse_controller_config(std::string_view yaml,
                                                   const std::string& file_name) {
  return parse_config<ControllerConfig>(yaml, file_name, &read_controller);
}

Expected<AgentConfig> parse_agent_config(std::string_view yaml, const std::string& file_name) {
  return parse_config<AgentConfig>(yaml, file_name, &read_agent);
}

}  // namespace loglink
