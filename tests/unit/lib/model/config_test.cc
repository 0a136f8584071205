#include "lib/model/config.h"

#include <gtest/gtest.h>

#include <functional>

#include "lib/base/text.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Validate, TakesTheDefaults) {
  EXPECT_TRUE(validate(ControllerConfig{}).has_value());
  EXPECT_TRUE(validate(AgentConfig{}).has_value());
}

Root host_root(std::string path) { return Root{"apps", std::move(path), {"*"}, false}; }

template <class Config>
struct BadCase {
  const char* name;
  std::function<void(Config&)> change;
  const char* key;   // the error begins with it
  const char* cure;  // and has this in it
};

template <class Config>
std::ostream& operator<<(std::ostream& out, const BadCase<Config>& each) {
  return out << each.name;
}

template <class Config>
void expect_refused(const BadCase<Config>& each) {
  Config config;
  each.change(config);
  const Expected<void> result = validate(config);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error().message.rfind(std::string(each.key) + ":", 0), 0U)
      << result.error().message;
  EXPECT_NE(result.error().message.find(each.cure), std::string::npos) << result.error().message;
  EXPECT_FALSE(has_control_character(result.error().message));
}

using AgentCase = BadCase<AgentConfig>;
class ValidateAgent : public testing::TestWithParam<AgentCase> {};
TEST_P(ValidateAgent, RefusesAndNamesKeyAndCure) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Directories, ValidateAgent,
    testing::Values(
        AgentCase{"RelativeLinkDir", [](auto& c) { c.link_dir = "run/links"; }, "linkDir",
                  "absolute"},
        AgentCase{"EmptyLinkDir", [](auto& c) { c.link_dir = ""; }, "linkDir", "absolute"},
        AgentCase{"RootAsLinkDir", [](auto& c) { c.link_dir = "/"; }, "linkDir", "not \"/\""},
        AgentCase{"DotDot", [](auto& c) { c.roots_dir = "/run/../etc"; }, "rootsDir", "\"..\""},
        AgentCase{"TrailingSlash", [](auto& c) { c.state_dir = "/var/lib/x/"; }, "stateDir",
                  "trailing"},
        AgentCase{"ControlCharacter", [](auto& c) { c.link_dir = "/run/a\nb"; }, "linkDir",
                  "/run/a\\x0ab"},
        AgentCase{"LinkDirIsRootsDir", [](auto& c) { c.link_dir = "/run/loglink/roots"; },
                  "linkDir", "keep them apart"},
        AgentCase{"LinkDirInRootsDir", [](auto& c) { c.link_dir = "/run/loglink/roots/x"; },
                  "linkDir", "keep them apart"},
        AgentCase{"StateDirInLinkDir", [](auto& c) { c.state_dir = "/run/loglink/links/s"; },
                  "linkDir", "keep them apart"},
        AgentCase{"LinkDirInPodLogs", [](auto& c) { c.link_dir = "/var/log/pods/x"; }, "linkDir",
                  "kubelet"}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Roots, ValidateAgent,
    testing::Values(
        AgentCase{"Slash", [](auto& c) { c.roots.push_back(host_root("/")); }, "roots[apps].path",
                  "not \"/\""},
        AgentCase{"Relative", [](auto& c) { c.roots.push_back(host_root("srv")); },
                  "roots[apps].path", "absolute"},
        AgentCase{"EqualsKubeletPods",
                  [](auto& c) { c.roots.push_back(host_root("/var/lib/kubelet/pods")); },
                  "roots[apps].path", "the kubelet's pods directory"},
        AgentCase{"ContainsKubeletPods", [](auto& c) { c.roots.push_back(host_root("/var/lib")); },
                  "roots[apps].path", "choose a directory apart"},
        AgentCase{"InsideKubeletPods",
                  [](auto& c) { c.roots.push_back(host_root("/var/lib/kubelet/pods/x")); },
                  "roots[apps].path", "the kubelet's pods directory"},
        AgentCase{"InsideAKubeletDirectoryElsewhere",
                  [](auto& c) {
                    c.roots[0].path = "/data/kubelet/pods";
                    c.roots.push_back(host_root("/data/kubelet/pods/x"));
                  },
                  "roots[apps].path", "the kubelet's pods directory /data/kubelet/pods"},
        AgentCase{"InsideTheDefaultWhenThereIsNoKubeletRoot",
                  [](auto& c) { c.roots = {host_root("/var/lib/kubelet/pods/x")}; },
                  "roots[apps].path", "the kubelet's pods directory"},
        AgentCase{"ContainsRootsDir",
                  [](auto& c) {
                    c.roots_dir = "/srv/roots";
                    c.roots.push_back(host_root("/srv"));
                  },
                  "roots[apps].path", "rootsDir"},
        AgentCase{"InsideStateDir",
                  [](auto& c) { c.roots.push_back(host_root("/var/lib/loglink/x")); },
                  "roots[apps].path", "stateDir"},
        AgentCase{"InsideRunLoglink",
                  [](auto& c) { c.roots.push_back(host_root("/run/loglink/apps")); },
                  "roots[apps].path", "/run/loglink"},
        AgentCase{"ContainsRunLoglink", [](auto& c) { c.roots.push_back(host_root("/run")); },
                  "roots[apps].path", "/run/loglink"},
        AgentCase{"InsideRunLoglinkThoughNothingOfOursIsThere",
                  [](auto& c) {
                    c.link_dir = "/srv/links";
                    c.roots_dir = "/srv/roots";
                    c.roots.push_back(host_root("/run/loglink/x"));
                  },
                  "roots[apps].path", "loglink's own directory"},
        AgentCase{"EqualsLinkDir",
                  [](auto& c) {
                    c.link_dir = "/var/log/gravity";
                    c.roots.push_back(host_root("/var/log/gravity"));
                  },
                  "roots[apps].path", "linkDir"},
        AgentCase{"ContainsLinkDir",
                  [](auto& c) {
                    c.link_dir = "/var/log/gravity";
                    c.roots.push_back(host_root("/var/log"));
                  },
                  "roots[apps].path", "plant links"},
        AgentCase{"KubeletRootContainsLinkDir",
                  [](auto& c) { c.link_dir = "/var/lib/kubelet/pods/links"; },
                  "roots[kubelet-pods].path", "linkDir"},
        AgentCase{"ReservedName",
                  [](auto& c) {
                    c.roots.push_back({"volume-a", "/srv"});
                  },
                  "roots[volume-a]", "reserved"},
        AgentCase{"BadName",
                  [](auto& c) {
                    c.roots.push_back({"../x", "/srv"});
                  },
                  "roots", "a-z, 0-9 and -"},
        AgentCase{"NameTwice",
                  [](auto& c) {
                    c.roots.push_back(host_root("/srv/a"));
                    c.roots.push_back(host_root("/srv/b"));
                  },
                  "roots[apps]", "unique"},
        AgentCase{"NobodyMayUseIt",
                  [](auto& c) {
                    c.roots.push_back({"apps", "/srv", {}, false});
                  },
                  "roots[apps].namespaces", "\"*\""},
        AgentCase{"BadNamespace",
                  [](auto& c) {
                    c.roots.push_back({"apps", "/srv", {"team-*"}, false});
                  },
                  "roots[apps].namespaces", "\"*\" for all"},
        AgentCase{"KubeletRootPerNamespace", [](auto& c) { c.roots[0].per_namespace = true; },
                  "roots[kubelet-pods].perNamespace", "leave this out"}),
    [](const auto& each) { return each.param.name; });

