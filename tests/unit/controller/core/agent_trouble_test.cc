#include "controller/core/agent_trouble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::HasSubstr;
using testing::Not;

// A pod with an emptyDir at /var/log/app, one at /data, and its resolution.
Resolution two_directories() {
  return resolve(
      simple_pod().empty_dir("data").mount("data", "/data").watch("/var/log/app,/data/logs"), {},
      {});
}
Resolution one_directory() { return resolve(simple_pod(), {}, {}); }

PodLinks says(const std::string& reason, const std::string& message) {
  return {"prod", "web-0", "u", 0, 1, reason, message};
}

TEST(AgentTroubleTest, NothingSaidIsNoTrouble) {
  EXPECT_FALSE(agent_trouble(says("", ""), one_directory()));
}

TEST(AgentTroubleTest, DirectoriesOfTheNodeBecomeWatchDirs) {
  struct Case {
    const char* said;
    const char* watch_dir;
    const char* message;
  };
  for (const Case& each :
       {Case{"logs: no such directory yet; wait", "/var/log/app", "no such directory yet; wait"},
        Case{"data/logs: no such directory yet", "/data/logs", "no such directory yet"},
        Case{"data/logs/deep: it cannot be read", "/data/logs/deep", "it cannot be read"},
        Case{"taken: logs/a.log, data/logs/x.log", "",
             "taken: /var/log/app/a.log, /data/logs/x.log"}}) {
    const auto told = agent_trouble(says("ReadError", each.said), two_directories());
    ASSERT_TRUE(told);
    EXPECT_EQ(told->trouble.watch_dir, each.watch_dir) << each.said;
    EXPECT_EQ(told->trouble.message, each.message) << each.said;
  }
}

// A volume "logs" is not "logs-old", and a file "logs" in a sentence is not the volume.
TEST(AgentTroubleTest, OnlyWholePathsAreReplaced) {
  const auto told =
      agent_trouble(says("NameTaken", "something: logs-old/a.log, mylogs/b.log"), one_directory());
  ASSERT_TRUE(told);
  EXPECT_THAT(told->trouble.message, HasSubstr("logs-old/a.log, mylogs/b.log"));
  EXPECT_THAT(told->trouble.message, Not(HasSubstr("/var/log/app")));
}

TEST(AgentTroubleTest, AHostPathIsSaidAsTheWatchDirToo) {
  ControllerConfig config;
  config.roots.push_back(Root{"apps", "/data/apps", {"*"}, false});
  const Resolution resolution = resolve(
      PodBuilder().host_path("v", "/data/apps/secret-layout").mount("v", "/logs").watch("/logs"),
      config, {});
  ASSERT_EQ(resolution.sources.size(), 1U);
  const auto told = agent_trouble(
      says("NotARegularFile", "only regular files are linked: secret-layout/x.log"), resolution);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->trouble.message, "only regular files are linked: /logs/x.log");
}

TEST(AgentTroubleTest, ADirectoryAloneGetsTheCureOfItsReason) {
  for (const char* reason :
       {"DirectoryNotFound", "PermissionDenied", "ReadError", "UnsupportedFileSystem",
        "MountBelowRoot", "TooManySubdirectories", "TooManyFiles", "WatchLimitReached"}) {
    const auto told = agent_trouble(says(reason, "logs"), one_directory());
    ASSERT_TRUE(told) << reason;
    EXPECT_EQ(told->trouble.watch_dir, "/var/log/app") << reason;
    EXPECT_FALSE(told->trouble.message.empty()) << reason;
    EXPECT_EQ(told->trouble.rank, rank_of(*reason_from_string(reason)));
  }
}

// The status is bounded: messages are the first to go.
TEST(AgentTroubleTest, AReasonWithoutItsMessageIsExplained) {
  const auto one = agent_trouble(says("DirectoryNotFound", ""), one_directory());
  ASSERT_TRUE(one);
  EXPECT_EQ(one->trouble.watch_dir, "/var/log/app");
  EXPECT_THAT(one->trouble.message, HasSubstr("spelling"));
  const auto two = agent_trouble(says("DirectoryNotFound", ""), two_directories());
  ASSERT_TRUE(two);
  EXPECT_EQ(two->trouble.watch_dir, "") << "which of the two is not known";
  EXPECT_THAT(two->trouble.message, HasSubstr("spelling"));
}

TEST(AgentTroubleTest, TheAgentsOtherTroublesAreCountedNotRepeated) {
  const auto told = agent_trouble(says("ReadError", "logs; and 12 more"), one_directory());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->others, 12U);
  EXPECT_THAT(told->trouble.message, Not(HasSubstr("more")));
  for (const char* text : {"x; and  more", "x; and 1x more", "x; and 12345678 more", "; and 3 mor",
                           "x; and -1 more"}) {
    EXPECT_EQ(agent_trouble(says("ReadError", text), one_directory())->others, 0U) << text;
  }
}

TEST(AgentTroubleTest, AWordOfANewerAgentIsToldAndMovesNothing) {
  const auto told = agent_trouble(says("GlacierAhead", "steer left"), one_directory());
  ASSERT_TRUE(told);
  EXPECT_EQ(told->trouble.rank, Rank::kNote);
  EXPECT_EQ(told->trouble.reason, std::nullopt);
  EXPECT_EQ(told->trouble.message, "GlacierAhead: steer left");
}

}  // namespace
}  // namespace loglink
