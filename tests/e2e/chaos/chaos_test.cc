// Both programs on a real control plane that fails under them, while pods come, change and go:
// scripts/chaos. After the last fault everything is right within 20 s, and no object was written
// by a leader after its successor had written it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <sstream>

#include "lib/model/limits.h"
#include "tests/e2e/chaos/audit_log.h"
#include "tests/e2e/chaos/control_plane.h"
#include "tests/e2e/chaos/fault_proxy.h"
#include "tests/e2e/chaos/pod_churn.h"
#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::IsEmpty;

constexpr seconds kConvergence{20};
// A watch that carries nothing is given up after 90 s.
constexpr seconds kIdleWatch{90};
constexpr seconds kStaysRight{3};

seconds seconds_of(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return seconds(text == nullptr ? otherwise : std::atoi(text));
}

std::string cluster_directory() {
  const char* directory = std::getenv("LOGLINK_CHAOS_CLUSTER");
  if (directory == nullptr) throw std::runtime_error("LOGLINK_CHAOS_CLUSTER is not set");
  return directory;
}

void let_pass(milliseconds time) {
  eventually([] { return false; }, time);
}

// As eventually(), for conditions that cost a request.
template <class Condition>
bool soon(Condition condition, milliseconds timeout) {
  return eventually(
      [&] {
        if (condition()) return true;
        let_pass(milliseconds(100));
        return false;
      },
      timeout);
}

// The servers outlive a test; whoever starts one again is their owner.
ControlPlane& control_plane() {
  static ControlPlane plane(cluster_directory());
  return plane;
}

struct Candidate {
  std::string user;
  std::string log;
  int metrics_port = 0;
  std::unique_ptr<Program> program;
};

// Whether its log says that it began to lead as `holder`.
bool leads(const Candidate& candidate, const std::string& holder) {
  std::istringstream lines(candidate.program->output());
  for (std::string line; std::getline(lines, line);) {
    const bool begins = line.find("this controller leads") != std::string::npos;
    if (begins && line.find(holder) != std::string::npos) return true;
  }
  return false;
}

class Chaos : public ::testing::Test {
 protected:
  Chaos() : world(control_plane().kubeconfig()) {}

  ~Chaos() override {
    for (Candidate& candidate : candidates) {
      if (HasFailure() && candidate.program) {
        std::fprintf(stderr, "--- output of %s:\n%s\n", candidate.user.c_str(),
                     candidate.program->output().c_str());
      }
      candidate = {};
    }
    if (churn) churn->remove_everything();
    churn.reset();
  }

  // Two controllers, an agent and the churn. With a proxy, the programs go through it.
  void begin(bool with_proxy = false) {
    if (with_proxy) {
      proxy.emplace(static_cast<std::uint16_t>(control_plane().port()), /*seed=*/1);
    }
    for (Candidate& candidate : candidates) start(candidate);
    std::string agent_user;
    world.start_agent(control_plane().next_kubeconfig(agent_user, proxy_port()));
    churn.emplace(world);
    ASSERT_TRUE(soon([&] { return leader() != nullptr; }, seconds(30)));
    let_pass(seconds(3));
  }

  [[nodiscard]] int proxy_port() const { return proxy ? proxy->port() : 0; }

  void start(Candidate& candidate) {
    const std::string kubeconfig = control_plane().next_kubeconfig(candidate.user, proxy_port());
    users.insert(candidate.user);
    candidate.log = world.path("logs/" + candidate.user).string();
    candidate.metrics_port = free_port();
    std::string text = read_file(world.path("controller.yaml"));
    const std::size_t address = text.find("metricsAddress: ");
    text.replace(address, text.find('\n', address) - address,
                 "metricsAddress: 127.0.0.1:" + std::to_string(candidate.metrics_port));
    const std::filesystem::path file = world.path(candidate.user + ".yaml");
    write_file(file, text);
    candidate.program = std::make_unique<Program>(
        std::vector<std::string>{program_path("loglink-controller"), "run", "--config",
                                 file.string(), "--kubeconfig", kubeconfig},
        candidate.log);
  }

