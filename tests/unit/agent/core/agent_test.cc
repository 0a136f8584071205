// What the agent does, from desired set and files to links and status.
#include "agent/core/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

class AgentTest : public testing::Test {
 protected:
  void write(const std::string& pod, const std::string& file) {
    world.files.write_file(kPods, in_empty_dir(pod, file));
  }

  AgentWorld world;
};

TEST_F(AgentTest, FilesThatAreThereAreLinked) {
  write("web-0", "access.log");
  write("web-0", "access.txt");
  world.desire({empty_dir_source("web-0")});
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre("web-0_prod_app-access.log"));
  EXPECT_EQ(world.target("web-0_prod_app-access.log"),
            pods_target(in_empty_dir("web-0", "access.log")));
  const NodeLinkSetStatus status = world.agent().status(world.now);
  EXPECT_EQ(status.observed_generation, 1);
  EXPECT_EQ(status.links, 1);
  EXPECT_EQ(status.pod_count, 1);
  EXPECT_THAT(status.pods, ElementsAre(PodLinks{"prod", "web-0", "uid-web-0", 1, 0, "", ""}));
  EXPECT_EQ(world.ready_reason(), "");
}

TEST_F(AgentTest, ANewFileIsLinkedByOneStatAndOneLink) {
  write("web-0", "a.log");
  world.desire({empty_dir_source("web-0")});
  world.settle();
  const int listings = world.files.calls(FileVerb::kOpenDirectory);
  const int stats = world.files.calls(FileVerb::kStat);
  const std::uint64_t plans = world.agent().counters().plans;
  write("web-0", "b.log");
  world.settle();
  EXPECT_THAT(world.link_names(), Contains("web-0_prod_app-b.log"));
  EXPECT_EQ(world.files.calls(FileVerb::kStat), stats + 1);
  EXPECT_EQ(world.files.calls(FileVerb::kOpenDirectory), listings);
  EXPECT_EQ(world.agent().counters().plans, plans);
  EXPECT_EQ(world.agent().status(world.now).links, 2);
}

TEST_F(AgentTest, ADirectoryThatIsMadeLaterIsFound) {
  world.desire({empty_dir_source("web-0")});
  world.settle();
  EXPECT_EQ(world.reason("web-0"), "DirectoryNotFound");
  write("web-0", "a.log");  // with all its parents
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre("web-0_prod_app-a.log"));
  EXPECT_EQ(world.reason("web-0"), "");
}

TEST_F(AgentTest, LinksOfAnEarlierRunAreAdoptedUntouched) {
  write("web-0", "a.log");
  world.desire({empty_dir_source("web-0")});
  world.settle();
  const std::uint64_t changes = world.files.link_changes();
  world.restart();
  world.desire({empty_dir_source("web-0")});
  world.settle();
  world.pass(10min);
  EXPECT_EQ(world.files.link_changes(), changes);
  EXPECT_THAT(world.link_names(), ElementsAre("web-0_prod_app-a.log"));
}

TEST_F(AgentTest, ARotatedFileKeepsItsLinkAndGetsNoSecond) {
  write("web-0", "app.log");
  world.desire({empty_dir_source("web-0")});
  world.settle();
  world.turn_clock(1s);
  world.files.rename(kPods, in_empty_dir("web-0", "app.log"),
                     in_empty_dir("web-0", "app-2026-01-01.log"));
  write("web-0", "app.log");
  world.settle();
  world.pass(2h);
  EXPECT_THAT(world.link_names(), ElementsAre("web-0_prod_app-app.log"));
  EXPECT_EQ(world.reason("web-0"), "");
}

TEST_F(AgentTest, LinksOfAWithdrawnSourceGoAfterTheLinger) {
  write("web-0", "a.log");
  world.desire({empty_dir_source("web-0")});
  world.settle();
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall)});
  world.pass(4min + 59s);
  EXPECT_EQ(world.link_names().size(), 1U);
  world.pass(2s);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentTest, ASourceThatIsNoLongerInTheSetIsWithdrawnAtFirstSight) {
  write("web-0", "a.log");
  world.desire({empty_dir_source("web-0")});
  world.settle();
  world.desire({});
  world.pass(4min + 59s);
  EXPECT_EQ(world.link_names().size(), 1U);
  world.pass(2s);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

}  // namespace
}  // namespace loglink
