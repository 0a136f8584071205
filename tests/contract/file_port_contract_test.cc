// The contract of FilePort, sentence by sentence, on every implementation.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>

#include "tests/contract/fake_file_world.h"
#include "tests/contract/file_world.h"
#include "tests/contract/node_file_world.h"

namespace loglink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using Kind = FileNotice::Kind;

const std::string kRoot = "apps";
constexpr std::size_t kPlenty = 1000;

class FilePortContract : public testing::TestWithParam<FileWorldKind> {
 protected:
  FilePort& port() { return world_->port(); }
  FileWorld& world() { return *world_; }

  FileErrorKind stat_error(const std::string& path) {
    const auto info = port().stat(kRoot, path);
    EXPECT_FALSE(info.has_value()) << path;
    return info ? FileErrorKind::kIo : info.error().kind;
  }
  // All entries by name, read in pieces of that size.
  std::map<std::string, FileInfo> entries(const std::string& path, std::size_t piece = kPlenty) {
    std::map<std::string, FileInfo> found;
    const auto opened = port().open_directory(kRoot, path);
    EXPECT_TRUE(opened.has_value()) << path;
    for (bool more = opened.has_value(); more;) {
      std::vector<DirectoryEntry> read;
      EXPECT_TRUE(opened->reader->read(piece, read).has_value());
      more = read.size() == piece;
      EXPECT_LE(read.size(), piece);
      for (const DirectoryEntry& entry : read) {
        EXPECT_TRUE(found.emplace(entry.name, entry.info).second) << entry.name << " came twice";
      }
    }
    return found;
  }
  std::vector<std::string> entry_names(const std::string& path, std::size_t piece = kPlenty) {
    std::vector<std::string> names;
    for (const auto& [name, info] : entries(path, piece)) names.push_back(name);
    return names;
  }
  FileErrorKind open_error(const std::string& path) {
    const auto opened = port().open_directory(kRoot, path);
    EXPECT_FALSE(opened.has_value()) << path;
    return opened ? FileErrorKind::kIo : opened.error().kind;
  }
  std::uint64_t must_watch(const std::string& path) {
    const auto watch = port().watch(kRoot, path);
    EXPECT_TRUE(watch.has_value()) << path;
    return watch.value_or(0);
  }
  std::vector<FileNotice> notices() { return port().take_notices(kPlenty); }
  std::string prefix() { return port().target_prefix(kRoot); }

  std::unique_ptr<FileWorld> world_ = GetParam().make();
};

// --- roots --------------------------------------------------------------------------------------

TEST_P(FilePortContract, ARootThatIsThereIsUsable) {
  EXPECT_EQ(port().check_root(kRoot), RootState::kUsable);
}

TEST_P(FilePortContract, ARootThatWentIsAbsentAndNothingIsFoundInIt) {
  world().write_file("app.log", "x");
  ASSERT_EQ(port().check_root(kRoot), RootState::kUsable);
  world().remove_root();
  EXPECT_EQ(port().check_root(kRoot), RootState::kAbsent);
  EXPECT_EQ(stat_error("app.log"), FileErrorKind::kNotFound);
}

TEST_P(FilePortContract, ARootThatNobodyConfiguredIsAbsent) {
  EXPECT_EQ(port().check_root("other"), RootState::kAbsent);
  EXPECT_EQ(port().target_prefix("other"), "");
  const auto info = port().stat("other", "app.log");
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(info.error().kind, FileErrorKind::kNotFound);
}

TEST_P(FilePortContract, ATargetPrefixIsAbsoluteAndEndsInASlash) {
  EXPECT_EQ(prefix().front(), '/');
  EXPECT_EQ(prefix().back(), '/');
}

TEST_P(FilePortContract, WhatTargetsStartWithIsOwned) {
  EXPECT_THAT(port().owned_prefixes(), Contains(prefix()));
}

// --- stat ---------------------------------------------------------------------------------------

