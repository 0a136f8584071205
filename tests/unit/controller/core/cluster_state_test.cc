#include "controller/core/cluster_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const ObjectKey kWeb0{"prod", "web-0"};
const MonotonicTime kNow{seconds(1000)};

NodeLinkSet object_of(const std::string& node, std::int64_t generation,
                      std::vector<Source> sources = {}) {
  NodeLinkSet object;
  object.name = node;
  object.uid = "object-uid";
  object.generation = generation;
  object.resource_version = std::to_string(generation);
  object.spec.sources = std::move(sources);
  return object;
}

TEST(ClusterStateTest, ANewPodMakesItsNodeDirty) {
  ClusterState state{ControllerConfig{}};
  const Dirty dirty = state.upsert_pod(simple_pod());
  EXPECT_THAT(dirty.specs, ElementsAre("node-a"));
  EXPECT_THAT(dirty.pods, ElementsAre(kWeb0));
  ASSERT_NE(state.find_resolved(kWeb0), nullptr);
  EXPECT_THAT(state.find_resolved(kWeb0)->resolution.sources, SizeIs(1));
}

TEST(ClusterStateTest, AnAnswerOnAPodMakesNoSpecDirty) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  const Dirty dirty = state.upsert_pod(simple_pod().annotate("loglink/status", "Linked"));
  EXPECT_THAT(dirty.specs, IsEmpty());
  EXPECT_THAT(dirty.answers, IsEmpty()) << "its node may have thousands of other pods";
  EXPECT_THAT(dirty.pods, ElementsAre(kWeb0));
}

TEST(ClusterStateTest, PodsWithoutAnyAnnotationOfOursAreNotKept) {
  ClusterState state{ControllerConfig{}};
  EXPECT_THAT(state.upsert_pod(PodBuilder()).specs, IsEmpty());
  EXPECT_THAT(state.pods(), IsEmpty());
  state.upsert_pod(simple_pod());
  EXPECT_THAT(state.upsert_pod(PodBuilder()).specs, ElementsAre("node-a"));
  EXPECT_THAT(state.pods(), IsEmpty());
}

// Anybody can make pods that wait for a node for ever, and write this annotation.
TEST(ClusterStateTest, AThousandPodsThatClaimToBeStaticTakeNoTimeOfTheOthers) {
  ClusterState state{ControllerConfig{}};
  std::vector<PodView> pods;
  for (int i = 1000; i < 2000; ++i) {  // sorted, as a list is
    pods.push_back(simple_pod()
                       .named("prod", "web-" + std::to_string(i))
                       .uid("uid-" + std::to_string(i))
                       .on_node("")
                       .annotate("kubernetes.io/config.mirror", "x"));
  }
  state.replace_pods(pods);
  ASSERT_NE(state.find_resolved({"prod", "web-1999"}), nullptr);
  EXPECT_EQ(state.find_resolved({"prod", "web-1999"})->resolution.refusals.at(0).reason,
            Reason::kStaticPod);
}

PodBuilder static_pod(const std::string& name, const std::string& hash) {
  return simple_pod()
      .named("prod", name + "-node-a")
      .uid("uid-of-" + name)
      .owned_by_node("node-a")
      .annotate("kubernetes.io/config.mirror", hash)
      .annotate("kubernetes.io/config.hash", hash);
}

ControllerConfig with_static_pods() {
  ControllerConfig config;
  config.static_pods = true;
  return config;
}

std::string hash_of(int number) {
  const std::string digits = std::to_string(number);
  return std::string(32 - digits.size(), '0') + digits;
}

// A look at all of them for each one's event would take some twenty minutes.
TEST(ClusterStateTest, ThirtyThousandStaticPodsOnOneNodeTakeNoTimeOfTheOthers) {
  ClusterState state{with_static_pods()};
  std::vector<PodView> pods;
  for (int i = 10000; i < 40000; ++i) {  // sorted, as a list is
    pods.push_back(static_pod("web-" + std::to_string(i), hash_of(i)));
  }
  state.replace_pods(pods);
  for (int round = 0; round < 1000; ++round) {
    state.upsert_pod(static_pod("web-39999", hash_of(10000 + round)));
  }
  NodeState& node = *state.find_node("node-a");
  EXPECT_FALSE(state.resolve_static_pods(node)) << "each event has settled what it changed";
  const auto sources_of = [&](int i) {
    const ObjectKey key{"prod", "web-" + std::to_string(i) + "-node-a"};
    return state.find_resolved(key)->resolution.sources.size();
  };
  EXPECT_EQ(sources_of(10998), 1U) << "alone with its id again";
  EXPECT_EQ(sources_of(10999), 0U) << "shares its id";
  EXPECT_EQ(sources_of(39999), 0U);
}

