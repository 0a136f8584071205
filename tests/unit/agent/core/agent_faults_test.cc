// Each call that the agent makes, failing once with each error: it degrades, says so where somebody
// can act on it, and recovers. And a crash before each change it makes.
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using namespace std::chrono_literals;

constexpr FileErrorKind kAllErrors[] = {
    FileErrorKind::kNotFound,         FileErrorKind::kPermissionDenied,
    FileErrorKind::kNotADirectory,    FileErrorKind::kSymlinkInPath,
    FileErrorKind::kCrossesMount,     FileErrorKind::kNameTooLong,
    FileErrorKind::kAlreadyExists,    FileErrorKind::kNoSpace,
    FileErrorKind::kTooManyOpenFiles, FileErrorKind::kReadOnly,
    FileErrorKind::kNotOurs,          FileErrorKind::kWatchLimit,
    FileErrorKind::kUnsupported,      FileErrorKind::kIo};

// A short life with every kind of operation in it.
class Life {
 public:
  Life() {
    write("web-0", "a.log");
    world.files.write_file(kApps, "shared/a.log");
  }

  void first_half() {
    Source shared = host_source("web-0", "shared");
    shared.container = "sidecar";
    world.desire({empty_dir_source("web-0"), empty_dir_source("web-1"), shared});
    world.pass(1s);
    write("web-0", "b.log");
    write("web-1", "c.log");
    world.pass(40s);
  }

  void second_half() {
    if (world.files.exists(kPods, "uid-web-1")) world.files.remove(kPods, "uid-web-1");
    Source again = empty_dir_source("web-1");
    again.uid = "uid-new";
    again.path = "uid-new/volumes/kubernetes.io~empty-dir/logs";
    world.files.write_file(kPods, again.path + "/c.log");
    Source shared = host_source("web-0", "shared");
    shared.container = "sidecar";
    world.desire({empty_dir_source("web-0"), again, withdrawn(shared, world.now.wall)});
    world.pass(6min);
  }

  void write(const std::string& pod, const std::string& file) {
    world.files.write_file(kPods, in_empty_dir(pod, file));
  }

  void expect_end(const std::string& what) {
    EXPECT_EQ(world.link_names(),
              (std::set<std::string>{"web-0_prod_app-a.log", "web-0_prod_app-b.log",
                                     "web-1_prod_app-c.log"}))
        << what;
    EXPECT_EQ(world.target("web-1_prod_app-c.log"),
              pods_target("uid-new/volumes/kubernetes.io~empty-dir/logs/c.log"))
        << what;
    EXPECT_EQ(world.ready_reason(), "") << what;
    EXPECT_EQ(world.reason("web-0"), "") << what;
    EXPECT_EQ(world.reason("web-1"), "") << what;
  }

  AgentWorld world;
};

TEST(AgentFaults, EachCallFailingInEachWayIsOvercome) {
  for (const FileVerb verb : kAllFileVerbs) {
    for (const FileErrorKind error : kAllErrors) {
      for (const int nth : {1, 2, 4}) {
        Life life;
        life.world.files.fail(verb, error, nth);
        life.first_half();
        life.world.files.fail(verb, error, nth);
        life.second_half();
        life.world.files.heal();
        life.world.pass(3min);
        life.expect_end("verb " + std::to_string(static_cast<int>(verb)) + " error " +
                        std::to_string(static_cast<int>(error)) + " call " + std::to_string(nth));
      }
    }
  }
}

TEST(AgentFaults, NoFailureRemovesALinkOfALiveSource) {
  for (const FileVerb verb : kAllFileVerbs) {
    for (const FileErrorKind error : kAllErrors) {
      Life life;
      life.first_half();
      const std::set<std::string> before = life.world.link_names();
      life.world.files.fail(verb, error, 1, 1'000'000);
      life.world.pass(5min);
      for (const std::string& name : before) {
        EXPECT_EQ(life.world.link_names().count(name), 1U)
            << name << " verb " << static_cast<int>(verb) << " error " << static_cast<int>(error);
      }
    }
  }
}

struct Crash {};

TEST(AgentFaults, ACrashBeforeAnyChangeIsOvercomeByTheNextRun) {
  int crash_at = 0;
  for (bool crashed = true; crashed; ++crash_at) {
    crashed = false;
    Life life;
    int changes = 0;
    life.world.files.set_before_change([&] {
      if (changes++ == crash_at) throw Crash{};
    });
    const auto survive = [&](auto part) {
      try {
        part();
      } catch (const Crash&) {
        crashed = true;
        life.world.restart();
        part();
      }
    };
    survive([&] { life.first_half(); });
    survive([&] { life.second_half(); });
    life.expect_end("crash before change " + std::to_string(crash_at));
  }
  EXPECT_GT(crash_at, 8);
}

// Found by the simulator: what was planned was counted as if it were there.
TEST(AgentFaults, AStatusClaimsNoLinkThatCouldNotBeMade) {
  AgentWorld world;
  world.files.write_file(kPods, in_empty_dir("web-0", "a.log"));
  world.files.write_file(kPods, in_empty_dir("web-0", "b.log"));
  world.files.fail(FileVerb::kMakeLink, FileErrorKind::kNoSpace, 2, 1);
  world.desire({empty_dir_source("web-0")});
  world.settle();
  ASSERT_EQ(world.link_names().size(), 1U);
  NodeLinkSetStatus status = world.agent().status(world.now);
  EXPECT_EQ(status.links, 1);
  ASSERT_EQ(status.pods.size(), 1U);
  EXPECT_EQ(status.pods[0].links, 1);
  world.pass(2s);
  ASSERT_EQ(world.link_names().size(), 2U);
  status = world.agent().status(world.now);
  EXPECT_EQ(status.links, 2);
  EXPECT_EQ(status.pods[0].links, 2);
}

// One statx that fails must not make a collector read a file from its beginning again.
TEST(AgentFaults, AFileThatCannotBeAskedKeepsItsLinkAndANewOneIsAskedAgain) {
  AgentWorld world;
  world.options.config.link_mode = LinkMode::kDirect;
  const auto file = [](const char* name) { return in_empty_dir("web-0", name); };
  world.files.write_file(kPods, file("a.log"));
  world.desire({empty_dir_source("web-0")});
  world.pass(10s);
  ASSERT_EQ(world.link_names().size(), 1U);
  const std::uint64_t changes = world.files.link_changes();

  world.files.set_askable(kPods, file("a.log"), false);
  world.files.write_file(kPods, file("b.log"));
  world.files.set_askable(kPods, file("b.log"), false);
  world.files.lose_notices();
  world.pass(40s);
  EXPECT_EQ(world.files.link_changes(), changes);
  EXPECT_EQ(world.reason("web-0"), "ReadError");

  // Nothing in the directory shows that they can be asked again.
  for (const char* name : {"a.log", "b.log"}) world.files.set_askable(kPods, file(name), true);
  world.pass(40s);
  EXPECT_EQ(world.files.link_changes(), changes + 1);
  EXPECT_EQ(world.link_names().size(), 2U);
  EXPECT_EQ(world.reason("web-0"), "");
}

}  // namespace
}  // namespace loglink
