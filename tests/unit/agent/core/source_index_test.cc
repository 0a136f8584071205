#include "agent/core/source_index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SourceIndexTest : public testing::Test {
 protected:
  SourceIndexTest() {
    config_.link_dir = "/data/apps/links";
    config_.roots = {Root{kPods, "/var/lib/kubelet/pods", {"*"}, false},
                     Root{kApps, "/data/apps", {"*"}, false},
                     Root{"inner", "/data/apps/shop/inner", {"*"}, false}};
  }
  SourceIndex index(std::vector<Source> sources) {
    NodeLinkSetSpec spec;
    spec.sources = std::move(sources);
    return SourceIndex(spec, config_);
  }
  static Source source(const std::string& pod, const std::string& path, int max_depth = 1) {
    Source made = host_source(pod, path);
    made.max_depth = max_depth;
    return made;
  }
  // Pods of the sources that walk a directory, best first.
  static std::vector<std::string> walkers(const SourceIndex& index, const std::string& directory) {
    std::vector<std::string> pods;
    for (const SourceId id : index.walking(kApps, directory)) {
      pods.push_back(index.at(id).source.pod);
    }
    return pods;
  }

  AgentConfig config_;
};

TEST_F(SourceIndexTest, AWalkReachesAsDeepAsItsSourceSays) {
  const SourceIndex made = index({source("one", "a"), source("three", "a", 3)});
  EXPECT_THAT(walkers(made, "a"), ElementsAre("one", "three"));
  EXPECT_THAT(walkers(made, "a/b"), ElementsAre("three"));
  EXPECT_THAT(walkers(made, "a/b/c"), ElementsAre("three"));
  EXPECT_THAT(walkers(made, "a/b/c/d"), IsEmpty());
  EXPECT_THAT(walkers(made, "ab"), IsEmpty()) << "a path ends at a slash";
  EXPECT_THAT(walkers(made, ""), IsEmpty());
  EXPECT_EQ(made.level(made.walking(kApps, "a/b/c").front(), "a/b/c"), 3);
}

TEST_F(SourceIndexTest, TheRootItselfMayBeAWatchDir) {
  const SourceIndex made = index({source("all", "", 2)});
  EXPECT_THAT(walkers(made, ""), ElementsAre("all"));
  EXPECT_THAT(walkers(made, "a"), ElementsAre("all"));
  EXPECT_THAT(walkers(made, "a/b"), IsEmpty());
  EXPECT_THAT(made.walking(kPods, ""), IsEmpty()) << "another root";
}

// Among newcomers: live before withdrawn, the deepest watch dir, the oldest pod, its uid.
TEST_F(SourceIndexTest, OrdersWhoGetsAFileThatSeveralWant) {
  Source withdrawn_one = withdrawn(source("withdrawn", "a/b"), WallTime{});
  Source old_one = source("old", "a", 2);
  old_one.since = WallTime(std::chrono::seconds(1));
  Source ageless = source("ageless", "a", 2);
  ageless.since.reset();
  Source twin = source("twin", "a", 2);
  twin.uid = "uid-0";
  const SourceIndex made = index(
      {withdrawn_one, ageless, source("young", "a", 2), twin, old_one, source("deep", "a/b")});
  EXPECT_THAT(walkers(made, "a/b"),
              ElementsAre("deep", "old", "twin", "young", "ageless", "withdrawn"));
}

TEST_F(SourceIndexTest, NoWalkPassesThroughTheLinkDirectoryOrAnInnerRoot) {
  const SourceIndex made = index({source("all", "", 16), source("below", "links/own", 2)});
  EXPECT_FALSE(made.may_enter(kApps, "links"));
  EXPECT_THAT(walkers(made, "links"), IsEmpty());
  EXPECT_THAT(walkers(made, "links/own"), ElementsAre("below")) << "by name only";
  EXPECT_TRUE(made.may_enter(kApps, "shop"));
  EXPECT_FALSE(made.may_enter(kApps, "shop/inner"));
  EXPECT_FALSE(made.may_enter(kApps, "shop/inner/x"));
  EXPECT_TRUE(made.may_enter("inner", "x"));
  EXPECT_THAT(walkers(made, "shop/inner"), IsEmpty());
  EXPECT_THAT(walkers(made, "shop/inner/x"), IsEmpty());
  EXPECT_FALSE(made.may_enter("no-such-root", "x"));
}

