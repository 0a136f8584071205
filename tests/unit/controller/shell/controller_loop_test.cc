// The loop that production runs, on the simulated API: one thread, one seed, hostile network.
#include "controller/shell/controller_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "controller/shell/drain_loop.h"
#include "lib/base/time_text.h"
#include "tests/fakes/sim_kube.h"

namespace loglink {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

const std::string kPods = "/api/v1/namespaces/prod/pods";
const std::string kObjects = "/apis/loglink.io/v1alpha1/nodelinksets";
const std::string kLease =
    "/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases/loglink-controller";

class HandClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override { return now_; }
  void advance_to(MonotonicTime time) {
    if (time <= now_.monotonic) return;
    now_.wall += time - now_.monotonic;
    now_.monotonic = time;
  }

 private:
  Now now_{MonotonicTime{std::chrono::hours(1)}, parse_time("2026-01-02T04:00:00Z").value()};
};

// One process: crash() leaves nothing of it but what the server has.
class Process {
 public:
  Process(fakes::SimKube& kube, const HandClock& clock, std::uint64_t seed, std::string name,
          ControllerConfig config = default_config())
      : kube_(kube),
        clock_(clock),
        random_(seed),
        name_(std::move(name)),
        config_(std::move(config)) {
    start();
  }
  void start() {
    client_ = kube_.connect("admin-token", clock_);
    loop_ = std::make_unique<ControllerLoop>(
        config_, name_ + std::to_string(++starts_),
        ControllerPorts{*client_, *client_, *client_, clock_, random_},
        [this](const Remark& remark) {
          log += remark.message + "\n";
          for (const auto& [key, value] : remark.fields) log += "  " + key + "=" + value + "\n";
        },
        [this] { awake_ = true; });
    loop_->start();
  }
  void crash() {
    loop_.reset();
    client_.reset();
  }
  [[nodiscard]] bool running() const { return loop_ != nullptr; }
  // True when there was something to do.
  bool step() {
    if (!loop_ || (!awake_ && loop_->next_wakeup() > clock_.now().monotonic)) return false;
    awake_ = false;
    loop_->step();
    return true;
  }
  [[nodiscard]] MonotonicTime next_wakeup() const {
    return loop_ ? loop_->next_wakeup() : MonotonicTime::never();
  }
  ControllerLoop& loop() { return *loop_; }
  fakes::SimKubeClient& client() { return *client_; }
  static ControllerConfig default_config() {
    ControllerConfig config;
    config.linger = seconds(20);
    return config;
  }
  std::string log;

 private:
  fakes::SimKube& kube_;
  const HandClock& clock_;
  SeededRandom random_;
  const std::string name_;
  const ControllerConfig config_;
  int starts_ = 0;
  bool awake_ = false;
  std::unique_ptr<fakes::SimKubeClient> client_;
  std::unique_ptr<ControllerLoop> loop_;
};

class World {
 public:
  explicit World(std::uint64_t seed, fakes::FakeKubeOptions options = {})
      : kube({options}, seed), random(seed) {
    create("/api/v1/namespaces", {{"metadata", {{"name", "prod"}}}});
    create("/api/v1/namespaces", {{"metadata", {{"name", "loglink-system"}}}});
    for (const std::string node : {"node-0", "node-1"}) {
      create("/api/v1/nodes", {{"metadata", {{"name", node}}}});
    }
    kube.step(clock.now());  // tells it the time, before anyone sets a deadline by it
  }

