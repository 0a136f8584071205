#include "agent/core/scan_queue.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace loglink {
namespace {

constexpr MonotonicTime kNow{std::chrono::hours(1)};

std::vector<std::string> take_all(ScanQueue& queue) {
  std::vector<std::string> order;
  while (const auto name = queue.next()) order.push_back(queue.pop(*name).path);
  return order;
}

using Paths = std::vector<std::string>;

TEST(ScanQueue, NamespacesTakeTurnsAndWithinOneTheFirstIsFirst) {
  ScanQueue queue;
  EXPECT_FALSE(queue.has_ready());
  for (const char* path : {"a/3", "a/1", "a/2"}) queue.push({"pods", path}, {"a"}, false);
  queue.push({"pods", "b/1"}, {"b"}, false);
  EXPECT_TRUE(queue.has_ready());
  EXPECT_EQ(take_all(queue), (Paths{"a/3", "b/1", "a/1", "a/2"}));
  EXPECT_FALSE(queue.has_ready());
}

TEST(ScanQueue, DirectoriesOfBusySourcesDoNotKeepTheOthersBackNorTheyThem) {
  ScanQueue queue;
  for (const char* path : {"busy/1", "busy/2", "busy/3"}) queue.push({"pods", path}, {"a"}, true);
  for (const char* path : {"quiet/1", "quiet/2"}) queue.push({"pods", path}, {"a"}, false);
  EXPECT_EQ(take_all(queue), (Paths{"quiet/1", "busy/1", "quiet/2", "busy/2", "busy/3"}));
}

TEST(ScanQueue, ANamespaceThatHasReadTooMuchWaitsAlone) {
  ScanQueue queue;
  queue.push({"pods", "a/1"}, {"a"}, false);
  queue.push({"pods", "b/1"}, {"b"}, false);
  queue.block("a", kNow);
  queue.block("nobody", kNow);
  EXPECT_TRUE(queue.is_held_back({"pods", "a/1"}));
  EXPECT_FALSE(queue.is_held_back({"pods", "b/1"}));
  EXPECT_FALSE(queue.is_held_back({"pods", "unknown"}));
  EXPECT_EQ(queue.next_wakeup(), kNow);
  EXPECT_EQ(take_all(queue), (Paths{"b/1"}));
  queue.unblock(kNow - Duration(1));
  EXPECT_FALSE(queue.has_ready());
  queue.unblock(kNow);
  EXPECT_FALSE(queue.is_held_back({"pods", "a/1"}));
  EXPECT_EQ(queue.next_wakeup(), MonotonicTime::never());
  EXPECT_EQ(take_all(queue), (Paths{"a/1"}));
}

TEST(ScanQueue, ASharedDirectoryIsTakenInTheFirstTurnThatComesAndOnce) {
  ScanQueue queue;
  queue.push({"pods", "a/1"}, {"a"}, false);
  queue.push({"pods", "shared"}, {"a", "b"}, false);
  queue.block("a", kNow);
  EXPECT_FALSE(queue.is_held_back({"pods", "shared"}));
  EXPECT_EQ(take_all(queue), (Paths{"shared"}));
  EXPECT_EQ(queue.size(), 1U) << "a/1 waits alone";
  queue.push({"pods", "shared"}, {"a", "b"}, false);
  queue.block("b", kNow);
  EXPECT_TRUE(queue.is_held_back({"pods", "shared"}));
  queue.unblock(kNow);
  EXPECT_EQ(take_all(queue), (Paths{"a/1", "shared"}));
}

// Pods come and go, and nothing is read meanwhile.
TEST(ScanQueue, ADirectoryThatIsPushedAgainAndAgainForOthersIsInItOnceForEach) {
  ScanQueue queue;
  queue.push({"pods", "shared"}, {"b"}, false);
  queue.push({"pods", "late"}, {"a", "b"}, false);
  queue.block("a", kNow);
  queue.block("b", kNow);
  for (int i = 0; i < 1000; ++i) {
    queue.push({"pods", "shared"}, {"a"}, i % 3 == 0);
    EXPECT_EQ(queue.size(), 3U);
    queue.push({"pods", "shared"}, {"a", "b"}, i % 3 == 1);
    EXPECT_EQ(queue.size(), 4U);
  }
  EXPECT_TRUE(queue.is_held_back({"pods", "shared"})) << "nobody's wait ends by it";
  queue.push({"pods", "shared"}, {"b"}, false);
  queue.unblock(kNow);
  EXPECT_EQ(queue.next(), "a");
  EXPECT_EQ(queue.pop("a").path, "late");
  EXPECT_EQ(take_all(queue), (Paths{"shared"}));

  queue.push({"pods", "shared"}, {"a", "b"}, false);
  queue.push({"pods", "other"}, {"b"}, false);
  queue.remove({"pods", "shared"});
  queue.remove({"pods", "unknown"});
  EXPECT_EQ(take_all(queue), (Paths{"other"}));
}

TEST(ScanQueue, ADirectoryThatIsPushedAgainKeepsItsPlace) {
  ScanQueue queue;
  for (const char* path : {"1", "2", "3"}) queue.push({"pods", path}, {"b"}, false);
  for (const char* path : {"2", "1"}) queue.push({"pods", path}, {"a"}, false);
  queue.push({"pods", "1"}, {"b"}, false);
  EXPECT_EQ(take_all(queue), (Paths{"2", "1", "3"}));
}

}  // namespace
}  // namespace loglink
