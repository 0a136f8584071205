// The nodes' objects: when they are written, and what happens when the server does not take them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/controller.h"
#include "tests/unit/controller/core/cluster_double.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const ObjectKey kWeb0{"prod", "web-0"};

PodBuilder pod_named(const std::string& namespace_name, const std::string& name,
                     const std::string& node = "node-a") {
  return simple_pod().named(namespace_name, name).uid("uid-of-" + name).on_node(node);
}

class SpecWriterTest : public testing::Test {
 protected:
  // A cluster in which web-0's object is published and the agent has answered.
  void publish_web0() {
    cluster_.add_node("node-a");
    cluster_.put_pod(simple_pod());
    cluster_.sync();
    cluster_.lead();
    cluster_.settle();
    cluster_.agent_answers("node-a", 2);
    cluster_.settle();
    ASSERT_NE(cluster_.object("node-a"), nullptr);
    ASSERT_EQ(cluster_.answers(kWeb0).status, "Linked");
    cluster_.effects.clear();
  }
  [[nodiscard]] std::size_t writes() const {
    return cluster_.effects_of_kind<PutSpec>().size() +
           cluster_.effects_of_kind<CreateNodeLinkSet>().size();
  }
  [[nodiscard]] std::size_t warnings() const {
    return static_cast<std::size_t>(
        std::count_if(cluster_.remarks.begin(), cluster_.remarks.end(),
                      [](const Remark& each) { return each.level == RemarkLevel::kWarning; }));
  }
  [[nodiscard]] std::vector<std::string> live_pods(const std::string& node = "node-a") const {
    std::vector<std::string> pods;
    for (const Source& source : cluster_.object(node)->spec.sources) {
      if (!source.withdrawn()) pods.push_back(source.pod);
    }
    return pods;
  }

  ClusterDouble cluster_;
};

TEST_F(SpecWriterTest, WritesNothingBeforeBothListsAreKnownAndItLeads) {
  cluster_.add_node("node-a");
  cluster_.lead();
  cluster_.controller().pods_replaced({simple_pod()}, cluster_.now);
  cluster_.settle();
  EXPECT_FALSE(cluster_.controller().synced());
  EXPECT_THAT(cluster_.effects, IsEmpty());

  cluster_.lose_lease();
  cluster_.controller().objects_replaced({}, cluster_.now);
  cluster_.settle();
  EXPECT_TRUE(cluster_.controller().synced());
  EXPECT_THAT(cluster_.effects, IsEmpty());

  cluster_.lead();
  cluster_.settle();
  EXPECT_NE(cluster_.object("node-a"), nullptr);
}

TEST_F(SpecWriterTest, CreatesTheObjectOwnedByTheNodeThatIsThereNow) {
  publish_web0();
  const NodeLinkSet& object = *cluster_.object("node-a");
  EXPECT_THAT(object.owners,
              ElementsAre(OwnerReference{"v1", "Node", "node-a", cluster_.nodes().at("node-a")}));
  ASSERT_THAT(object.spec.sources, SizeIs(1));
  EXPECT_EQ(object.spec.sources[0].pod, "web-0");
  EXPECT_FALSE(object.spec.sources[0].withdrawn());
}

TEST_F(SpecWriterTest, ItsOwnEchoCausesNothing) {
  publish_web0();
  cluster_.sync();
  cluster_.advance(minutes(30));
  EXPECT_THAT(cluster_.effects, IsEmpty());
}

TEST_F(SpecWriterTest, ANewLeaderOfASettledClusterWritesNothing) {
  publish_web0();
  cluster_.restart_controller();
  cluster_.advance(minutes(30));
  EXPECT_THAT(cluster_.effects, IsEmpty());
}

TEST_F(SpecWriterTest, WithoutANodeThereIsNoObjectUntilItAppears) {
  cluster_.put_pod(simple_pod());
  cluster_.sync();
  cluster_.lead();
  cluster_.advance(minutes(5));
  EXPECT_EQ(cluster_.object("node-a"), nullptr);
  EXPECT_EQ(writes(), 0U);
  // Said once, however often it is looked at.
  EXPECT_EQ(std::count_if(cluster_.remarks.begin(), cluster_.remarks.end(),
                          [](const Remark& each) { return each.level != RemarkLevel::kDebug; }),
            1);
  cluster_.add_node("node-a");
  cluster_.advance(minutes(2));
  EXPECT_NE(cluster_.object("node-a"), nullptr);
}

