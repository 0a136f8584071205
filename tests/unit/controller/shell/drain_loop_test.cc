// Drain on the simulated API, with the leader that it takes the lease from.
#include "controller/shell/drain_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/codec/kube_json.h"
#include "tests/unit/controller/shell/loop_world.h"

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

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
TEST(DrainLoopTest, SeesAnAgentThatIsFasterThanTheServersAnswer) {
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

// Answers all there is about Leases with an error.
class NoLeases final : public UnaryClient {
 public:
  void send(UnaryRequest /*request*/, std::function<void(UnaryResult)> done) override {
    KubeError error;
    error.kind = KubeErrorKind::kNotFound;
    error.http_status = 404;
    error.message = R"(namespaces "loglink-system" not found)";
    done(tl::unexpected(error));
  }
};

// Loses the answer to the first write, which has arrived.
class LosesFirstWrite final : public UnaryClient {
 public:
  explicit LosesFirstWrite(UnaryClient& inner) : inner_(inner) {}
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    const bool is_lost = request.method == Method::kPut && !std::exchange(has_lost_, true);
    inner_.send(std::move(request), [is_lost, done = std::move(done)](UnaryResult result) {
      KubeError cut;
      cut.kind = KubeErrorKind::kTruncated;
      done(is_lost ? UnaryResult(tl::unexpected(std::move(cut))) : std::move(result));
    });
  }

 private:
  UnaryClient& inner_;
  bool has_lost_ = false;
};

// How long drain waits before it writes, when the leader stands still; nullopt: for ever.
std::optional<Duration> time_to_first_write(World& world, UnaryClient& leases,
                                            StreamTransport& streams, UnaryClient& writes) {
  SeededRandom random(9);
  DrainLoop drain(
      ControllerConfig{}, minutes(2), {streams, writes, leases, world.clock, random},
      [](const Remark&) {}, [] {});
  drain.start();
  const MonotonicTime began = world.clock.now().monotonic;
  for (int i = 0; i < 4000 && !drain.finished(); ++i) {
    drain.step();
    world.run(milliseconds(10), {});
    const auto source = world.object(kObjects + "/node-0")["spec"]["sources"];
    if (!source.empty() && source[0].contains("removeAfter")) {
      return world.clock.now().monotonic - began;
    }
  }
  return std::nullopt;
}

// A leader that stands still for a while may write for as long as its last renewal allows.
TEST(DrainLoopTest, WaitsForTheLeaderAlsoWhenTheAnswerToItsWriteWasLost) {
  World world(5);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);
  const auto client = world.kube.connect("admin-token", world.clock);
  LosesFirstWrite losing(*client);
  const Duration right_to_write = ControllerConfig().leader_election.renew_deadline;
  EXPECT_GE(time_to_first_write(world, losing, *client, *client).value_or(Duration(0)),
            right_to_write);
}

// Lets something happen just before the first write.
class MeetsTheRival final : public UnaryClient {
 public:
  MeetsTheRival(UnaryClient& inner, std::function<void()> rival)
      : inner_(inner), rival_(std::move(rival)) {}
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    if (request.method == Method::kPut && rival_) std::exchange(rival_, nullptr)();
    inner_.send(std::move(request), std::move(done));
  }

 private:
  UnaryClient& inner_;
  std::function<void()> rival_;
};

// Nobody held the lease when it was read; then somebody did, and a second drain took it from them.
TEST(DrainLoopTest, WaitsForTheLeaderThatADrainAtTheSameTimeTookTheLeaseFrom) {
  World world(5);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);
  const auto write_lease = [&](const std::string& holder, const std::string& acquired) {
    json lease = world.object(kLease);
    lease["spec"]["holderIdentity"] = holder;
    lease["spec"]["acquireTime"] = acquired;
    ASSERT_EQ(world.request("PUT", kLease, lease).status, 200);
  };
  write_lease("", "2026-01-02T04:00:01.000000Z");
  const auto client = world.kube.connect("admin-token", world.clock);
  MeetsTheRival late(*client, [&] { write_lease("drained", "2026-01-02T04:00:02.000000Z"); });
  const Duration right_to_write = ControllerConfig().leader_election.renew_deadline;
  EXPECT_GE(time_to_first_write(world, late, *client, *client).value_or(Duration(0)),
            right_to_write);
}

