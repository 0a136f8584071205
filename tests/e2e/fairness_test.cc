// One tenant's excess is its own trouble: both programs, an API server, one node.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

const Json kVolume = Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}});
const Json kMount = Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}});

class Fairness : public ::testing::Test {
 protected:
  std::string linked_pod(const std::string& name) {
    const std::string uid = world.create_pod(
        name, world.node(), {{"loglink/watch-dir", "/var/log/app"}}, kVolume, kMount);
    write_file(world.empty_dir(uid, "logs") / "app.log", "line\n");
    EXPECT_TRUE(eventually([&] { return world.annotation(name, "loglink/status") == "Linked"; }))
        << world.annotation(name, "loglink/message");
    return uid;
  }
  // Two digits: of pods of one second the order of the names decides, so it is that of creation.
  static std::string greedy_name(int index) {
    return std::string("greedy-") + (index < 10 ? "0" : "") + std::to_string(index);
  }
  // A pod whose sources are as large as annotations allow: one alone takes its 8 KiB.
  void create_largest_pod(const std::string& namespace_name, int index) {
    std::string patterns(64, 'a');
    for (int i = 1; i < 16; ++i)
      patterns += "," + std::string(63, 'b') + static_cast<char>('a' + i);
    std::string watch_dirs;
    for (int i = 0; i < 16; ++i) {
      if (i > 0) watch_dirs += ",";
      watch_dirs += "/var/log/app/" + std::string(200, 'd') + std::to_string(i);
    }
    const Json annotations = {{"loglink/watch-dir", watch_dirs},
                              {"loglink/include", patterns},
                              {"loglink/exclude", patterns}};
    world.api().create(
        "/api/v1/namespaces/" + namespace_name + "/pods",
        {{"apiVersion", "v1"},
         {"kind", "Pod"},
         {"metadata", {{"name", greedy_name(index)}, {"annotations", annotations}}},
         {"spec",
          {{"nodeName", world.node()},
           {"volumes", kVolume},
           {"containers",
            Json::array({{{"name", "app"}, {"image", "app:1"}, {"volumeMounts", kMount}}})}}}});
  }
  std::string word_of(const std::string& namespace_name, int index, const std::string& key) {
    const auto pod =
        world.api().get("/api/v1/namespaces/" + namespace_name + "/pods/" + greedy_name(index));
    if (!pod) return "";
    return pod->at("metadata").value("annotations", Json::object()).value(key, "");
  }

  World world;
};

TEST_F(Fairness, ANamespaceThatFillsItsHalfOfANodeTakesNothingFromItsNeighbours) {
  world.start_controller();
  world.start_agent();
  const std::string before = world.unique("before"), after = world.unique("after");
  linked_pod(before);
  const fs::path link = world.links() / (before + "_default_app-app.log");
  const std::uint64_t inode = link_inode(link);
  ASSERT_NE(inode, 0U);

  const std::string greedy = world.unique("greedy");
  world.api().create(
      "/api/v1/namespaces",
      {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", greedy}}}});
  constexpr int kPods = 30;
  for (int i = 0; i < kPods; ++i) create_largest_pod(greedy, i);
  EXPECT_TRUE(eventually(
      [&] {
        return word_of(greedy, kPods - 1, "loglink/message").find("NamespaceLimitReached") !=
               std::string::npos;
      },
      std::chrono::seconds(180)))
      << word_of(greedy, kPods - 1, "loglink/message");
  EXPECT_EQ(word_of(greedy, kPods - 1, "loglink/status"), "Degraded");
  EXPECT_THAT(word_of(greedy, 0, "loglink/message"), HasSubstr("PodLimitReached"))
      << "the first pods have their own part";

  // New ones of the neighbour's get their links as ever.
  linked_pod(after);
  EXPECT_TRUE(fs::is_symlink(world.links() / (after + "_default_app-app.log")));
  EXPECT_EQ(world.annotation(before, "loglink/status"), "Linked");
  EXPECT_EQ(link_inode(link), inode) << "never removed, never made again";

  const Json sources = world.node_link_set().value_or(Json::object()).at("spec").at("sources");
  std::size_t greedy_bytes = 0;
  std::size_t neighbours = 0;
  for (const Json& source : sources) {
    if (source.at("namespace") == greedy) {
      greedy_bytes += source.dump().size();
    } else {
      ++neighbours;
    }
  }
  EXPECT_EQ(neighbours, 2U);
  EXPECT_LE(greedy_bytes, 128U * 1024);
  EXPECT_GE(greedy_bytes, 100U * 1024) << "it has its half indeed";
  for (int i = 0; i < kPods; ++i) {
    world.api().remove("/api/v1/namespaces/" + greedy + "/pods/" + greedy_name(i));
  }
}

}  // namespace
}  // namespace loglink::testing