TEST_F(SpecWriterTest, AnObjectThatWentWithItsNodeIsMadeAgainForTheNewNode) {
  publish_web0();
  cluster_.remove_node("node-a");
  cluster_.add_node("node-a");
  cluster_.advance(minutes(2));
  ASSERT_NE(cluster_.object("node-a"), nullptr);
  EXPECT_EQ(cluster_.object("node-a")->owners.front().uid, cluster_.nodes().at("node-a"));
  EXPECT_THAT(cluster_.effects_of_kind<CreateNodeLinkSet>(), SizeIs(1));
}

TEST_F(SpecWriterTest, AnObjectWithoutItsOwnerGetsIt) {
  publish_web0();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.owners.clear(); });
  cluster_.settle();
  ASSERT_THAT(cluster_.object("node-a")->owners, SizeIs(1));
  EXPECT_EQ(cluster_.object("node-a")->owners.front().uid, cluster_.nodes().at("node-a"));
}

// By a webhook; or by somebody who does it again each time.
TEST_F(SpecWriterTest, AnOwnerThatIsDroppedIsNotFoughtOver) {
  publish_web0();
  cluster_.remarks.clear();
  cluster_.mutate = [](NodeLinkSet& object) { object.owners.clear(); };
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.owners.clear(); });
  cluster_.advance(minutes(25));
  EXPECT_GE(writes(), 2U);
  EXPECT_LE(writes(), 4U);
  EXPECT_LE(cluster_.effects_of_kind<GetNode>().size(), 4U);
  EXPECT_EQ(warnings(), 1U);
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");

  // A Node that cannot be read holds up no change meanwhile.
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<GetNode>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kForbidden)};
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  cluster_.fail_with = nullptr;

  cluster_.mutate = nullptr;
  cluster_.advance(minutes(11));
  EXPECT_FALSE(cluster_.object("node-a")->owners.empty());
}

TEST_F(SpecWriterTest, APodThatIsGoneIsWithdrawnThenRemovedAndTheObjectStays) {
  publish_web0();
  cluster_.remove_pod(kWeb0);
  cluster_.settle();
  ASSERT_THAT(cluster_.object("node-a")->spec.sources, SizeIs(1));
  EXPECT_EQ(cluster_.object("node-a")->spec.sources[0].remove_after,
            cluster_.now.wall + cluster_.config.linger);

  cluster_.advance(2 * cluster_.config.linger - seconds(1));
  EXPECT_THAT(cluster_.object("node-a")->spec.sources, SizeIs(1));
  cluster_.advance(seconds(3));
  ASSERT_NE(cluster_.object("node-a"), nullptr);
  EXPECT_THAT(cluster_.object("node-a")->spec.sources, IsEmpty());
  EXPECT_EQ(writes(), 2U);
}

TEST_F(SpecWriterTest, AWallClockThatJumpsAheadRemovesWithinAMinute) {
  publish_web0();
  cluster_.remove_pod(kWeb0);
  cluster_.settle();
  cluster_.now.wall += std::chrono::hours(1);
  cluster_.advance(seconds(61));
  EXPECT_THAT(cluster_.object("node-a")->spec.sources, IsEmpty());
}

TEST_F(SpecWriterTest, ANewLeaderTakesAwayWhatOneWithAClockFarAheadHasWithdrawn) {
  publish_web0();
  cluster_.remove_pod(kWeb0);
  cluster_.settle();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) {
    object.spec.sources[0].remove_after = at("2099-01-01T00:00:00Z");
  });
  cluster_.restart_controller();
  cluster_.settle();
  ASSERT_THAT(cluster_.object("node-a")->spec.sources, SizeIs(1));
  EXPECT_EQ(cluster_.object("node-a")->spec.sources[0].remove_after,
            cluster_.now.wall + minutes(5));
  cluster_.advance(minutes(11));
  EXPECT_THAT(cluster_.object("node-a")->spec.sources, IsEmpty());
}

TEST_F(SpecWriterTest, APodThatMovesToAnotherNodeIsPublishedThere) {
  publish_web0();
  cluster_.add_node("node-b");
  cluster_.remove_pod(kWeb0);
  cluster_.put_pod(simple_pod().uid("another-uid").on_node("node-b"));
  cluster_.settle();
  EXPECT_THAT(live_pods("node-b"), ElementsAre("web-0"));
  EXPECT_THAT(live_pods("node-a"), IsEmpty());
}

TEST_F(SpecWriterTest, AForeignEditOfTheSpecIsPutRight) {
  publish_web0();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.spec.sources.clear(); });
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0"));
}