TEST(ClusterStateTest, AnIdIsBelievedOfTheOnlyPodThatHasIt) {
  ClusterState state{with_static_pods()};
  const auto believed = [&] {
    std::vector<std::string> names;
    for (const ResolvedPod& pod : state.nodes().at("node-a").pods) {
      if (!pod.resolution.sources.empty()) names.push_back(pod.pod.name);
    }
    return names;
  };
  const auto settle = [&] { state.resolve_static_pods(*state.find_node("node-a")); };
  PodView silent = static_pod("silent", hash_of(1));
  silent.annotations.erase("loglink/watch-dir");

  state.upsert_pod(static_pod("a", hash_of(1)));
  EXPECT_THAT(believed(), ElementsAre("a-node-a"));
  EXPECT_THAT(state.upsert_pod(static_pod("b", hash_of(1))).specs, ElementsAre("node-a"));
  EXPECT_THAT(believed(), IsEmpty());
  state.upsert_pod(silent);
  state.delete_pod({"prod", "a-node-a"});
  settle();
  EXPECT_THAT(believed(), IsEmpty()) << "b and the silent one";
  state.delete_pod({"prod", "silent-node-a"});
  settle();
  EXPECT_THAT(believed(), ElementsAre("b-node-a"));
  state.upsert_pod(silent);
  settle();
  EXPECT_THAT(believed(), IsEmpty());
  state.upsert_pod(static_pod("b", hash_of(2)));
  EXPECT_THAT(believed(), ElementsAre("b-node-a"));
  // An ordinary pod has its uid for an id.
  state.upsert_pod(simple_pod().uid(hash_of(2)));
  EXPECT_THAT(believed(), ElementsAre("web-0"));
  state.upsert_pod(static_pod("b", hash_of(3)));
  EXPECT_THAT(believed(), ElementsAre("b-node-a", "web-0"));
}

TEST(ClusterStateTest, WhatAPodsSpecSaysIsNotKeptWithItsResolution) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  ASSERT_NE(state.find_resolved(kWeb0), nullptr);
  EXPECT_THAT(state.find_resolved(kWeb0)->pod.containers, IsEmpty());
  EXPECT_THAT(state.find_resolved(kWeb0)->pod.volumes, IsEmpty());
  EXPECT_THAT(state.find_resolved(kWeb0)->resolution.sources, SizeIs(1));
}

TEST(ClusterStateTest, APodThatIsBoundLeavesTheUnboundOnes) {
  ClusterState state{ControllerConfig{}};
  EXPECT_THAT(state.upsert_pod(simple_pod().on_node("")).specs, IsEmpty());
  EXPECT_THAT(state.upsert_pod(simple_pod()).specs, ElementsAre("node-a"));
  EXPECT_THAT(state.nodes().at("").pods, IsEmpty());
  EXPECT_THAT(state.nodes().at("node-a").pods, SizeIs(1));
}

TEST(ClusterStateTest, APodOfTheSameNameIsAnotherPod) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  state.find_pod(kWeb0)->told =
      std::make_unique<PodAnswers>(PodAnswers{"Linked", "1", std::nullopt});
  state.upsert_pod(simple_pod().uid("another"));
  EXPECT_EQ(state.find_pod(kWeb0)->told, nullptr);
  EXPECT_THAT(state.nodes().at("node-a").pods, SizeIs(1));
}

TEST(ClusterStateTest, AReplacementDeletesWhatIsNotInIt) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  state.upsert_pod(simple_pod().named("prod", "web-1").uid("u1").on_node("node-b"));
  const Dirty dirty = state.replace_pods({simple_pod()});
  EXPECT_THAT(dirty.specs, ElementsAre("node-b"));
  EXPECT_THAT(state.pods(), SizeIs(1));

  state.replace_objects({object_of("node-a", 1), object_of("node-b", 1)}, kNow);
  EXPECT_THAT(state.replace_objects({object_of("node-a", 1)}, kNow).specs, ElementsAre("node-b"));
  EXPECT_FALSE(state.nodes().at("node-b").object);
}

TEST(ClusterStateTest, AStatusMakesAnswersDirtyOnly) {
  ClusterState state{ControllerConfig{}};
  state.upsert_object(object_of("node-a", 1), kNow);
  NodeLinkSet answered = object_of("node-a", 1);
  answered.status.observed_generation = 1;
  const Dirty dirty = state.upsert_object(answered, kNow);
  EXPECT_THAT(dirty.specs, IsEmpty());
  EXPECT_THAT(dirty.answers, ElementsAre("node-a"));
}