INSTANTIATE_TEST_SUITE_P(
    Values, ValidateAgent,
    testing::Values(
        AgentCase{"Naming", [](auto& c) { c.naming = "Logfile"; }, "naming", "logfile, kubelet"},
        AgentCase{"LogLevel", [](auto& c) { c.log_level = "trace"; }, "logLevel",
                  "debug, info, warning, error"},
        AgentCase{"LogFormat", [](auto& c) { c.log_format = "xml"; }, "logFormat", "text, json"},
        AgentCase{"NegativeLinger", [](auto& c) { c.linger = seconds(-1); }, "linger",
                  "-1s is out of range; use 0s to 720h"},
        AgentCase{"EndlessLinger", [](auto& c) { c.linger = hours(721); }, "linger", "720h"},
        AgentCase{"AddressWithoutPort", [](auto& c) { c.metrics_address = "localhost"; },
                  "metricsAddress", ":8080"},
        AgentCase{"AddressWithName", [](auto& c) { c.metrics_address = "node-a:8080"; },
                  "metricsAddress", "127.0.0.1:8080"},
        AgentCase{"AddressWithNameInBrackets", [](auto& c) { c.metrics_address = "[node]:8080"; },
                  "metricsAddress", "[::1]:8080"},
        AgentCase{"AddressWithBigPort", [](auto& c) { c.metrics_address = ":65536"; },
                  "metricsAddress", ":8080"},
        AgentCase{"AddressWithBareV6", [](auto& c) { c.metrics_address = "::1:8080"; },
                  "metricsAddress", "[::1]:8080"},
        AgentCase{"ZeroLimit", [](auto& c) { c.limits.links_per_source = 0; },
                  "limits.linksPerSource", "use 1 to"},
        AgentCase{"NegativeLimit", [](auto& c) { c.limits.event_burst = -1; }, "limits.eventBurst",
                  "use 1 to"},
        AgentCase{"HugeLimit", [](auto& c) { c.limits.entries_per_scan = 1'000'001; },
                  "limits.entriesPerScan", "1000000"},
        AgentCase{"NodeName", [](auto& c) { c.node_name = "Node A"; }, "nodeName", "node's name"},
        AgentCase{"RescanTooOften", [](auto& c) { c.rescan_interval = milliseconds(99); },
                  "rescanInterval", "use 100ms to 1h"},
        AgentCase{"GraceTooLong", [](auto& c) { c.missing_target_grace = hours(1000); },
                  "missingTargetGrace", "720h"}),
    [](const auto& each) { return each.param.name; });

