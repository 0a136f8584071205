#include "tests/fakes/sim_kube.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loglink::fakes {
namespace {

using testing::HasSubstr;
using testing::Not;

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override { return value; }
  Now value{{std::chrono::seconds(1000)}, WallTime(std::chrono::seconds(1'790'000'000))};
};

class Listener final : public StreamHandler {
 public:
  void on_head(const StreamHead& head) override { status = head.status; }
  void on_data(std::string_view bytes) override { body += bytes; }
  void on_end(std::optional<KubeError> with) override {
    ended = true;
    error = std::move(with);
  }
  int status = 0;
  std::string body;
  bool ended = false;
  std::optional<KubeError> error;
};

class SimKubeTest : public testing::Test {
 protected:
  // Runs until nothing is due before `until`.
  void run(Duration until = std::chrono::seconds(1)) {
    const MonotonicTime limit = clock_.value.monotonic + until;
    for (;;) {
      if (sim_.step(clock_.value)) continue;
      if (sim_.next_due() > limit) break;
      clock_.value.monotonic = sim_.next_due();
    }
    clock_.value.monotonic = limit;
  }

  std::optional<UnaryResult> send(SimKubeClient& client, Method method, const std::string& target,
                                  const std::string& body) {
    std::optional<UnaryResult> result;
    UnaryRequest request;
    request.method = method;
    request.target = target;
    request.content_type = "application/json";
    request.body = body;
    request.not_after = not_after_;
    client.send(request, [&](UnaryResult got) { result = std::move(got); });
    EXPECT_FALSE(result) << "never inside send()";
    run(std::chrono::seconds(6));
    return result;
  }

  static std::string lease() {
    return R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"a"}})";
  }

  FixedClock clock_;
  SimKube sim_{FakeKubeOptions(), 3, clock_.value};
  MonotonicTime not_after_ = MonotonicTime::never();
  std::unique_ptr<SimKubeClient> client_ = sim_.connect("admin-token", clock_);
  const std::string leases_ = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
};

TEST_F(SimKubeTest, AWriteThatArrivesTwiceIsAnsweredForTheSecondTime) {
  SimNetwork network;
  network.send_twice = 1000;
  sim_.set_network(network);
  const auto result = send(*client_, Method::kPost, leases_, lease());
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, KubeErrorKind::kAlreadyExists);
  EXPECT_THAT(sim_.server().object(leases_ + "/l"), HasSubstr("holderIdentity"));
  EXPECT_EQ(sim_.counts().writes, 1U);
}

TEST_F(SimKubeTest, ALostAnswerLeavesTheWriteDone) {
  SimNetwork network;
  network.lose_answer = 1000;
  sim_.set_network(network);
  const auto result = send(*client_, Method::kPost, leases_, lease());
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, KubeErrorKind::kTruncated);
  EXPECT_NE(sim_.server().object(leases_ + "/l"), "");
}

TEST_F(SimKubeTest, ARefusedRequestDoesNothing) {
  SimNetwork network;
  network.refuse = 1000;
  sim_.set_network(network);
  const auto result = send(*client_, Method::kPost, leases_, lease());
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, KubeErrorKind::kRefused);
  EXPECT_EQ(sim_.server().object(leases_ + "/l"), "");
}

TEST_F(SimKubeTest, AWriteAfterItsTimeIsNotSent) {
  not_after_ = clock_.value.monotonic - std::chrono::nanoseconds(1);
  const auto result = send(*client_, Method::kPost, leases_, lease());
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, KubeErrorKind::kCancelled);
  EXPECT_EQ(sim_.server().object(leases_ + "/l"), "");
}

TEST_F(SimKubeTest, AnAnswerThatComesTooLateIsADeadline) {
  SimNetwork network;
  network.delay_max = std::chrono::hours(1);
  sim_.set_network(network);
  std::optional<UnaryResult> result;
  UnaryRequest request;
  request.target = leases_;
  client_->send(request, [&](UnaryResult got) { result = std::move(got); });
  run(std::chrono::hours(2));
  ASSERT_TRUE(result && !*result);
  EXPECT_EQ(result->error().kind, KubeErrorKind::kDeadline);
}