TEST_P(FilePortContract, StatTellsKinds) {
  world().make_directory("d");
  world().write_file("d/app.log", "12345");
  world().make_fifo("d/pipe");
  const auto file = port().stat(kRoot, "d/app.log");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->kind, FileKind::kRegular);
  EXPECT_EQ(file->size, 5U);
  EXPECT_EQ(port().stat(kRoot, "d")->kind, FileKind::kDirectory);
  EXPECT_EQ(port().stat(kRoot, "d/pipe")->kind, FileKind::kFifo);
}

TEST_P(FilePortContract, TheEmptyPathIsTheRoot) {
  const auto info = port().stat(kRoot, "");
  ASSERT_TRUE(info.has_value());
  EXPECT_EQ(info->kind, FileKind::kDirectory);
}

TEST_P(FilePortContract, StatRefusesWhatIsNotThere) {
  world().write_file("app.log", "x");
  EXPECT_EQ(stat_error("other.log"), FileErrorKind::kNotFound);
  EXPECT_EQ(stat_error("no/app.log"), FileErrorKind::kNotFound);
  EXPECT_EQ(stat_error("app.log/x"), FileErrorKind::kNotADirectory);
}

TEST_P(FilePortContract, StatNeverFollowsASymlinkAnywhere) {
  world().make_directory("d");
  world().write_file("d/app.log", "x");
  world().make_symlink("last.log", "d/app.log");
  world().make_symlink("dangling.log", "nowhere");
  world().make_symlink("link", "d");
  EXPECT_EQ(stat_error("last.log"), FileErrorKind::kSymlinkInPath);
  EXPECT_EQ(stat_error("dangling.log"), FileErrorKind::kSymlinkInPath);
  EXPECT_EQ(stat_error("link/app.log"), FileErrorKind::kSymlinkInPath);
}

TEST_P(FilePortContract, StatNeverLeavesTheRoot) {
  EXPECT_EQ(stat_error("../links"), FileErrorKind::kCrossesMount);
  EXPECT_EQ(stat_error("/etc/hostname"), FileErrorKind::kCrossesMount);
}

TEST_P(FilePortContract, ANameThatIsTooLongIsAnErrorOfItsOwn) {
  EXPECT_EQ(stat_error(std::string(256, 'a')), FileErrorKind::kNameTooLong);
}

TEST_P(FilePortContract, AFileKeepsItsIdentityWhenItIsRenamed) {
  world().write_file("app.log", "x");
  const auto before = port().stat(kRoot, "app.log");
  world().rename("app.log", "app.log.1");
  world().write_file("app.log", "y");
  const auto moved = port().stat(kRoot, "app.log.1");
  const auto fresh = port().stat(kRoot, "app.log");
  ASSERT_TRUE(before && moved && fresh);
  EXPECT_EQ(moved->id, before->id);
  EXPECT_EQ(moved->birth_ns, before->birth_ns);
  EXPECT_NE(fresh->id, before->id);
}

TEST_P(FilePortContract, HardLinksAreOneFile) {
  world().write_file("a.log", "x");
  world().make_hard_link("b.log", "a.log");
  EXPECT_EQ(port().stat(kRoot, "a.log")->id, port().stat(kRoot, "b.log")->id);
}

TEST_P(FilePortContract, SizesGrow) {
  world().write_file("a.log", "123");
  world().append("a.log", "45");
  EXPECT_EQ(port().stat(kRoot, "a.log")->size, 5U);
}

// --- list ---------------------------------------------------------------------------------------

TEST_P(FilePortContract, EntriesAreSortedByBytesAndKnownByKind) {
  world().make_directory("d");
  for (const char* name : {"b.log", "B.log", "a.log", "a-b.log", "\xc3\xa4.log"}) {
    world().write_file(std::string("d/") + name, "x");
  }
  world().make_symlink("d/s.log", "a.log");
  world().make_fifo("d/pipe.log");
  world().make_directory("d/sub");
  EXPECT_THAT(entry_names("d"), ElementsAre("B.log", "a-b.log", "a.log", "b.log", "pipe.log",
                                            "s.log", "sub", "\xc3\xa4.log"));
  std::map<std::string, FileInfo> found = entries("d");
  EXPECT_EQ(found["a.log"], *port().stat(kRoot, "d/a.log"));
  EXPECT_EQ(found["pipe.log"].kind, FileKind::kFifo);
  EXPECT_EQ(found["s.log"].kind, FileKind::kSymlink);
  EXPECT_EQ(found["sub"].kind, FileKind::kDirectory);
  EXPECT_EQ(port().open_directory(kRoot, "d")->directory, *port().stat(kRoot, "d"));
}

