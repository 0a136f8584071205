// What tenants, clocks and time itself do to the rules of a link's life.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;
using testing::SizeIs;
using namespace std::chrono_literals;

class AgentHostile : public testing::Test {
 protected:
  void write(const std::string& file) {
    world.files.write_file(kPods, in_empty_dir("web-0", file));
  }
  void rename(const std::string& from, const std::string& to) {
    world.files.rename(kPods, in_empty_dir("web-0", from), in_empty_dir("web-0", to));
  }
  void hard_link(const std::string& to, const std::string& existing) {
    world.files.make_hard_link(kPods, in_empty_dir("web-0", to), in_empty_dir("web-0", existing));
  }
  void desire_web(int max_depth = 1) {
    Source source = empty_dir_source("web-0");
    source.max_depth = max_depth;
    world.desire({source});
    world.settle();
  }
  void pass_days(int days) {
    for (int hour = 0; hour < days * 24; ++hour) {
      world.turn_clock(1h);
      world.settle();
    }
  }

  const std::string app_link = "web-0_prod_app-app.log";
  AgentWorld world;
};

TEST_F(AgentHostile, ARotatedFileThatStaysForWeeksIsNotSentAgain) {
  write("app.log");
  desire_web();
  rename("app.log", "app-2026-01-01.log");
  write("app.log");
  world.settle();
  pass_days(9);
  EXPECT_THAT(world.link_names(), ElementsAre(app_link));
  EXPECT_EQ(world.agent().memory().size(), 2U);
}

// It may have been moved there, and lines would be lost for good.
TEST_F(AgentHostile, AFileMovedOutOfADirectoryThatCannotBeReadIsLinkedWhenItGrows) {
  write("a/app.log");
  desire_web(2);
  ASSERT_THAT(world.link_names(), SizeIs(1));
  world.files.make_directory(kPods, in_empty_dir("web-0", "b"));
  rename("a/app.log", "b/moved.log");
  world.files.set_readable(kPods, in_empty_dir("web-0", "a"), false);
  world.files.lose_notices();
  world.pass(1min);
  EXPECT_EQ(world.links_to(in_empty_dir("web-0", "b/moved.log")), 0) << "it may be a rotated one";
  world.files.append(kPods, in_empty_dir("web-0", "b/moved.log"), 100);
  world.pass(3min);
  EXPECT_EQ(world.links_to(in_empty_dir("web-0", "b/moved.log")), 1);
}

TEST_F(AgentHostile, AFileMadeAnewWithTheInodeOfTheOldIsKnownWhenItIsRotated) {
  write("app.log");
  desire_web();
  const FileInfo old = *world.files.inspect(kPods, in_empty_dir("web-0", "app.log"));
  world.turn_clock(1s);
  world.files.remove(kPods, in_empty_dir("web-0", "app.log"));
  world.files.set_next_inode(old.id.inode);
  write("app.log");
  world.files.set_next_inode(10'000);
  ASSERT_EQ(world.files.inspect(kPods, in_empty_dir("web-0", "app.log"))->id, old.id);
  world.settle();  // one look shows both changes
  rename("app.log", "app-2026-01-01.log");
  write("app.log");
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre(app_link));
}

TEST_F(AgentHostile, AfterAWeekWithoutAnyChangeARotationIsStillOne) {
  write("app.log");
  desire_web();
  pass_days(9);
  rename("app.log", "app-2026-01-01.log");
  write("app.log");
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre(app_link));
}

TEST_F(AgentHostile, AWallClockThatJumpsAheadForgetsNoFileOfALivePod) {
  write("app.log");
  desire_web();
  rename("app.log", "app-2026-01-01.log");
  write("app.log");
  world.settle();
  world.now.wall += 30 * 24h;
  world.pass(2min);
  world.files.make_special(kPods, in_empty_dir("web-0", "fifo.log"), FileKind::kFifo);  // a plan
  world.pass(2min);
  EXPECT_THAT(world.link_names(), Not(Contains("web-0_prod_app-app-2026-01-01.log")));
}

TEST_F(AgentHostile, TheMemoryOfFilesOfPodsThatAreGoneStillEnds) {
  write("app.log");
  desire_web();
  ASSERT_EQ(world.agent().memory().size(), 1U);
  world.desire({});
  pass_days(9);
  EXPECT_EQ(world.agent().memory().size(), 0U);
}