TEST_F(SimKubeTest, AStalledStreamEndsWithItsIdleTimeout) {
  Fault stall;
  stall.stall_after_bytes = 5;
  sim_.faults().add(stall);
  Listener listener;
  StreamRequest request;
  request.target = "/api/v1/namespaces?watch=1";
  client_->open(request, listener);
  run(std::chrono::seconds(89));
  EXPECT_EQ(listener.status, 200);
  EXPECT_EQ(listener.body, R"({"typ)");
  EXPECT_FALSE(listener.ended);
  run(std::chrono::seconds(3));
  ASSERT_TRUE(listener.error);
  EXPECT_EQ(listener.error->kind, KubeErrorKind::kIdleTimeout);
}

class FrozenOrCutOff : public SimKubeTest {
 protected:
  void post() {
    UnaryRequest request;
    request.method = Method::kPost;
    request.target = leases_;
    request.content_type = "application/json";
    request.body = lease();
    request.not_after = not_after_;
    client_->send(request, [this](UnaryResult got) { result_ = std::move(got); });
  }
  [[nodiscard]] bool is_written() { return !sim_.server().object(leases_ + "/l").empty(); }
  [[nodiscard]] std::optional<KubeErrorKind> error() const {
    if (!result_ || *result_) return std::nullopt;
    return result_->error().kind;
  }

  std::optional<UnaryResult> result_;
};

TEST_F(FrozenOrCutOff, AFrozenProcessSendsItsRequestWhenItGoesOn) {
  post();
  client_->set_frozen(true);
  run(std::chrono::minutes(3));
  EXPECT_FALSE(is_written());
  client_->set_frozen(false);
  run();
  EXPECT_TRUE(is_written());
  EXPECT_TRUE(result_ && *result_);
}

TEST_F(FrozenOrCutOff, ARequestWhoseTimeEndsInTheFreezeIsNotSent) {
  not_after_ = clock_.value.monotonic + std::chrono::seconds(30);
  post();
  client_->set_frozen(true);
  run(std::chrono::seconds(31));
  client_->set_frozen(false);
  run();
  EXPECT_FALSE(is_written());
  EXPECT_EQ(error(), KubeErrorKind::kCancelled);
}

TEST_F(FrozenOrCutOff, WhatHasLeftAFrozenProcessIsDoneAndItsAnswerWaits) {
  post();
  ASSERT_TRUE(sim_.step(clock_.value));  // leaves
  client_->set_frozen(true);
  run();
  EXPECT_TRUE(is_written());
  EXPECT_FALSE(result_);
  client_->set_frozen(false);
  run();
  EXPECT_TRUE(result_ && *result_);
}

TEST_F(FrozenOrCutOff, AFrozenProcessLosesWhatHasNotLeftItWhenItIsKilled) {
  post();
  client_->set_frozen(true);
  client_->set_dead();
  run();
  EXPECT_FALSE(is_written());
  EXPECT_FALSE(result_);
}

TEST_F(FrozenOrCutOff, BehindASilentLinkNothingIsDoneOrHeard) {
  client_->set_link(SimLink::kSilent);
  post();
  run(std::chrono::seconds(6));
  EXPECT_FALSE(is_written());
  EXPECT_EQ(error(), KubeErrorKind::kDeadline);
}

TEST_F(FrozenOrCutOff, BehindADeafLinkItIsDoneAndNotHeardOf) {
  client_->set_link(SimLink::kDeaf);
  post();
  run(std::chrono::seconds(6));
  EXPECT_TRUE(is_written());
  EXPECT_EQ(error(), KubeErrorKind::kDeadline);
}

TEST_F(FrozenOrCutOff, ABrokenLinkEndsStreamsAndRefusesRequests) {
  Listener listener;
  StreamRequest watch;
  watch.target = "/api/v1/namespaces?watch=1";
  client_->open(watch, listener);
  run();
  EXPECT_EQ(listener.status, 200);
  client_->set_link(SimLink::kRefused);
  post();
  run();
  ASSERT_TRUE(listener.error);
  EXPECT_EQ(listener.error->kind, KubeErrorKind::kTruncated);
  EXPECT_EQ(error(), KubeErrorKind::kRefused);
  EXPECT_FALSE(is_written());
}

