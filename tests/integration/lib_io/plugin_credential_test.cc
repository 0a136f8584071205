// A plugin that takes long, hangs or fails, and who waits for it.
#include "lib/io/plugin_credential.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <stdexcept>
#include <vector>

#include "tests/integration/lib_io/client_harness.h"

namespace loglink::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

Now later(Duration duration) {
  const Now now = SystemClock().now();
  return {now.monotonic + duration, now.wall + duration};
}

ExecCredential credential(const std::string& token, std::optional<WallTime> expires = {}) {
  ExecCredential made;
  made.token = token;
  made.expires = expires;
  return made;
}

// Each run blocks until the test answers it, or until it is told to stop.
class PluginCredentialTest : public ::testing::Test {
 protected:
  PluginCredential::Run run() {
    return [this](const std::stop_token& stop) { return wait_for_answer(stop); };
  }
  void answer(Expected<ExecCredential> with) {
    const std::lock_guard<std::mutex> lock(mutex_);
    answers_.push_back(std::move(with));
    changed_.notify_all();
  }
  // Answers the run that `source` begins at `now`, and waits until it is taken.
  void answer_now(PluginCredential& source, const Now& now, Expected<ExecCredential> with) {
    const Expected<ExecCredential> expected = with;
    answer(std::move(with));
    source.ready(now);
    // Asked with the true time, so that the asking begins no other run.
    ASSERT_TRUE(eventually([&] { return ended() > 0 && source.get(later({})) == expected; }));
  }
  int begun() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return begun_;
  }
  int ended() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return ended_;
  }

 private:
  Expected<ExecCredential> wait_for_answer(const std::stop_token& stop) {
    std::unique_lock<std::mutex> lock(mutex_);
    ++begun_;
    changed_.wait(lock, stop, [this] { return !answers_.empty(); });
    ++ended_;
    if (answers_.empty()) return fail(ErrorCode::kFailedPrecondition, "stopped");
    Expected<ExecCredential> next = std::move(answers_.front());
    answers_.erase(answers_.begin());
    return next;
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<Expected<ExecCredential>> answers_;
  int begun_ = 0;
  int ended_ = 0;
};

TEST_F(PluginCredentialTest, NobodyWaitsWhileAPluginHangs) {
  PluginCredential source("plugin x", run());
  const Now now = later(seconds(0));
  EXPECT_FALSE(source.ready(now));
  EXPECT_EQ(source.get(now).error().message, "plugin x: it has not answered yet");
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(source.ready(now));
  answer(credential("one"));
  ASSERT_TRUE(eventually([&] { return source.ready(now); }));
  EXPECT_EQ(source.get(now)->token, "one");
  EXPECT_EQ(begun(), 1);
}

TEST_F(PluginCredentialTest, OneThatStillHoldsIsUsedWhileTheNextIsFetched) {
  PluginCredential source("x", run());
  const Now now = later(seconds(0));
  answer_now(source, now, credential("one", now.wall + seconds(3600)));
  EXPECT_TRUE(source.ready({now.monotonic + seconds(3500), now.wall + seconds(3500)}));
  EXPECT_EQ(begun(), 1);

  const Now soon = {now.monotonic + seconds(3550), now.wall + seconds(3550)};
  EXPECT_TRUE(source.ready(soon));
  EXPECT_EQ(source.get(soon)->token, "one");
  ASSERT_TRUE(eventually([&] { return begun() == 2; }));
  const Now last_seconds = {now.monotonic + seconds(3591), now.wall + seconds(3591)};
  EXPECT_FALSE(source.ready(last_seconds)) << "it would expire on its way";
  EXPECT_FALSE(source.get(last_seconds));
  answer(credential("two"));
  ASSERT_TRUE(eventually([&] { return source.ready(last_seconds); }));
  EXPECT_EQ(source.get(last_seconds)->token, "two");
  EXPECT_EQ(begun(), 2);
}

TEST_F(PluginCredentialTest, AFailedRenewalLeavesTheOneThatHolds) {
  PluginCredential source("x", run());
  const Now now = later(seconds(0));
  answer_now(source, now, credential("one", now.wall + seconds(100)));
  const Now soon = {now.monotonic + seconds(50), now.wall + seconds(50)};
  answer(fail(ErrorCode::kIo, "away"));
  EXPECT_EQ(source.get(soon)->token, "one");
  ASSERT_TRUE(eventually([&] { return ended() == 2; }));
  EXPECT_EQ(source.get(soon)->token, "one");
  const Now over = {now.monotonic + seconds(101), now.wall + seconds(101)};
  ASSERT_TRUE(eventually([&] { return source.ready(over); }));
  EXPECT_EQ(source.get(over).error().message, "away");
}