using ControllerCase = BadCase<ControllerConfig>;
class ValidateController : public testing::TestWithParam<ControllerCase> {};
TEST_P(ValidateController, RefusesAndNamesKeyAndCure) { expect_refused(GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Values, ValidateController,
    testing::Values(
        ControllerCase{"SharedKeysToo", [](auto& c) { c.naming = ""; }, "naming", "logfile"},
        ControllerCase{"NoInclude", [](auto& c) { c.include.clear(); }, "include", "1 to 16"},
        ControllerCase{"ManyIncludes", [](auto& c) { c.include.assign(17, "*"); }, "include",
                       "1 to 16"},
        ControllerCase{"BadInclude", [](auto& c) { c.include = {"a/b"}; }, "include", "\"a/b\""},
        ControllerCase{"DepthZero", [](auto& c) { c.max_depth = 0; }, "maxDepth", "1 to 16"},
        ControllerCase{"DepthSeventeen", [](auto& c) { c.max_depth = 17; }, "maxDepth", "1 to 16"},
        ControllerCase{"AllowPattern", [](auto& c) { c.namespaces.allow = {"a b"}; },
                       "namespaces.allow", "\"*\" for all"},
        ControllerCase{"DenyPattern", [](auto& c) { c.namespaces.deny = {""}; }, "namespaces.deny",
                       "\"*\" for all"},
        ControllerCase{"PolicyLinger", [](auto& c) { c.policy_linger = seconds(-5); },
                       "policyLinger", "0s to 720h"},
        ControllerCase{"SelectorInTwoLines", [](auto& c) { c.pod_selector = "a=b\nc=d"; },
                       "podSelector", "one line"},
        ControllerCase{"LeaseNamespace", [](auto& c) { c.leader_election.lease_namespace = "A"; },
                       "leaderElection.leaseNamespace", "namespace"},
        ControllerCase{"LeaseName", [](auto& c) { c.leader_election.lease_name = ""; },
                       "leaderElection.leaseName", "a-z"},
        ControllerCase{"LeaseInFractions",
                       [](auto& c) { c.leader_election.lease_duration = milliseconds(15500); },
                       "leaderElection.leaseDuration", "whole seconds"},
        ControllerCase{"NoLeaseDuration",
                       [](auto& c) { c.leader_election.lease_duration = seconds(0); },
                       "leaderElection.leaseDuration", "1s to 1h"},
        ControllerCase{"DeadlineNotBelowLease",
                       [](auto& c) { c.leader_election.renew_deadline = seconds(15); },
                       "leaderElection.renewDeadline", "less than leaseDuration 15s"},
        ControllerCase{"DeadlineNotAboveRetry",
                       [](auto& c) { c.leader_election.renew_deadline = milliseconds(2400); },
                       "leaderElection.renewDeadline", "1.2 times retryPeriod 2s"},
        ControllerCase{"NoRetryPeriod",
                       [](auto& c) { c.leader_election.retry_period = seconds(0); },
                       "leaderElection.retryPeriod", "100ms"}),
    [](const auto& each) { return each.param.name; });

TEST(Validate, TakesWhatIsUnusualButSound) {
  AgentConfig config;
  config.link_dir = "/var/log/gravity";
  // A root may lie below the link directory, roots may lie in one another or be one directory.
  config.roots.push_back({"below", "/var/log/gravity/apps", {"prod"}, true});
  config.roots.push_back({"outer", "/srv/logs", {"*"}, false});
  config.roots.push_back({"inner", "/srv/logs/team", {"team"}, false});
  config.roots.push_back({"again", "/srv/logs", {"other"}, false});
  // "/run/loglinks" is not in "/run/loglink".
  config.roots.push_back({"near", "/run/loglinks", {"*"}, false});
  config.metrics_address = "";
  config.linger = Duration(0);
  config.node_name = "ip-10-0-0-1.ec2.internal";
  EXPECT_TRUE(validate(config).has_value()) << validate(config).error().message;
  config.roots.clear();
  EXPECT_TRUE(validate(config).has_value());
  for (const char* address : {":0", "127.0.0.1:8080", "[::1]:8080", "localhost:1"}) {
    config.metrics_address = address;
    EXPECT_TRUE(validate(config).has_value()) << address;
  }
}

TEST(Validate, LeaderElectionThatIsOffIsNotChecked) {
  ControllerConfig config;
  config.leader_election.enabled = false;
  config.leader_election.lease_name = "";
  config.leader_election.renew_deadline = hours(2);
  EXPECT_TRUE(validate(config).has_value());
}

TEST(FindRoot, GoesByName) {
  SharedConfig config;
  config.roots.push_back(host_root("/srv"));
  EXPECT_EQ(find_root(config, "apps"), &config.roots[1]);
  EXPECT_EQ(find_root(config, "none"), nullptr);
}

}  // namespace
}  // namespace loglink
