#include "agent/core/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/core/status_pacer.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

using testing::SizeIs;
using namespace std::chrono_literals;

const WallTime kStart{std::chrono::seconds(1'700'000'000)};

PodLinks pod(int number, std::string reason, std::string message) {
  return {
      "prod", "web-" + std::to_string(number), "uid", 1, 0, std::move(reason), std::move(message)};
}

TEST(BoundStatus, LeavesWhatFitsAlone) {
  NodeLinkSetStatus status;
  status.pods = {pod(1, "NameTaken", "a"), pod(2, "", "")};
  const NodeLinkSetStatus before = status;
  bound_status(status);
  EXPECT_EQ(status, before);
}

TEST(BoundStatus, DropsMessagesBeforePods) {
  NodeLinkSetStatus status;
  for (int i = 0; i < 600; ++i) status.pods.push_back(pod(i, "NameTaken", std::string(500, '"')));
  bound_status(status);
  EXPECT_THAT(status.pods, SizeIs(600));
  EXPECT_LE(estimated_bytes(status), limits::kStatusBytes);
  EXPECT_FALSE(status.pods.front().message.empty());
}

TEST(BoundStatus, DropsUntroubledPodsBeforeTroubledOnes) {
  NodeLinkSetStatus status;
  for (int i = 0; i < 1500; ++i) {
    status.pods.push_back(pod(i, i % 3 == 0 ? "" : "NameTaken", ""));
  }
  bound_status(status);
  EXPECT_LE(status.pods.size(), limits::kStatusPods);
  EXPECT_LE(estimated_bytes(status), limits::kStatusBytes);
  const auto untroubled = std::count_if(status.pods.begin(), status.pods.end(),
                                        [](const PodLinks& each) { return each.reason.empty(); });
  EXPECT_EQ(untroubled, 0);
}

// One namespace that sorts first and says much must not cost the last one its answer.
TEST(BoundStatus, AGreedyNamespaceCostsOthersNothing) {
  NodeLinkSetStatus status;
  for (int i = 0; i < 600; ++i) {
    status.pods.push_back(pod(i, "NameTaken", std::string(500, 'x')));
    status.pods.back().namespace_name = "aaa-greedy";
    status.pods.back().pod = std::string(240, 'p') + std::to_string(i);
  }
  status.pods.push_back(pod(1, "NotARegularFile", "only regular files are linked: a.log"));
  status.pods.push_back(pod(2, "", ""));
  for (std::size_t i = 600; i < 602; ++i) status.pods[i].namespace_name = "zzz-modest";
  bound_status(status);
  EXPECT_LE(estimated_bytes(status), limits::kStatusBytes);
  ASSERT_GE(status.pods.size(), 2U);
  const PodLinks& troubled = status.pods[status.pods.size() - 2];
  EXPECT_EQ(troubled.namespace_name, "zzz-modest");
  EXPECT_EQ(troubled.message, "only regular files are linked: a.log");
}

TEST(Conditions, ATransitionIsAChangeOfTheStatusAlone) {
  std::vector<Condition> conditions;
  set_condition(conditions, {"Ready", "True", "Ready", "", 1, {}}, kStart);
  set_condition(conditions, {"Ready", "True", "DirectMode", "x", 2, {}}, kStart + 1h);
  ASSERT_THAT(conditions, SizeIs(1));
  EXPECT_EQ(conditions[0].last_transition, kStart);
  EXPECT_EQ(conditions[0].reason, "DirectMode");
  set_condition(conditions, {"Ready", "False", "DiskFull", "x", 2, {}}, kStart + 2h);
  EXPECT_EQ(conditions[0].last_transition, kStart + 2h);
  clear_condition(conditions, "Ready");
  EXPECT_THAT(conditions, SizeIs(0));
}

class StatusPacerTest : public testing::Test {
 protected:
  // The time from now until that status may be written.
  Duration wait(const NodeLinkSetStatus& status) {
    const MonotonicTime due = pacer.due(status, now);
    if (due == MonotonicTime::never()) return Duration::max();
    return due - now.monotonic;
  }
  void write(const NodeLinkSetStatus& status) {
    pacer.tried(now);
    pacer.written(status);
  }
  void pass(Duration duration) { now.monotonic = now.monotonic + duration; }

  SeededRandom random{1};
  StatusPacer pacer{random};
  Now now{MonotonicTime{1h}, kStart};
};

TEST_F(StatusPacerTest, TheFirstStatusIsWrittenAtOnceAndAnEqualOneNever) {
  const NodeLinkSetStatus status;
  EXPECT_EQ(wait(status), 0s);
  write(status);
  EXPECT_EQ(wait(status), Duration::max());
}

TEST_F(StatusPacerTest, CountsWaitForAboutHalfAMinute) {
  NodeLinkSetStatus status;
  write(status);
  status.links = 5;
  EXPECT_GE(wait(status), 25s);
  EXPECT_LE(wait(status), 35s);
  pass(35s);
  EXPECT_EQ(wait(status), 0s);
}

// "no file matches yet" must not stand for half a minute beside a link.
TEST_F(StatusPacerTest, TheFirstLinkOfAPodAndItsLastAreNoMereCount) {
  NodeLinkSetStatus none;
  none.pods = {PodLinks{}};
  NodeLinkSetStatus one = none;
  one.pods[0].links = 1;
  NodeLinkSetStatus two = none;
  two.pods[0].links = 2;
  EXPECT_TRUE(differs_in_state(none, one));
  EXPECT_TRUE(differs_in_state(one, none));
  EXPECT_FALSE(differs_in_state(one, two));
}

TEST_F(StatusPacerTest, ChangesOfStateAreASecondApartThenOnePerTenSeconds) {
  NodeLinkSetStatus status;
  for (int i = 0; i < 4; ++i) {
    status.observed_generation = i + 1;
    EXPECT_EQ(wait(status), i == 0 ? Duration(0s) : Duration(1s)) << i;
    pass(wait(status));
    write(status);
  }
  ++status.observed_generation;
  EXPECT_GT(wait(status), 5s);
  EXPECT_LE(wait(status), 10s);
}

TEST_F(StatusPacerTest, AWriteThatFailedDoesNotCount) {
  NodeLinkSetStatus status;
  for (int i = 0; i < 4; ++i) {
    status.observed_generation = i + 1;
    pass(wait(status));
    write(status);
  }
  ++status.observed_generation;
  pass(wait(status));
  pacer.tried(now);
  pacer.failed();
  EXPECT_EQ(wait(status), 1s);
}

TEST_F(StatusPacerTest, AForgottenStatusIsAChangeOfState) {
  const NodeLinkSetStatus status;
  write(status);
  pacer.forget();
  EXPECT_EQ(wait(status), 1s);
}

}  // namespace
}  // namespace loglink
