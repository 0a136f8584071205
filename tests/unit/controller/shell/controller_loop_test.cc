// The loop that production runs, on the simulated API: one thread, one seed, hostile network.
#include "controller/shell/controller_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/shell/loop_world.h"

namespace loglink {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

TEST(ControllerLoopTest, PublishesAnswersAndGivesTheLeaseUp) {
  World world(1);
  Process process(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&process});
  EXPECT_EQ(process.loop().not_ready_because(), "");
  EXPECT_TRUE(process.loop().leading());
  EXPECT_EQ(world.annotation("web-0", "loglink/status"), "Pending");
  world.agents_answer(2);
  world.run(seconds(5), {&process});
  EXPECT_EQ(world.annotation("web-0", "loglink/status"), "Linked");
  EXPECT_EQ(world.annotation("web-0", "loglink/links"), "2");

  process.loop().shut_down();
  world.run(ControllerLoop::kShutdownMax, {&process});
  EXPECT_TRUE(process.loop().finished());
  EXPECT_EQ(world.object(kLease)["spec"].value("holderIdentity", ""), "");
}

TEST(ControllerLoopTest, ACandidateIsReadyAndWritesNothing) {
  World world(2);
  Process leader(world.kube, world.clock, 1, "a");
  world.run(seconds(3), {&leader});
  Process candidate(world.kube, world.clock, 2, "b");
  world.run(seconds(3), {&leader, &candidate});
  EXPECT_EQ(candidate.loop().not_ready_because(), "");
  EXPECT_FALSE(candidate.loop().leading());
  leader.crash();
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(10), {&candidate});
  EXPECT_EQ(world.annotation("web-0", "loglink/status"), "") << "the lease is still valid";
  world.run(seconds(20), {&candidate});
  EXPECT_TRUE(candidate.loop().leading());
  EXPECT_EQ(world.annotation("web-0", "loglink/status"), "Pending");
}

TEST(ControllerLoopTest, TroubleIsSaidOnceAndItsEndOnce) {
  World world(3);
  world.kube.server().remove_crd(world.clock.now());
  Process process(world.kube, world.clock, 1, "a");
  world.run(minutes(5), {&process});
  EXPECT_THAT(process.loop().not_ready_because(), HasSubstr("nodelinksets"));
  EXPECT_THAT(process.loop().not_ready_because(), HasSubstr("CustomResourceDefinition"));
  world.kube.server().install_crd(world.clock.now());
  world.run(minutes(1), {&process});
  EXPECT_EQ(process.loop().not_ready_because(), "");
  const std::string said = "trouble with the API server, trying again\n";
  const std::string listed = "pods and NodeLinkSets are listed\n  podsAnnotated=0\n";
  EXPECT_THAT(process.log, HasSubstr(listed));
  EXPECT_GT(process.log.find(listed), process.log.find(said)) << process.log;
  const std::size_t first = process.log.find(said);
  ASSERT_NE(first, std::string::npos) << process.log;
  EXPECT_EQ(process.log.find(said, first + 1), std::string::npos) << process.log;
  EXPECT_THAT(process.log, HasSubstr("the API server answers again"));
}

TEST(ControllerLoopTest, ALeaseWithoutItsNamespaceIsSaidWithTheKeyToSet) {
  World world(7);
  ControllerConfig config = Process::default_config();
  config.leader_election.lease_namespace = "elsewhere";
  Process process(world.kube, world.clock, 1, "a", config);
  world.run(minutes(2), {&process});
  EXPECT_THAT(process.log, HasSubstr("about=lease"));
  EXPECT_THAT(process.log, HasSubstr("\"elsewhere\" not found"));
  EXPECT_THAT(process.log, HasSubstr("cure=create the namespace elsewhere, or set "
                                     "leaderElection.leaseNamespace to the controller's own"));
  EXPECT_THAT(process.loop().not_ready_because(),
              HasSubstr("the Lease elsewhere/loglink-controller cannot be used"));
  world.create("/api/v1/namespaces", {{"metadata", {{"name", "elsewhere"}}}});
  world.run(minutes(1), {&process});
  EXPECT_EQ(process.loop().not_ready_because(), "");
  EXPECT_THAT(process.log, HasSubstr("the API server answers again"));
  EXPECT_THAT(process.log, HasSubstr("this controller leads"));
}

TEST(ControllerLoopTest, ALeaseThatIsNotThereYetIsNoTrouble) {
  World world(8);
  Process process(world.kube, world.clock, 1, "a");
  world.run(minutes(1), {&process});
  EXPECT_THAT(process.log, HasSubstr("this controller leads"));
  EXPECT_THAT(process.log, Not(HasSubstr("trouble")));
}