TEST_F(SpecWriterTest, AConflictIsAnsweredByReadingAgain) {
  publish_web0();
  int failures = 0;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect) || failures++ > 0) return std::nullopt;
    // Someone else was faster: its version comes by the watch.
    cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.spec.sources.clear(); });
    return std::nullopt;
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(2));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  EXPECT_EQ(failures, 2);
}

// An agent says what it has linked while the next pod comes: hundreds of times in a node's day.
TEST_F(SpecWriterTest, AConflictWithTheAgentsStatusCostsNoTime) {
  publish_web0();
  for (const bool watch_is_first : {true, false}) {
    SCOPED_TRACE(watch_is_first ? "event before the answer" : "event after the answer");
    cluster_.effects.clear();
    bool answered = false;
    cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
      if (std::holds_alternative<PutSpec>(effect) && !std::exchange(answered, true)) {
        cluster_.hold_events(!watch_is_first);
        cluster_.edit_object("node-a", [](NodeLinkSet& object) { ++object.status.links; });
      }
      return std::nullopt;
    };
    const std::string pod = watch_is_first ? "web-1" : "web-2";
    cluster_.put_pod(pod_named("prod", pod));
    cluster_.settle();
    cluster_.hold_events(false);
    cluster_.deliver();
    cluster_.settle();
    EXPECT_THAT(live_pods(), testing::Contains(pod));
    EXPECT_THAT(cluster_.effects_of_kind<PutSpec>(), SizeIs(2));
    // The next conflict is the first again: its own write was taken.
    cluster_.advance(seconds(2));
  }
}

TEST_F(SpecWriterTest, WhoConflictsAgainAndAgainIsBackedOff) {
  publish_web0();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (std::holds_alternative<PutSpec>(effect)) {
      cluster_.edit_object("node-a", [](NodeLinkSet& object) { ++object.status.links; });
    }
    return std::nullopt;
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  EXPECT_THAT(cluster_.effects_of_kind<PutSpec>(), SizeIs(2));
  cluster_.advance(seconds(10));
  EXPECT_LE(writes(), 10U);
  cluster_.fail_with = nullptr;
  cluster_.advance(seconds(10));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
}

TEST_F(SpecWriterTest, A404OnAWriteCreatesTheObject) {
  publish_web0();
  cluster_.hold_events(true);  // the deletion has not been heard of
  cluster_.remove_object("node-a");
  cluster_.lose_held_events();
  cluster_.hold_events(false);
  cluster_.controller().pod_upserted(pod_named("prod", "web-1").pod(), cluster_.now);
  cluster_.advance(seconds(2));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  EXPECT_THAT(cluster_.effects_of_kind<CreateNodeLinkSet>(), SizeIs(1));
  for (const Remark& remark : cluster_.remarks) {
    EXPECT_NE(remark.level, RemarkLevel::kWarning) << remark.message;
  }
}

// Made and deleted before the watch had shown it: the watch has nothing to tell, and the answer to
// its making is all that we know of it.
TEST_F(SpecWriterTest, AnObjectThatTheWatchNeverShowedIsMadeAgainWhenItIsGone) {
  cluster_.add_node("node-a");
  cluster_.put_pod(simple_pod());
  cluster_.sync();
  cluster_.lead();
  cluster_.hold_events(true);
  cluster_.settle();
  ASSERT_NE(cluster_.object("node-a"), nullptr);
  cluster_.remove_object("node-a");
  cluster_.lose_held_events();
  cluster_.hold_events(false);
  cluster_.advance(seconds(35));
  EXPECT_NE(cluster_.object("node-a"), nullptr);
  EXPECT_THAT(cluster_.effects_of_kind<CreateNodeLinkSet>(), SizeIs(2));
}

TEST_F(SpecWriterTest, AnObjectThatTheWatchShowsLateIsAskedAfterNowAndThenAndDoesNotChange) {
  cluster_.add_node("node-a");
  cluster_.put_pod(simple_pod());
  cluster_.sync();
  cluster_.lead();
  cluster_.hold_events(true);
  cluster_.settle();
  const std::string version = cluster_.object("node-a")->resource_version;
  cluster_.advance(seconds(95));
  EXPECT_EQ(cluster_.object("node-a")->resource_version, version);
  EXPECT_THAT(cluster_.effects_of_kind<PutSpec>(), SizeIs(3));
  cluster_.hold_events(false);
  cluster_.deliver();
  cluster_.effects.clear();
  cluster_.advance(minutes(5));
  EXPECT_EQ(writes(), 0U);
}