  fakes::FakeResponse request(const std::string& method, const std::string& target,
                              const json& body = nullptr,
                              const std::string& type = "application/json") {
    fakes::FakeRequest http;
    http.method = method;
    http.target = target;
    http.accept = "application/json";
    http.content_type = type;
    http.authorization = "Bearer admin-token";
    if (!body.is_null()) http.body = body.dump();
    return kube.server().handle(http, clock.now());
  }
  void create(const std::string& collection, const json& body) {
    const fakes::FakeResponse response = request("POST", collection, body);
    ASSERT_EQ(response.status, 201) << response.body;
  }
  void create_pod(const std::string& name, const std::string& node, const std::string& watch_dir) {
    request("POST", kPods,
            {{"metadata", {{"name", name}, {"annotations", {{"loglink/watch-dir", watch_dir}}}}},
             {"spec",
              {{"nodeName", node},
               {"containers",
                {{{"name", "app"},
                  {"image", "x"},
                  {"volumeMounts", {{{"name", "logs"}, {"mountPath", "/var/log/app"}}}}}}},
               {"volumes", {{{"name", "logs"}, {"emptyDir", json::object()}}}}}}});
  }
  void annotate(const std::string& name, const json& watch_dir) {
    request("PATCH", kPods + "/" + name,
            {{"metadata", {{"annotations", {{"loglink/watch-dir", watch_dir}}}}}},
            "application/merge-patch+json");
  }
  json object(const std::string& path) {
    const std::string text = kube.server().object(path);
    return text.empty() ? json() : json::parse(text);
  }
  std::string annotation(const std::string& pod, const std::string& key) {
    const json found = object(kPods + "/" + pod);
    if (found.is_null()) return "";
    return found["metadata"].value("annotations", json::object()).value(key, "");
  }
  void agents_answer(int links = 1) {
    for (const std::string& text : kube.server().objects(kObjects)) {
      const json set = json::parse(text);
      json pods = json::object();
      for (const json& source : set["spec"]["sources"]) {
        json& entry = pods[source["uid"].get<std::string>()];
        entry = {{"namespace", source["namespace"]},
                 {"pod", source["pod"]},
                 {"uid", source["uid"]},
                 {"links", links},
                 {"refused", 0}};
      }
      json status = {{"observedGeneration", set["metadata"]["generation"]},
                     {"links", links * static_cast<int>(pods.size())},
                     {"pods", json::array()}};
      for (const auto& [uid, entry] : pods.items()) status["pods"].push_back(entry);
      request("PATCH", kObjects + "/" + set["metadata"]["name"].get<std::string>() + "/status",
              {{"status", status}}, "application/merge-patch+json");
    }
  }

  void run(Duration time, const std::vector<Process*>& processes) {
    const MonotonicTime end = clock.now().monotonic + time;
    for (int round = 0; round < 2'000'000; ++round) {
      bool busy = kube.step(clock.now());
      for (Process* process : processes) busy = process->step() || busy;
      if (busy) continue;
      MonotonicTime next = kube.next_due();
      for (const Process* process : processes) next = std::min(next, process->next_wakeup());
      if (next >= end) {
        clock.advance_to(end);
        return;
      }
      clock.advance_to(next);
    }
    FAIL() << "it never comes to rest";
  }

  HandClock clock;
  fakes::SimKube kube;
  SeededRandom random;
};

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

// Keeps answers back until they are asked for.
class LateAnswers final : public UnaryClient {
 public:
  explicit LateAnswers(UnaryClient& inner) : inner_(inner) {}
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    inner_.send(std::move(request), [this, done = std::move(done)](UnaryResult result) {
      held_.emplace_back([done, result = std::move(result)] { done(result); });
    });
  }
  [[nodiscard]] std::size_t held() const { return held_.size(); }
  void release() {
    for (const auto& answer : std::exchange(held_, {})) answer();
  }

 private:
  UnaryClient& inner_;
  std::vector<std::function<void()>> held_;
};

// The watch brought what drain had written and the agent's answer to it, and then came the answer
// to the write: taken for newer, it hid the agent's, and drain waited for it until its end.
TEST(ControllerLoopTest, DrainSeesAnAgentThatIsFasterThanTheServersAnswer) {
  World world(6);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);
  leader.crash();

  SeededRandom random(9);
  const auto client = world.kube.connect("admin-token", world.clock);
  LateAnswers writes(*client);
  DrainLoop drain(
      ControllerConfig{}, minutes(2), {*client, writes, *client, world.clock, random},
      [](const Remark&) {}, [] {});
  drain.start();
  for (int i = 0; i < 200 && !drain.finished(); ++i) {
    drain.step();
    world.run(milliseconds(500), {});
    if (writes.held() == 0) continue;
    world.agents_answer(0);
    world.run(milliseconds(500), {});
    writes.release();
  }
  ASSERT_TRUE(drain.finished());
  EXPECT_TRUE(drain.unfinished().empty());
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

