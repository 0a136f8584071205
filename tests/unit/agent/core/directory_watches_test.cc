#include "agent/core/directory_watches.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Result = DirectoryWatches::Result;

class DirectoryWatchesTest : public testing::Test {
 protected:
  DirectoryWatchesTest() {
    files_.add_root(kApps);
    for (const char* path : {"a", "b", "c", "d"}) files_.make_directory(kApps, path);
  }
  static Target at(const std::string& path) { return {kApps, path}; }
  // The id of the watch by which the next notice about a new file in `path` comes.
  std::uint64_t id_of(const std::string& path) {
    files_.take_notices(100);
    files_.write_file(kApps, path + "/probe-" + std::to_string(++probes_));
    const std::vector<FileNotice> notices = files_.take_notices(100);
    return notices.empty() ? 0 : notices.front().watch;
  }

  FakeFiles files_;
  DirectoryWatches watches_{files_, 3};
  int probes_ = 0;
};

TEST_F(DirectoryWatchesTest, ADirectoryHasOneWatchWhoeverWantsIt) {
  EXPECT_EQ(watches_.watch(at("a"), "prod", true), Result::kWatched);
  EXPECT_EQ(watches_.watch(at("a"), "prod", false), Result::kWatched);
  EXPECT_EQ(watches_.wait_at(at("a"), at("a/new")), Result::kWatched);
  EXPECT_EQ(files_.watch_count(), 1U);
  const Target* const found = watches_.find(id_of("a"));
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(*found, at("a"));
}

TEST_F(DirectoryWatchesTest, TheLastUserGivesTheWatchBack) {
  watches_.watch(at("a"), "prod", true);
  watches_.wait_at(at("a"), at("a/new"));
  watches_.unwatch(at("a"));
  EXPECT_FALSE(watches_.is_watched(at("a")));
  EXPECT_EQ(files_.watch_count(), 1U) << "somebody waits there";
  watches_.stop_waiting(at("a/new"));
  EXPECT_EQ(files_.watch_count(), 0U);
  watches_.unwatch(at("a"));
  watches_.stop_waiting(at("a/new"));
  EXPECT_EQ(watches_.size(), 0U) << "twice is done too";
}

TEST_F(DirectoryWatchesTest, WaitingIsForTheNextComponentOfThePath) {
  watches_.wait_at(at("a"), at("a/x/y"));
  watches_.wait_at(at("a"), at("a/xy"));
  EXPECT_THAT(watches_.waiting(at("a"), "x"), ElementsAre(at("a/x/y")));
  EXPECT_THAT(watches_.waiting(at("a"), "xy"), ElementsAre(at("a/xy")));
  EXPECT_THAT(watches_.waiting(at("a"), "y"), IsEmpty());
  EXPECT_THAT(watches_.waiting(at("b"), "x"), IsEmpty());
}

TEST_F(DirectoryWatchesTest, AMissingDirectoryWaitsInOnePlace) {
  watches_.wait_at(at(""), at("a/x/y"));
  watches_.wait_at(at("a"), at("a/x/y"));
  EXPECT_THAT(watches_.waiting(at(""), "a"), IsEmpty());
  EXPECT_THAT(watches_.waiting(at("a"), "x"), ElementsAre(at("a/x/y")));
  EXPECT_EQ(files_.watch_count(), 1U);
}

TEST_F(DirectoryWatchesTest, WhatIsNotThereIsNotFound) {
  EXPECT_EQ(watches_.watch(at("none"), "prod", true), Result::kNotFound);
  EXPECT_EQ(watches_.wait_at(at("none"), at("none/x")), Result::kNotFound);
  EXPECT_EQ(watches_.size(), 0U);
}

TEST_F(DirectoryWatchesTest, TheKernelsLimitAndOtherErrorsAreToldApart) {
  files_.fail(FileVerb::kWatch, FileErrorKind::kWatchLimit);
  EXPECT_EQ(watches_.watch(at("a"), "prod", true), Result::kLimitReached);
  files_.fail(FileVerb::kWatch, FileErrorKind::kPermissionDenied);
  EXPECT_EQ(watches_.watch(at("a"), "prod", true), Result::kFailed);
  EXPECT_EQ(watches_.watch(at("a"), "prod", true), Result::kWatched);
}

TEST_F(DirectoryWatchesTest, ANamespacesSubdirectoriesTakeAtMostHalf) {
  EXPECT_EQ(watches_.watch(at("a"), "prod", false), Result::kWatched);
  EXPECT_EQ(watches_.watch(at("b"), "prod", false), Result::kLimitReached);
  EXPECT_EQ(watches_.watch(at("b"), "test", false), Result::kWatched);
  EXPECT_EQ(watches_.watch(at("c"), "prod", true), Result::kWatched) << "a watch dir itself";
}

TEST_F(DirectoryWatchesTest, AWatchDirTakesTheWatchOfASubdirectoryWhenNoneIsLeft) {
  watches_.watch(at("a"), "prod", false);
  watches_.watch(at("b"), "test", true);
  watches_.watch(at("c"), "test", true);
  EXPECT_EQ(watches_.watch(at("d"), "prod", true), Result::kWatched);
  EXPECT_EQ(watches_.take_evicted(), at("a"));
  EXPECT_EQ(watches_.take_evicted(), std::nullopt);
  EXPECT_FALSE(watches_.is_watched(at("a")));
  EXPECT_EQ(files_.watch_count(), 3U);
  files_.make_directory(kApps, "e");
  EXPECT_EQ(watches_.watch(at("e"), "prod", true), Result::kLimitReached)
      << "watch dirs do not displace each other";
}

TEST_F(DirectoryWatchesTest, AWatchThatTheKernelEndedSaysWhomItServed) {
  watches_.watch(at("a"), "prod", true);
  watches_.wait_at(at("a"), at("a/new"));
  const std::uint64_t id = id_of("a");
  EXPECT_THAT(watches_.ended(id), UnorderedElementsAre(at("a"), at("a/new")));
  EXPECT_THAT(watches_.ended(id), IsEmpty());
  EXPECT_FALSE(watches_.is_watched(at("a")));
  EXPECT_EQ(watches_.find(id), nullptr);
  // Its place in the namespace's half is free again.
  EXPECT_EQ(watches_.watch(at("b"), "prod", false), Result::kWatched);
}

}  // namespace
}  // namespace loglink
