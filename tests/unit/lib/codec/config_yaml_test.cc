#include "lib/codec/config_yaml.h"

#include <gmock/gmock.h>

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(ConfigYamlTest, AnEmptyFileIsTheDefaults) {
  for (const std::string text : {"", "\n", "# nothing\n", "---\n"}) {
    const auto controller = parse_controller_config(text, "c.yaml");
    ASSERT_TRUE(controller) << controller.error().message;
    EXPECT_EQ(controller->link_dir, "/run/loglink/links");
    EXPECT_EQ(controller->linger, minutes(5));
    EXPECT_EQ(controller->leader_election.lease_duration, seconds(15));
    ASSERT_EQ(controller->roots.size(), 1U);
    EXPECT_EQ(controller->roots[0].name, "kubelet-pods");
    const auto agent = parse_agent_config(text + "nodeName: node-1\n", "a.yaml");
    ASSERT_TRUE(agent) << agent.error().message;
    EXPECT_EQ(agent->link_mode, LinkMode::kSafe);
  }
}

constexpr std::string_view kShared = R"(linkDir: /var/log/gravity
rootsDir: /srv/loglink/roots
stateDir: /srv/state
naming: kubelet
roots:
- name: kubelet-pods
  path: /data/kubelet/pods
- name: applogs
  path: /var/log/apps
  namespaces: [prod, shop]
  perNamespace: true
linger: 1h30m
metricsAddress: ""
logLevel: debug
logFormat: json
limits:
  linksPerSource: 11
  linksPerPod: 22
  linksPerNamespace: 33
  linksPerNode: 44
  directoriesPerSource: 55
  entriesPerScan: 1066
  eventsPerSecond: 77
  eventBurst: 88
)";

void expect_shared(const SharedConfig& config) {
  EXPECT_EQ(config.link_dir, "/var/log/gravity");
  EXPECT_EQ(config.roots_dir, "/srv/loglink/roots");
  EXPECT_EQ(config.state_dir, "/srv/state");
  EXPECT_EQ(config.naming, "kubelet");
  EXPECT_THAT(config.roots, ElementsAre(Root{"kubelet-pods", "/data/kubelet/pods", {"*"}, false},
                                        Root{"applogs", "/var/log/apps", {"prod", "shop"}, true}));
  EXPECT_EQ(config.linger, minutes(90));
  EXPECT_EQ(config.metrics_address, "");
  EXPECT_EQ(config.log_level, "debug");
  EXPECT_EQ(config.log_format, "json");
  EXPECT_EQ(config.limits, (AgentLimits{11, 22, 33, 44, 55, 1066, 77, 88}));
}

TEST(ConfigYamlTest, EveryKeyOfTheController) {
  const auto config = parse_controller_config(std::string(kShared) + R"(include: ["*.txt"]
maxDepth: 3
staticPods: true
namespaces:
  allow: [prod]
  deny: [kube-system]
policyLinger: 2h
podSelector: app=web
leaderElection:
  enabled: false
  leaseNamespace: ns
  leaseName: name
  leaseDuration: 30s
  renewDeadline: 20s
  retryPeriod: 2500ms
)",
                                              "c.yaml");
  ASSERT_TRUE(config) << config.error().message;
  expect_shared(*config);
  EXPECT_THAT(config->include, ElementsAre("*.txt"));
  EXPECT_EQ(config->max_depth, 3);
  EXPECT_TRUE(config->static_pods);
  EXPECT_THAT(config->namespaces.allow, ElementsAre("prod"));
  EXPECT_THAT(config->namespaces.deny, ElementsAre("kube-system"));
  EXPECT_EQ(config->policy_linger, hours(2));
  EXPECT_EQ(config->pod_selector, "app=web");
  EXPECT_FALSE(config->leader_election.enabled);
  EXPECT_EQ(config->leader_election.lease_namespace, "ns");
  EXPECT_EQ(config->leader_election.lease_name, "name");
  EXPECT_EQ(config->leader_election.lease_duration, seconds(30));
  EXPECT_EQ(config->leader_election.renew_deadline, seconds(20));
  EXPECT_EQ(config->leader_election.retry_period, milliseconds(2500));
}

TEST(ConfigYamlTest, EveryKeyOfTheAgent) {
  const auto config = parse_agent_config(std::string(kShared) + R"(nodeName: "12"
linkMode: direct
rescanInterval: 45s
missingTargetGrace: 3h
)",
                                         "a.yaml");
  ASSERT_TRUE(config) << config.error().message;
  expect_shared(*config);
  EXPECT_EQ(config->node_name, "12");
  EXPECT_EQ(config->link_mode, LinkMode::kDirect);
  EXPECT_EQ(config->rescan_interval, seconds(45));
  EXPECT_EQ(config->missing_target_grace, hours(3));
}