TEST_P(FilePortContract, AnEmptyDirectoryHasNoEntries) {
  world().make_directory("d");
  EXPECT_THAT(entry_names("d"), IsEmpty());
}

TEST_P(FilePortContract, ADirectoryIsReadInPiecesOfAnySize) {
  for (int i = 0; i < 6; ++i) world().write_file(std::to_string(i) + ".log", "x");
  for (const std::size_t piece : {1U, 2U, 4U, 6U, 7U}) {
    EXPECT_EQ(entry_names("", piece).size(), 6U) << piece;
  }
  // At the end there is nothing more, however often one asks.
  const auto opened = port().open_directory(kRoot, "");
  std::vector<DirectoryEntry> read;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(opened->reader->read(4, read).has_value());
  EXPECT_EQ(read.size(), 6U);
}

TEST_P(FilePortContract, FilesThatComeAndGoBetweenPiecesHarmNothing) {
  for (int i = 0; i < 6; ++i) world().write_file(std::to_string(i) + ".log", "x");
  const auto opened = port().open_directory(kRoot, "");
  std::vector<DirectoryEntry> read;
  ASSERT_TRUE(opened->reader->read(2, read).has_value());
  for (int i = 0; i < 6; ++i) world().remove(std::to_string(i) + ".log");
  world().write_file("new.log", "x");
  ASSERT_TRUE(opened->reader->read(kPlenty, read).has_value());
  EXPECT_GE(read.size(), 2U);
  EXPECT_LE(read.size(), 7U);
}

TEST_P(FilePortContract, OnlyDirectoriesAreListed) {
  world().write_file("app.log", "x");
  world().make_directory("d");
  world().make_symlink("link", "d");
  EXPECT_EQ(open_error("app.log"), FileErrorKind::kNotADirectory);
  EXPECT_EQ(open_error("link"), FileErrorKind::kSymlinkInPath);
  EXPECT_EQ(open_error("none"), FileErrorKind::kNotFound);
}

// --- links --------------------------------------------------------------------------------------

TEST_P(FilePortContract, ALinkIsMadeReadListedAndRemoved) {
  const std::string target = prefix() + "app.log";
  EXPECT_THAT(*port().list_links(), IsEmpty());
  ASSERT_TRUE(port().make_link("a.log", target).has_value());
  const LinkEntry entry{"a.log", true, target};
  EXPECT_EQ(*port().read_link("a.log"), entry);
  EXPECT_THAT(*port().list_links(), ElementsAre(entry));
  ASSERT_TRUE(port().remove_link("a.log", target).has_value());
  EXPECT_THAT(*port().list_links(), IsEmpty());
  EXPECT_EQ(port().read_link("a.log").error().kind, FileErrorKind::kNotFound);
}

TEST_P(FilePortContract, LinksAreListedByBytesWithForeignEntriesAndWithoutTheMarker) {
  world().put_foreign_file("m.log");
  world().put_foreign_link("z.log", "/elsewhere");
  ASSERT_TRUE(port().make_link("b.log", prefix() + "b").has_value());
  ASSERT_TRUE(port().make_link("a.log", prefix() + "a").has_value());
  EXPECT_THAT(*port().list_links(),
              ElementsAre(LinkEntry{"a.log", true, prefix() + "a"},
                          LinkEntry{"b.log", true, prefix() + "b"}, LinkEntry{"m.log", false, ""},
                          LinkEntry{"z.log", true, "/elsewhere"}));
  EXPECT_EQ(*port().read_link("m.log"), (LinkEntry{"m.log", false, ""}));
}

