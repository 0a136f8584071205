#include "controller/core/uid_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Entry {
  std::string uid;
};

std::vector<std::uint32_t> found(const UidIndex& index, const std::vector<Entry>& list,
                                 const std::string& uid) {
  const auto positions = index.find(list, uid);
  return {positions.begin(), positions.end()};
}

TEST(UidIndex, OfNothingFindsNothing) {
  EXPECT_THAT(found(UidIndex(), {}, "a"), IsEmpty());
  EXPECT_THAT(found(UidIndex(std::vector<Entry>{}), {}, "a"), IsEmpty());
}

TEST(UidIndex, FindsAllOfOneUidInTheListsOrder) {
  const std::vector<Entry> list = {{"b"}, {"a"}, {"c"}, {"a"}, {"b"}, {"a"}};
  const UidIndex index(list);
  EXPECT_THAT(found(index, list, "a"), ElementsAre(1, 3, 5));
  EXPECT_THAT(found(index, list, "b"), ElementsAre(0, 4));
  EXPECT_THAT(found(index, list, "c"), ElementsAre(2));
  for (const std::string uid : {"", "aa", "d"}) EXPECT_THAT(found(index, list, uid), IsEmpty());
}

TEST(UidIndex, HoldsWhenTheListMoves) {
  std::vector<Entry> list = {{"b"}, {"a"}};
  const UidIndex index(list);
  const std::vector<Entry> moved = std::move(list);
  EXPECT_THAT(found(index, moved, "b"), ElementsAre(0));
}

}  // namespace
}  // namespace loglink
