// A rotated file is not forgotten, and so linked and sent a second time, because nobody could look.
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using namespace std::chrono_literals;

class AgentMemory : public testing::Test {
 protected:
  static constexpr const char* kDirectory = "uid-rot/volumes/kubernetes.io~empty-dir/logs";

  AgentMemory() {
    world.options.config.limits.entries_per_scan = 100;
    write("gone", "app.log");
    desire({empty_dir_source("gone")});
    world.files.remove(kPods, "uid-gone");
    write("rot", "app.log");
    desire(all());
    world.files.rename(kPods, in_empty_dir("rot", "app.log"), rotated());
    write("rot", "app.log");
    live(1min);
    EXPECT_TRUE(remembers("uid-gone")) << "nobody's any more";
    EXPECT_TRUE(remembers("uid-rot"));
  }

  static std::string rotated() { return in_empty_dir("rot", "app-old.log"); }
  static Source other_source() { return host_source("other", "other"); }
  static std::vector<Source> all() { return {other_source(), empty_dir_source("rot")}; }
  void write(const std::string& pod, const std::string& file) {
    world.files.write_file(kPods, in_empty_dir(pod, file));
  }
  void desire(std::vector<Source> sources) {
    world.desire(std::move(sources));
    live(1min);
  }
  // The agent looks around at least once an hour. Something happens elsewhere: there is a plan.
  void live(Duration time) {
    for (Duration step = std::min<Duration>(time, 1h); time > 0s; time -= step) {
      world.turn_clock(step - 10s);
      const std::string file = "other/" + std::to_string(++files_made_) + ".log";
      world.files.write_file(kApps, file);
      world.settle();
      world.turn_clock(10s);
      world.files.remove(kApps, file);
      world.settle();
    }
  }
  void be_off_for_eight_days() {
    world.turn_clock(8 * 24h);
    world.restart();
  }
  bool remembers(const std::string& owner) {
    return world.agent().memory().encode().find(' ' + owner + '/') != std::string::npos;
  }
  // Two days of trouble: longer than nothing at all is forgotten after a start.
  void live_on_without_a_second_link() {
    live(48h);
    EXPECT_TRUE(remembers("uid-rot"));
    EXPECT_FALSE(remembers("uid-gone")) << "it keeps no others'";
  }
  void expect_one_link() {
    live(1h);
    EXPECT_EQ(world.links_to(in_empty_dir("rot", "app.log")), 1);
    EXPECT_EQ(world.links_to(rotated()), 0);
  }

  AgentWorld world;

 private:
  int files_made_ = 0;
};

TEST_F(AgentMemory, ForgetsUnusedFilesAfterAWeekButNotOnTheDayOfItsStart) {
  be_off_for_eight_days();
  world.desire(all());
  live(23h);
  EXPECT_TRUE(remembers("uid-gone"));
  live(2h);
  EXPECT_FALSE(remembers("uid-gone"));
  expect_one_link();
}

TEST_F(AgentMemory, ATimeThatIsSetAfterTheStartMakesNoDay) {
  world.restart();
  world.desire(all());
  world.now.wall += 30 * 24h;
  world.files.set_time(world.now.wall);
  live(2h);
  EXPECT_TRUE(remembers("uid-gone"));
}

// A node that is off each night.
TEST_F(AgentMemory, ACrowdedMemoryForgetsOnTheDayOfItsStart) {
  InodeMemory memory;
  ASSERT_TRUE(memory.decode(world.agent().memory().encode()));
  for (std::uint64_t i = 0; !memory.is_crowded(); ++i) {
    memory.remember({kPods, 1'000'000 + i, 1}, "uid-former/" + std::string(3000, 'x'),
                    world.now.wall);
  }
  world.settle();
  world.agent().flush(world.now);
  world.files.store_state(std::string(names::kInodesFile), memory.encode());
  be_off_for_eight_days();
  world.desire(all());
  live(2h);
  EXPECT_FALSE(remembers("uid-former"));
  EXPECT_FALSE(remembers("uid-gone"));
  EXPECT_TRUE(remembers("uid-rot"));
  expect_one_link();
}

TEST_F(AgentMemory, APodThatComesToTheSetHoursAfterTheStart) {
  be_off_for_eight_days();
  world.desire({other_source()});
  live(20h);
  world.desire(all());
  expect_one_link();
}

TEST_F(AgentMemory, ARootThatCannotBeUsedForTwoDays) {
  be_off_for_eight_days();
  world.files.set_root_state(kPods, RootState::kAbsent);
  world.restart();
  world.desire(all());
  live_on_without_a_second_link();
  world.files.set_root_state(kPods, RootState::kUsable);
  expect_one_link();
}

TEST_F(AgentMemory, ADirectoryThatCannotBeReadForTwoDays) {
  world.files.set_readable(kPods, kDirectory, false);
  be_off_for_eight_days();
  world.desire(all());
  live_on_without_a_second_link();
  world.files.set_readable(kPods, kDirectory, true);
  expect_one_link();
}

TEST_F(AgentMemory, ADirectoryThatCannotBeReadForAWeekWithoutAStart) {
  world.files.set_readable(kPods, kDirectory, false);
  live(7 * 24h);
  live_on_without_a_second_link();
  world.files.set_readable(kPods, kDirectory, true);
  expect_one_link();
}

TEST_F(AgentMemory, AFileThatCannotBeAskedForTwoDays) {
  world.files.set_askable(kPods, rotated(), false);
  be_off_for_eight_days();
  world.desire(all());
  live_on_without_a_second_link();
  world.files.set_askable(kPods, rotated(), true);
  expect_one_link();
}

TEST_F(AgentMemory, AFileThatIsBehindTheCutForNineDays) {
  world.files.rename(kPods, rotated(), in_empty_dir("rot", "zz.log"));
  for (int i = 0; i < 150; ++i) write("rot", "f" + std::to_string(i) + ".log");
  live(7 * 24h);
  live_on_without_a_second_link();
  for (int i = 0; i < 150; ++i) {
    world.files.remove(kPods, in_empty_dir("rot", "f" + std::to_string(i) + ".log"));
  }
  live(1h);
  EXPECT_EQ(world.links_to(in_empty_dir("rot", "zz.log")), 0);
}

TEST_F(AgentMemory, ADirectoryBeyondTheSourcesLimitForNineDays) {
  world.options.config.limits.directories_per_source = 3;
  Source deep = empty_dir_source("rot");
  deep.max_depth = 2;
  const std::string moved = in_empty_dir("rot", "zz/app-old.log");
  world.files.make_directory(kPods, in_empty_dir("rot", "zz"));
  world.files.rename(kPods, rotated(), moved);
  for (const char* name : {"a", "b", "c"}) {
    world.files.make_directory(kPods, in_empty_dir("rot", name));
  }
  world.restart();
  world.desire({other_source(), deep});
  live(7 * 24h);
  live_on_without_a_second_link();
  for (const char* name : {"a", "b", "c"}) world.files.remove(kPods, in_empty_dir("rot", name));
  live(1h);
  EXPECT_EQ(world.links_to(moved), 0);
}

// A source of a newer version, on a node that has gone back to an older one.
TEST_F(AgentMemory, ASourceThatIsNotUnderstoodForNineDays) {
  Source newer = empty_dir_source("rot");
  newer.required_features = {"of-a-later-version"};
  world.desire({other_source(), newer});
  live(7 * 24h);
  live_on_without_a_second_link();
  world.desire(all());
  expect_one_link();
}

}  // namespace
}  // namespace loglink