// Apache's rotatelogs -L: a second name, moved on to the newest file by unlink and link.
TEST_F(AgentHostile, ADeletedNameOfAFileThatHasAnotherNameDoesNotMakeItNew) {
  write("log-1.log");
  hard_link("current.log", "log-1.log");
  desire_web();
  ASSERT_THAT(world.link_names(), ElementsAre("web-0_prod_app-current.log"));
  world.files.remove(kPods, in_empty_dir("web-0", "current.log"));
  write("log-2.log");
  hard_link("current.log", "log-2.log");
  world.pass(1min);
  EXPECT_THAT(world.link_names(), Not(Contains("web-0_prod_app-log-1.log")));
}

TEST_F(AgentHostile, StateThatCannotBeReadIsTold) {
  write("app.log");
  world.files.fail(FileVerb::kLoadState, FileErrorKind::kIo, 1, 2);
  desire_web();
  EXPECT_THAT(world.link_names(), ElementsAre(app_link));
  std::vector<std::string> messages;
  for (const LogNote& note : world.agent().take_notes()) messages.push_back(note.message);
  EXPECT_THAT(messages, Contains("state cannot be read, going on without it"));
}

TEST_F(AgentHostile, AFileTooDeepForASymlinkCostsOnlyItself) {
  std::string directory;
  for (int level = 0; level < 15; ++level) directory += std::string(254, 'd') + "/";
  const std::string deep = directory + std::string(240, 'f') + ".log";
  ASSERT_GT(pods_target(in_empty_dir("web-0", deep)).size(), kTargetBytesMax);
  write(deep);
  write("app.log");
  desire_web(16);
  EXPECT_THAT(world.link_names(), ElementsAre(app_link));
  EXPECT_EQ(world.reason("web-0"), "NameTooLong");
  EXPECT_EQ(world.ready_reason(), "");
  // And when an event shows it.
  write(directory + std::string(239, 'f') + ".log");
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre(app_link));
}

// Files in many directories, each below the bound of a scan.
TEST_F(AgentHostile, ASourceKeepsNoMoreEntriesThanOneScanMayReadOverAllItsDirectories) {
  world.options.config.limits.entries_per_scan = 50;
  for (int directory = 0; directory < 4; ++directory) {
    for (int file = 0; file < 40; ++file) {
      write("d" + std::to_string(directory) + "/f" + std::to_string(file) + ".log");
    }
  }
  world.files.write_file(kPods, in_empty_dir("good", "app.log"));
  Source source = empty_dir_source("web-0");
  source.max_depth = 2;
  world.desire({source, empty_dir_source("good")});
  world.settle();
  std::size_t kept = 0;
  for (const auto& [where, directory] : world.agent().scanner().observed()) {
    kept += directory.entries.size();
  }
  EXPECT_EQ(kept, 50U + 1U);
  EXPECT_THAT(world.link_names(), SizeIs(50 + 1));
  EXPECT_EQ(world.reason("web-0"), "TooManyFiles");
  EXPECT_EQ(world.reason("good"), "");
  // The others have their turn when there is room, though nothing changes in their directories.
  world.files.remove(kPods, in_empty_dir("web-0", "d0"));
  world.pass(2h);
  EXPECT_THAT(world.link_names(), SizeIs(50 + 1));
}

TEST_F(AgentHostile, ANamespaceThatAsksForTooManyScansDelaysNoOther) {
  world.options.config.limits.entries_per_scan = 100;
  for (int directory = 0; directory < 40; ++directory) {
    for (int file = 0; file < 60; ++file) {
      write("d" + std::to_string(directory) + "/f" + std::to_string(file) + ".txt");
    }
  }
  Source bad = empty_dir_source("web-0");
  bad.namespace_name = "bad";
  bad.max_depth = 2;
  world.files.make_directory(kPods, in_empty_dir("good", "."));
  world.desire({bad, empty_dir_source("good")});
  world.pass(1min);  // 2,400 entries are more than ten scans at once
  const int before = world.files.calls(FileVerb::kOpenDirectory);
  for (int round = 0; round < 20; ++round) {
    world.files.write_file(kPods, in_empty_dir("good", std::to_string(round) + ".log"));
    world.files.overflow();  // everything is dirty
    world.settle();
    EXPECT_THAT(world.link_names(), SizeIs(round + 1));
  }
  // Ten scans of 100 entries at once; 41 directories, twenty times, would be 820.
  EXPECT_LE(world.files.calls(FileVerb::kOpenDirectory) - before, 20 + 20);
  world.pass(1min);
  EXPECT_FALSE(world.agent().scanner().is_scanning());
}

}  // namespace
}  // namespace loglink