TEST_F(SpecWriterTest, AnAnswerThatIsLostAlthoughTheWriteWasDoneConverges) {
  publish_web0();
  int failures = 0;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect) || failures++ > 0) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kDeadline), true};
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(5));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  EXPECT_EQ(writes(), 1U);
}

TEST_F(SpecWriterTest, AnOlderEventDoesNotUndoWhatTheServerHasAnswered) {
  publish_web0();
  const NodeLinkSet before = *cluster_.object("node-a");
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  cluster_.effects.clear();
  cluster_.controller().object_upserted(before, cluster_.now);
  cluster_.settle();
  EXPECT_THAT(cluster_.effects, IsEmpty());
}

TEST_F(SpecWriterTest, ARestoredServerIsBelievedAfterAWhile) {
  publish_web0();
  const NodeLinkSet before = *cluster_.object("node-a");
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  // A backup is restored: same object, an earlier generation, and this is the truth now.
  cluster_.edit_object("node-a", [&](NodeLinkSet& object) {
    const std::int64_t generation = before.generation - 1;
    object.spec = before.spec;
    object.generation = generation;
  });
  cluster_.advance(seconds(35));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
}

TEST_F(SpecWriterTest, ASourceThatTheServerNamesIsKeptOutAndTheOthersArePublished) {
  cluster_.add_node("node-a");
  cluster_.put_pod(simple_pod());
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    const auto* create = std::get_if<CreateNodeLinkSet>(&effect);
    if (create == nullptr) return std::nullopt;
    const std::vector<Source>& sources = create->object.spec.sources;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (sources[i].pod != "web-1") continue;
      return ClusterDouble::Failure{
          kube_error(KubeErrorKind::kInvalid,
                     {{"FieldValueInvalid", "no", "spec.sources[" + std::to_string(i) + "].path"}}),
          false};
    }
    return std::nullopt;
  };
  cluster_.sync();
  cluster_.lead();
  cluster_.advance(seconds(1));
  EXPECT_THAT(live_pods(), ElementsAre("web-0"));
  EXPECT_EQ(cluster_.answers({"prod", "web-1"}).status, "Invalid");
  EXPECT_THAT(*cluster_.answers({"prod", "web-1"}).message, testing::HasSubstr("RejectedByServer"));

  cluster_.fail_with = nullptr;
  cluster_.effects.clear();
  cluster_.advance(minutes(5));
  EXPECT_EQ(writes(), 0U) << "nothing has changed";
  cluster_.put_pod(pod_named("prod", "web-1").annotate("loglink/max-depth", "2"));
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1")) << "the pod has changed";
}

// A webhook in front of the server answers so; it says nothing about the CRD.
TEST_F(SpecWriterTest, A400IsNotTheCrdAndTroubleIsSaidWhenItBeginsAndWhenItEnds) {
  publish_web0();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect)) return std::nullopt;
    KubeError error = kube_error(KubeErrorKind::kInvalid);
    error.http_status = 400;
    error.message = "a webhook denied the request";
    return ClusterDouble::Failure{error, false};
  };
  cluster_.remarks.clear();
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(minutes(5));
  EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 0U);
  EXPECT_GE(writes(), 3U) << "it is tried again";
  ASSERT_EQ(warnings(), 1U) << "said once";
  EXPECT_EQ(cluster_.remarks.front().message, "a node link set cannot be written, trying again");

  cluster_.fail_with = nullptr;
  cluster_.advance(minutes(2));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  EXPECT_EQ(cluster_.remarks[1].message, "node link sets are written again");
}

TEST_F(SpecWriterTest, A422ThatNamesNoSourceIsCrdOutdatedAndDropsNothing) {
  publish_web0();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect)) return std::nullopt;
    return ClusterDouble::Failure{
        kube_error(KubeErrorKind::kInvalid, {{"FieldValueInvalid", "too many", "spec.sources"}}),
        false};
  };
  cluster_.remarks.clear();
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(59));
  EXPECT_EQ(writes(), 1U) << "it stops rewriting";
  cluster_.advance(minutes(5));
  EXPECT_LE(writes(), 6U) << "one try a minute";
  EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 1U);
  EXPECT_EQ(warnings(), 1U) << "said once";
  EXPECT_THAT(live_pods(), ElementsAre("web-0"));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked") << "other pods keep their word";
  EXPECT_THAT(*cluster_.answers({"prod", "web-1"}).message, testing::HasSubstr("CRDOutdated"));

  cluster_.fail_with = nullptr;  // the CRD is replaced; nobody tells us
  cluster_.advance(seconds(61));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 0U);
}