TEST_P(FilePortContract, ATakenNameIsNeverOverwritten) {
  world().put_foreign_file("file.log");
  world().put_foreign_link("link.log", "/elsewhere");
  ASSERT_TRUE(port().make_link("own.log", prefix() + "a").has_value());
  for (const char* name : {"file.log", "link.log", "own.log"}) {
    const auto made = port().make_link(name, prefix() + "b");
    ASSERT_FALSE(made.has_value()) << name;
    EXPECT_EQ(made.error().kind, FileErrorKind::kAlreadyExists) << name;
  }
  EXPECT_EQ(port().read_link("own.log")->target, prefix() + "a");
}

TEST_P(FilePortContract, RemovingAnAbsentLinkIsDone) {
  EXPECT_TRUE(port().remove_link("none.log", prefix() + "a").has_value());
}

TEST_P(FilePortContract, OnlyTheLinkThatWasMeantIsRemovedOrReplaced) {
  world().put_foreign_file("file.log");
  world().put_foreign_link("link.log", "/elsewhere");
  for (const char* name : {"file.log", "link.log"}) {
    const auto removed = port().remove_link(name, prefix() + "a");
    ASSERT_FALSE(removed.has_value()) << name;
    EXPECT_EQ(removed.error().kind, FileErrorKind::kNotOurs) << name;
    const auto replaced = port().replace_link(name, prefix() + "a", prefix() + "b");
    ASSERT_FALSE(replaced.has_value()) << name;
    EXPECT_EQ(replaced.error().kind, FileErrorKind::kNotOurs) << name;
  }
  const auto absent = port().replace_link("none.log", prefix() + "a", prefix() + "b");
  ASSERT_FALSE(absent.has_value());
  EXPECT_EQ(absent.error().kind, FileErrorKind::kNotOurs);
  EXPECT_THAT(*port().list_links(), ElementsAre(LinkEntry{"file.log", false, ""},
                                                LinkEntry{"link.log", true, "/elsewhere"}));
}

TEST_P(FilePortContract, AReplacedLinkHasTheNewTargetAndLeavesNothingBehind) {
  ASSERT_TRUE(port().make_link("a.log", prefix() + "old").has_value());
  ASSERT_TRUE(port().replace_link("a.log", prefix() + "old", prefix() + "new").has_value());
  EXPECT_THAT(*port().list_links(), ElementsAre(LinkEntry{"a.log", true, prefix() + "new"}));
}

TEST_P(FilePortContract, LinksOutliveTheAgent) {
  ASSERT_TRUE(port().make_link("a.log", prefix() + "a").has_value());
  world().restart_port();
  EXPECT_THAT(*port().list_links(), ElementsAre(LinkEntry{"a.log", true, prefix() + "a"}));
}

TEST_P(FilePortContract, TheVersionOfTheLinkDirectoryFollowsItsChanges) {
  const auto before = port().link_directory_version();
  ASSERT_TRUE(before.has_value());
  EXPECT_EQ(*port().link_directory_version(), *before);
  // Coarse clocks: changes within one tick may look alike.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (*port().link_directory_version() == *before) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    world().put_foreign_file("x");
    world().remove_from_link_directory("x");
  }
}

// --- watches ------------------------------------------------------------------------------------

