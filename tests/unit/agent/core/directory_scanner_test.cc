#include "agent/core/directory_scanner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class DirectoryScannerTest : public testing::Test {
 protected:
  DirectoryScannerTest() {
    files_.add_root(kApps);
    config_.roots = {Root{kApps, "/data/apps", {"*"}, false}};
  }

  DirectoryScanner& scanner() {
    if (!scanner_) {
      scanner_.emplace(files_, config_, watch_limit_);
      scanner_->set_root(kApps, true);
    }
    return *scanner_;
  }
  void walk(std::vector<Source> sources) {
    NodeLinkSetSpec spec;
    spec.sources = std::move(sources);
    auto next = std::make_unique<SourceIndex>(spec, config_);
    scanner().set_sources(*next);
    index_ = std::move(next);
    settle();
  }
  static Source source(const std::string& path, int max_depth = 1) {
    Source made = host_source("web-0", path);
    made.max_depth = max_depth;
    return made;
  }
  void settle() {
    for (int i = 0; scanner().has_work(); ++i) {
      ASSERT_LT(i, 10000) << "the scanner never rests";
      scanner().scan_slice(now_);
    }
  }
  // What the kernel says; the files that may be linked at once.
  std::vector<std::string> take_notices() {
    std::vector<std::string> appeared;
    for (const FileNotice& notice : files_.take_notices(100000)) {
      if (const auto file = scanner().take(notice, now_)) appeared.push_back(file->name);
    }
    settle();
    return appeared;
  }
  void pass(Duration duration) {
    now_.monotonic = now_.monotonic + duration;
    now_.wall += duration;
    files_.set_time(now_.wall);
    if (scanner().next_wakeup() <= now_.monotonic) scanner().scan_slice(now_);
    settle();
  }
  void rescan() {
    scanner().rescan({});
    settle();
  }
  [[nodiscard]] const ObservedDirectory* seen(const std::string& path) const {
    const auto found = scanner_->observed().find({kApps, path});
    return found == scanner_->observed().end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<std::string> names_in(const std::string& path) const {
    std::vector<std::string> names;
    if (const ObservedDirectory* const directory = seen(path)) {
      for (const DirectoryEntry& entry : directory->entries) names.push_back(entry.name);
    }
    return names;
  }
  [[nodiscard]] std::vector<Reason> reasons(SourceId id = 0) const {
    std::vector<Reason> found;
    for (const DirectoryTrouble& trouble : scanner_->troubles(id)) found.push_back(trouble.reason);
    return found;
  }

  FakeFiles files_;
  AgentConfig config_;
  std::size_t watch_limit_ = 100;
  Now now_{MonotonicTime{std::chrono::hours(1)}, WallTime(seconds(1'700'000'000))};

 private:
  std::unique_ptr<SourceIndex> index_;
  std::optional<DirectoryScanner> scanner_;
};

TEST_F(DirectoryScannerTest, KnowsTheWantedEntriesOfEachDirectoryOfAWalk) {
  for (const char* path : {"a/1.log", "a/notes.txt", "a/b/2.log", "a/b/c/3.log"}) {
    files_.write_file(kApps, path);
  }
  walk({source("a", 2)});
  EXPECT_THAT(names_in("a"), ElementsAre("1.log"));
  EXPECT_THAT(names_in("a/b"), ElementsAre("2.log"));
  EXPECT_EQ(seen("a/b/c"), nullptr) << "below maxDepth";
  EXPECT_EQ(scanner().directory_count(), 2U);
  EXPECT_TRUE(scanner().take_changed());
  EXPECT_FALSE(scanner().take_changed());
  EXPECT_THAT(reasons(), IsEmpty());
}

TEST_F(DirectoryScannerTest, AFileThatAppearsIsHandedOutAtOnceAndKnown) {
  files_.make_directory(kApps, "a");
  walk({source("a")});
  files_.write_file(kApps, "a/new.log");
  files_.write_file(kApps, "a/new.txt");
  EXPECT_THAT(take_notices(), ElementsAre("new.log"));
  EXPECT_THAT(names_in("a"), ElementsAre("new.log"));
  files_.remove(kApps, "a/new.log");
  EXPECT_THAT(take_notices(), IsEmpty());
  EXPECT_THAT(names_in("a"), IsEmpty());
  EXPECT_THAT(scanner().take_deleted(), SizeIs(1)) << "its inode number may be used again";
  EXPECT_THAT(scanner().take_deleted(), IsEmpty());
}

TEST_F(DirectoryScannerTest, WhatIsNoRegularFileIsKnownButNeverHandedOut) {
  files_.make_directory(kApps, "a");
  walk({source("a")});
  scanner().take_changed();
  files_.make_symlink(kApps, "a/x.log");
  EXPECT_THAT(take_notices(), IsEmpty());
  EXPECT_THAT(names_in("a"), ElementsAre("x.log"));
  EXPECT_TRUE(scanner().take_changed());
}

TEST_F(DirectoryScannerTest, ATreeMadeAfterwardsIsWalkedToItsDepth) {
  files_.make_directory(kApps, "a");
  walk({source("a", 3)});
  files_.write_file(kApps, "a/b/c/deep.log");
  files_.write_file(kApps, "a/b/c/d/too-deep.log");
  for (int i = 0; i < 5; ++i) take_notices();
  EXPECT_THAT(names_in("a/b/c"), ElementsAre("deep.log"));
  EXPECT_EQ(seen("a/b/c/d"), nullptr);
  files_.remove(kApps, "a/b");
  take_notices();
  EXPECT_EQ(scanner().directory_count(), 1U) << "what is gone is forgotten";
  EXPECT_EQ(files_.watch_count(), 1U);
}

TEST_F(DirectoryScannerTest, ADirectoryThatIsNotThereYetIsWaitedForAtItsNearestParent) {
  walk({source("a/b/c")});
  ASSERT_NE(seen("a/b/c"), nullptr);
  EXPECT_EQ(seen("a/b/c")->knowledge, DirectoryKnowledge::kMissing);
  EXPECT_THAT(reasons(), ElementsAre(Reason::kDirectoryNotFound));
  files_.write_file(kApps, "a/b/c/f.log");
  for (int i = 0; i < 5; ++i) take_notices();
  EXPECT_THAT(names_in("a/b/c"), ElementsAre("f.log"));
  EXPECT_THAT(reasons(), IsEmpty());
  EXPECT_EQ(files_.watch_count(), 1U) << "nobody waits any more";
}

TEST_F(DirectoryScannerTest, EverythingIsFoundByRescansAlone) {
  files_.write_file(kApps, "a/1.log");
  walk({source("a", 2)});
  files_.set_notices(false);
  pass(seconds(10));
  files_.write_file(kApps, "a/2.log");
  files_.write_file(kApps, "a/b/3.log");
  rescan();
  rescan();
  EXPECT_THAT(names_in("a"), ElementsAre("1.log", "2.log"));
  EXPECT_THAT(names_in("a/b"), ElementsAre("3.log"));
}

TEST_F(DirectoryScannerTest, AQuietDirectoryCostsAStatAndOneThatJustChangedAListing) {
  files_.write_file(kApps, "a/1.log");
  walk({source("a")});
  const std::uint64_t listings = scanner().counters().listings;
  rescan();  // within the tick of a coarse clock: a later change may have the same time
  EXPECT_EQ(scanner().counters().listings, listings + 1);
  pass(seconds(10));
  rescan();  // dated the listing anew
  rescan();
  rescan();
  EXPECT_LE(scanner().counters().listings, listings + 2);
  EXPECT_EQ(scanner().counters().quiet_checks, 4U);
}

TEST_F(DirectoryScannerTest, AnUnreadableDirectoryIsUnknownNotEmptyAndTriedAgain) {
  files_.write_file(kApps, "a/1.log");
  files_.set_readable(kApps, "a", false);
  walk({source("a")});
  EXPECT_EQ(seen("a")->knowledge, DirectoryKnowledge::kUnknown);
  EXPECT_THAT(reasons(), ElementsAre(Reason::kPermissionDenied));
  files_.set_readable(kApps, "a", true);
  EXPECT_LE(scanner().next_wakeup(), now_.monotonic + seconds(1));
  pass(seconds(1));
  EXPECT_THAT(names_in("a"), ElementsAre("1.log"));
  EXPECT_THAT(reasons(), IsEmpty());
}

TEST_F(DirectoryScannerTest, AnEntryThatCannotBeAskedMayBeADirectoryAndItsSourceIsTold) {
  files_.write_file(kApps, "a/sub/1.log");
  files_.set_askable(kApps, "a/sub", false);
  walk({source("a", 2)});
  EXPECT_EQ(seen("a/sub"), nullptr);
  EXPECT_THAT(reasons(), ElementsAre(Reason::kReadError));
  walk({source("a", 1)});
  EXPECT_THAT(reasons(), IsEmpty()) << "it would not be entered";
  walk({source("a", 2)});
  files_.set_askable(kApps, "a/sub", true);
  (void)scanner().take_changed();
  rescan();
  EXPECT_TRUE(scanner().take_changed());
  EXPECT_THAT(names_in("a/sub"), ElementsAre("1.log"));
  EXPECT_THAT(reasons(), IsEmpty());
}

// It goes to the pod's owner.
TEST_F(DirectoryScannerTest, EachTroubleNamesTheDirectoryTheReasonAndTheCure) {
  for (const FileErrorKind kind :
       {FileErrorKind::kNotFound, FileErrorKind::kPermissionDenied, FileErrorKind::kNotADirectory,
        FileErrorKind::kSymlinkInPath, FileErrorKind::kCrossesMount, FileErrorKind::kNameTooLong,
        FileErrorKind::kTooManyOpenFiles, FileErrorKind::kUnsupported, FileErrorKind::kIo}) {
    files_.fail(FileVerb::kOpenDirectory, kind);
    walk({});
    walk({source("a/b")});
    const std::vector<DirectoryTrouble> troubles = scanner().troubles(0);
    ASSERT_THAT(troubles, SizeIs(1));
    EXPECT_EQ(troubles[0].example.rfind("a/b: ", 0), 0U) << troubles[0].example;
    EXPECT_NE(troubles[0].example.find("; "), std::string::npos) << troubles[0].example;
    files_.heal();
  }
}

TEST_F(DirectoryScannerTest, ARootThatCannotBeUsedIsUnknownInAllItsDirectories) {
  files_.write_file(kApps, "a/1.log");
  walk({source("a")});
  scanner().set_root(kApps, false);
  settle();
  EXPECT_EQ(seen("a")->knowledge, DirectoryKnowledge::kUnknown);
  EXPECT_EQ(files_.watch_count(), 0U) << "the watch is on the old mount";
  scanner().set_root(kApps, true);
  settle();
  EXPECT_THAT(names_in("a"), ElementsAre("1.log"));
}

TEST_F(DirectoryScannerTest, AFloodCostsItsSourceTheWatchAndBecomesALookASecond) {
  config_.limits.events_per_second = 1;
  config_.limits.event_burst = 10;
  files_.make_directory(kApps, "a");
  files_.make_directory(kApps, "b");
  Source other = source("b");
  other.pod = "web-1";
  walk({source("a"), other});
  for (int i = 0; i < 100; ++i) files_.write_file(kApps, "a/" + std::to_string(i) + ".log");
  EXPECT_LE(take_notices().size(), 10U);
  EXPECT_EQ(scanner().counters().watches_given_up, 1U);
  EXPECT_EQ(files_.watch_count(), 1U) << "the neighbour keeps its own";
  pass(seconds(1));
  EXPECT_THAT(names_in("a"), SizeIs(100));
  files_.write_file(kApps, "b/quiet.log");
  EXPECT_THAT(take_notices(), ElementsAre("quiet.log"));
  pass(minutes(1));
  pass(minutes(1));
  rescan();
  EXPECT_EQ(files_.watch_count(), 2U) << "quiet again";
}

TEST_F(DirectoryScannerTest, LimitsAreToldAndTheRestIsNotLookedAt) {
  config_.limits.entries_per_scan = 3;
  config_.limits.directories_per_source = 2;
  for (const char* path : {"a/1.log", "a/2.log", "a/3.log", "a/4.log"}) {
    files_.write_file(kApps, path);
  }
  for (const char* path : {"b/x/1.log", "b/y/1.log"}) files_.write_file(kApps, path);
  walk({source("a"), source("b", 2)});
  EXPECT_THAT(names_in("a"), SizeIs(3));
  EXPECT_TRUE(seen("a")->truncated);
  EXPECT_THAT(reasons(0), ElementsAre(Reason::kTooManyFiles));
  EXPECT_THAT(reasons(1), ElementsAre(Reason::kTooManySubdirectories));
  EXPECT_EQ(scanner().directory_count(), 3U);
}

TEST_F(DirectoryScannerTest, WithoutAWatchADirectoryIsKnownAllTheSame) {
  watch_limit_ = 1;
  files_.write_file(kApps, "a/1.log");
  files_.write_file(kApps, "b/2.log");
  walk({source("a"), source("b")});
  EXPECT_THAT(names_in("a"), ElementsAre("1.log"));
  EXPECT_THAT(names_in("b"), ElementsAre("2.log"));
  EXPECT_EQ(scanner().watch_count(), 1U);
  EXPECT_THAT(reasons(1), ElementsAre(Reason::kWatchLimitReached));
}

TEST_F(DirectoryScannerTest, AfterAnOverflowEverythingIsLookedAtAgain) {
  files_.make_directory(kApps, "a");
  walk({source("a")});
  files_.write_file(kApps, "a/lost.log");
  files_.overflow();
  EXPECT_THAT(take_notices(), IsEmpty());
  EXPECT_THAT(names_in("a"), ElementsAre("lost.log"));
}

TEST_F(DirectoryScannerTest, AnotherDirectoryUnderTheNameIsWatchedInsteadOfTheOldOne) {
  files_.write_file(kApps, "a/old.log");
  walk({source("a")});
  files_.lose_notices();
  files_.rename(kApps, "a", "away");
  files_.write_file(kApps, "a/new.log");
  files_.lose_notices();
  pass(seconds(10));
  rescan();
  EXPECT_THAT(names_in("a"), ElementsAre("new.log"));
  files_.write_file(kApps, "a/newer.log");
  EXPECT_THAT(take_notices(), ElementsAre("newer.log"));
}

TEST_F(DirectoryScannerTest, SourcesThatShareADirectoryKeepWhatIsKnownOfIt) {
  files_.write_file(kApps, "a/1.log");
  files_.write_file(kApps, "a/2.txt");
  walk({source("a")});
  const std::uint64_t listings = scanner().counters().listings;
  walk({source("a")});
  EXPECT_EQ(scanner().counters().listings, listings) << "nothing new is asked";
  Source texts = source("a");
  texts.pod = "web-1";
  texts.include = {"*.txt"};
  walk({source("a"), texts});
  EXPECT_THAT(names_in("a"), ElementsAre("1.log", "2.txt"));
  walk({});
  EXPECT_EQ(scanner().directory_count(), 0U);
  EXPECT_EQ(files_.watch_count(), 0U);
}

// Before anything was read anew.
TEST_F(DirectoryScannerTest, WhoseFilesMayBeUnseenIsSaidAtOnce) {
  for (const char* path : {"a/b/1.log", "c/1.log", "c/2.txt"}) files_.write_file(kApps, path);
  Source wider = source("c");
  walk({source("a/b"), source("missing"), wider});
  EXPECT_THAT(scanner().unseen_owners(), IsEmpty());

  wider.include.push_back("*.txt");
  NodeLinkSetSpec spec;
  spec.sources = {source("a/b"), wider, source("d")};
  const SourceIndex next(spec, config_);
  scanner().set_sources(next);
  EXPECT_THAT(scanner().unseen_owners(), ElementsAre(FileOwner(kApps, "c"), FileOwner(kApps, "d")));
  settle();
  EXPECT_THAT(scanner().unseen_owners(), IsEmpty());
  scanner().set_root(kApps, false);
  EXPECT_THAT(scanner().unseen_owners(), SizeIs(3));
  walk({});
  EXPECT_THAT(scanner().unseen_owners(), IsEmpty());
}

}  // namespace
}  // namespace loglink
