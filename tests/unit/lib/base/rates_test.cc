// The parts that fit on one page: backoff and token bucket.
#include <gtest/gtest.h>

#include <set>

#include "lib/base/backoff.h"
#include "lib/base/random.h"
#include "lib/base/token_bucket.h"

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime at(Duration since_start) { return MonotonicTime{hours(5) + since_start}; }

TEST(Backoff, DoublesToItsMaximumWithJitterAbove) {
  SeededRandom random(1);
  Backoff backoff(BackoffPolicy{});
  for (const auto base : {milliseconds(800), milliseconds(1600), milliseconds(3200),
                          milliseconds(6400), milliseconds(10000), milliseconds(10000)}) {
    const Duration delay = backoff.next(random);
    EXPECT_GE(delay, base);
    EXPECT_LT(delay, base * 3 / 2);
  }
}

TEST(Backoff, ResetStartsAgain) {
  SeededRandom random(1);
  Backoff backoff(BackoffPolicy{});
  for (int i = 0; i < 3; ++i) backoff.next(random);
  EXPECT_EQ(backoff.failures(), 3);
  backoff.reset();
  EXPECT_EQ(backoff.failures(), 0);
  EXPECT_LT(backoff.next(random), milliseconds(1200));
}

TEST(Backoff, WithoutJitterIsExact) {
  SeededRandom random(1);
  Backoff backoff(BackoffPolicy{seconds(1), 3, seconds(20), 0});
  EXPECT_EQ(backoff.next(random), seconds(1));
  EXPECT_EQ(backoff.next(random), seconds(3));
  EXPECT_EQ(backoff.next(random), seconds(9));
  EXPECT_EQ(backoff.next(random), seconds(20));
}

TEST(Backoff, StaysAtItsMaximumHoweverLongTheOutage) {
  SeededRandom random(1);
  Backoff backoff(BackoffPolicy{});
  for (int i = 0; i < 100'000; ++i) backoff.next(random);
  const Duration delay = backoff.next(random);
  EXPECT_GE(delay, seconds(10));
  EXPECT_LT(delay, seconds(15));
}

TEST(TokenBucket, GivesTheBurstThenTheRate) {
  TokenBucket bucket(10, 20);
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(bucket.try_take(at(seconds(0))));
  EXPECT_FALSE(bucket.try_take(at(seconds(0))));
  EXPECT_FALSE(bucket.try_take(at(milliseconds(99))));
  EXPECT_TRUE(bucket.try_take(at(milliseconds(100))));
  EXPECT_FALSE(bucket.try_take(at(milliseconds(150))));
  // Never more than the burst, however long nothing was taken.
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(bucket.try_take(at(hours(1))));
  EXPECT_FALSE(bucket.try_take(at(hours(1))));
}

TEST(TokenBucket, IsReadyWhenItSaysSo) {
  SeededRandom random(4);
  TokenBucket bucket(7, 30);
  MonotonicTime now = at(seconds(0));
  for (int round = 0; round < 5000; ++round) {
    const auto count = static_cast<double>(random.below(30) + 1);
    const MonotonicTime ready = bucket.ready_at(now, count);
    ASSERT_GE(ready, now);
    if (ready > now + milliseconds(1)) {
      ASSERT_FALSE(bucket.try_take(ready - milliseconds(1), count));
    }
    ASSERT_TRUE(bucket.try_take(ready, count));
    now = ready;
  }
}

TEST(TokenBucket, ATakenDebtDelaysWhatComesNext) {
  TokenBucket bucket(1, 2);
  bucket.take(at(seconds(0)), 5);
  EXPECT_EQ(bucket.ready_at(at(seconds(0))), at(seconds(4)));
  EXPECT_FALSE(bucket.try_take(at(seconds(3))));
  EXPECT_TRUE(bucket.try_take(at(seconds(4))));
}

TEST(TokenBucket, MoreThanTheBurstIsNeverReady) {
  TokenBucket bucket(1, 2);
  EXPECT_EQ(bucket.ready_at(at(seconds(0)), 3), MonotonicTime::never());
  TokenBucket stopped(0, 1);
  EXPECT_TRUE(stopped.try_take(at(seconds(0))));
  EXPECT_EQ(stopped.ready_at(at(seconds(0))), MonotonicTime::never());
}

TEST(TokenBucket, TimeThatGoesBackGivesNothing) {
  TokenBucket bucket(1, 1);
  EXPECT_TRUE(bucket.try_take(at(seconds(10))));
  EXPECT_FALSE(bucket.try_take(at(seconds(1))));
  EXPECT_TRUE(bucket.try_take(at(seconds(11))));
}

TEST(TokenBucket, WhatIsGivenBackIsThereAgainUpToTheBurst) {
  TokenBucket bucket(0.1, 3);
  for (int i = 0; i < 3; ++i) bucket.take(at(seconds(0)));
  EXPECT_GT(bucket.ready_at(at(seconds(0))), at(seconds(0)));
  bucket.give_back();
  EXPECT_TRUE(bucket.try_take(at(seconds(0))));
  EXPECT_FALSE(bucket.try_take(at(seconds(0))));
  bucket.give_back(100);
  EXPECT_EQ(bucket.ready_at(at(seconds(0)), 3), at(seconds(0)));
  bucket.take(at(seconds(0)), 3);
  EXPECT_FALSE(bucket.try_take(at(seconds(0))));
}

TEST(WaitAsAsked, IsWhatTheServerAskedForAndNotTheSameForAll) {
  SeededRandom random(1);
  std::set<Duration> waits;
  for (int i = 0; i < 100; ++i) {
    const Duration wait = wait_as_asked(seconds(4), seconds(10), random);
    EXPECT_GE(wait, seconds(10));
    EXPECT_LT(wait, milliseconds(12500));
    waits.insert(wait);
  }
  EXPECT_GT(waits.size(), 90U);
  EXPECT_LT(wait_as_asked(milliseconds(800), seconds(1), random), milliseconds(1800));
  EXPECT_EQ(wait_as_asked(seconds(4), seconds(3), random), seconds(4));
  EXPECT_EQ(wait_as_asked(seconds(4), std::nullopt, random), seconds(4));
}

}  // namespace
}  // namespace loglink