TEST_F(SourceIndexTest, RefusedSourcesWalkNothingAndThoseNotUnderstoodKeepTheirLinks) {
  Source newer = source("newer", "a");
  newer.required_features = {"time-travel"};
  Source forged = source("forged", "b");
  forged.include.clear();
  const SourceIndex made = index({newer, forged});
  EXPECT_THAT(walkers(made, "a"), IsEmpty());
  EXPECT_THAT(walkers(made, "b"), IsEmpty());
  EXPECT_TRUE(made.kept_by_refused("newer_prod_app-x.log", {kApps, "a/x.log"}));
  EXPECT_TRUE(made.kept_by_refused("newer_prod_app-x.log", {kApps, "a/deep/x.log"}));
  EXPECT_FALSE(made.kept_by_refused("newer_prod_app-x.log", {kApps, "other/x.log"}));
  EXPECT_FALSE(made.kept_by_refused("newer_prod_app-x.log", {kPods, "a/x.log"}));
  EXPECT_FALSE(made.kept_by_refused("other_prod_app-x.log", {kApps, "a/x.log"}));
  EXPECT_FALSE(made.kept_by_refused("forged_prod_app-x.log", {kApps, "b/x.log"}));
}

TEST_F(SourceIndexTest, WantsWhatIsIncludedAndNotExcluded) {
  Source made = source("web-0", "a");
  made.include = {"*.log", "*.txt"};
  made.exclude = {"debug*"};
  const SourceIndex one = index({made});
  EXPECT_TRUE(one.wants(0, "a.log"));
  EXPECT_TRUE(one.wants(0, "a.txt"));
  EXPECT_FALSE(one.wants(0, "debug.log"));
  EXPECT_FALSE(one.wants(0, "a.gz"));
}

TEST_F(SourceIndexTest, IdentityIsTheWatchDirOfThePodWhateverElseChanges) {
  Source a = source("web-0", "a");
  Source b = a;
  b.include = {"*"};
  b.max_depth = 9;
  b.finished = true;
  b.remove_after = WallTime{};
  EXPECT_EQ(index({a}).at(0).identity, index({b}).at(0).identity);
  for (const auto& change : std::vector<std::function<void(Source&)>>{
           [](Source& s) { s.pod = "web-1"; }, [](Source& s) { s.uid = "x"; },
           [](Source& s) { s.container = "b"; }, [](Source& s) { s.path = "b"; },
           [](Source& s) { s.namespace_name = "test"; }, [](Source& s) { s.root = kPods; }}) {
    Source other = a;
    change(other);
    EXPECT_NE(index({a}).at(0).identity, index({other}).at(0).identity);
  }
}

TEST_F(SourceIndexTest, MoreSourcesThanAnAgentTakesAreRefusedNotDropped) {
  std::vector<Source> many;
  for (int i = 0; i < 1002; ++i) many.push_back(source("web-" + std::to_string(1000 + i), "a"));
  const SourceIndex made = index(many);
  EXPECT_EQ(made.sources().size(), 1002U);
  EXPECT_EQ(made.walking(kApps, "a").size(), 1000U);
  EXPECT_EQ(std::count_if(made.sources().begin(), made.sources().end(),
                          [](const IndexedSource& each) {
                            return each.refusal &&
                                   each.refusal->reason == Reason::kNodeLimitReached;
                          }),
            2);
}

}  // namespace
}  // namespace loglink
