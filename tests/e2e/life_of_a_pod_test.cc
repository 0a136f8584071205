// From annotation to link: both programs, an API server, one node. The same cases run on the
// embedded API server (scripts/test) and on a real kube-apiserver (scripts/e2e-api).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

const Json kEmptyDirVolume = Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}});
const Json kLogsMount = Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}});

Json watch_dir(const std::string& directory) { return {{"loglink/watch-dir", directory}}; }

class LifeOfAPod : public ::testing::Test {
 protected:
  // A pod with an emptyDir at /var/log/app that holds the given files, its status awaited.
  std::string linked_pod(const std::string& name, const std::vector<std::string>& files) {
    const std::string uid = world.create_pod(name, world.node(), watch_dir("/var/log/app"),
                                             kEmptyDirVolume, kLogsMount);
    directory = world.empty_dir(uid, "logs");
    fs::create_directories(directory);
    for (const std::string& file : files) write_file(directory / file, "first line\n");
    EXPECT_TRUE(eventually([&] { return world.annotation(name, "loglink/status") == "Linked"; }))
        << world.annotation(name, "loglink/status") << ": "
        << world.annotation(name, "loglink/message");
    return uid;
  }

  World world;
  fs::path directory;
};

TEST_F(LifeOfAPod, FivePodsGetExactlyTheRightLinksAnnotationsAndStatuses) {
  const std::string host = world.unique("host"), scratch = world.unique("scratch");
  const std::string away = world.unique("away"), silent = world.unique("silent");
  const std::string wrong = world.unique("wrong");
  write_file(world.path("apps/web/access.log"), "GET /\n");
  world.create_pod(
      host, world.node(), watch_dir("/logs"),
      Json::array({{{"name", "v"}, {"hostPath", {{"path", world.path("apps/web").string()}}}}}),
      Json::array({{{"name", "v"}, {"mountPath", "/logs"}}}));
  const std::string uid = world.create_pod(scratch, world.node(), watch_dir("/var/log/app"),
                                           kEmptyDirVolume, kLogsMount);
  write_file(world.empty_dir(uid, "logs") / "one.log", "1\n");
  write_file(world.empty_dir(uid, "logs") / "two.log", "2\n");
  write_file(world.empty_dir(uid, "logs") / "notes.txt", "not a log\n");
  const std::string away_uid = world.create_pod(
      away, world.unique("other-node"), watch_dir("/var/log/app"), kEmptyDirVolume, kLogsMount);
  write_file(world.empty_dir(away_uid, "logs") / "far.log", "far\n");
  const std::string silent_uid =
      world.create_pod(silent, world.node(), Json::object(), kEmptyDirVolume, kLogsMount);
  write_file(world.empty_dir(silent_uid, "logs") / "silent.log", "not asked for\n");
  world.create_pod(wrong, world.node(), watch_dir("/somewhere/else"), kEmptyDirVolume, kLogsMount);

  world.start_controller();
  world.start_agent();

  const std::string host_link = host + "_default_app-access.log";
  const std::string one = scratch + "_default_app-one.log";
  const std::string two = scratch + "_default_app-two.log";
  EXPECT_TRUE(eventually([&] { return world.link_names().size() == 3; }));
  EXPECT_THAT(world.link_names(), UnorderedElementsAre(host_link, one, two));
  EXPECT_EQ(read_file(world.links() / host_link), "GET /\n");
  EXPECT_EQ(read_file(world.links() / two), "2\n");

  EXPECT_TRUE(eventually([&] {
    return world.annotation(host, "loglink/status") == "Linked" &&
           world.annotation(scratch, "loglink/status") == "Linked";
  }));
  EXPECT_TRUE(eventually([&] { return world.annotation(scratch, "loglink/links") == "2"; }));
  EXPECT_EQ(world.annotation(host, "loglink/links"), "1");
  EXPECT_TRUE(eventually([&] { return world.annotation(away, "loglink/status") == "Pending"; }));
  EXPECT_TRUE(eventually([&] { return world.annotation(wrong, "loglink/status") == "Invalid"; }));
  EXPECT_THAT(world.annotation(wrong, "loglink/message"),
              AllOf(HasSubstr("/somewhere/else"), HasSubstr("NotOnAVolume")));
  EXPECT_EQ(world.annotation(silent, "loglink/status"), "");

  EXPECT_TRUE(eventually([&] {
    const std::optional<Json> object = world.node_link_set();
    return object && object->contains("status") && object->at("status").value("links", 0) == 3;
  }));
  const Json object = world.node_link_set().value_or(Json::object());
  EXPECT_EQ(object.at("spec").at("sources").size(), 2U);
  EXPECT_EQ(object.at("metadata").at("ownerReferences").at(0).at("kind"), "Node");
  EXPECT_EQ(object.at("status").at("observedGeneration"), object.at("metadata").at("generation"));
}