TEST(ConfigYamlTest, ErrorsNameFileLineKeyAndCure) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"linger: 5m\nlinkdir: /x\n", "c.yaml:2: linkdir: unknown key; did you mean \"linkDir\"?"},
      {"metricsAdress: x\n", "did you mean \"metricsAddress\"?"},
      {"limits:\n  linkPerPod: 4\n",
       "c.yaml:2: limits.linkPerPod: unknown key; did you mean \"linksPerPod\"?"},
      {"colour: red\n", "c.yaml:1: colour: unknown key; known here: linkDir, rootsDir, "},
      {"roots:\n- name: a\n  path: /a\n  readOnly: true\n",
       "c.yaml:4: roots[0].readOnly: unknown key; known here: name, path, namespaces, "},
      {"roots:\n- name: a\n", "c.yaml:2: roots[0].path: missing"},
      {"roots: {}\n", "c.yaml:1: roots: expected a list, but it is a map"},
      {"roots:\n- /var/log\n",
       "c.yaml:2: roots[0]: expected a map of keys and values, but it is a string, \"/var/log\""},
      {"linkMode: safe\n", "c.yaml:1: linkMode: a key of the agent's configuration"},
      {"image:\n  tag: v1\n",
       "c.yaml:1: image: a value of the Helm chart, not known here; give "
       "controller.yaml of the ConfigMap that `helm template` makes"},
      {"staticPods: \"yes\"\n",
       "c.yaml:1: staticPods: expected true or false, but it is a string, \"yes\""},
      {"staticPods: yes\n", "c.yaml:1: staticPods: \"yes\" is read differently"},
      {"staticPods: 1\n", "expected true or false, but it is a number, \"1\""},
      {"linkDir: 12\n", "linkDir: expected a string, but it is a number, \"12\"; put it in quotes"},
      {"linkDir:\n", "linkDir: expected a string, but it is nothing; leave the key out"},
      {"include: '*.log'\n", "include: expected a list of strings, but it is a string"},
      {"include:\n- a\n- 5\n", "c.yaml:3: include[1]: expected a string, but it is a number"},
      {"maxDepth: '1'\n", "maxDepth: expected a whole number, but it is a string, \"1\""},
      {"maxDepth: 1.5\n", "maxDepth: expected a whole number, but it is a number, \"1.5\""},
      {"maxDepth: 99999999999\n", "maxDepth: 99999999999 is out of range"},
      {"linger: 300\n",
       "c.yaml:1: linger: expected a duration like 30s or 5m, but it is a number, \"300\""},
      {"linger: soon\n", "c.yaml:1: linger: \"soon\" is not a duration"},
      {"linger: -5m\n", "c.yaml:1: linger: "},
      {"leaderElection: true\n",
       "leaderElection: expected a map of keys and values, but it is a boolean"},
      {"namespaces:\n  allow: [a]\n  denied: []\n",
       "c.yaml:3: namespaces.denied: unknown key; known here: allow, deny"},
      {"a: 1\n---\nb: 2\n", "c.yaml:3: a second document"},
      {"- a\n", "c.yaml:1: expected keys and values"},
      {"linger: 5m\nlinger: 6m\n", "c.yaml:2: not valid YAML: the key \"linger\" is there twice"},
      {"linger: [\n", "c.yaml:2: not valid YAML: "},
  };
  for (const auto& [text, message] : cases) {
    const auto config = parse_controller_config(text, "c.yaml");
    ASSERT_FALSE(config) << text;
    EXPECT_EQ(config.error().code, ErrorCode::kInvalidArgument);
    EXPECT_THAT(config.error().message, HasSubstr(message)) << text;
    EXPECT_EQ(config.error().message.find('\n'), std::string::npos);
  }
}

TEST(ConfigYamlTest, TheFirstWrongLineIsTold) {
  const auto config = parse_controller_config("colour: red\nlinger: soon\nmaxDepth: x\n", "c.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message, testing::StartsWith("c.yaml:1: colour: "));
}

TEST(ConfigYamlTest, TheAgentTakesNoKeyOfTheController) {
  const auto config = parse_agent_config("podSelector: a=b\n", "a.yaml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().message,
              HasSubstr("a.yaml:1: podSelector: a key of the controller's configuration"));
  const auto mode = parse_agent_config("linkMode: fast\n", "a.yaml");
  ASSERT_FALSE(mode);
  EXPECT_THAT(mode.error().message,
              HasSubstr("a.yaml:1: linkMode: \"fast\" is not known; use one of: safe, direct"));
}

TEST(ConfigYamlTest, ValuesThatDoNotFitTogetherAreToldWithTheirLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"linger: 5m\nnaming: fancy\n", "c.yaml:2: naming: "},
      {"linkDir: relative\n", "c.yaml:1: linkDir: "},
      {"limits:\n  linksPerPod: 0\n", "c.yaml:2: limits.linksPerPod: "},
      {"roots:\n- name: kubelet-pods\n  path: /var/lib/kubelet/pods\n- name: b\n  path: b\n",
       "c.yaml:5: roots[b].path: "},
      {"leaderElection:\n  leaseDuration: 5s\n", "c.yaml:"},
  };
  for (const auto& [text, message] : cases) {
    const auto config = parse_controller_config(text, "c.yaml");
    ASSERT_FALSE(config) << text;
    EXPECT_THAT(config.error().message, testing::StartsWith(message)) << text;
  }
}

}  // namespace
}  // namespace loglink
