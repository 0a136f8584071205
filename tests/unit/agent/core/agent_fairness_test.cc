// One tenant's directories never keep another one's links waiting, nor those of its own namespace.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::Contains;
using namespace std::chrono_literals;

class AgentFairness : public testing::Test {
 protected:
  static constexpr int kNoisyPods = 4;
  static constexpr int kFiles = 90;

  AgentFairness() {
    world.options.config.limits.entries_per_scan = 100;  // a second, of each namespace
    world.options.config.limits.events_per_second = 10;
    world.options.config.limits.event_burst = 20;
    world.options.config.rescan_interval = 5s;
    for (int i = 0; i < kNoisyPods; ++i) {
      for (int j = 0; j < kFiles; ++j) {
        write("noisy-" + std::to_string(i), "file-" + std::to_string(j) + ".log");
      }
      sources.push_back(empty_dir_source("noisy-" + std::to_string(i)));
    }
  }

  // `extension` ".txt": read like the others, but nothing of it is wanted.
  void add_large_pods(int count, const std::string& extension = ".log") {
    for (int i = 0; i < count; ++i) {
      const std::string pod = "large-" + std::to_string(i);
      for (int j = 0; j < kFiles; ++j) write(pod, "file-" + std::to_string(j) + extension);
      sources.push_back(empty_dir_source(pod));
    }
  }
  void write(const std::string& pod, const std::string& file) {
    world.files.write_file(kPods, in_empty_dir(pod, file));
  }
  void add_pod(const std::string& pod, const std::string& namespace_name) {
    Source source = empty_dir_source(pod);
    source.namespace_name = namespace_name;
    sources.push_back(source);
    write(pod, "a.log");
  }
  void desire() {
    std::vector<Source> sorted = sources;
    std::sort(sorted.begin(), sorted.end());
    world.desire(sorted);
  }
  void make_noise(int i) {
    const std::string file = in_empty_dir("noisy-" + std::to_string(i), "noise.log");
    if (world.files.exists(kPods, file)) {
      world.files.remove(kPods, file);
    } else {
      world.files.write_file(kPods, file);
    }
  }
  // Every noisy directory changes a hundred times a second; the agent does a piece of its work.
  void noisy_step(Duration cost) {
    for (Duration time{0}; time < cost; time += 10ms) {
      for (int i = 0; i < kNoisyPods; ++i) make_noise(i);
    }
    world.agent().step(world.now);
    world.turn_clock(cost);
  }
  // How long that takes, a minute at most.
  Duration noisy_until_linked(const std::string& link, Duration cost) {
    const MonotonicTime began = world.now.monotonic;
    while (world.link_names().count(link) == 0 && world.now.monotonic - began < 1min) {
      noisy_step(cost);
    }
    return world.now.monotonic - began;
  }
  // How long until the agent answers for the latest set, two minutes at most.
  Duration until_answered() {
    const MonotonicTime began = world.now.monotonic;
    while (world.agent().status(world.now).observed_generation < world.generation &&
           world.now.monotonic - began < 2min) {
      world.settle();
      world.turn_clock(10ms);
    }
    return world.now.monotonic - began;
  }
  void noisy_for(Duration time, Duration cost) {
    const MonotonicTime end = world.now.monotonic + time;
    while (world.now.monotonic < end) noisy_step(cost);
  }

  std::vector<Source> sources;
  AgentWorld world;
};

// Each of the noisy directories takes what the namespace may read in a second.
TEST_F(AgentFairness, ANewPodOfABusyNamespaceWaitsForItsTurnAndNoLonger) {
  desire();
  noisy_for(20s, 10ms);
  add_pod("zz-quiet", "prod");
  add_pod("zz-other", "other");
  desire();
  EXPECT_LE(noisy_until_linked("zz-other_other_app-a.log", 10ms), 1s);
  EXPECT_LE(noisy_until_linked("zz-quiet_prod_app-a.log", 10ms), 1s * (kNoisyPods + 1));
}

TEST_F(AgentFairness, AQuietPodOfABusyNamespaceHasItsNewFilesLinkedAtOnce) {
  add_pod("zz-quiet", "prod");
  desire();
  noisy_for(20s, 10ms);
  ASSERT_THAT(world.link_names(), Contains("zz-quiet_prod_app-a.log"));
  write("zz-quiet", "late.log");
  EXPECT_LE(noisy_until_linked("zz-quiet_prod_app-late.log", 10ms), 1s);
}

// A slow disk, or little CPU: reading the noisy directories never comes to its end.
TEST_F(AgentFairness, RescansComeRoundThoughThereIsAlwaysSomethingToRead) {
  world.options.config.limits.entries_per_scan = 1000;  // more than it manages
  add_pod("zz-other", "other");
  desire();
  noisy_for(20s, 100ms);
  ASSERT_THAT(world.link_names(), Contains("zz-other_other_app-a.log"));
  noisy_for(30s, 1s);
  ASSERT_TRUE(world.agent().scanner().is_scanning());
  write("zz-other", "late.log");
  world.files.lose_notices();
  EXPECT_LE(noisy_until_linked("zz-other_other_app-late.log", 1s), 20s);
}

// They are read one a second; the set's answer is about everybody's links.
TEST_F(AgentFairness, AnAnswerDoesNotWaitForDirectoriesWhoseNamespaceHasReadTooMuch) {
  add_pod("zz-other", "other");
  desire();
  world.pass(20s);
  add_large_pods(60);
  desire();
  EXPECT_LE(until_answered(), 2s);
  EXPECT_GT(world.agent().scanner().unread_count(), 30U);
  world.pass(90s);
  EXPECT_EQ(world.agent().scanner().unread_count(), 0U);
}

