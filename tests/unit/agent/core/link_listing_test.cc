#include "agent/core/link_listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/model/limits.h"
#include "lib/model/link_name.h"
#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LinkListingTest : public testing::Test {
 protected:
  LinkListingTest() {
    config_.roots = {Root{kPods, "/var/lib/kubelet/pods", {"*"}, false},
                     Root{kApps, "/data/apps", {"*"}, false}};
    for (const char* root : {kPods, kApps}) files_.add_root(root);
  }

  // The link that `source` has to a file, by its path below the root.
  void add_link(const Source& source, const std::string& path) {
    const bool plain = source.plain_names && parent_path(path) == source.path;
    add_entry(link_name(source.naming, {source.namespace_name, source.pod, source.container,
                                        source.root, path, plain})
                  .text,
              TargetSpelling(config_, files_).text({source.root, path}));
  }
  void add_entry(const std::string& name, const std::string& target, bool is_link = true) {
    links_[name] = {name, is_link, target};
  }
  LinkListing list(std::vector<Source> sources) {
    NodeLinkSetSpec spec;
    spec.sources = std::move(sources);
    return list_links(SourceIndex(spec, config_), links_, TargetSpelling(config_, files_));
  }

  AgentConfig config_;
  FakeFiles files_;
  LinkMap links_;
};

TEST_F(LinkListingTest, EachLinkStandsWithItsSource) {
  Source deep = host_source("deep", "a");
  deep.max_depth = 3;
  const Source other = host_source("other", "ab");
  add_link(deep, "a/x.log");
  add_link(deep, "a/b/y.log");
  add_link(other, "ab/z.log");
  add_entry("deep_prod_app-foreign.log", "/etc/passwd");
  add_entry("renamed.log", "/run/loglink/roots/apps/a/x.log");
  add_entry("no-link", "", false);
  const LinkListing listing = list({deep, other});
  ASSERT_EQ(listing.lines.size(), 2U);
  EXPECT_THAT(listing.lines[0],
              ElementsAre("x.log: deep_prod_app-x.log -> /run/loglink/roots/apps/a/x.log",
                          testing::StartsWith("b/y.log: deep_prod_app-y-")));
  EXPECT_THAT(listing.lines[1],
              ElementsAre("z.log: other_prod_app-z.log -> /run/loglink/roots/apps/ab/z.log"));
}

TEST_F(LinkListingTest, TwoPodsOfOneDirectoryHaveTheirOwnLinks) {
  const Source one = host_source("one", "a");
  const Source two = host_source("two", "a");
  add_link(one, "a/x.log");
  const LinkListing listing = list({one, two});
  EXPECT_EQ(listing.lines[0].size() + listing.lines[1].size(), 1U);
  EXPECT_EQ(listing.comparisons, 2U);
}

// With every source looking at every link a full node took minutes.
TEST_F(LinkListingTest, ItsWorkGrowsWithTheLinksNotWithSourcesTimesLinks) {
  constexpr std::size_t kLinksEach = 4;
  std::vector<Source> sources;
  for (std::size_t pod = 0; pod < limits::kSourcesPerNode; ++pod) {
    // As long as real uids: none is the beginning of another.
    const std::string name = "pod-" + std::to_string(10'000 + pod);
    sources.push_back(empty_dir_source(name));
    for (std::size_t file = 0; file < kLinksEach; ++file) {
      add_link(sources.back(), sources.back().path + "/" + std::to_string(file) + ".log");
    }
  }
  const LinkListing listing = list(sources);
  EXPECT_EQ(listing.comparisons, limits::kSourcesPerNode * kLinksEach);
  for (const std::vector<std::string>& lines : listing.lines) {
    ASSERT_EQ(lines.size(), kLinksEach);
  }
}

TEST_F(LinkListingTest, WithoutLinksThereIsNothing) {
  EXPECT_THAT(list({}).lines, IsEmpty());
  EXPECT_THAT(list({host_source("one", "a")}).lines, ElementsAre(IsEmpty()));
}

}  // namespace
}  // namespace loglink
