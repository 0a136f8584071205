// What the checker asks of an agent that starts and goes by the set that it had stored.
#include "tests/sim/node_checker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/process_clock.h"

namespace loglink::sim {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr const char* kDirectory = "uid-1/volumes/kubernetes.io~empty-dir/logs";
constexpr const char* kLink = "web-0_prod_app-a.log";

Source live_source(int max_depth = 1) {
  Source source;
  source.namespace_name = "prod";
  source.pod = "web-0";
  source.uid = "uid-1";
  source.container = "app";
  source.root = kPodsRoot;
  source.path = kDirectory;
  source.include = {"*.log"};
  source.plain_names = true;
  source.max_depth = max_depth;
  return source;
}

Source withdrawn_source(int max_depth = 1) {
  Source source = live_source(max_depth);
  source.remove_after = WallTime(1s);
  return source;
}

class StoredSet : public testing::Test {
 protected:
  StoredSet() {
    config_.linger = 30s;
    files_.add_root(kPodsRoot);
    files_.write_file(kPodsRoot, std::string(kDirectory) + "/a.log");
    files_.put_entry({kLink, true, target_});
  }

  // A set without a generation is one that was stored.
  void observe(std::int64_t generation, const Source& source) {
    NodeLinkSet set;
    set.uid = "object-1";
    set.generation = generation;
    set.spec.sources = {source};
    checker_.observe(set);
  }
  void pass(Duration time) { world_.monotonic = world_.monotonic + time; }
  // It was at work for that long, and starts after a minute.
  void die_after(Duration time) {
    pass(time);
    checker_.end_step();
    pass(1min);
    checker_.agent_starts();
  }
  void remove() { checker_.before_change({LinkChange::Kind::kRemove, kLink, target_, ""}); }

  const std::string target_ =
      kTargetPrefix + (std::string(kPodsRoot) + "/" + kDirectory + "/a.log");
  Now world_{MonotonicTime{1h}, WallTime(1'790'000'000s)};
  ProcessClock clock_{world_, 1000};
  FakeFiles files_;
  AgentConfig config_;
  PodRegistry pods_;
  std::vector<std::string> complaints_;
  NodeChecker checker_{files_, clock_, config_, pods_,
                       [this](const std::string& what) { complaints_.push_back(what); }};
};

TEST_F(StoredSet, ALinkThatOnlyALaterSetWantsGoesAfterItsLingerFromTheStart) {
  observe(2, withdrawn_source());
  pass(1s);
  observe(3, live_source());
  die_after(3s);
  observe(0, withdrawn_source());
  pass(29s);
  remove();
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("before its linger from the start")));
  pass(1s);
  remove();
  EXPECT_EQ(complaints_.size(), 1U);
}

TEST_F(StoredSet, ALinkThatThePresentSetWantsStaysOnceTheAgentHasSeenIt) {
  observe(2, withdrawn_source());
  pass(1s);
  observe(3, live_source());
  die_after(3s);
  observe(0, withdrawn_source());
  pass(31s);
  observe(3, live_source());
  remove();
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("a wanted link is taken away")));
}

TEST_F(StoredSet, ASetThatHasBeenSeenForMoreThanFiveSecondsIsStored) {
  observe(2, withdrawn_source());
  observe(3, live_source());
  die_after(5s);
  observe(0, withdrawn_source());
  EXPECT_THAT(complaints_, IsEmpty());
  observe(3, live_source());
  observe(4, live_source(2));
  die_after(6s);
  observe(0, live_source());
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("is not stored")));
}

TEST_F(StoredSet, WhatOnlyAnEarlierProcessHasSeenNeedNotBeStored) {
  observe(2, withdrawn_source());
  observe(3, live_source());
  die_after(1s);
  observe(0, withdrawn_source());
  die_after(1min);
  observe(0, withdrawn_source());
  pass(1min);
  observe(3, live_source());
  die_after(4s);
  observe(0, withdrawn_source());
  EXPECT_THAT(complaints_, IsEmpty());
}

TEST_F(StoredSet, TheLingerOfADirectoryCountsFromTheStartWhateverElseHasChangedAboutIt) {
  observe(3, withdrawn_source(2));
  observe(4, live_source());
  die_after(1s);
  observe(0, withdrawn_source(2));
  pass(1s);
  observe(5, withdrawn_source());
  pass(28s);
  remove();
  EXPECT_THAT(complaints_, ElementsAre(HasSubstr("28000 ms after")));
  pass(1s);
  remove();
  EXPECT_EQ(complaints_.size(), 1U);
}

}  // namespace
}  // namespace loglink::sim