TEST(ControllerLoopTest, DrainTakesTheLeaseFromALeaderAndHoldsIt) {
  World world(5);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);

  SeededRandom random(9);
  const auto client = world.kube.connect("admin-token", world.clock);
  bool awake = false;
  DrainLoop drain(
      ControllerConfig{}, minutes(2), {*client, *client, *client, world.clock, random},
      [](const Remark&) {}, [&] { awake = true; });
  drain.start();
  for (int i = 0; i < 200 && !drain.finished(); ++i) {
    drain.step();
    world.run(milliseconds(500), {&leader});
    const auto source = world.object(kObjects + "/node-0")["spec"]["sources"];
    if (i == 59) {
      // What the agent takes as "at once", and keeps its answer for.
      ASSERT_EQ(source.size(), 1U) << "emptied only when the links are gone";
      EXPECT_EQ(source[0]["requires"], json({"remove-now"}));
      EXPECT_TRUE(source[0].contains("removeAfter"));
    }
    if (i >= 60) world.agents_answer(0);
  }
  EXPECT_TRUE(awake);
  ASSERT_TRUE(drain.finished());
  EXPECT_TRUE(drain.unfinished().empty());
  EXPECT_TRUE(leader.loop().drained());
  EXPECT_THAT(leader.loop().not_ready_because(), HasSubstr("drained"));
  world.run(minutes(5), {&leader});
  EXPECT_TRUE(world.object(kObjects + "/node-0")["spec"]["sources"].empty());
  EXPECT_EQ(world.object(kLease)["spec"]["holderIdentity"], "drained");
  world.run(minutes(10), {&leader});
  EXPECT_FALSE(world.object(kObjects + "/node-0")["spec"]["sources"].empty()) << "the hold is over";
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

// The leader has ten seconds to stop writing: they are not taken from the agents.
TEST(ControllerLoopTest, DrainsTimeForTheAgentsBeginsWhenTheyCanBeAsked) {
  World world(11);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);

  SeededRandom random(9);
  const auto client = world.kube.connect("admin-token", world.clock);
  DrainLoop drain(
      ControllerConfig{}, seconds(5), {*client, *client, *client, world.clock, random},
      [](const Remark&) {}, [] {});
  drain.start();
  for (int i = 0; i < 100 && !drain.finished(); ++i) {
    drain.step();
    world.run(milliseconds(500), {&leader});
    const auto source = world.object(kObjects + "/node-0")["spec"]["sources"];
    if (source.empty() || source[0].contains("removeAfter")) world.agents_answer(0);
  }
  ASSERT_TRUE(drain.finished());
  EXPECT_TRUE(drain.emptying());
  EXPECT_TRUE(drain.unfinished().empty());
}

// And an agent that never answers is not waited for any longer.
TEST(ControllerLoopTest, DrainNamesTheNodeThatDoesNotAnswerWhenItsTimeIsUp) {
  World world(12);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);
  leader.crash();

  SeededRandom random(9);
  const auto client = world.kube.connect("admin-token", world.clock);
  DrainLoop drain(
      ControllerConfig{}, seconds(5), {*client, *client, *client, world.clock, random},
      [](const Remark&) {}, [] {});
  drain.start();
  const auto began = world.clock.now().monotonic;
  for (int i = 0; i < 100 && !drain.finished(); ++i) {
    drain.step();
    world.run(milliseconds(500), {});
  }
  ASSERT_TRUE(drain.finished());
  EXPECT_LE(world.clock.now().monotonic - began, seconds(5 + 10 + 1));
  ASSERT_EQ(drain.unfinished().size(), 1U);
  EXPECT_EQ(drain.unfinished()[0].node, "node-0");
}

}  // namespace
}  // namespace loglink
