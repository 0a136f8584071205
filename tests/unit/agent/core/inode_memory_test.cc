#include "agent/core/inode_memory.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

using namespace std::chrono_literals;

const WallTime kStart{std::chrono::seconds(1'700'000'000)};

InodeKey key(std::uint64_t inode) { return {"apps", inode, 7}; }

TEST(InodeMemory, SurvivesBeingWrittenWithAnyPath) {
  InodeMemory memory;
  memory.remember(key(1), "d/a b%20\n\x01\xff.log", kStart);
  memory.remember({"kubelet-pods", 1, -5}, "x", kStart + 1h);
  InodeMemory copy;
  ASSERT_TRUE(copy.decode(memory.encode()));
  ASSERT_EQ(copy.size(), 2U);
  EXPECT_EQ(*copy.find(key(1)), *memory.find(key(1)));
  EXPECT_EQ(*copy.find({"kubelet-pods", 1, -5}), (InodeMemory::Entry{"x", kStart + 1h}));
}

TEST(InodeMemory, DamagedOrForeignTextLeavesItAsItWas) {
  InodeMemory memory;
  memory.remember(key(1), "a", kStart);
  for (const char* text :
       {"", "loglink-inodes 2\n", "{}", "loglink-inodes 1\napps x 7 1 a\n",
        "loglink-inodes 1\napps 1 7 1\n", "loglink-inodes 1\napps 1 7 1 a%4\n",
        "loglink-inodes 1\napps 1 7 99999999999999 a\n", "loglink-inodes 1\n\n"}) {
    EXPECT_FALSE(memory.decode(text)) << text;
    EXPECT_EQ(memory.size(), 1U);
  }
}

TEST(InodeMemory, ForgetsWhatNoSourceHasUsedForSevenDays) {
  InodeMemory memory;
  memory.remember(key(1), "a", kStart);
  memory.remember(key(2), "b", kStart);
  memory.refresh(key(2), "elsewhere", kStart + 24h);
  EXPECT_EQ(memory.find(key(2))->path, "b");
  memory.expire(kStart + 7 * 24h + 1s, {});
  EXPECT_EQ(memory.find(key(1)), nullptr);
  ASSERT_NE(memory.find(key(2)), nullptr);
}

TEST(InodeMemory, AnEntryFromTheFutureGrowsOldFromNowOn) {
  InodeMemory memory;
  memory.remember(key(1), "a", kStart + 24h * 365);
  memory.expire(kStart, {});
  EXPECT_NE(memory.find(key(1)), nullptr);
  memory.expire(kStart + 8 * 24h, {});
  EXPECT_EQ(memory.find(key(1)), nullptr);
}

TEST(InodeMemory, WhatMayBeInUseUnseenStaysWhateverItsAge) {
  InodeMemory memory;
  memory.remember(key(1), "broken/old/a", kStart);
  memory.remember(key(2), "sound/a", kStart);
  memory.remember(key(3), "a", kStart);
  memory.remember({"other", 1, 7}, "broken/a", kStart);
  memory.expire(kStart + 8 * 24h, {owner_of("apps", "broken/x/y"), owner_of("other", "")});
  EXPECT_NE(memory.find(key(1)), nullptr);
  EXPECT_NE(memory.find({"other", 1, 7}), nullptr) << "of a root that cannot be used";
  EXPECT_EQ(memory.find(key(2)), nullptr);
  EXPECT_EQ(memory.find(key(3)), nullptr);
  memory.expire(kStart + 8 * 24h, {});
  EXPECT_EQ(memory.size(), 0U);
}

TEST(InodeMemory, ARefreshWithinTheHourIsNoChange) {
  InodeMemory memory;
  memory.remember(key(1), "a", kStart);
  const std::uint64_t version = memory.version();
  memory.refresh(key(1), "a", kStart + 59min);
  EXPECT_EQ(memory.version(), version);
  memory.refresh(key(1), "a", kStart + 61min);
  EXPECT_NE(memory.version(), version);
}

TEST(InodeMemory, IsBoundedAndDropsTheLongestUnusedFirst) {
  InodeMemory memory;
  for (std::uint64_t i = 0; i <= InodeMemory::kEntries; ++i) {
    memory.remember(key(i), "a", kStart + Duration(1s) * static_cast<Duration::rep>(i));
  }
  EXPECT_LE(memory.size(), InodeMemory::kEntries);
  EXPECT_EQ(memory.find(key(0)), nullptr);
  EXPECT_NE(memory.find(key(InodeMemory::kEntries)), nullptr);
  EXPECT_NE(memory.find(key(InodeMemory::kEntries / 2)), nullptr);
}

// One tenant made the file 550 MB, more than is read back, and pushed the others' files out.
TEST(InodeMemory, LongPathsAreBoundedInBytesAndPushOnlyTheirOwnersFilesOut) {
  InodeMemory memory;
  memory.remember(key(1), "quiet/volumes/app-2026-01-01.log", kStart);
  const std::string blanks(3000, ' ');
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const WallTime now = kStart + Duration(1s) * static_cast<Duration::rep>(i + 1);
    memory.remember(key(100 + i), "loud/" + blanks + std::to_string(i), now);
  }
  EXPECT_LE(memory.encode().size(), InodeMemory::kBytes);
  EXPECT_NE(memory.find(key(1)), nullptr) << "the oldest of all, but another's";
  EXPECT_EQ(memory.find(key(100)), nullptr);
  EXPECT_NE(memory.find(key(100 + 4999)), nullptr);

  InodeMemory next;
  ASSERT_TRUE(next.decode(memory.encode()));
  EXPECT_EQ(next.size(), memory.size());
}

TEST(InodeMemory, WithoutABirthTimeThereIsNoKey) {
  FileInfo info;
  EXPECT_FALSE(inode_key("apps", info).has_value());
  info.birth_ns = 3;
  EXPECT_EQ(inode_key("apps", info), (InodeKey{"apps", 0, 3}));
}

}  // namespace
}  // namespace loglink
