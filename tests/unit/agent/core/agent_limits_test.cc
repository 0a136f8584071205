// Limits, full disks and what is counted: what one tenant's files cost its neighbours, and what is
// told of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

class AgentLimitsTest : public OneWebPod {};

TEST_F(AgentLimitsTest, ASourceThatFloodsLosesItsWatchAndIsLookedAtOnceASecond) {
  world.options.config.limits.event_burst = 10;
  world.options.config.limits.events_per_second = 1;
  write("a.log");
  world.desire({empty_dir_source("web-0"), empty_dir_source("web-1")});
  world.settle();
  for (int i = 0; i < 50; ++i) write(std::to_string(i) + ".txt");
  write("b.log");
  world.settle();
  EXPECT_EQ(world.agent().scanner().counters().watches_given_up, 1U);
  world.pass(1100ms);
  EXPECT_THAT(world.link_names(), Contains("web-0_prod_app-b.log"));
  const int listings = world.files.calls(FileVerb::kOpenDirectory);
  world.pass(5s);  // quiet: watched again
  EXPECT_LE(world.files.calls(FileVerb::kOpenDirectory), listings + 2);
  write("c.log");
  world.settle();
  EXPECT_THAT(world.link_names(), Contains("web-0_prod_app-c.log"));
}

TEST_F(AgentLimitsTest, LimitsAreToldAndEachSourceKeepsItsTen) {
  world.options.config.limits.links_per_namespace = 20;
  Source greedy = empty_dir_source("greedy");
  greedy.since = WallTime(1s);
  for (int i = 100; i < 140; ++i) {
    world.files.write_file(kPods, in_empty_dir("greedy", std::to_string(i) + ".log"));
    write(std::to_string(i) + ".log");
  }
  world.desire({greedy, empty_dir_source("web-0")});
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(30));
  EXPECT_EQ(world.reason("greedy"), "LinkLimitReached");
  EXPECT_EQ(world.reason("web-0"), "LinkLimitReached");
  const std::set<std::string> before = world.link_names();
  world.pass(5min);
  EXPECT_EQ(world.link_names(), before);
}

TEST_F(AgentLimitsTest, MoreEntriesOrDirectoriesThanALimitAreTold) {
  world.options.config.limits.entries_per_scan = 5;
  world.options.config.limits.directories_per_source = 2;
  for (int i = 0; i < 8; ++i) write(std::to_string(i) + ".log");
  Source deep = empty_dir_source("web-1");
  deep.max_depth = 2;
  for (const char* sub : {"x", "y", "z"}) {
    world.files.write_file(kPods, in_empty_dir("web-1", std::string(sub) + "/a.log"));
  }
  world.desire({empty_dir_source("web-0"), deep});
  world.settle();
  EXPECT_EQ(world.reason("web-0"), "TooManyFiles");
  EXPECT_EQ(world.reason("web-1"), "TooManySubdirectories");
}

TEST_F(AgentLimitsTest, WithoutWatchesDirectoriesArePolledAndTheStatusSaysSo) {
  world.options.watch_limit = 1;
  write("a.log");
  world.files.write_file(kPods, in_empty_dir("web-1", "a.log"));
  world.desire({empty_dir_source("web-0"), empty_dir_source("web-1")});
  world.settle();
  EXPECT_EQ(world.reason("web-1"), "WatchLimitReached");
  EXPECT_EQ(world.files.watch_count(), 1U);
  world.files.write_file(kPods, in_empty_dir("web-1", "b.log"));
  world.pass(34s);
  EXPECT_THAT(world.link_names(), SizeIs(3));
}

TEST_F(AgentLimitsTest, AFullDiskIsAConditionThatGoesWhenThereIsRoom) {
  write("a.log");
  world.files.fail(FileVerb::kMakeLink, FileErrorKind::kNoSpace, 1, 3);
  desire_web();
  EXPECT_EQ(world.ready_reason(), "DiskFull");
  world.pass(20s);
  EXPECT_EQ(world.ready_reason(), "");
  EXPECT_THAT(world.link_names(), SizeIs(1));
}

TEST_F(AgentLimitsTest, LinksThatAStrangerTakesAwayAreCountedAndOurOwnRemovalsAreNot) {
  write("a.log");
  write("b.log");
  desire_web();
  const auto warnings = [&] {
    const std::vector<LogNote> notes = world.agent().take_notes();
    return std::count_if(notes.begin(), notes.end(), [](const LogNote& note) {
      return note.message.starts_with("links were taken away by somebody else");
    });
  };
  EXPECT_EQ(warnings(), 0);
  world.files.remove_entry(a_link);
  world.settle();
  EXPECT_EQ(world.agent().counters().links_lost, 1U);
  EXPECT_EQ(warnings(), 1) << "told by a notice";
  world.files.remove_entry(a_link);
  world.files.lose_notices();
  world.pass(40s);
  EXPECT_EQ(world.agent().counters().links_lost, 2U);
  EXPECT_EQ(warnings(), 1) << "found by a rescan";
  EXPECT_EQ(world.link_names().count(a_link), 1U);
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall)});
  world.pass(10min);
  EXPECT_THAT(world.link_names(), IsEmpty());
  EXPECT_EQ(world.agent().counters().links_lost, 2U);
  EXPECT_EQ(warnings(), 0);
}

