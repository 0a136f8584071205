// What a plan decided because a file was gone is looked at once more before it is carried out.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using namespace std::chrono_literals;

class AgentLastLook : public OneWebPod {};

// A process that is stopped, or whose machine stands still, goes on with what it knew before.
TEST_F(AgentLastLook, ALinkWhoseTargetCameBackWhileTheProcessStoodStillIsKept) {
  write("a.log");
  write("b.log");
  desire_web();
  remove("a.log");
  remove("b.log");
  world.pass(10s);
  world.pass(59min);
  const std::uint64_t changes = world.files.link_changes();
  world.turn_clock(50s);
  write("a.log");
  world.files.lose_notices();
  world.turn_clock(9s);
  world.pass(5min);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  EXPECT_EQ(world.files.link_changes(), changes + 1);
}

TEST_F(AgentLastLook, TheGraceOfAMissingTargetBeginsAnewWhereTheProcessStoodStill) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(10s);
  world.turn_clock(90min);
  write("a.log");
  world.turn_clock(90min);
  remove("a.log");
  world.pass(59min);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  world.pass(2min);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentLastLook, ALinkIsKeptWhereItCannotBeSeenThatItsTargetIsStillGone) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(59min + 10s);
  world.turn_clock(55s);
  world.files.fail(FileVerb::kStat, FileErrorKind::kIo, 1, 1000);
  world.agent().step(world.now);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  world.files.heal();
  world.pass(2h);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentLastLook, ANameWhoseOldTargetCameBackWhileTheProcessStoodStillIsNotRePointed) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(10s);
  world.turn_clock(10min);
  write("a.log");
  world.files.lose_notices();
  Source again = empty_dir_source("web-0");
  again.uid = "uid-new";
  again.path = "uid-new/volumes/kubernetes.io~empty-dir/logs";
  world.files.write_file(kPods, again.path + "/a.log");
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall + 5min), again});
  world.pass(10s);
  EXPECT_EQ(world.target(a_link), pods_target(in_empty_dir("web-0", "a.log")));
  world.pass(10min);
  EXPECT_EQ(world.target(a_link), pods_target(again.path + "/a.log"));
}

// Without a notice only a rescan would show it, and a collector would read the file from its begin
// once more when its link is made anew.
TEST_F(AgentLastLook, AFileThatIsMadeAnewJustBeforeItsLinkWouldGoKeepsIt) {
  world.options.config.rescan_interval = 10min;
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(59min + 59s);
  const std::uint64_t changes = world.files.link_changes();
  write("a.log");
  world.files.lose_notices();
  world.pass(2s);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  world.pass(3h);
  EXPECT_EQ(world.files.link_changes(), changes);
  EXPECT_EQ(world.reason("web-0"), "");
  // And gone again it has its hour again.
  remove("a.log");
  world.pass(59min);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  world.pass(2min);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentLastLook, ATargetThatCannotBeAskedAtTheLastMomentKeepsItsLink) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(59min);
  world.files.fail(FileVerb::kStat, FileErrorKind::kIo, 1, 1000);
  world.pass(2min);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  world.files.heal();
  world.pass(2h);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

// More links go than a step removes; the last of their files comes back in the midst, and is told.
TEST_F(AgentLastLook, AFileThatComesBackWhileItsLinkWaitsToBeRemovedKeepsIt) {
  world.options.config.rescan_interval = 10min;
  for (int i = 0; i < 300; ++i) write(std::to_string(100 + i) + ".log");
  desire_web();
  ASSERT_THAT(world.link_names(), SizeIs(300));
  for (int i = 0; i < 300; ++i) remove(std::to_string(100 + i) + ".log");
  world.pass(59min + 59s);
  world.turn_clock(2s);
  const std::uint64_t changes = world.files.link_changes();
  ASSERT_TRUE(world.agent().step(world.now));
  ASSERT_THAT(world.link_names(), SizeIs(300 - 128));
  world.turn_clock(100ms);  // so much has the plan cost: the next one has to wait
  write("399.log");
  world.settle();
  world.pass(1min);
  EXPECT_THAT(world.link_names(), ElementsAre("web-0_prod_app-399.log"));
  EXPECT_EQ(world.files.link_changes(), changes + 299);
}

// A newcomer of the same plan had the place of the link that was to go.
TEST_F(AgentLastLook, ALinkThatStaysAfterAllLeavesNoPlaceBeyondTheLimit) {
  world.options.config.limits.links_per_source = 1;
  world.options.config.rescan_interval = 10min;
  world.restart();
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(59min + 59s);
  write("b.log");
  world.pass(500ms);
  ASSERT_THAT(world.link_names(), ElementsAre(a_link));
  world.turn_clock(2s);
  write("a.log");
  world.files.lose_notices();
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  world.pass(1min);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
}

TEST_F(AgentLastLook, ANameIsNotRePointedWhenItsOldTargetIsBackAtTheLastMoment) {
  write("a.log");
  write("b.log");
  desire_web();
  Source anew = empty_dir_source("web-0");
  anew.uid = "uid-new";
  anew.path = "uid-new/volumes/kubernetes.io~empty-dir/logs";
  for (const char* file : {"a.log", "b.log"}) {
    world.files.write_file(kPods, anew.path + "/" + file);
    remove(file);
  }
  bool is_first = true;
  world.files.set_before_change([&] {
    if (std::exchange(is_first, false)) write("b.log");
  });
  world.desire({anew});
  world.pass(1min);
  EXPECT_FALSE(is_first);
  EXPECT_EQ(world.target(a_link), pods_target(anew.path + "/a.log"));
  EXPECT_EQ(world.target("web-0_prod_app-b.log"), pods_target(in_empty_dir("web-0", "b.log")));
  // At the end of its time it is.
  world.pass(10min);
  EXPECT_EQ(world.target("web-0_prod_app-b.log"), pods_target(anew.path + "/b.log"));
}

// A process that only waits for a processor has not stood still, be its rescans ever so frequent.
TEST_F(AgentLastLook, AShortPauseDoesNotBeginTheGraceAnew) {
  world.options.config.rescan_interval = 1s;
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(10s);
  for (int i = 0; i < 450; ++i) {
    world.turn_clock(9s);
    world.settle();
  }
  EXPECT_THAT(world.link_names(), IsEmpty());
}

}  // namespace
}  // namespace loglink