// "No file matches", or no such directory: nobody knows before it is read.
TEST_F(AgentFairness, APodWhoseDirectoryIsNotReadYetHasNoAnswer) {
  add_pod("zz-other", "other");
  desire();
  world.pass(20s);
  add_large_pods(60);
  sources.push_back(empty_dir_source("zy-missing"));
  desire();
  until_answered();
  const auto has_entry = [&](const std::string& name) {
    const std::vector<PodLinks> pods = world.agent().status(world.now).pods;
    return std::any_of(pods.begin(), pods.end(),
                       [&](const PodLinks& each) { return each.pod == name; });
  };
  EXPECT_TRUE(has_entry("zz-other"));
  EXPECT_FALSE(has_entry("zy-missing"));
  for (const PodLinks& each : world.agent().status(world.now).pods) {
    EXPECT_TRUE(each.links > 0 || !each.reason.empty()) << each.pod;
  }
  world.pass(90s);
  EXPECT_TRUE(has_entry("zy-missing"));
}

// Whoever of them comes first in rank, and whoever was there first.
TEST_F(AgentFairness, ADirectoryThatAQuietNamespaceAsksForTooIsReadInItsTurn) {
  add_large_pods(60, ".txt");
  for (const char* shared : {"shared-a", "shared-z"}) {
    world.files.write_file(kApps, std::string(shared) + "/app.log");
  }
  desire();
  world.pass(2s);
  sources.push_back(host_source("zz-neighbour", "shared-z"));
  sources.push_back(host_source("aa-neighbour", "shared-a"));
  desire();
  world.pass(1s);
  for (const char* shared : {"shared-a", "shared-z"}) {
    Source mine = host_source("mine", shared);
    mine.namespace_name = "aaa";
    sources.push_back(mine);
  }
  desire();
  world.pass(2s);
  std::set<std::string> linked;
  for (const auto& [name, entry] : world.files.link_directory()) linked.insert(entry.target);
  EXPECT_THAT(linked, Contains(apps_target("shared-a/app.log")));
  EXPECT_THAT(linked, Contains(apps_target("shared-z/app.log")));
  EXPECT_NE(world.reason("mine"), "absent");
}

// It is refused whatever is in its directory, for which a neighbour waits.
TEST_F(AgentFairness, ARefusedSourceHasItsAnswerThoughItSharesADirectoryThatWaits) {
  add_large_pods(60, ".txt");
  world.files.write_file(kApps, "shared/app.log");
  desire();
  world.pass(2s);
  sources.push_back(host_source("neighbour", "shared"));
  Source mine = host_source("mine", "shared");
  mine.namespace_name = "aaa";
  mine.required_features = {"of-a-later-version"};
  sources.push_back(mine);
  desire();
  world.pass(2s);
  EXPECT_EQ(world.reason("mine"), "AgentTooOld");
  EXPECT_EQ(world.reason("neighbour"), "absent");
}

// A neighbour's pod comes and goes while both namespaces have read too much; directories come and
// go, too.
TEST_F(AgentFairness, WhatWaitsToBeReadDoesNotGrowWithEachNewSet) {
  add_large_pods(60, ".txt");
  for (std::size_t i = 0; i < sources.size(); i += 2) sources[i].namespace_name = "other";
  for (int i = 0; i < 20; ++i) world.files.make_directory(kApps, "shared/" + std::to_string(i));
  Source always = host_source("zz-always", "shared");
  Source sometimes = host_source("aa-sometimes", "shared");
  always.namespace_name = "other";
  always.max_depth = sometimes.max_depth = 2;
  sources.push_back(always);
  desire();
  world.settle();
  for (int i = 0; i < 300; ++i) {
    sources.push_back(i % 2 == 0 ? sometimes
                                 : empty_dir_source("for-a-while-" + std::to_string(i)));
    desire();
    sources.pop_back();
    world.agent().step(world.now);
    const DirectoryScanner& scanner = world.agent().scanner();
    ASSERT_LE(scanner.queued_count(), 2 * scanner.directory_count());
  }
}

// It would stay in debt, and not read its own.
TEST_F(AgentFairness, ReadingASharedDirectoryInTheTurnOfOneCostsTheOtherNothing) {
  world.options.config.rescan_interval = 1s;
  for (int j = 0; j < kFiles; ++j) {
    world.files.write_file(kApps, "shared/" + std::to_string(j) + ".txt");
  }
  add_large_pods(60, ".txt");
  sources.push_back(host_source("aa-neighbour", "shared"));
  Source mine = host_source("mine", "shared");
  mine.namespace_name = "aaa";
  sources.push_back(mine);
  desire();
  for (int i = 0; i < 90; ++i) {
    world.files.make_directory(kApps, "shared/new-" + std::to_string(i));
    world.pass(1s);
  }
  EXPECT_EQ(world.agent().scanner().unread_count(), 0U);
}

// Whose files are not known to be in use.
TEST_F(AgentFairness, NoFileIsForgottenWhileADirectoryWaitsToBeRead) {
  sources.clear();
  add_large_pods(30, ".txt");
  sources.push_back(empty_dir_source("zz-rot"));
  write("zz-rot", "app.log");
  desire();
  world.pass(90s);
  world.files.rename(kPods, in_empty_dir("zz-rot", "app.log"),
                     in_empty_dir("zz-rot", "app-old.log"));
  write("zz-rot", "app.log");
  world.pass(90s);
  ASSERT_EQ(world.links_to(in_empty_dir("zz-rot", "app-old.log")), 0);
  world.turn_clock(8 * 24h);  // the node was off
  world.restart();
  desire();
  world.pass(120s);
  EXPECT_EQ(world.links_to(in_empty_dir("zz-rot", "app-old.log")), 0);
}

}  // namespace
}  // namespace loglink
