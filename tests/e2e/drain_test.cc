// Uninstalling and installing again: drain against both programs, an API server, one node.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>

#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

TEST(Drain, TakesAllLinksWithoutTheirLingerAndANewInstallationLinksAgain) {
  World world;
  for (const char* name : {"controller.yaml", "agent.yaml"}) {
    std::string text = read_file(world.path(name));
    text.replace(text.find("linger: 1s"), 10, "linger: 1h");
    write_file(world.path(name), text);
  }
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("web");
  const std::string uid =
      world.create_pod(pod, world.node(), {{"loglink/watch-dir", "/var/log/app"}},
                       Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}}),
                       Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}}));
  write_file(world.empty_dir(uid, "logs") / "app.log", "line\n");
  const auto is_linked = [&] {
    return fs::is_symlink(world.links() / (pod + "_default_app-app.log"));
  };
  ASSERT_TRUE(eventually(is_linked));

  Program drain({program_path("loglink-controller"), "drain", "--config",
                 world.path("controller.yaml").string(), "--kubeconfig", world.kubeconfig(),
                 "--timeout", "60s"},
                world.path("logs/drain").string());
  EXPECT_EQ(drain.wait(seconds(70)), 0) << drain.output();
  EXPECT_TRUE(world.link_names().empty());
  const Json object = world.node_link_set().value_or(Json::object());
  EXPECT_TRUE(object.at("spec").at("sources").empty());

  // The former controller honours it; one that starts afterwards does not have to wait.
  EXPECT_TRUE(eventually([&] {
    return world.readyz("controller").find("503 drained") != std::string::npos;
  })) << world.readyz("controller");
  world.controller().signal(SIGTERM);
  EXPECT_EQ(world.controller().wait(seconds(10)), 0);
  EXPECT_FALSE(is_linked());
  world.start_controller();
  EXPECT_TRUE(eventually(is_linked)) << world.controller().output();
}

TEST(Drain, ThatFailsNamesTheNodesAndTheWayBack) {
  World world;
  world.start_controller();
  const std::string pod = world.unique("web");
  world.create_pod(pod, world.node(), {{"loglink/watch-dir", "/var/log/app"}},
                   Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}}),
                   Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}}));
  ASSERT_TRUE(eventually([&] { return world.node_link_set().has_value(); }));
  Program drain({program_path("loglink-controller"), "drain", "--config",
                 world.path("controller.yaml").string(), "--kubeconfig", world.kubeconfig(),
                 "--timeout", "1s"},
                world.path("logs/drain").string());
  EXPECT_EQ(drain.wait(seconds(30)), 1);
  EXPECT_THAT(drain.output(),
              ::testing::HasSubstr("not all links are gone after 1s: " + world.node() +
                                   " (no answer); drain again, or delete the Lease "));
  EXPECT_THAT(drain.output(), ::testing::HasSubstr("to have the controller link again"));
}

}  // namespace
}  // namespace loglink::testing
