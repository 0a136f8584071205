#include "agent/core/target.h"

#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

TEST(TargetPaths, AreTakenApartAtTheLastSlash) {
  struct Case {
    const char* path;
    const char* parent;
    const char* base;
    int depth;
  };
  const Case cases[] = {
      {"", "", "", 0}, {"a", "", "a", 1}, {"a/b", "a", "b", 2}, {"a/b/c.log", "a/b", "c.log", 3}};
  for (const Case& each : cases) {
    EXPECT_EQ(parent_path(each.path), each.parent) << each.path;
    EXPECT_EQ(base_name(each.path), each.base) << each.path;
    EXPECT_EQ(path_depth(each.path), each.depth) << each.path;
  }
}

class TargetSpellingTest : public testing::Test {
 protected:
  TargetSpellingTest() {
    config_.roots = {Root{kPods, "/var/lib/kubelet/pods", {"*"}, false},
                     Root{kApps, "/data/apps", {"*"}, false},
                     Root{"inner", "/data/apps/inner", {"*"}, false}};
    for (const char* root : {kPods, kApps, "inner"}) files_.add_root(root);
  }
  [[nodiscard]] TargetSpelling spelling() const { return TargetSpelling(config_, files_); }

  AgentConfig config_;
  FakeFiles files_;
};

TEST_F(TargetSpellingTest, ALinkIsReadBackAsItWasSpelled) {
  for (const Target& target :
       {Target{kPods, "u/volumes/kubernetes.io~empty-dir/v/a.log"}, Target{kApps, "a.log"}}) {
    EXPECT_EQ(spelling().parse(spelling().text(target)), target);
  }
  EXPECT_EQ(spelling().text({kApps, "web/a.log"}), "/run/loglink/roots/apps/web/a.log");
}

TEST_F(TargetSpellingTest, WhatHasNoPrefixOfOursOrADotDotIsNotOurs) {
  for (const char* text : {"/etc/passwd", "", "a.log", "/run/loglink/rootsX/apps/a.log",
                           "/run/loglink/roots/apps/../../../../etc/passwd",
                           "/data/apps/a.log"}) {  // never used as a prefix here
    EXPECT_EQ(spelling().parse(text), std::nullopt) << text;
  }
}

// Otherwise a change of linkMode would leave the old links behind for ever.
TEST_F(TargetSpellingTest, TheOtherModesLinksAreOursOnceThatPrefixWasUsed) {
  files_.set_owned_prefixes({"/run/loglink/roots/", "/data/apps/"});
  EXPECT_EQ(spelling().parse("/data/apps/web/a.log"), (Target{kApps, "web/a.log"}));
  files_.set_target_prefix(kApps, "/data/apps/");
  EXPECT_EQ(spelling().text({kApps, "web/a.log"}), "/data/apps/web/a.log");
  EXPECT_EQ(spelling().parse("/run/loglink/roots/apps/web/a.log"), (Target{kApps, "web/a.log"}));
}

TEST_F(TargetSpellingTest, TheLongestRootExplainsAPath) {
  files_.set_owned_prefixes({"/data/apps/"});
  EXPECT_EQ(spelling().parse("/data/apps/inner/a.log"), (Target{"inner", "a.log"}));
  EXPECT_EQ(spelling().parse("/data/apps/innermost/a.log"), (Target{kApps, "innermost/a.log"}));
}

TEST_F(TargetSpellingTest, LinksOfARootThatIsNoLongerConfiguredKeepItsName) {
  EXPECT_EQ(spelling().parse("/run/loglink/roots/gone/web/a.log"), (Target{"gone", "web/a.log"}));
  EXPECT_EQ(spelling().parse("/run/loglink/roots/gone"), (Target{"", "/run/loglink/roots/gone"}));
  EXPECT_EQ(spelling().text({"gone", "web/a.log"}), "/run/loglink/roots/gone/web/a.log");
}

}  // namespace
}  // namespace loglink
