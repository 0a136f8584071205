#include "lib/base/clock.h"

#include <gtest/gtest.h>

#include <set>

#include "lib/base/random.h"

namespace loglink {
namespace {

using std::chrono::seconds;

TEST(MonotonicTime, CountsDifferences) {
  const MonotonicTime start{seconds(10)};
  EXPECT_EQ((start + seconds(5)) - start, seconds(5));
  EXPECT_EQ(start - seconds(4), MonotonicTime{seconds(6)});
  EXPECT_LT(start, MonotonicTime::never());
}

TEST(SystemClock, GoesForwardAndIsNotBefore2020) {
  const SystemClock clock;
  const Now first = clock.now();
  const Now second = clock.now();
  EXPECT_LE(first.monotonic, second.monotonic);
  EXPECT_GT(first.wall, WallTime{seconds(1'577'836'800)});
}

TEST(SeededRandom, RepeatsItselfAndKeepsToItsBounds) {
  SeededRandom a(42);
  SeededRandom b(42);
  std::set<std::uint64_t> seen;
  for (int round = 0; round < 1000; ++round) {
    const std::uint64_t value = a.below(10);
    EXPECT_EQ(value, b.below(10));
    seen.insert(value);
    const Duration between = a.between(seconds(3), seconds(4));
    EXPECT_EQ(between, b.between(seconds(3), seconds(4)));
    EXPECT_GE(between, seconds(3));
    EXPECT_LT(between, seconds(4));
  }
  EXPECT_EQ(seen.size(), 10U);
}

}  // namespace
}  // namespace loglink