TEST(ClusterStateTest, TheGenerationThatBroughtAPodsSourcesIsRemembered) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  const std::vector<Source> sources = state.find_resolved(kWeb0)->resolution.sources;
  state.upsert_object(object_of("node-a", 4), kNow);
  EXPECT_EQ(state.find_pod(kWeb0)->sources_since_generation, 0) << "not seen being written";
  state.upsert_object(object_of("node-a", 5, sources), kNow);
  EXPECT_EQ(state.find_pod(kWeb0)->sources_since_generation, 5);
  std::vector<Source> finished = sources;
  finished[0].finished = true;
  state.upsert_object(object_of("node-a", 6, finished), kNow);
  EXPECT_EQ(state.find_pod(kWeb0)->sources_since_generation, 5) << "ending asks for nothing else";
}

// Found by the simulator: pods stayed Pending for ever, since a new object counts from 1 again.
TEST(ClusterStateTest, GenerationsOfAnObjectThatIsGoneAreForgotten) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  const std::vector<Source> sources = state.find_resolved(kWeb0)->resolution.sources;
  const auto publish = [&] {
    state.upsert_object(object_of("node-a", 4), kNow);
    state.upsert_object(object_of("node-a", 5, sources), kNow);
    ASSERT_EQ(state.find_pod(kWeb0)->sources_since_generation, 5);
  };
  NodeLinkSet again = object_of("node-a", 1, sources);
  again.uid = "another-object";

  publish();
  state.upsert_object(again, kNow);
  EXPECT_EQ(state.find_pod(kWeb0)->sources_since_generation, 0) << "its deletion was not seen";
  state.delete_object("node-a");
  publish();
  state.delete_object("node-a");
  state.upsert_object(again, kNow);
  EXPECT_EQ(state.find_pod(kWeb0)->sources_since_generation, 0) << "its deletion was seen";
}

// Pods that had changed were told for ever that no agent answers.
TEST(ClusterStateTest, GenerationsThatABackupHasTakenBackAreForgotten) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  const std::vector<Source> sources = state.find_resolved(kWeb0)->resolution.sources;
  state.upsert_object(object_of("node-a", 4), kNow);
  state.upsert_object(object_of("node-a", 5, sources), kNow);
  ASSERT_EQ(state.find_pod(kWeb0)->sources_since_generation, 5);
  state.upsert_object(object_of("node-a", 3, sources), kNow);
  EXPECT_EQ(state.find_pod(kWeb0)->sources_since_generation, 0);
}

TEST(ClusterStateTest, AnOlderGenerationIsHeldBackUntilTheAnswerIsDistrusted) {
  ClusterState state{ControllerConfig{}};
  state.upsert_object(object_of("node-a", 1), kNow);
  state.adopt_written(object_of("node-a", 2), kNow);
  state.upsert_object(object_of("node-a", 1), kNow + seconds(1));
  EXPECT_EQ(state.nodes().at("node-a").object->generation, 2);
  state.distrust_answer(*state.find_node("node-a"));
  EXPECT_EQ(state.nodes().at("node-a").object->generation, 1);
}

TEST(ClusterStateTest, AnAnswerOlderThanTheWatchIsNotTaken) {
  ClusterState state{ControllerConfig{}};
  NodeLinkSet newer = object_of("node-a", 2);
  newer.status.links = 7;
  state.upsert_object(newer, kNow);
  state.adopt_written(object_of("node-a", 2), kNow);
  EXPECT_EQ(state.nodes().at("node-a").object->status.links, 7);
}

TEST(ClusterStateTest, AnAnswerThatItsObjectsDeletionHasOvertakenIsNotTaken) {
  ClusterState state{ControllerConfig{}};
  NodeLinkSet object = object_of("node-a", 1);
  object.uid = "first";
  state.upsert_object(object, kNow);
  state.delete_object("node-a");
  object.generation = 2;
  state.adopt_written(object, kNow);
  EXPECT_FALSE(state.nodes().at("node-a").object.has_value());
  object.uid = "second";
  state.adopt_written(object, kNow);
  EXPECT_TRUE(state.nodes().at("node-a").object.has_value());
}

// From a backup of etcd, or after a list that was older than the answer that told of it.
TEST(ClusterStateTest, AnObjectThatComesBackIsBelievedAgain) {
  ClusterState state{ControllerConfig{}};
  state.upsert_object(object_of("node-a", 1), kNow);
  state.delete_object("node-a");
  state.upsert_object(object_of("node-a", 1), kNow);
  state.adopt_written(object_of("node-a", 2), kNow);
  EXPECT_EQ(state.nodes().at("node-a").object->generation, 2);
}

TEST(ClusterStateTest, NodesThatAreOfNoUseAreForgotten) {
  ClusterState state{ControllerConfig{}};
  state.upsert_pod(simple_pod());
  state.delete_pod(kWeb0);
  state.forget_if_empty("node-a");
  EXPECT_THAT(state.nodes(), IsEmpty());
}

}  // namespace
}  // namespace loglink