fakes::Fault forbidden_lease(const std::string& method) {
  fakes::Fault fault;
  fault.method = method;
  fault.path_prefix = "/apis/coordination.k8s.io/";
  fault.count = 1'000'000;
  fault.status = 403;
  return fault;
}

// It would say that it is ready, and nobody would ever lead.
// Election goes by what changes while it looks, as client-go does, not by the record's times.
TEST(ControllerLoopTest, ALeaseOfAFarYearIsTakenWhenItsHolderDoesNotRenewIt) {
  World world(13);
  world.create("/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases",
               {{"metadata", {{"name", "loglink-controller"}}},
                {"spec",
                 {{"holderIdentity", "gone"},
                  {"leaseDurationSeconds", 15},
                  {"acquireTime", "0001-01-01T00:00:00.000000Z"},
                  {"renewTime", "9999-12-31T23:59:59.000000Z"}}}});
  Process process(world.kube, world.clock, 1, "a");
  world.run(seconds(10), {&process});
  EXPECT_FALSE(process.loop().leading());
  world.run(seconds(10), {&process});
  EXPECT_TRUE(process.loop().leading());
}

TEST(ControllerLoopTest, WhoMayNotUseTheLeaseIsNotReadyAndSaysSoOnce) {
  for (const std::vector<std::string>& forbidden :
       std::vector<std::vector<std::string>>{{"GET", "POST", "PUT"}, {"POST"}, {"PUT"}}) {
    SCOPED_TRACE(forbidden.back());
    World world(11);
    const bool exists = forbidden.front() == "PUT";
    if (exists) {
      world.create(kLease.substr(0, kLease.rfind('/')),
                   {{"metadata", {{"name", "loglink-controller"}}}});
    }
    for (const std::string& method : forbidden) world.kube.faults().add(forbidden_lease(method));
    Process process(world.kube, world.clock, 1, "a");
    world.run(minutes(2), {&process});
    const std::string why_not = process.loop().not_ready_because();
    EXPECT_THAT(why_not, HasSubstr("the Lease loglink-system/loglink-controller cannot be used"));
    EXPECT_THAT(why_not, HasSubstr("403"));
    EXPECT_THAT(why_not, HasSubstr("Role for the Lease"));
    const std::string said = "trouble with the API server, trying again\n";
    const std::size_t first = process.log.find(said);
    ASSERT_NE(first, std::string::npos) << process.log;
    EXPECT_EQ(process.log.find(said, first + 1), std::string::npos) << process.log;

    world.kube.faults().clear();
    world.run(minutes(1), {&process});
    EXPECT_EQ(process.loop().not_ready_because(), "");
    EXPECT_TRUE(process.loop().leading());
  }
}

// As an admission webhook may.
class ChangesLeases final : public UnaryClient {
 public:
  explicit ChangesLeases(UnaryClient& inner) : inner_(inner) {}
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    const bool is_write = request.method != Method::kGet;
    inner_.send(std::move(request), [is_write, done = std::move(done)](UnaryResult result) {
      if (is_write && result) {
        json lease = json::parse(result->body);
        lease["spec"]["renewTime"] = "2026-01-02T09:00:00.000000Z";
        result->body = lease.dump();
      }
      done(std::move(result));
    });
  }

 private:
  UnaryClient& inner_;
};

TEST(ControllerLoopTest, ALeaseThatTheServerChangesIsSaidAndGivesNoRight) {
  World world(14);
  const auto client = world.kube.connect("admin-token", world.clock);
  ChangesLeases leases(*client);
  SeededRandom random(9);
  std::string said;
  ControllerLoop loop(
      Process::default_config(), "a", {*client, *client, leases, world.clock, random},
      [&](const Remark& remark) { said += remark.message + "\n"; }, [] {});
  loop.start();
  for (int i = 0; i < 120; ++i) {
    loop.step();
    world.run(milliseconds(500), {});
  }
  EXPECT_FALSE(loop.leading());
  EXPECT_THAT(loop.not_ready_because(), HasSubstr("an admission webhook changes Leases"));
  const std::string trouble = "trouble with the API server, trying again\n";
  const std::size_t first = said.find(trouble);
  ASSERT_NE(first, std::string::npos) << said;
  EXPECT_EQ(said.find(trouble, first + 1), std::string::npos) << said;
}

TEST(ControllerLoopTest, AStandbyIsReadyAlsoWhenItOnceMetATroubleWithTheLease) {
  World world(12);
  world.create(kLease.substr(0, kLease.rfind('/')),
               {{"metadata", {{"name", "loglink-controller"}}}});
  fakes::Fault once = forbidden_lease("PUT");
  once.count = 1;
  world.kube.faults().add(once);
  Process standby(world.kube, world.clock, 1, "a");
  world.run(seconds(1), {&standby});
  ASSERT_THAT(standby.loop().not_ready_because(), HasSubstr("cannot be used"));
  Process leader(world.kube, world.clock, 2, "b");
  world.run(seconds(1), {&leader});
  ASSERT_TRUE(leader.loop().leading());
  world.run(minutes(1), {&standby, &leader});
  EXPECT_FALSE(standby.loop().leading());
  EXPECT_EQ(standby.loop().not_ready_because(), "");
  EXPECT_EQ(leader.loop().not_ready_because(), "");
}