TEST_F(LifeOfAPod, AFileMadeLaterIsLinkedWithinASecond) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("late");
  linked_pod(pod, {"early.log"});
  write_file(directory / "late.log", "later\n");
  EXPECT_TRUE(
      eventually([&] { return fs::is_symlink(world.links() / (pod + "_default_app-late.log")); },
                 std::chrono::seconds(1)));
}

TEST_F(LifeOfAPod, RotationKeepsTheLinksInode) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("rotate");
  linked_pod(pod, {"app.log"});
  const fs::path link = world.links() / (pod + "_default_app-app.log");
  const std::uint64_t before = link_inode(link);
  ASSERT_NE(before, 0U);

  fs::rename(directory / "app.log", directory / "app.log.1");
  write_file(directory / "app.log", "second file\n");
  write_file(directory / "barrier.log", "seen after the rotation\n");
  EXPECT_TRUE(eventually(
      [&] { return fs::is_symlink(world.links() / (pod + "_default_app-barrier.log")); }));
  EXPECT_EQ(link_inode(link), before);
  EXPECT_EQ(read_file(link), "second file\n");
}

TEST_F(LifeOfAPod, AKilledAgentKeepsEveryLinkAndCatchesUp) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("kill");
  linked_pod(pod, {"a.log", "b.log"});
  const fs::path a = world.links() / (pod + "_default_app-a.log");
  const std::uint64_t before = link_inode(a);

  world.agent().signal(SIGKILL);
  EXPECT_EQ(world.agent().wait(std::chrono::seconds(5)), 128 + SIGKILL);
  EXPECT_EQ(link_inode(a), before);
  write_file(directory / "meanwhile.log", "written while nobody watched\n");

  world.start_agent();
  EXPECT_TRUE(eventually(
      [&] { return fs::is_symlink(world.links() / (pod + "_default_app-meanwhile.log")); }));
  EXPECT_EQ(link_inode(a), before);
  EXPECT_TRUE(eventually([&] { return world.readyz("agent").substr(0, 3) == "200"; }));
}

TEST_F(LifeOfAPod, RemovingTheAnnotationRemovesLinksAndAnswersAfterTheLinger) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("undo");
  linked_pod(pod, {"app.log"});
  world.api().merge_patch("/api/v1/namespaces/default/pods/" + pod,
                          {{"metadata", {{"annotations", {{"loglink/watch-dir", nullptr}}}}}});
  EXPECT_TRUE(eventually([&] { return world.link_names().empty(); }));
  EXPECT_TRUE(eventually([&] { return world.annotation(pod, "loglink/status").empty(); }));
  EXPECT_EQ(world.annotation(pod, "loglink/links"), "");
  EXPECT_EQ(world.annotation(pod, "loglink/message"), "");
}

TEST_F(LifeOfAPod, DeletingThePodRemovesItsLinksAfterTheLinger) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("gone");
  linked_pod(pod, {"app.log"});
  world.delete_pod(pod);
  EXPECT_TRUE(eventually([&] { return world.link_names().empty(); }));
  EXPECT_TRUE(eventually([&] {
    const std::optional<Json> object = world.node_link_set();
    return object && object->at("spec").at("sources").empty();
  }));
}

TEST_F(LifeOfAPod, SigtermEndsEitherProgramWithZeroAndKeepsTheLinks) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("term");
  linked_pod(pod, {"app.log"});
  const std::vector<std::string> before = world.link_names();
  ASSERT_EQ(before.size(), 1U);

  world.controller().signal(SIGTERM);
  EXPECT_EQ(world.controller().wait(std::chrono::seconds(5)), 0);
  world.agent().signal(SIGTERM);
  EXPECT_EQ(world.agent().wait(std::chrono::seconds(5)), 0);
  EXPECT_EQ(world.link_names(), before);
}

TEST_F(LifeOfAPod, ASecondControllerTakesOverAndChangesNothing) {
  world.start_controller();
  world.start_agent();
  const std::string pod = world.unique("lead");
  linked_pod(pod, {"app.log"});
  const fs::path link = world.links() / (pod + "_default_app-app.log");
  const std::uint64_t before = link_inode(link);
  const Json generation = world.node_link_set()->at("metadata").at("generation");

  world.controller().signal(SIGKILL);
  world.controller().wait(std::chrono::seconds(5));
  world.start_controller();
  // The new leader shows itself by doing work: a new pod gets its answer.
  const std::string next = world.unique("next");
  world.create_pod(next, world.node(), watch_dir("/nowhere"), kEmptyDirVolume, kLogsMount);
  EXPECT_TRUE(eventually([&] { return world.annotation(next, "loglink/status") == "Invalid"; }));
  EXPECT_EQ(world.node_link_set()->at("metadata").at("generation"), generation);
  EXPECT_EQ(link_inode(link), before);
  EXPECT_EQ(world.annotation(pod, "loglink/status"), "Linked");
}

}  // namespace
}  // namespace loglink::testing