  // The one that the Lease names, or null.
  Candidate* leader() {
    const auto lease =
        world.api().peek("/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases/" +
                         world.unique("controller"));
    if (!lease) return nullptr;
    const std::string holder = lease->at("spec").value("holderIdentity", "");
    for (Candidate& candidate : candidates) {
      if (!holder.empty() && leads(candidate, holder)) return &candidate;
    }
    return nullptr;
  }

  // Call it at the last fault.
  void expect_converged(seconds within = kConvergence) {
    const auto last_fault = steady_clock::now();
    ASSERT_TRUE(churn->stop());
    std::string wrong;
    std::string last_wrong;
    const bool converged = soon(
        [&] {
          wrong = churn->wrong();
          if (!wrong.empty()) last_wrong = wrong;
          return wrong.empty();
        },
        within + 2 * kConvergence);
    const std::chrono::duration<double> taken = steady_clock::now() - last_fault;
    EXPECT_TRUE(converged) << wrong;
    EXPECT_LE(taken, within);
    std::printf("  %d changes of pods; all right %.1f s after the last fault (bound %d s)\n",
                churn->changes(), taken.count(), static_cast<int>(within.count()));
    std::printf("  the last to be right: %s\n", last_wrong.c_str());
    let_pass(kStaysRight);
    EXPECT_EQ(churn->wrong(), "");
    expect_order();
  }

  void expect_order() {
    const AuditLog log = ours(read_audit_log(control_plane().audit_log()));
    const std::string lease = world.unique("controller");
    const auto count = [&](const char* resource) {
      return std::count_if(log.writes.begin(), log.writes.end(),
                           [&](const auto& write) { return write.resource == resource; });
    };
    const std::vector<std::string> late = late_writes(log, lease);
    std::printf(
        "  %td writes of NodeLinkSets and %td of pods by %zu controllers, %zu of them late\n",
        count("nodelinksets"), count("pods"), users.size(), late.size());
    for (const std::string& each : late) std::printf("    %s\n", each.c_str());
    // That there are writes at all shows that the log is understood.
    EXPECT_GT(count("nodelinksets"), 0);
    EXPECT_GT(count("pods"), 0);
    EXPECT_GT(count("leases"), 0);
    EXPECT_THAT(writes_out_of_order(log, lease), IsEmpty());
  }

  // Watches that stand are not touched by it, so they are cut again and again. At its end the
  // server asks for a longer wait than is obeyed.
  void weather_storm(bool spare_leases) {
    begin(/*with_proxy=*/true);
    const auto end = steady_clock::now() + seconds_of("LOGLINK_CHAOS_STORM_SECONDS", 20);
    control_plane().limit_programs(spare_leases);
    while (steady_clock::now() < end) {
      let_pass(seconds(2));
      proxy->cut_all();
    }
    const seconds asked = control_plane().asked_to_wait();
    control_plane().stop_limiting_programs();
    std::printf("  the last who were refused are asked to wait for %d s\n",
                static_cast<int>(asked.count()));
    EXPECT_GT(asked, limits::kRetryAfterMax) << "or this shows nothing";
    expect_converged();
    int watches = 0;
    for (const Candidate& candidate : candidates) {
      for (const char* resource : {"pods", "nodelinksets"}) {
        watches += ended_as(candidate, "TooManyRequests", resource);
      }
    }
    const AuditLog log = read_audit_log(control_plane().audit_log());
    const auto writes = std::count_if(log.too_many.begin(), log.too_many.end(),
                                      [&](const auto& user) { return users.contains(user); });
    std::printf("  answered 429: %d watches, %td writes\n", watches, writes);
    EXPECT_GE(watches, 4);
    EXPECT_GE(writes, 10);
  }

  // Only of this test's processes.
  AuditLog ours(AuditLog log) {
    std::erase_if(log.writes, [&](const AuditedWrite& write) { return !users.count(write.user); });
    return log;
  }