TEST(ControllerLoopTest, AnOutageOfTheLeaseAloneDoesNotUnreadyIt) {
  World world(13);
  Process process(world.kube, world.clock, 1, "a");
  world.run(minutes(1), {&process});
  fakes::Fault busy = forbidden_lease("");
  busy.status = 503;
  world.kube.faults().add(busy);
  world.run(minutes(2), {&process});
  EXPECT_FALSE(process.loop().leading());
  EXPECT_EQ(process.loop().not_ready_because(), "");
  EXPECT_THAT(process.loop().trouble(), HasSubstr("503"));
}

// Two lines that are the same but for what they are about are no riddle.
TEST(ControllerLoopTest, AnOutageIsToldForEachStreamByItsName) {
  World world(21);
  Process process(world.kube, world.clock, 1, "a");
  world.run(minutes(1), {&process});
  EXPECT_EQ(process.loop().trouble(), "");
  process.client().set_link(fakes::SimLink::kRefused);
  world.run(minutes(2), {&process});
  EXPECT_EQ(process.loop().not_ready_because(), "");
  const std::string trouble = process.loop().trouble();
  EXPECT_THAT(trouble, testing::StartsWith("pods: ")) << trouble;
  EXPECT_THAT(trouble, HasSubstr("; nodelinksets: "));
  EXPECT_THAT(trouble, HasSubstr("; lease: "));
}

// The agent's loglink_status_writes_total has the same word.
TEST(ControllerLoopTest, CountsAnswersByKindAndTheirResult) {
  World world(22);
  Process process(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.create_pod("web-1", "node-0", "/data");
  world.run(minutes(1), {&process});
  std::set<std::string> kinds;
  for (const auto& [labels, count] : process.loop().counters().api_requests) {
    kinds.insert(labels.first);
    EXPECT_EQ(labels.second, labels.first == "lease" && count == 1 ? "NotFound" : "OK")
        << labels.first;
  }
  EXPECT_THAT(kinds, testing::IsSupersetOf({"create_event", "create_node_link_set", "get_node",
                                            "lease", "patch_pod"}));
}

// The watches would be silent, and tell nothing of what is between.
TEST(ControllerLoopTest, ListsEverythingAgainWhenTheLeaseIsOlderThanItWas) {
  World world(14);
  Process process(world.kube, world.clock, 1, "a");
  world.run(seconds(5), {&process});
  const json backup = world.object(kLease);
  world.run(seconds(10), {&process});
  EXPECT_EQ(process.loop().counters().watch_restarts.count({"pods", "Restored"}), 0U);
  for (int i = 0; i < 2; ++i) {
    world.request("PATCH", kLease, {{"spec", {{"renewTime", backup["spec"]["renewTime"]}}}},
                  "application/merge-patch+json");
    world.run(seconds(10), {&process});
    EXPECT_THAT(process.log, HasSubstr("the lease is older than it was"));
    EXPECT_EQ(process.loop().counters().watch_restarts.at({"pods", "Restored"}), 1U)
        << "a second time waits for a minute";
    EXPECT_EQ(process.loop().counters().watch_restarts.at({"nodelinksets", "Restored"}), 1U);
  }
  world.run(minutes(1), {&process});
  EXPECT_EQ(process.loop().counters().watch_restarts.at({"pods", "Restored"}), 2U);
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&process});
  EXPECT_EQ(world.annotation("web-0", "loglink/status"), "Pending");
}

TEST(ControllerLoopTest, ALabelSelectorThatTheServerRefusesIsNamedAsOurs) {
  World world(9);
  ControllerConfig config = Process::default_config();
  config.pod_selector = "app in (web";
  Process process(world.kube, world.clock, 1, "a", config);
  world.run(minutes(1), {&process});
  const std::string cure = "correct podSelector of the configuration, now \"app in (web\"";
  EXPECT_THAT(process.log, HasSubstr("cure=" + cure));
  EXPECT_THAT(process.loop().not_ready_because(), HasSubstr(cure));
}

