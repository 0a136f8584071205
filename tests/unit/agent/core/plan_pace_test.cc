#include "agent/core/plan_pace.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{1h};

class PlanPaceTest : public testing::Test {
 protected:
  PlanPaceTest() { pace.start(now); }

  // A plan as soon as it may be made.
  void plan(Duration cost, bool is_scanning = false) {
    now = std::max(now, pace.ready_at(is_scanning));
    pace.planned(now);
    now = now + cost;
    pace.step(now);
  }
  [[nodiscard]] Duration gap(bool is_scanning = false) const {
    return pace.ready_at(is_scanning) - now;
  }

  PlanPace pace;
  MonotonicTime now = kStart;
};

TEST_F(PlanPaceTest, TheFirstPlanIsMadeAtOnceButForDirectoriesThatAreStillBeingRead) {
  EXPECT_LE(pace.ready_at(false), kStart);
  EXPECT_EQ(pace.ready_at(true), kStart + kPlanWhileLooking);
}

TEST_F(PlanPaceTest, OnlyTheStepAfterItTellsWhatAPlanCosts) {
  EXPECT_FALSE(pace.is_measuring());
  pace.planned(now);
  EXPECT_TRUE(pace.is_measuring());
  pace.step(now + 40ms);
  EXPECT_FALSE(pace.is_measuring());
  EXPECT_EQ(pace.last_end(), now + 40ms);
  EXPECT_EQ(pace.ready_at(false), now + 40ms);
  EXPECT_EQ(pace.ready_at(true), now + 40ms + kPlanWhileLooking);
  pace.step(now + 10s);  // without a plan
  EXPECT_EQ(pace.last_end(), now + 40ms);
  EXPECT_EQ(pace.ready_at(false), now + 40ms);
}

TEST_F(PlanPaceTest, WhatCostsNextToNothingIsMadeAgainAtOnce) {
  for (int i = 0; i < 100; ++i) {
    plan(100us);
    EXPECT_EQ(gap(), 0ms);
  }
}

TEST_F(PlanPaceTest, AChangeThatTakesAFewPlansHasThemAtOnce) {
  for (int i = 0; i < 5; ++i) {
    plan(50ms);
    EXPECT_EQ(gap(), 0ms);
  }
}

TEST_F(PlanPaceTest, PlansThatNeverEndTakeATenthOfTheTime) {
  for (int i = 0; i < 20; ++i) plan(50ms);
  const MonotonicTime before = now;
  for (int i = 0; i < 100; ++i) plan(50ms);
  EXPECT_GE(now - before, 100 * 50ms * 10 - 1s);
  EXPECT_LE(now - before, 100 * 50ms * 10 + 1s);
  // After a rest the next change has its few plans again.
  now = now + 10s;
  plan(50ms);
  EXPECT_EQ(gap(), 0ms);
}

TEST_F(PlanPaceTest, TheGapBeginsWithTheEndOfAPlanAlsoWhileDirectoriesAreRead) {
  plan(700ms, true);
  EXPECT_EQ(now, kStart + kPlanWhileLooking + 700ms);
  EXPECT_GE(gap(true), 700ms);
  now = now + 10s;
  plan(5ms, true);
  EXPECT_EQ(gap(true), kPlanWhileLooking);
}

TEST_F(PlanPaceTest, HoweverSlowTheMachineNothingWaitsLong) {
  for (int i = 0; i < 20; ++i) {
    plan(5s);
    EXPECT_EQ(gap(), kPlanGapMost);
  }
  // Nor does a machine that slept, or a long time of slow plans, have to be paid for afterwards.
  plan(10h);
  EXPECT_EQ(gap(), kPlanGapMost);
  now = now + 5s;
  plan(50ms);
  EXPECT_EQ(gap(), 0ms);
}

}  // namespace
}  // namespace loglink
