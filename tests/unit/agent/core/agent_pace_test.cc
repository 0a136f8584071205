// How often an agent plans where time passes while it works.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::SizeIs;
using namespace std::chrono_literals;

class AgentPace : public testing::Test {
 protected:
  AgentPace() {
    AgentLimits& limits = world.options.config.limits;
    limits.links_per_source = 100'000;
    limits.links_per_pod = 100'000;
    limits.links_per_namespace = 100'000;
    limits.links_per_node = 100'000;
    limits.entries_per_scan = 100'000;
  }

  void write(const std::string& pod, const std::string& file) {
    world.files.write_file(kPods, in_empty_dir(pod, file));
  }
  void write_many(const std::string& pod, int files) {
    for (int i = 0; i < files; ++i) write(pod, std::to_string(100'000 + i) + ".log");
  }
  [[nodiscard]] bool is_linked(const std::string& pod, const std::string& file) const {
    return world.link_names().count(pod + "_prod_app-" + file) > 0;
  }
  [[nodiscard]] std::uint64_t plans() { return world.agent().counters().plans; }

  // One step, and the time that it takes.
  bool step() {
    const std::uint64_t before = plans();
    const bool has_more = world.agent().step(world.now);
    world.turn_clock(step_cost + (plans() - before) * plan_cost);
    plan_time += (plans() - before) * plan_cost;
    return has_more;
  }
  // Until `done`, or nothing happens any more for a minute; how long it took.
  Duration work_until(const std::function<bool()>& done) {
    const MonotonicTime began = world.now.monotonic;
    while (!done() && world.now.monotonic - began < 1min) {
      if (step()) continue;
      const MonotonicTime next = std::min(world.agent().next_wakeup(), began + 1min);
      if (next > world.now.monotonic) world.turn_clock(next - world.now.monotonic);
    }
    return world.now.monotonic - began;
  }

  AgentWorld world;
  Duration step_cost = 1ms;
  Duration plan_cost = 1ms;
  Duration plan_time{0};
};

// Each plan in the midst looks at everything, and costs more than what it waits for.
TEST_F(AgentPace, ARestartedAgentDoesNotPlanAgainAndAgainWhileItReadsItsDirectories) {
  std::vector<Source> sources;
  for (int i = 0; i < 10; ++i) {
    const std::string pod = "web-" + std::to_string(i);
    write_many(pod, 400);
    sources.push_back(empty_dir_source(pod));
  }
  world.desire(sources);
  world.settle();
  ASSERT_THAT(world.link_names(), SizeIs(10 * 400));
  const std::uint64_t changes = world.files.link_changes();
  for (int i = 0; i < 10; ++i) write("web-" + std::to_string(i), "while-away.log");

  step_cost = 30ms;  // 4,000 entries take ten of them: no directory is cut
  plan_cost = 800ms;
  world.restart();
  world.desire(sources);
  const int stats = world.files.calls(FileVerb::kStat);
  const Duration taken = work_until([&] { return world.link_names().size() == 10 * 401; });
  EXPECT_LE(plans(), 2U);
  EXPECT_LE(taken, kPlanWhileLooking + 3 * plan_cost + 14 * step_cost);
  EXPECT_EQ(world.files.link_changes(), changes + 10);
  // No file is looked at alone that the listing of its directory shows in a moment.
  EXPECT_EQ(world.files.calls(FileVerb::kStat), stats);
}

// A plan between every few of them would cost more than all of them together.
TEST_F(AgentPace, ARestartedAgentLooksAtAllThatLingersBeforeItPlansAgain) {
  write_many("web-0", 3'000);
  world.desire({empty_dir_source("web-0")});
  world.pass(10s);
  ASSERT_THAT(world.link_names(), SizeIs(3'000));
  world.desire({});
  world.settle();
  write("web-1", "a.log");

  plan_cost = 60ms;
  world.restart();
  world.desire({empty_dir_source("web-1")});
  work_until([&] { return world.agent().next_wakeup() > world.now.monotonic + 1s; });
  EXPECT_TRUE(is_linked("web-1", "a.log"));
  EXPECT_THAT(world.link_names(), SizeIs(3'001)) << "their files are there, and they linger";
  EXPECT_LE(plans(), 3U);
}

TEST_F(AgentPace, WhileALargeDirectoryIsReadOthersAreLinkedAndPlansAreFew) {
  write("web-0", "a.log");
  write_many("web-9", 9'000);
  step_cost = 40ms;  // thirty-six of them
  plan_cost = 100ms;
  world.desire({empty_dir_source("web-0"), empty_dir_source("web-9")});
  const Duration taken = work_until([&] { return is_linked("web-0", "a.log"); });
  EXPECT_TRUE(world.agent().scanner().is_scanning());
  EXPECT_LE(taken, kPlanWhileLooking + 2 * step_cost + plan_cost);
  const Duration rest = work_until([&] { return !world.agent().scanner().is_scanning(); });
  EXPECT_GE(rest, 20 * step_cost);
  EXPECT_LE(plans(), 2U + static_cast<unsigned>(rest / (kPlanWhileLooking + plan_cost)));
  work_until([&] { return is_linked("web-9", "108999.log"); });
  EXPECT_THAT(world.link_names(), SizeIs(1 + 9'000));
}

// Two sources share a directory: who gets a file is for the plan to say.
TEST_F(AgentPace, FilesThatNeverEndToComeCostATenthOfTheTimeAndNoneWaitsLong) {
  world.files.make_directory(kApps, "shared");
  world.desire({host_source("web-0", "shared"), host_source("web-1", "shared")});
  world.settle();
  step_cost = 10us;
  plan_cost = 20ms;
  const MonotonicTime began = world.now.monotonic;
  Duration worst{0};
  for (int i = 0; i < 300; ++i) {
    const std::string file = "shared/" + std::to_string(i) + ".log";
    world.files.write_file(kApps, file);
    const std::size_t wanted = static_cast<std::size_t>(i) + 1;
    worst = std::max(worst, work_until([&] { return world.link_names().size() == wanted; }));
  }
  const Duration passed = world.now.monotonic - began;
  EXPECT_GE(passed, plan_time * 9 - 3s);
  EXPECT_LE(worst, 20ms * 11 + 1ms);
  EXPECT_THAT(world.link_names(), SizeIs(300));
}

// A plan looks at all of them; while it does, no new file gets its link.
TEST_F(AgentPace, ALargeDirectoryThatGrowsIsReadAnewWithoutAPlan) {
  write_many("web-0", 9'000);
  world.desire({empty_dir_source("web-0")});
  world.pass(10s);
  const std::uint64_t before = plans();
  const auto append = [&](const std::string& file) {
    world.files.append(kPods, in_empty_dir("web-0", file), 100);
  };
  for (int rescan = 0; rescan < 3; ++rescan) {
    const std::string round = std::to_string(rescan);
    write("web-0", "200" + round + ".log");
    append("100001.log");
    world.settle();
    world.turn_clock(world.options.config.rescan_interval);
    for (int i = 0; i < 1000 && !world.agent().scanner().is_scanning(); ++i) {
      world.turn_clock(100ms);  // its namespace has read a lot
      world.agent().step(world.now);
    }
    ASSERT_TRUE(world.agent().scanner().is_scanning());
    // Before what has been read, in its midst, and behind it.
    for (const char* const name : {"000", "1000015", "300"}) write("web-0", name + round + ".log");
    append("100002.log");
    append("108999.log");
    world.pass(3s);
    ASSERT_FALSE(world.agent().scanner().is_scanning());
  }
  EXPECT_EQ(plans(), before);
  EXPECT_THAT(world.link_names(), SizeIs(9'000 + 3 * 4));
}

}  // namespace
}  // namespace loglink