TEST_F(AgentLimitsTest, AnAnswerAboutTheOldSetClaimsNoLinkThatHasGoneMeanwhile) {
  write("a.log");
  desire_web();
  std::vector<Source> sources = {withdrawn(empty_dir_source("web-0"), world.now.wall)};
  world.desire(sources);
  world.pass(10s);
  for (int i = 0; i < 200; ++i) {
    const std::string directory = "shop-" + std::to_string(i);
    world.files.write_file(kApps, directory + "/a.txt");
    sources.push_back(host_source("web-1", directory));
  }
  world.desire(sources);
  world.turn_clock(10min);
  int steps = 0;
  for (bool more = true; more; ++steps) {
    more = world.agent().step(world.now);
    const NodeLinkSetStatus status = world.agent().status(world.now);
    const int there = static_cast<int>(world.link_names().size());
    ASSERT_LE(status.links, there) << "after step " << steps;
    for (const PodLinks& pod : status.pods) ASSERT_LE(pod.links, there) << "after step " << steps;
  }
  EXPECT_GT(steps, 1);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentLimitsTest, FilesThatNeedNoLinkAreCountedByWhy) {
  write("a.log");
  desire_web();
  rename("a.log", "a-2026.log");
  write("a.log");
  world.files.make_hard_link(kPods, in_empty_dir("web-0", "b.log"), in_empty_dir("web-0", "a.log"));
  world.pass(40s);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  EXPECT_EQ(world.agent().skips().at(Reason::kRotated), 1);
  EXPECT_EQ(world.agent().skips().at(Reason::kAlreadyLinked), 1);
}

TEST_F(AgentLimitsTest, RoomThatARemovedLinkLeavesOnAFullDiskIsUsedWithinASecond) {
  write("a.log");
  desire_web();
  write("b.log");
  world.files.fail(FileVerb::kMakeLink, FileErrorKind::kNoSpace, 1, 1000);
  world.pass(155s);  // by now it tries every thirty seconds
  ASSERT_THAT(world.link_names(), ElementsAre(a_link));
  Source gone = withdrawn(empty_dir_source("web-0"), world.now.wall);
  gone.required_features = {std::string(names::kFeatureRemoveNow)};
  world.files.write_file(kPods, in_empty_dir("web-1", "c.log"));
  world.desire({gone, empty_dir_source("web-1")});
  world.settle();
  ASSERT_THAT(world.link_names(), IsEmpty());
  world.files.heal();
  world.pass(1100ms);
  EXPECT_THAT(world.link_names(), ElementsAre("web-1_prod_app-c.log"));
}

TEST_F(AgentLimitsTest, LinksThatANarrowedPatternLeavesAreCountedUntilTheyGo) {
  write("a.log");
  write("b.log");
  desire_web();
  Source narrowed = empty_dir_source("web-0");
  narrowed.include = {"b*"};
  world.desire({narrowed});
  world.pass(10s);
  const auto links = [&] { return world.agent().status(world.now).pods.at(0).links; };
  EXPECT_THAT(world.link_names(), SizeIs(2));
  EXPECT_EQ(links(), 2);
  world.pass(6min);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  EXPECT_EQ(links(), 1);
}

TEST_F(AgentLimitsTest, APodThatChangesItsPatternsStaysWithinItsLimits) {
  AgentLimits& limits = world.options.config.limits;
  limits.links_per_source = limits.links_per_pod = 10;
  limits.links_per_namespace = 30;
  limits.links_per_node = 60;
  const std::string letters = "abcdefgh";
  for (const char letter : letters) {
    for (int i = 0; i < 20; ++i) write(letter + std::to_string(i) + ".log");
  }
  for (const char letter : letters) {
    Source source = empty_dir_source("web-0");
    source.include = {std::string(1, letter) + "*"};
    world.desire({source});
    world.pass(2s);
  }
  EXPECT_THAT(world.link_names(), SizeIs(10));
  // The same with directories: their sources are gone, and so is what they would count for.
  for (const char letter : letters) {
    Source source = empty_dir_source("web-0", std::string(1, letter));
    for (int i = 0; i < 20; ++i) {
      world.files.write_file(kPods, source.path + "/" + letter + std::to_string(i) + ".log");
    }
    world.desire({source});
    world.pass(2s);
  }
  EXPECT_THAT(world.link_names(), SizeIs(10));
  world.pass(10min);
  EXPECT_THAT(world.link_names(), Contains(HasSubstr("web-0_prod_app-h")));
  EXPECT_THAT(world.link_names(), SizeIs(10));
}

}  // namespace
}  // namespace loglink
