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
  for (const char* path : {"a/3", "a/1", "a/2"}) queue.push("a", {"pods", path}, false);
  queue.push("b", {"pods", "b/1"}, false);
  EXPECT_TRUE(queue.has_ready());
  EXPECT_EQ(take_all(queue), (Paths{"a/3", "b/1", "a/1", "a/2"}));
  EXPECT_FALSE(queue.has_ready());
}

TEST(ScanQueue, DirectoriesOfBusySourcesDoNotKeepTheOthersBackNorTheyThem) {
  ScanQueue queue;
  for (const char* path : {"busy/1", "busy/2", "busy/3"}) queue.push("a", {"pods", path}, true);
  for (const char* path : {"quiet/1", "quiet/2"}) queue.push("a", {"pods", path}, false);
  EXPECT_EQ(take_all(queue), (Paths{"quiet/1", "busy/1", "quiet/2", "busy/2", "busy/3"}));
}

TEST(ScanQueue, ANamespaceThatHasReadTooMuchWaitsAlone) {
  ScanQueue queue;
  queue.push("a", {"pods", "a/1"}, false);
  queue.push("b", {"pods", "b/1"}, false);
  queue.block("a", kNow);
  queue.block("nobody", kNow);
  EXPECT_TRUE(queue.is_blocked("a"));
  EXPECT_FALSE(queue.is_blocked("b"));
  EXPECT_FALSE(queue.is_blocked("nobody"));
  EXPECT_EQ(queue.next_wakeup(), kNow);
  EXPECT_EQ(take_all(queue), (Paths{"b/1"}));
  queue.unblock(kNow - Duration(1));
  EXPECT_FALSE(queue.has_ready());
  queue.unblock(kNow);
  EXPECT_FALSE(queue.is_blocked("a"));
  EXPECT_EQ(queue.next_wakeup(), MonotonicTime::never());
  EXPECT_EQ(take_all(queue), (Paths{"a/1"}));
}

}  // namespace
}  // namespace loglink