TEST(DrainLoopTest, WaitsForTheLeaderThatAnEarlierDrainTookTheLeaseFrom) {
  World world(5);
  Process leader(world.kube, world.clock, 1, "a");
  world.create_pod("web-0", "node-0", "/var/log/app");
  world.run(seconds(5), {&leader});
  world.agents_answer(1);
  const auto client = world.kube.connect("admin-token", world.clock);
  {
    SeededRandom random(9);
    DrainLoop broken_off(
        ControllerConfig{}, minutes(2), {*client, *client, *client, world.clock, random},
        [](const Remark&) {}, [] {});
    broken_off.start();
    for (int i = 0; i < 100; ++i) {
      broken_off.step();
      world.run(milliseconds(10), {});
    }
  }
  ASSERT_EQ(world.object(kLease)["spec"].value("holderIdentity", ""), "drained");
  const Duration right_to_write = ControllerConfig().leader_election.renew_deadline;
  EXPECT_GE(time_to_first_write(world, *client, *client, *client).value_or(Duration(0)),
            right_to_write);
}

TEST(DrainLoopTest, NamesTheCureWhereTheLeaseHasNoNamespace) {
  World world(7);
  SeededRandom random(9);
  const auto client = world.kube.connect("admin-token", world.clock);
  NoLeases leases;
  DrainLoop drain(
      ControllerConfig{}, seconds(5), {*client, leases, leases, world.clock, random},
      [](const Remark&) {}, [] {});
  drain.start();
  for (int i = 0; i < 100 && !drain.finished(); ++i) {
    drain.step();
    world.run(milliseconds(500), {});
  }
  ASSERT_TRUE(drain.finished());
  EXPECT_FALSE(drain.emptying());
  EXPECT_EQ(drain.trouble(),
            "lease: NotFound (404): namespaces \"loglink-system\" not found; create the namespace "
            "loglink-system, or set leaderElection.leaseNamespace to the controller's own");
}