TEST_F(SpecWriterTest, AnOutdatedCrdCostsOneWriteASecondAndItsReplacementIsUsedByAllAtOnce) {
  cluster_.prune = [](NodeLinkSetSpec& spec) {
    for (Source& source : spec.sources) source.plain_names = false;
  };
  for (int i = 0; i < 200; ++i) {
    const std::string node = "node-" + std::to_string(1000 + i);
    cluster_.add_node(node);
    cluster_.put_pod(pod_named("prod", "web-" + std::to_string(i), node));
  }
  cluster_.sync();
  cluster_.lead();
  cluster_.advance(minutes(1));
  EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 200U);
  cluster_.effects.clear();
  cluster_.advance(minutes(5));
  EXPECT_LE(writes(), 310U);
  EXPECT_EQ(warnings(), 200U) << "said once for each node";
  cluster_.prune = nullptr;
  cluster_.advance(seconds(10));
  EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 0U);
  EXPECT_TRUE(cluster_.object("node-1199")->spec.sources[0].plain_names);
}

TEST_F(SpecWriterTest, ASourceThatCannotBeReadIsWrittenAway) {
  publish_web0();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.spec.unreadable = 1; });
  cluster_.settle();
  EXPECT_EQ(cluster_.object("node-a")->spec.unreadable, 0U);
  EXPECT_THAT(live_pods(), ElementsAre("web-0"));
}

TEST_F(SpecWriterTest, WhatOthersPutOnTheObjectGoesBackWithEachWrite) {
  publish_web0();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) {
    object.foreign_metadata = R"({"labels":{"team":"red"}})";
    object.owners.push_back({"example.com/v1", "Fleet", "f", "fleet-uid", true, true});
  });
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
  EXPECT_EQ(cluster_.object("node-a")->foreign_metadata, R"({"labels":{"team":"red"}})");
  EXPECT_EQ(cluster_.object("node-a")->owners.back(),
            (OwnerReference{"example.com/v1", "Fleet", "f", "fleet-uid", true, true}));
}

TEST_F(SpecWriterTest, AnAnswerThatStillDiffersIsCrdOutdatedAndNotRewritten) {
  cluster_.prune = [](NodeLinkSetSpec& spec) {
    for (Source& source : spec.sources) source.plain_names = false;
  };
  cluster_.add_node("node-a");
  cluster_.put_pod(simple_pod());
  cluster_.sync();
  cluster_.lead();
  cluster_.advance(seconds(59));
  EXPECT_EQ(writes(), 1U);
  EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 1U);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1")) << "what is new is still published";
  EXPECT_EQ(writes(), 2U);
  cluster_.agent_answers("node-a");
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
}

TEST_F(SpecWriterTest, LosesTheLeaseAndWritesNothingUntilItLeadsAgain) {
  publish_web0();
  cluster_.lose_lease();
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(minutes(1));
  EXPECT_THAT(cluster_.effects, IsEmpty());
  cluster_.lead();
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
}

TEST_F(SpecWriterTest, TheFenceHoldsWithoutBeingTold) {
  publish_web0();
  cluster_.lead(seconds(10));
  cluster_.settle();
  cluster_.now.monotonic = cluster_.now.monotonic + seconds(10);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  EXPECT_THAT(cluster_.effects, IsEmpty());
}

TEST_F(SpecWriterTest, AWriteThatWasCancelledByTheFenceIsMadeInTheNextTerm) {
  publish_web0();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect)) return std::nullopt;
    cluster_.lose_lease();
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kCancelled), false};
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(minutes(1));
  EXPECT_EQ(writes(), 1U);
  cluster_.fail_with = nullptr;
  cluster_.lead();
  cluster_.settle();
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
}

TEST_F(SpecWriterTest, FailedWritesBackOffAndObeyRetryAfter) {
  publish_web0();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect)) return std::nullopt;
    KubeError busy = kube_error(KubeErrorKind::kTooManyRequests);
    busy.retry_after = seconds(10);
    return ClusterDouble::Failure{busy, false};
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(9));
  EXPECT_EQ(writes(), 1U);
  cluster_.advance(minutes(10));
  EXPECT_LE(writes(), 61U);
  cluster_.fail_with = nullptr;
  cluster_.advance(seconds(10));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
}