  // How often its watches ended so, as its metrics say.
  static int ended_as(const Candidate& candidate, const std::string& reason,
                      const std::string& resource) {
    std::istringstream lines(http_get(candidate.metrics_port, "/metrics"));
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("loglink_watch_restarts_total{", 0) != 0) continue;
      if (line.find('"' + reason + '"') == std::string::npos) continue;
      if (line.find('"' + resource + '"') == std::string::npos) continue;
      return std::stoi(line.substr(line.find("} ") + 2));
    }
    return 0;
  }

  World world;
  std::set<std::string> users;
  std::array<Candidate, 2> candidates;
  std::optional<FaultProxy> proxy;
  std::optional<PodChurn> churn;
};

TEST_F(Chaos, HistoryThatIsCompactedAway) {
  begin();
  control_plane().stop_api_server(SIGKILL);
  control_plane().forget_history();
  control_plane().start_api_server();
  expect_converged();
  // Both were told that they could not go on from where they were.
  const AuditLog log = read_audit_log(control_plane().audit_log());
  for (const Candidate& candidate : candidates) {
    EXPECT_GE(ended_as(candidate, "Gone", "pods"), 1) << candidate.user;
    EXPECT_GE(ended_as(candidate, "Gone", "nodelinksets"), 1) << candidate.user;
    EXPECT_GE(std::count(log.pod_lists.begin(), log.pod_lists.end(), candidate.user), 2)
        << candidate.user;
  }
}

TEST_F(Chaos, AnApiServerThatIsRestarted) {
  begin();
  for (const int signal : {SIGTERM, SIGKILL, SIGKILL}) {
    control_plane().stop_api_server(signal);
    control_plane().start_api_server();
    let_pass(seconds(3));
  }
  expect_converged();
}

TEST_F(Chaos, AnApiServerThatIsGone) {
  begin();
  control_plane().stop_api_server(SIGKILL);
  let_pass(seconds_of("LOGLINK_CHAOS_OUTAGE_SECONDS", 15));
  control_plane().start_api_server();
  expect_converged();
}

// All is answered 429, so that nobody can keep the lease.
TEST_F(Chaos, AStormOf429) { weather_storm(/*spare_leases=*/false); }

// The leader stays, and what it retries is retried ever later.
TEST_F(Chaos, AStormOf429ThatSparesTheLease) { weather_storm(/*spare_leases=*/true); }

TEST_F(Chaos, AProxyThatCutsStallsTearsRechunksAndSwallows) {
  begin(/*with_proxy=*/true);
  proxy->set_faults(true);
  let_pass(seconds_of("LOGLINK_CHAOS_PROXY_SECONDS", 30));
  proxy->set_faults(false);
  expect_converged();
  const FaultCounts counts = proxy->counts();
  std::printf(
      "  connections cut %d, torn %d, stalled %d, rechunked %d, refused %d; answers swallowed %d\n",
      counts.cut, counts.torn, counts.stalled, counts.rechunked, counts.refused, counts.swallowed);
  EXPECT_GT(counts.cut, 0);
  EXPECT_GT(counts.torn, 0);
  EXPECT_GT(counts.stalled, 0);
  EXPECT_GT(counts.rechunked, 0);
  EXPECT_GT(counts.refused, 0);
  EXPECT_GT(counts.swallowed, 0);
}

TEST_F(Chaos, ConnectionsThatFallSilentForEver) {
  begin(/*with_proxy=*/true);
  const int frozen = proxy->freeze_all();
  std::printf("  %d connections frozen\n", frozen);
  // Each program has two watches or one, the leader a connection for its writes.
  EXPECT_GE(frozen, 6);
  let_pass(seconds(5));
  expect_converged(kIdleWatch + kConvergence);
}