TEST(DrainLoopTest, TakesTheLeaseFromALeaderAndHoldsIt) {
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

// The leader has ten seconds to stop writing: they are not taken from the agents.
TEST(DrainLoopTest, TheTimeForTheAgentsBeginsWhenTheyCanBeAsked) {
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
TEST(DrainLoopTest, NamesTheNodeThatDoesNotAnswerWhenItsTimeIsUp) {
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

// Answers the writes of NodeLinkSets itself, as soon as it is asked to; the rest is the server's.
class WriteAnswers final : public UnaryClient {
 public:
  using Answer = std::function<UnaryResult(const UnaryRequest&)>;
  WriteAnswers(UnaryClient& inner, Answer answer) : inner_(inner), answer_(std::move(answer)) {}
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    if (request.method != Method::kPut || request.target.rfind(kObjects, 0) != 0) {
      return inner_.send(std::move(request), std::move(done));
    }
    ++writes;
    last_not_after = request.not_after;
    waiting_.push_back({std::move(request), std::move(done)});
    most_at_once = std::max(most_at_once, waiting_.size());
  }
  // False when nobody waits.
  bool answer_all() {
    const auto calls = std::exchange(waiting_, {});
    for (const auto& [request, done] : calls) done(answer_(request));
    return !calls.empty();
  }

  int writes = 0;
  std::size_t most_at_once = 0;
  MonotonicTime last_not_after{};

 private:
  UnaryClient& inner_;
  const Answer answer_;
  std::vector<std::pair<UnaryRequest, std::function<void(UnaryResult)>>> waiting_;
};

class TroubledLeases final : public UnaryClient {
 public:
  explicit TroubledLeases(UnaryClient& inner) : inner_(inner) {}
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    const bool is_write = request.method != Method::kGet;
    if (is_write && repeat_the_last_answer) return done(*last_answer_);
    if (unreachable || (is_write && refuse_with)) {
      refused_writes += is_write ? 1 : 0;
      KubeError error;
      error.kind = refuse_with.value_or(KubeErrorKind::kRefused);
      return done(tl::unexpected(error));
    }
    inner_.send(std::move(request), [this, is_write, done = std::move(done)](UnaryResult result) {
      if (is_write && result) last_answer_ = result;
      done(std::move(result));
    });
  }
  bool unreachable = false;
  std::optional<KubeErrorKind> refuse_with;  // writes
  int refused_writes = 0;
  bool repeat_the_last_answer = false;  // to writes

 private:
  UnaryClient& inner_;
  std::optional<UnaryResult> last_answer_;
};

// Drain as its command drives it: a step whenever it asks for one.
class DrainRun {
 public:
  DrainRun(World& world, WriteAnswers::Answer answer)
      : world_(world),
        writes(*client_, std::move(answer)),
        leases(*client_),
        drain_(
            ControllerConfig{}, minutes(2), {*client_, writes, leases, world.clock, random_},
            [this](const Remark& remark) { said += remark.message + "\n"; },
            [this] { awake_ = true; }) {
    drain_.start();
  }

  void run(Duration time) {
    const MonotonicTime end = world_.clock.now().monotonic + time;
    for (int round = 0; round < 2'000; ++round) {
      bool busy = world_.kube.step(world_.clock.now());
      busy = writes.answer_all() || busy;
      if (awake_ || alarm_ <= world_.clock.now().monotonic) {
        awake_ = false;
        drain_.step();
        alarm_ = drain_.next_wakeup();
        busy = true;
      }
      if (busy) continue;
      const MonotonicTime next = std::min(world_.kube.next_due(), alarm_);
      world_.clock.advance_to(std::min(next, end));
      if (next >= end) return;
    }
    FAIL() << "drain never comes to rest";
  }
  void run_until_first_write() {
    for (int i = 0; i < 600 && writes.writes == 0; ++i) run(milliseconds(50));
  }

 private:
  World& world_;
  SeededRandom random_{9};
  const std::unique_ptr<fakes::SimKubeClient> client_ =
      world_.kube.connect("admin-token", world_.clock);
  bool awake_ = false;
  MonotonicTime alarm_;  // as LoopDriver sets it: what was asked for after the last step

 public:
  std::string said;
  WriteAnswers writes;
  TroubledLeases leases;
  [[nodiscard]] bool finished() const { return drain_.finished(); }
  [[nodiscard]] bool drained() const { return drain_.drained(); }
  [[nodiscard]] const std::string& broken_off() const { return drain_.broken_off(); }

 private:
  DrainLoop drain_;
};

UnaryResult refused(KubeErrorKind kind) {
  KubeError error;
  error.kind = kind;
  error.message = "no";
  return tl::unexpected<KubeError>(std::move(error));
}

// A NodeLinkSet of each of `count` nodes, with a source of a pod, and no controller.
void publish_sets(World& world, int count) {
  Process leader(world.kube, world.clock, 1, "a");
  for (int i = 0; i < count; ++i) {
    const std::string node = "pace-" + std::to_string(i);
    world.create("/api/v1/nodes", {{"metadata", {{"name", node}}}});
    world.create_pod("web-" + std::to_string(i), node, "/var/log/app");
  }
  world.run(seconds(10), {&leader});
  ASSERT_EQ(world.kube.server().objects(kObjects).size(), static_cast<std::size_t>(count));
}

// What the server answers at once must not be asked at once again.
TEST(DrainLoopTest, AWriteThatDoesNotHelpIsTriedAgainOnceASecond) {
  struct Case {
    std::string what;
    std::function<UnaryResult(World&, const UnaryRequest&)> answer;
  };
  const std::vector<Case> cases = {
      {"a CRD that prunes what is new",
       [](World& world, const UnaryRequest& request) -> UnaryResult {
         const std::string path = request.target.substr(0, request.target.find('?'));
         return UnaryResponse{200, world.object(path).dump()};
       }},
      {"an answer that is no NodeLinkSet",
       [](World&, const UnaryRequest&) -> UnaryResult {
         return UnaryResponse{200, "{}"};
       }},
      {"a webhook", [](World&, const UnaryRequest&) { return refused(KubeErrorKind::kForbidden); }},
      {"a race that is never won",
       [](World&, const UnaryRequest&) { return refused(KubeErrorKind::kConflict); }},
      {"a server that is away",
       [](World&, const UnaryRequest&) { return refused(KubeErrorKind::kRefused); }},
  };
  for (const Case& one : cases) {
    SCOPED_TRACE(one.what);
    World world(21);
    publish_sets(world, 3);
    DrainRun drain(world, [&](const UnaryRequest& request) { return one.answer(world, request); });
    drain.run_until_first_write();
    drain.run(milliseconds(900));
    ASSERT_EQ(drain.writes.writes, 3) << "each object once";
    drain.run(seconds(5));
    EXPECT_GE(drain.writes.writes, 3 * 5) << "it gave up";
    EXPECT_LE(drain.writes.writes, 3 * 7);
    EXPECT_THAT(drain.said, HasSubstr("trying again"));
  }
}

// Who starts later than the last renewal that was answered may lead after the lease's duration.
TEST(DrainLoopTest, WritesNothingMoreWhenItCannotRenewTheLease) {
  World world(23);
  publish_sets(world, 3);
  DrainRun drain(world, [&](const UnaryRequest&) { return refused(KubeErrorKind::kConflict); });
  drain.run_until_first_write();
  const MonotonicTime last_renewal = world.clock.now().monotonic;
  const Duration right_to_write = ControllerConfig().leader_election.renew_deadline;
  EXPECT_GT(drain.writes.last_not_after, last_renewal);
  EXPECT_LE(drain.writes.last_not_after, last_renewal + right_to_write);
  drain.leases.unreachable = true;
  drain.run(right_to_write);
  const int before = drain.writes.writes;
  EXPECT_GT(before, 3 * 5);
  drain.run(seconds(30));
  EXPECT_EQ(drain.writes.writes, before);
  drain.leases.unreachable = false;
  drain.run(seconds(5));
  EXPECT_GT(drain.writes.writes, before);
}

// Whoever makes the Lease anew leads at once.
TEST(DrainLoopTest, WritesNothingMoreOnceItsRenewalIsRefused) {
  World world(25);
  publish_sets(world, 3);
  DrainRun drain(world, [&](const UnaryRequest&) { return refused(KubeErrorKind::kConflict); });
  drain.run_until_first_write();
  drain.leases.refuse_with = KubeErrorKind::kNotFound;
  const int refused_before = drain.leases.refused_writes;
  for (int i = 0; i < 100 && drain.leases.refused_writes == refused_before; ++i) {
    drain.run(milliseconds(50));
  }
  ASSERT_GT(drain.leases.refused_writes, refused_before);
  const int before = drain.writes.writes;
  drain.run(seconds(8));
  EXPECT_EQ(drain.writes.writes, before);
}

// Nothing is linked, and the former leader may still write: that another leads then is no success.
TEST(DrainLoopTest, ADrainThatIsBrokenOffHasNotDrained) {
  World world(26);
  publish_sets(world, 0);
  DrainRun drain(world, [&](const UnaryRequest&) { return refused(KubeErrorKind::kConflict); });
  drain.run(seconds(5));
  json lease = world.object(kLease);
  ASSERT_EQ(lease["spec"]["holderIdentity"], "drained");
  lease["spec"]["holderIdentity"] = "controller";
  ASSERT_EQ(world.request("PUT", kLease, lease).status, 200);
  drain.run(seconds(30));
  EXPECT_TRUE(drain.finished());
  EXPECT_FALSE(drain.drained());
  EXPECT_THAT(drain.broken_off(), HasSubstr("held by \"controller\""));
}

// A proxy that mixes answers up gives that of an earlier renewal.
TEST(DrainLoopTest, AnAnswerToAnEarlierRenewalIsNone) {
  World world(27);
  publish_sets(world, 3);
  DrainRun drain(world, [&](const UnaryRequest&) { return refused(KubeErrorKind::kConflict); });
  drain.run_until_first_write();
  drain.leases.repeat_the_last_answer = true;
  drain.run(ControllerConfig().leader_election.renew_deadline);
  const int before = drain.writes.writes;
  drain.run(seconds(10));
  EXPECT_EQ(drain.writes.writes, before);
}

// Somebody deleted it while the drain stood still, and a controller leads.
TEST(DrainLoopTest, EndsWhenItsLeaseIsTaken) {
  World world(24);
  publish_sets(world, 3);
  DrainRun drain(world, [&](const UnaryRequest&) { return refused(KubeErrorKind::kConflict); });
  drain.run_until_first_write();
  json lease = world.object(kLease);
  lease["spec"]["holderIdentity"] = "controller";
  ASSERT_EQ(world.request("PUT", kLease, lease).status, 200);
  drain.run(seconds(5));
  EXPECT_TRUE(drain.finished());
  EXPECT_THAT(drain.said, HasSubstr("the drain was broken off"));
  const int before = drain.writes.writes;
  drain.run(seconds(5));
  EXPECT_EQ(drain.writes.writes, before);
  EXPECT_EQ(world.object(kLease)["spec"]["holderIdentity"], "controller");
}

TEST(DrainLoopTest, AFewObjectsAreWrittenAtATime) {
  World world(22);
  publish_sets(world, 30);
  DrainRun drain(world, [&](const UnaryRequest& request) -> UnaryResult {
    const fakes::FakeResponse response =
        world.request("PUT", request.target, json::parse(request.body));
    if (response.status != 200) return refused(KubeErrorKind::kConflict);
    return UnaryResponse{200, response.body};
  });
  drain.run_until_first_write();
  drain.run(seconds(2));
  EXPECT_EQ(drain.writes.writes, 30);
  EXPECT_EQ(drain.writes.most_at_once, 8U);
}

}  // namespace
}  // namespace loglink
