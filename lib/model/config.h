// Configuration of both programs as values, with their defaults. Read from YAML by
// lib/codec/config_yaml.h, strictly; documented in docs/reference/configuration.md.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"

namespace loglink {

struct Root {
  std::string name;
  std::string path;                             // absolute, normalised
  std::vector<std::string> namespaces = {"*"};  // who may have sources in it; "*" is everyone
  bool per_namespace = false;  // the first component below it is the pod's namespace

  auto operator<=>(const Root&) const = default;
};

struct AgentLimits {
  int links_per_source = 1000;
  int links_per_pod = 2000;  // per uid
  int links_per_namespace = 5000;
  int links_per_node = 10000;
  int directories_per_source = 256;
  int entries_per_scan = 20000;
  int events_per_second = 200;
  int event_burst = 2000;

  auto operator<=>(const AgentLimits&) const = default;
};

struct SharedConfig {
  std::string link_dir = "/run/loglink/links";
  std::string roots_dir = "/run/loglink/roots";
  std::string state_dir = "/var/lib/loglink";
  std::string naming = "logfile";
  std::vector<Root> roots = {Root{"kubelet-pods", "/var/lib/kubelet/pods", {"*"}, false}};
  Duration linger = std::chrono::minutes(5);
  std::string metrics_address = ":8080";  // "" switches the endpoint off
  std::string log_level = "info";
  std::string log_format = "text";
  AgentLimits limits;
};

struct LeaderElectionConfig {
  bool enabled = true;
  std::string lease_namespace = "loglink-system";
  std::string lease_name = "loglink-controller";
  Duration lease_duration = std::chrono::seconds(15);
  Duration renew_deadline = std::chrono::seconds(10);
  Duration retry_period = std::chrono::seconds(2);
};

struct NamespacePolicy {
  std::vector<std::string> allow = {"*"};
  std::vector<std::string> deny;
};

struct ControllerConfig : SharedConfig {
  std::vector<std::string> include = {"*.log"};  // when the pod says nothing
  int max_depth = 1;
  bool static_pods = false;
  NamespacePolicy namespaces;
  Duration policy_linger = std::chrono::hours(1);
  std::string pod_selector;  // a label selector; "" is all pods
  LeaderElectionConfig leader_election;
};

enum class LinkMode { kSafe, kDirect };

struct AgentConfig : SharedConfig {
  std::string node_name;  // env NODE_NAME where the file does not say
  LinkMode link_mode = LinkMode::kSafe;
  Duration rescan_interval = std::chrono::seconds(30);
  Duration missing_target_grace = std::chrono::hours(1);
};

// Checks what no single key shows: root names and paths against each other, linkDir, rootsDir and
// stateDir; limits and durations in range. The error names the key and the cure.
Expected<void> validate(const ControllerConfig& config);
Expected<void> validate(const AgentConfig& config);

// The root of that name, or nullptr.
const Root* find_root(const SharedConfig& config, const std::string& name);

}  // namespace loglink