// Its versions begin again where the backup was, and pass what the programs know soon after: a
// watch that went on from there would hide what happened before that.
TEST_F(Chaos, StorageThatIsRestored) {
  for (Candidate& candidate : candidates) start(candidate);
  std::string agent_user;
  world.start_agent(control_plane().next_kubeconfig(agent_user));
  const auto create = [&](const std::string& name) {
    const std::string uid =
        world.create_pod(world.unique(name), world.node(), {{"loglink/watch-dir", "/var/log/app"}},
                         Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}}),
                         Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}}));
    write_file(world.empty_dir(uid, "logs") / "app.log", "line\n");
  };
  const auto is_linked = [&](const std::string& name) {
    return world.annotation(world.unique(name), "loglink/status") == "Linked";
  };
  const auto touch = [&](const std::string& name) {
    const Json patch = {
        {"metadata", {{"annotations", {{"touched", std::to_string(std::rand())}}}}}};
    const UnaryResult touched =
        world.api().send(Method::kPatch, "/api/v1/namespaces/default/pods/" + world.unique(name),
                         "application/merge-patch+json", patch.dump());
    if (!touched) return 0;
    return std::stoi(Json::parse(touched->body)["metadata"]["resourceVersion"].get<std::string>());
  };
  create("before");
  ASSERT_TRUE(soon([&] { return is_linked("before"); }, seconds(30)));
  let_pass(seconds(3));
  control_plane().back_up();
  create("lost");
  ASSERT_TRUE(soon([&] { return is_linked("lost"); }, kConvergence));
  int newest = 0;
  for (int i = 0; i < 50; ++i) newest = touch("before");
  let_pass(seconds(3));  // the Lease is renewed

  // One candidate looks at the Lease again only when its leader has long renewed it.
  Candidate* leading = nullptr;
  ASSERT_TRUE(soon([&] { return (leading = leader()) != nullptr; }, seconds(30)));
  for (Candidate& candidate : candidates) {
    if (&candidate != leading) candidate.program->signal(SIGSTOP);
  }
  control_plane().restore();
  const auto restored = steady_clock::now();
  EXPECT_TRUE(soon([&] { return ended_as(*leading, "Restored", "pods") > 0; }, kConvergence));
  for (Candidate& candidate : candidates) candidate.program->signal(SIGCONT);
  create("after");
  ASSERT_TRUE(soon([&] { return touch("before") > newest; }, seconds(60)));
  EXPECT_TRUE(soon([&] { return is_linked("after"); }, kConvergence))
      << world.annotation(world.unique("after"), "loglink/message");
  const std::chrono::duration<double> taken = steady_clock::now() - restored;
  std::printf("  a pod made after it linked %.1f s later (bound %d s)\n", taken.count(),
              static_cast<int>(kConvergence.count()));
  EXPECT_LE(taken, kConvergence);
  const auto names = [&](const std::string& name) {
    const std::optional<Json> set = world.node_link_set();
    return set && set->dump().find(world.unique(name)) != std::string::npos;
  };
  EXPECT_TRUE(names("before"));
  EXPECT_FALSE(names("lost"));
  for (const Candidate& candidate : candidates) {
    EXPECT_TRUE(soon([&] { return ended_as(candidate, "Restored", "pods") > 0; }, kConvergence))
        << candidate.user;
  }
}

TEST_F(Chaos, LeadersThatAreKilled) {
  begin();
  const auto end = steady_clock::now() + seconds_of("LOGLINK_CHAOS_KILLS_SECONDS", 60);
  int kills = 0;
  while (steady_clock::now() < end) {
    Candidate* killed = nullptr;
    // The lease still names the one that is dead for a while.
    ASSERT_TRUE(soon([&] { return (killed = leader()) != nullptr; }, seconds(30)));
    let_pass(seconds(1));
    killed->program->signal(SIGKILL);
    killed->program->wait(seconds(10));
    start(*killed);
    ++kills;
  }
  expect_converged();
  std::printf("  %d leaders killed\n", kills);
  EXPECT_GT(kills, 2);
}

}  // namespace
}  // namespace loglink::testing