TEST(ControllerLoopTest, AShutdownWithADeafServerStillEndsInTime) {
  World world(4);
  Process process(world.kube, world.clock, 1, "a");
  world.run(seconds(5), {&process});
  fakes::SimNetwork deaf;
  deaf.lose_answer = 1000;
  world.kube.set_network(deaf);
  world.create_pod("web-0", "node-0", "/data");
  world.run(seconds(1), {&process});
  process.loop().shut_down();
  world.run(ControllerLoop::kShutdownMax, {&process});
  EXPECT_TRUE(process.loop().finished());
}

TEST(ControllerLoopTest, TheLeaseIsNotGivenUpWhileAWriteIsUnderWay) {
  World world(10);
  Process process(world.kube, world.clock, 1, "a");
  world.run(seconds(5), {&process});
  fakes::SimNetwork slow;
  slow.delay_max = milliseconds(500);
  world.kube.set_network(slow);
  world.create_pod("web-0", "node-0", "/var/log/app");
  for (int i = 0; i < 5000 && world.annotation("web-0", "loglink/status").empty(); ++i) {
    world.run(milliseconds(1), {&process});
  }
  // What it sends still arrives; it never hears of its write.
  process.client().set_link(fakes::SimLink::kDeaf);
  process.loop().shut_down();
  world.run(ControllerLoop::kShutdownMax + milliseconds(1), {&process});
  EXPECT_TRUE(process.loop().finished());
  EXPECT_EQ(world.object(kLease)["spec"].value("holderIdentity", ""), "a1");
}

// Crashes, lost answers, refused, doubled, cut and stalled exchanges; then peace.
TEST(ControllerLoopTest, TwoControllersOnABadNetworkConvergeAndThenRest) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    World world(seed);
    Process a(world.kube, world.clock, seed, "a");
    Process b(world.kube, world.clock, seed + 1000, "b");
    fakes::SimNetwork bad;
    bad.delay_max = milliseconds(300);
    bad.refuse = 50;
    bad.too_many = 50;
    bad.server_error = 50;
    bad.lose_answer = 50;
    bad.send_twice = 50;
    bad.split = 100;
    bad.cut = 30;
    bad.stall = 5;
    world.kube.set_network(bad);
    const std::vector<std::string> watch_dirs = {"/var/log/app", "/data", "/var/log/app,/data"};
    for (int step = 0; step < 25; ++step) {
      const std::string pod = "web-" + std::to_string(world.random.below(5));
      const std::string node = "node-" + std::to_string(world.random.below(2));
      const std::string& watch_dir = watch_dirs[world.random.below(watch_dirs.size())];
      switch (world.random.below(8)) {
        case 0:
        case 1:
        case 2:
          world.create_pod(pod, node, watch_dir);
          break;
        case 3:
          world.annotate(pod, watch_dir);
          break;
        case 4:
          world.annotate(pod, nullptr);
          break;
        case 5:
          world.request("DELETE", kPods + "/" + pod, {{"gracePeriodSeconds", 0}});
          break;
        case 6: {
          Process& process = world.random.below(2) == 0 ? a : b;
          process.crash();
          break;
        }
        case 7:
          world.agents_answer(1);
          break;
      }
      world.run(milliseconds(world.random.below(8000)), {&a, &b});
      if (!a.running()) a.start();
      if (!b.running()) b.start();
    }
    world.kube.set_network({});
    for (int i = 0; i < 3; ++i) {
      world.run(minutes(3), {&a, &b});
      world.agents_answer(1);
    }
    world.run(minutes(3), {&a, &b});

    for (const std::string& text : world.kube.server().objects(kPods)) {
      const json pod = json::parse(text);
      const json annotations = pod["metadata"].value("annotations", json::object());
      const std::string watch_dir = annotations.value("loglink/watch-dir", "");
      const std::string expected = watch_dir.empty()             ? ""
                                   : watch_dir == "/data"        ? "Invalid"
                                   : watch_dir == "/var/log/app" ? "Linked"
                                                                 : "Degraded";
      EXPECT_EQ(annotations.value("loglink/status", ""), expected) << text;
    }
    EXPECT_NE(a.loop().leading(), b.loop().leading());
    // Nothing is written any more but the lease's renewals.
    std::map<std::string, std::string> before;
    for (const std::string& path : {kPods, kObjects}) {
      for (const std::string& text : world.kube.server().objects(path)) before[text] = path;
    }
    const auto requests = [&] {
      std::uint64_t sum = 0;
      for (Process* process : {&a, &b}) {
        for (const auto& [labels, count] : process->loop().counters().api_requests) {
          if (labels.first != "lease") sum += count;
        }
      }
      return sum;
    };
    const std::uint64_t requests_before = requests();
    world.run(minutes(5), {&a, &b});
    EXPECT_EQ(requests(), requests_before);
    for (const std::string& path : {kPods, kObjects}) {
      for (const std::string& text : world.kube.server().objects(path)) {
        EXPECT_TRUE(before.contains(text)) << text;
      }
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace loglink