TEST_F(PluginCredentialTest, AFailureIsToldAndNotTriedAgainForEachRequest) {
  PluginCredential source("x", run());
  answer_now(source, later(seconds(0)), fail(ErrorCode::kIo, "log in first"));
  for (int i = 0; i < 100; ++i) {
    const Now now = SystemClock().now();
    EXPECT_TRUE(source.ready(now));
    EXPECT_EQ(source.get(now).error().message, "log in first");
  }
  EXPECT_LE(begun(), 2) << "a second may have begun after a second";
  // While it is tried again nobody waits: what is known is told.
  const Now again = later(seconds(61));
  EXPECT_TRUE(source.ready(again));
  EXPECT_EQ(source.get(again).error().message, "log in first");
  answer_now(source, again, credential("one"));
}

TEST_F(PluginCredentialTest, ThePauseAfterAFailureGrowsToAMinuteAndASuccessEndsIt) {
  const auto failed = [](int number) {
    return fail(ErrorCode::kIo, "failure " + std::to_string(number));
  };
  {
    PluginCredential source("x", run());
    for (int i = 1; i <= 8; ++i) answer_now(source, later(seconds(61)), failed(i));
    EXPECT_TRUE(source.ready(later(seconds(40))));
  }
  EXPECT_EQ(begun(), 8) << "a run has begun 40 s after the eighth failure";
  {
    PluginCredential source("x", run());
    for (int i = 1; i <= 8; ++i) answer_now(source, later(seconds(61)), failed(i));
    answer_now(source, later(seconds(61)), credential("one"));
    source.invalidate();
    answer(failed(9));
    // Asking begins the next run, too, when its time has come.
    ASSERT_TRUE(eventually([&] {
      const Expected<ExecCredential> given = source.get(later(seconds(6)));
      return !given && given.error() == failed(9).value();
    }));
  }
  EXPECT_EQ(begun(), 8 + 8 + 3) << "no run has begun 6 s after a first failure";
}

TEST_F(PluginCredentialTest, ARefusedOneIsNotUsedAgainOnceItIsSecondsOld) {
  PluginCredential source("x", run());
  answer_now(source, later(seconds(0)), credential("one"));
  const Now now = later(seconds(0));
  // Many requests were under way with the one before, and each is refused.
  source.invalidate();
  EXPECT_EQ(source.get(now)->token, "one");
  EXPECT_EQ(begun(), 1);
  const Now old = {now.monotonic + seconds(6), now.wall + seconds(6)};
  EXPECT_FALSE(source.ready(old));
  EXPECT_FALSE(source.get(old));
  answer(credential("two"));
  ASSERT_TRUE(eventually([&] { return source.ready(old); }));
  EXPECT_EQ(source.get(old)->token, "two");
}

TEST_F(PluginCredentialTest, APluginThatOnlyHasExpiredOnesIsNotRunForEachRequest) {
  for (const bool once_more : {false, true}) {
    PluginCredential source("x", run());
    const Now now = later(seconds(0));
    answer_now(source, now, credential("one", now.wall - seconds(1000)));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(source.get(now)->token, "one");
    if (once_more) {
      EXPECT_FALSE(source.ready({now.monotonic + seconds(30), now.wall + seconds(30)}));
    }
  }
  EXPECT_EQ(begun(), 1 + 2);
}

TEST_F(PluginCredentialTest, AnExceptionIsAFailure) {
  PluginCredential source(
      "x", [](const std::stop_token&) -> Expected<ExecCredential> { throw std::logic_error("y"); });
  const Now now = later(seconds(0));
  ASSERT_TRUE(eventually([&] { return source.ready(now); }));
  EXPECT_EQ(source.get(now).error().message, "x: y");
}

TEST_F(PluginCredentialTest, ItsEndStopsAPluginThatHangs) {
  {
    PluginCredential source("x", run());
    EXPECT_FALSE(source.ready(later(seconds(0))));
    ASSERT_TRUE(eventually([&] { return begun() == 1; }));
  }
  EXPECT_EQ(ended(), 1);
}

}  // namespace
}  // namespace loglink::testing