TEST_F(FrozenOrCutOff, AWatchOutlivesASilenceThatIsShorterThanItsTimeout) {
  Listener listener;
  StreamRequest watch;
  watch.target = leases_ + "?watch=1";
  client_->open(watch, listener);
  run();
  client_->set_link(SimLink::kSilent);
  const auto other = sim_.connect("admin-token", clock_);
  ASSERT_TRUE(send(*other, Method::kPost, leases_, lease()));
  run(std::chrono::seconds(60));
  EXPECT_THAT(listener.body, Not(HasSubstr("ADDED")));
  client_->set_link(SimLink::kUp);
  run();
  EXPECT_THAT(listener.body, HasSubstr("ADDED"));
  EXPECT_FALSE(listener.ended);
}

TEST_F(SimKubeTest, ACancelledStreamIsSilent) {
  Listener listener;
  StreamRequest request;
  request.target = "/api/v1/namespaces?watch=1";
  const StreamId id = client_->open(request, listener);
  client_->cancel(id);
  run();
  EXPECT_EQ(listener.status, 0);
  EXPECT_FALSE(listener.ended);
}

TEST_F(SimKubeTest, ADestroyedClientIsForgotten) {
  Listener listener;
  StreamRequest request;
  request.target = "/api/v1/namespaces?watch=1";
  client_->open(request, listener);
  client_.reset();
  run();
  EXPECT_EQ(listener.status, 0);
  EXPECT_EQ(sim_.next_due(), MonotonicTime::never());
}

std::string history_of(std::uint64_t seed) {
  FixedClock clock;
  SimKube sim(FakeKubeOptions(), seed, clock.value);
  SimNetwork network;
  network.delay_max = std::chrono::milliseconds(20);
  network.refuse = network.too_many = network.server_error = network.lose_answer = 100;
  network.split = network.cut = network.send_twice = 200;
  sim.set_network(network);
  const auto client = sim.connect("admin-token", clock);
  std::string history;
  Listener listener;
  StreamRequest watch;
  watch.target = "/apis/coordination.k8s.io/v1/leases?watch=1";
  client->open(watch, listener);
  for (int i = 0; i < 20; ++i) {
    UnaryRequest request;
    request.method = Method::kPost;
    request.target = "/apis/coordination.k8s.io/v1/namespaces/default/leases";
    request.body = R"({"metadata":{"name":"l)" + std::to_string(i) + R"("}})";
    client->send(request, [&history, i](UnaryResult result) {
      history += std::to_string(i) + (result ? "ok " : to_string(result.error().kind).data());
    });
  }
  for (int i = 0; i < 10'000; ++i) {
    if (sim.step(clock.value)) continue;
    if (sim.next_due() > clock.value.monotonic + std::chrono::seconds(5)) break;
    clock.value.monotonic = sim.next_due();
  }
  return history + listener.body;
}

TEST(SimKubeSeed, GivesTheSameHistoryAgain) {
  EXPECT_EQ(history_of(11), history_of(11));
  EXPECT_NE(history_of(11), history_of(12));
  EXPECT_THAT(history_of(11), HasSubstr("ok "));
}

TEST(FaultPlan, CountsDownWhatMatches) {
  FaultPlan plan;
  const auto faults = parse_faults(
      R"([{"method":"PUT","path_prefix":"/api","count":2,"status":503,"retry_after_seconds":3}])");
  ASSERT_TRUE(faults);
  plan.add(faults->front());
  FakeRequest request;
  request.method = "GET";
  request.target = "/api/v1/pods";
  EXPECT_FALSE(plan.take(request));
  request.method = "PUT";
  ASSERT_TRUE(plan.take(request));
  const auto second = plan.take(request);
  ASSERT_TRUE(second);
  EXPECT_EQ(fault_answer(*second).status, 503);
  EXPECT_EQ(fault_answer(*second).headers.at(0).second, "3");
  EXPECT_FALSE(plan.take(request));
}

TEST(FaultPlan, RefusesWhatIsNoFault) {
  for (const char* text : {"", "7", "[]", R"({"count":0})", R"({"status":"x"})"}) {
    EXPECT_FALSE(parse_faults(text)) << text;
  }
}

}  // namespace
}  // namespace loglink::fakes