TEST_P(FilePortContract, AWatchTellsNewMovedAndDeletedNames) {
  world().make_directory("d");
  world().make_directory("e");
  const std::uint64_t watch = must_watch("d");
  world().write_file("d/a.log", "x");
  world().rename("d/a.log", "e/a.log");
  world().rename("e/a.log", "d/b.log");
  world().remove("d/b.log");
  EXPECT_THAT(notices(), ElementsAre(FileNotice{Kind::kEntry, watch, "a.log"},
                                     FileNotice{Kind::kEntry, watch, "a.log"},
                                     FileNotice{Kind::kEntry, watch, "b.log"},
                                     FileNotice{Kind::kEntryDeleted, watch, "b.log"}));
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_P(FilePortContract, AWriterIsNoNotice) {
  world().write_file("a.log", "x");
  must_watch("");
  world().append("a.log", "y");
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_P(FilePortContract, ADirectoryThatWentEndsItsWatchOnce) {
  world().make_directory("d");
  world().make_directory("e");
  const std::uint64_t removed = must_watch("d");
  const std::uint64_t moved = must_watch("e");
  world().remove("d");
  world().rename("e", "f");
  EXPECT_THAT(notices(), ElementsAre(FileNotice{Kind::kDirectoryGone, removed, ""},
                                     FileNotice{Kind::kDirectoryGone, moved, ""}));
  world().write_file("f/a.log", "x");
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_P(FilePortContract, TwoWatchesOfOneDirectoryAreGivenBackOneByOne) {
  world().make_directory("d");
  const std::uint64_t first = must_watch("d");
  const std::uint64_t second = must_watch("d");
  EXPECT_NE(first, second);
  port().unwatch(first);
  world().write_file("d/a.log", "x");
  EXPECT_THAT(notices(), ElementsAre(FileNotice{Kind::kEntry, second, "a.log"}));
  port().unwatch(second);
  world().write_file("d/b.log", "x");
  EXPECT_THAT(notices(), IsEmpty());
}

TEST_P(FilePortContract, AWatchThatWasGivenBackIsSilentAboutWhatIsQueued) {
  const std::uint64_t watch = must_watch("");
  world().write_file("a.log", "x");
  port().unwatch(watch);
  EXPECT_THAT(notices(), IsEmpty());
  port().unwatch(watch);  // twice is once
}

TEST_P(FilePortContract, OnlyDirectoriesAreWatched) {
  world().write_file("a.log", "x");
  world().make_directory("d");
  world().make_symlink("link", "d");
  EXPECT_EQ(port().watch(kRoot, "none").error().kind, FileErrorKind::kNotFound);
  EXPECT_EQ(port().watch(kRoot, "link").error().kind, FileErrorKind::kSymlinkInPath);
  EXPECT_EQ(port().watch(kRoot, "a.log").error().kind, FileErrorKind::kNotADirectory);
}

TEST_P(FilePortContract, NoMoreNoticesThanAskedFor) {
  const std::uint64_t watch = must_watch("");
  for (const char* name : {"a", "b", "c"}) world().write_file(name, "x");
  EXPECT_THAT(port().take_notices(2), ElementsAre(FileNotice{Kind::kEntry, watch, "a"},
                                                  FileNotice{Kind::kEntry, watch, "b"}));
  EXPECT_THAT(port().take_notices(2), ElementsAre(FileNotice{Kind::kEntry, watch, "c"}));
}

TEST_P(FilePortContract, AChangeInTheLinkDirectoryIsNoticed) {
  (void)notices();
  world().put_foreign_file("x.log");
  EXPECT_THAT(notices(), Contains(FileNotice{Kind::kLinkDirectory, 0, "x.log"}));
  world().remove_from_link_directory("x.log");
  EXPECT_THAT(notices(), Contains(FileNotice{Kind::kLinkDirectory, 0, "x.log"}));
  EXPECT_THAT(notices(), Not(Contains(FileNotice{Kind::kLinkDirectory, 0, "x.log"})));
}

// --- state --------------------------------------------------------------------------------------

TEST_P(FilePortContract, StateThatWasNeverWrittenIsAbsent) {
  const auto loaded = port().load_state("desired.json");
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(*loaded, std::nullopt);
}

TEST_P(FilePortContract, TheLastStateOfANameWinsAndOutlivesTheAgent) {
  for (int i = 0; i < 20; ++i) port().store_state("desired.json", std::to_string(i));
  port().store_state("inodes.json", std::string("a\0b", 3));
  EXPECT_EQ(**port().load_state("desired.json"), "19");
  world().restart_port();
  EXPECT_EQ(**port().load_state("desired.json"), "19");
  EXPECT_EQ(**port().load_state("inodes.json"), std::string("a\0b", 3));
}

INSTANTIATE_TEST_SUITE_P(
    Worlds, FilePortContract,
    testing::Values(FileWorldKind{"NodeFiles", [] { return std::make_unique<NodeFileWorld>(); }},
                    FileWorldKind{"FakeFiles", [] { return std::make_unique<FakeFileWorld>(); }}),
    [](const testing::TestParamInfo<FileWorldKind>& kind) { return kind.param.name; });

}  // namespace
}  // namespace loglink