// The delay of a node had grown to a minute and a half.
TEST_F(SpecWriterTest, AServerThatWasBusyForLongIsTriedAgainWithinFiveSeconds) {
  publish_web0();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kTooManyRequests), false};
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(minutes(9));
  const std::size_t before = writes();
  cluster_.advance(minutes(1));
  EXPECT_GE(writes() - before, 12U);
  cluster_.fail_with = nullptr;
  cluster_.advance(seconds(5));
  EXPECT_THAT(live_pods(), ElementsAre("web-0", "web-1"));
}

TEST_F(SpecWriterTest, SpecsOfManyNodesGoOutAtFiftyASecond) {
  for (int i = 0; i < 200; ++i) {
    const std::string node = "node-" + std::to_string(1000 + i);
    cluster_.add_node(node);
    cluster_.put_pod(pod_named("prod", "web-" + std::to_string(i), node));
  }
  cluster_.sync();
  cluster_.lead();
  cluster_.settle();
  EXPECT_EQ(writes(), 50U);
  cluster_.advance(seconds(1));
  EXPECT_EQ(writes(), 100U);
  cluster_.advance(seconds(2));
  EXPECT_EQ(writes(), 200U);
}

TEST_F(SpecWriterTest, OneNodeIsWrittenTwentyTimesAtOnceThenTenTimesASecond) {
  publish_web0();
  for (int i = 0; i < 60; ++i) {
    cluster_.put_pod(pod_named("prod", "more-" + std::to_string(i)));
    cluster_.settle();
  }
  EXPECT_LE(writes(), 20U);
  EXPECT_GE(writes(), 18U);
  cluster_.effects.clear();
  cluster_.advance(seconds(1));
  EXPECT_THAT(live_pods(), SizeIs(61)) << "what waited goes out together";
  EXPECT_LE(writes(), 2U);
}

TEST_F(SpecWriterTest, RefusedPodsMakeNoObject) {
  cluster_.add_node("node-a");
  cluster_.put_pod(PodBuilder().watch("/var/log/app"));
  cluster_.sync();
  cluster_.lead();
  cluster_.settle();
  EXPECT_EQ(cluster_.object("node-a"), nullptr);
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
}

TEST_F(SpecWriterTest, FiguresCountWhatIsThere) {
  publish_web0();
  cluster_.put_pod(PodBuilder().named("prod", "bad").uid("u").watch("/nowhere"));
  cluster_.put_pod(PodBuilder().named("prod", "silent").uid("v"));
  cluster_.settle();
  const ControllerFigures figures = cluster_.controller().figures();
  EXPECT_EQ(figures.nodes, 1U);
  EXPECT_EQ(figures.pods_annotated, 2U);
  EXPECT_EQ(figures.node_link_sets, 1U);
  EXPECT_EQ(figures.sources_by_root, (std::map<std::string, std::size_t>{{"kubelet-pods", 1}}));
  EXPECT_EQ(figures.refusals, (std::map<Reason, std::size_t>{{Reason::kNotOnAVolume, 1}}));
}

TEST(SpecWriterStaticPodTest, TwoPodsWithOneIdAreBothRefused) {
  ControllerConfig config;
  config.static_pods = true;
  ClusterDouble cluster(config);
  cluster.add_node("node-a");
  const std::string hash = "0123456789abcdef0123456789abcdef";
  const auto static_pod = [&](const std::string& name) {
    return simple_pod()
        .named("prod", name)
        .uid("uid-of-" + name)
        .owned_by_node("node-a")
        .annotate("kubernetes.io/config.mirror", hash)
        .annotate("kubernetes.io/config.hash", hash);
  };
  cluster.put_pod(static_pod("web-node-a"));
  cluster.sync();
  cluster.lead();
  cluster.settle();
  ASSERT_NE(cluster.object("node-a"), nullptr);
  EXPECT_EQ(cluster.object("node-a")->spec.sources[0].uid, hash);

  // One that asks for nothing counts too.
  PodView silent = static_pod("other-node-a");
  silent.annotations.erase("loglink/watch-dir");
  cluster.put_pod(silent);
  cluster.advance(seconds(11));
  EXPECT_TRUE(cluster.object("node-a")->spec.sources[0].withdrawn());
  EXPECT_THAT(*cluster.answers({"prod", "web-node-a"}).message, testing::HasSubstr("StaticPod"));

  cluster.remove_pod({"prod", "other-node-a"});
  cluster.advance(seconds(30));
  EXPECT_FALSE(cluster.object("node-a")->spec.sources[0].withdrawn());
}

}  // namespace
}  // namespace loglink
