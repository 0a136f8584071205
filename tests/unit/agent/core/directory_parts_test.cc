// What DirectoryScanner is made of: reading in pieces, walks, and the words for troubles.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/core/directory_scan.h"
#include "agent/core/directory_trouble.h"
#include "agent/core/directory_walk.h"
#include "agent/core/file_port.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ListReader final : public DirectoryReader {
 public:
  explicit ListReader(std::vector<std::string> names) : names_(std::move(names)) {}
  FileExpected<void> read(std::size_t max_entries, std::vector<DirectoryEntry>& into) override {
    for (std::size_t i = 0; i < max_entries && next_ < names_.size(); ++i) {
      into.push_back({names_[next_++], {}});
    }
    return {};
  }

 private:
  std::vector<std::string> names_;
  std::size_t next_ = 0;
};

DirectoryScan scan_of(std::vector<std::string> names, std::size_t most) {
  return DirectoryScan({"apps", "d"}, {{}, std::make_unique<ListReader>(std::move(names))}, most);
}

std::vector<std::string> names_of(const std::vector<DirectoryEntry>& entries) {
  std::vector<std::string> names;
  for (const DirectoryEntry& entry : entries) names.push_back(entry.name);
  return names;
}

TEST(DirectoryScan, PiecesComeOutSortedEachNameOnce) {
  DirectoryScan scan = scan_of({"d", "b", "a", "c", "b"}, 10);
  EXPECT_EQ(*scan.read_piece(2), 2U);
  EXPECT_FALSE(scan.is_done());
  EXPECT_EQ(*scan.read_piece(2), 2U);
  EXPECT_EQ(*scan.read_piece(2), 1U);
  EXPECT_TRUE(scan.is_done());
  EXPECT_FALSE(scan.is_truncated());
  EXPECT_THAT(names_of(scan.take_entries()), ElementsAre("a", "b", "c", "d"));
}

TEST(DirectoryScan, EndsAtItsBoundAndSaysThatThereIsMore) {
  DirectoryScan exact = scan_of({"b", "a"}, 2);
  ASSERT_TRUE(exact.read_piece(10).has_value());
  EXPECT_TRUE(exact.is_done());
  EXPECT_FALSE(exact.is_truncated());
  DirectoryScan more = scan_of({"b", "a", "c", "d"}, 2);
  ASSERT_TRUE(more.read_piece(10).has_value());
  EXPECT_TRUE(more.is_done());
  EXPECT_TRUE(more.is_truncated());
  EXPECT_EQ(more.take_entries().size(), 2U);
}

TEST(DirectoryTrouble, WhatIsNotThereIsMissingAndWhatCannotBeReadIsUnknown) {
  EXPECT_EQ(knowledge_after(FileErrorKind::kNotFound), DirectoryKnowledge::kMissing);
  EXPECT_EQ(knowledge_after(FileErrorKind::kSymlinkInPath), DirectoryKnowledge::kMissing);
  EXPECT_EQ(knowledge_after(FileErrorKind::kPermissionDenied), DirectoryKnowledge::kUnknown);
  EXPECT_EQ(knowledge_after(FileErrorKind::kIo), DirectoryKnowledge::kUnknown);
}

TEST(DirectoryTrouble, EachSaysTheDirectoryAndTheReason) {
  const DirectoryTrouble denied = cannot_be_read("a/b", FileErrorKind::kPermissionDenied);
  EXPECT_EQ(denied.reason, Reason::kPermissionDenied);
  EXPECT_THAT(denied.example, HasSubstr("a/b: "));
  EXPECT_EQ(has_unknown_entry("a").reason, Reason::kReadError);
  EXPECT_EQ(is_not_watched("a").reason, Reason::kWatchLimitReached);
  EXPECT_THAT(has_too_many_files("a", 7).example, HasSubstr("more than 7 entries"));
  EXPECT_THAT(has_too_many_subdirectories("a", 7).example, HasSubstr("more than 7 directories"));
  EXPECT_EQ(describe(FileErrorKind::kNoSpace), "no space left");
}

TEST(DirectoryWalk, NeverGoesBeyondWhatIsKnownNorItsBound) {
  AgentConfig config;
  config.roots = {Root{"apps", "/apps", {"*"}, false}};
  NodeLinkSetSpec spec;
  Source source;
  source.namespace_name = "prod";
  source.pod = "web-0";
  source.uid = "uid-0";
  source.container = "app";
  source.root = "apps";
  source.path = "d";
  source.include = {"*.log"};
  source.max_depth = 2;
  spec.sources = {source};
  const SourceIndex sources(spec, config);
  const std::vector<std::string> below = {"x", "y", "z"};
  const KnownChildren children = [&](const Target& directory) {
    return directory.path == "d" ? &below : nullptr;
  };
  const DirectoryWalk all = walk_directories(sources, 0, 10, children);
  EXPECT_THAT(all.directories, ElementsAre(Target{"apps", "d"}, Target{"apps", "d/x"},
                                           Target{"apps", "d/y"}, Target{"apps", "d/z"}));
  EXPECT_FALSE(all.too_many);
  const DirectoryWalk cut = walk_directories(sources, 0, 2, children);
  EXPECT_THAT(cut.directories, ElementsAre(Target{"apps", "d"}, Target{"apps", "d/x"}));
  EXPECT_TRUE(cut.too_many);
}

}  // namespace
}  // namespace loglink
