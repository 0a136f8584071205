#include "controller/core/turn_queue.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

MonotonicTime at_second(int second) { return {std::chrono::seconds(second)}; }

TEST(TurnQueueTest, GivesNothingBeforeItsTime) {
  TurnQueue queue;
  EXPECT_EQ(queue.next_due(), MonotonicTime::never());
  queue.add({"a", "p"}, at_second(5));
  EXPECT_EQ(queue.take(at_second(4)), std::nullopt);
  EXPECT_EQ(queue.next_due(), at_second(5));
  EXPECT_EQ(queue.take(at_second(5)), (ObjectKey{"a", "p"}));
  EXPECT_EQ(queue.size(), 0U);
}

TEST(TurnQueueTest, NamespacesTakeTurnsWhateverTheirNumberOfPods) {
  TurnQueue queue;
  for (int i = 0; i < 5; ++i) queue.add({"busy", "p" + std::to_string(i)}, at_second(1));
  queue.add({"calm", "q"}, at_second(2));
  std::vector<std::string> order;
  while (const auto key = queue.take(at_second(3))) order.push_back(key->namespace_name);
  EXPECT_EQ(order, (std::vector<std::string>{"busy", "calm", "busy", "busy", "busy", "busy"}));
}

TEST(TurnQueueTest, WithinANamespaceTheLongestDueComesFirst) {
  TurnQueue queue;
  queue.add({"a", "late"}, at_second(2));
  queue.add({"a", "zearly"}, at_second(1));
  EXPECT_EQ(queue.take(at_second(3))->name, "zearly");
  EXPECT_EQ(queue.take(at_second(3))->name, "late");
}

TEST(TurnQueueTest, ANewTimeReplacesTheOldOne) {
  TurnQueue queue;
  queue.add({"a", "p"}, at_second(1));
  queue.add({"a", "p"}, at_second(9));
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.take(at_second(8)), std::nullopt);
  queue.remove({"a", "p"});
  EXPECT_EQ(queue.take(at_second(10)), std::nullopt);
  EXPECT_EQ(queue.next_due(), MonotonicTime::never());
}

TEST(TurnQueueTest, TheNamespaceWithTheMostGivesWayTheLastDueFirst) {
  TurnQueue queue;
  EXPECT_EQ(queue.drop(), std::nullopt);
  for (int i = 0; i < 4; ++i) queue.add({"busy", "p" + std::to_string(i)}, at_second(i));
  queue.add({"calm", "q"}, at_second(9));
  queue.add({"zeal", "r"}, at_second(9));
  for (const char* last : {"p3", "p2", "p1"}) {
    EXPECT_EQ(queue.drop(), (ObjectKey{"busy", last}));
  }
  EXPECT_EQ(queue.size(), 3U) << "now all have one";
  EXPECT_EQ(queue.take(at_second(0)), (ObjectKey{"busy", "p0"}));
  EXPECT_NE(queue.drop(), std::nullopt);
  EXPECT_NE(queue.drop(), std::nullopt);
  EXPECT_EQ(queue.drop(), std::nullopt);
  EXPECT_EQ(queue.next_due(), MonotonicTime::never());
}

}  // namespace
}  // namespace loglink
