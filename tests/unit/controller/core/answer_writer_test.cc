// What stands on the pods, and how often it is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/core/answer_writer_fixture.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

TEST_F(AnswerWriterTest, PendingUntilTheAgentAnswersThenLinked) {
  start();
  cluster_.put_pod(simple_pod());
  cluster_.advance(seconds(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
  EXPECT_EQ(cluster_.answers(kWeb0).links, std::nullopt);
  cluster_.agent_answers("node-a", 2);
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0), (PodAnswers{"Linked", "2", std::nullopt}));
  EXPECT_EQ(patches(), 2U);
}

// Half of the writes of a cluster whose agents are well, and none at the time of the one that
// links.
TEST_F(AnswerWriterTest, WhereTheAgentAnswersWithinASecondThatIsTheOnlyWrite) {
  start();
  cluster_.put_pod(simple_pod().on_node(""));
  cluster_.put_pod(simple_pod());
  cluster_.advance(std::chrono::milliseconds(999));
  EXPECT_EQ(patches(), 0U);
  cluster_.agent_answers("node-a", 2);
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0), (PodAnswers{"Linked", "2", std::nullopt}));
  cluster_.advance(minutes(10));
  EXPECT_EQ(patches(), 1U);
}

TEST_F(AnswerWriterTest, ARefusalDoesNotWaitForTheAgent) {
  start();
  cluster_.put_pod(broken_pod());
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
}

TEST_F(AnswerWriterTest, PatchesNameTheUid) {
  start();
  cluster_.put_pod(simple_pod());
  cluster_.advance(seconds(1));
  ASSERT_EQ(patches(), 1U);
  EXPECT_EQ(cluster_.effects_of_kind<PatchPod>()[0].uid, simple_pod().pod().uid);
}

TEST_F(AnswerWriterTest, OtherPodsChangesNeverMoveTheWord) {
  publish_web0();
  for (int i = 0; i < 3; ++i) {
    cluster_.put_pod(
        simple_pod().named("prod", "other-" + std::to_string(i)).uid(std::to_string(i)));
    cluster_.settle();
    EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  }
  for (const PatchPod& patch : cluster_.effects_of_kind<PatchPod>()) EXPECT_NE(patch.pod, kWeb0);
}

TEST_F(AnswerWriterTest, ItsOwnChangeIsPendingUntilItsGenerationIsObserved) {
  publish_web0();
  cluster_.put_pod(simple_pod().watch("/var/log/app/sub"));
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
  // The agent's status moves, but it has not seen this generation.
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.status.refused = 7; });
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
  cluster_.agent_answers("node-a", 1);
  cluster_.advance(seconds(11));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
}

TEST_F(AnswerWriterTest, AnEntryForAnotherUidDoesNotCount) {
  start();
  cluster_.put_pod(simple_pod());
  cluster_.settle();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) {
    object.status.observed_generation = object.generation;
    object.status.pods = {{"prod", "web-0", "its predecessor's", 5, 0, "", ""}};
  });
  cluster_.advance(seconds(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
}

TEST_F(AnswerWriterTest, SaysAfterAMinuteThatNoAgentAnswers) {
  start();
  cluster_.put_pod(simple_pod());
  cluster_.advance(seconds(59));
  EXPECT_THAT(*cluster_.answers(kWeb0).message, testing::Not(HasSubstr("no agent answers")));
  cluster_.advance(seconds(2));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
  EXPECT_THAT(*cluster_.answers(kWeb0).message, HasSubstr("no agent answers"));

  // A new leader starts to wait anew, but does not take that back.
  cluster_.effects.clear();
  cluster_.restart_controller();
  cluster_.advance(minutes(3));
  EXPECT_THAT(cluster_.effects, IsEmpty());

  cluster_.agent_answers("node-a", 1);
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0), (PodAnswers{"Linked", "1", std::nullopt}));
}

// It knew nothing of the generation that brought the pod, and took an answer to a former one for
// this pod's.
TEST_F(AnswerWriterTest, ADeadAgentIsNamedAlsoAfterARestartOfTheController) {
  const ObjectKey web1{"prod", "web-1"};
  publish_web0();
  cluster_.put_pod(simple_pod().named("prod", "web-1").uid("uid-1"));
  cluster_.advance(seconds(30));
  EXPECT_EQ(cluster_.answers(web1).message, "waiting for the agent on node node-a");
  cluster_.restart_controller();
  cluster_.advance(seconds(30));
  EXPECT_EQ(cluster_.answers(web1).message, "waiting for the agent on node node-a");
  cluster_.advance(minutes(1));
  EXPECT_THAT(cluster_.answers(web1).message.value_or(""), HasSubstr("no agent answers"));
}

TEST_F(AnswerWriterTest, WhatAPodWaitedInAFormerTermDoesNotCountInThisOne) {
  const ObjectKey web1{"prod", "web-1"};
  publish_web0();
  cluster_.put_pod(simple_pod().named("prod", "web-1").uid("uid-1"));
  cluster_.advance(seconds(10));
  cluster_.lose_lease();
  cluster_.advance(minutes(60));
  cluster_.lead();
  cluster_.advance(seconds(30));
  EXPECT_EQ(cluster_.answers(web1).message, "waiting for the agent on node node-a");
  cluster_.advance(minutes(1));
  EXPECT_THAT(cluster_.answers(web1).message.value_or(""), HasSubstr("no agent answers"));
}

// What it has observed once it has observed: not until then is it late again.
TEST_F(AnswerWriterTest, ANewLeaderTellsAPodThatWaitsToBeReadNothingOfAnAgentThatIsAway) {
  publish_web0();
  cluster_.restart_controller();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.status.pods.clear(); });
  cluster_.advance(minutes(2));
  EXPECT_THAT(cluster_.answers(kWeb0).message.value_or(""), HasSubstr("has not read"));
  cluster_.effects.clear();
  cluster_.put_pod(simple_pod().named("prod", "web-1").uid("uid-1"));
  cluster_.advance(seconds(20));
  for (const PatchPod& patch : cluster_.effects_of_kind<PatchPod>()) {
    EXPECT_NE(patch.pod, kWeb0) << patch.answers.message.value_or("");
  }
}

// The agent answers to generations that are counted anew.
TEST_F(AnswerWriterTest, AfterARestoreTheAgentsAnswersCountAgain) {
  publish_web0();
  for (const char* pattern : {"*.txt", "*.log"}) {
    cluster_.put_pod(simple_pod().annotate("loglink/include", pattern));
    cluster_.advance(minutes(1));
    cluster_.agent_answers("node-a", 2);
    cluster_.advance(minutes(1));
  }
  ASSERT_EQ(cluster_.answers(kWeb0).status, "Linked");
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.generation = 1; });
  cluster_.agent_answers("node-a", 3);
  cluster_.sync();
  cluster_.advance(minutes(5));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  EXPECT_EQ(cluster_.answers(kWeb0).links, "3");
  EXPECT_EQ(cluster_.answers(kWeb0).message, std::nullopt);
}

TEST_F(AnswerWriterTest, APodThatCannotBePublishedYetIsNotSaidToWaitForItsTurn) {
  publish_web0();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kServerError)};
  };
  cluster_.put_pod(simple_pod().named("prod", "web-1").uid("uid-1"));
  cluster_.advance(seconds(30));
  // The node rests now, and is not looked at for this one.
  cluster_.put_pod(simple_pod().named("prod", "web-2").uid("uid-2"));
  cluster_.advance(seconds(2));
  EXPECT_EQ(cluster_.answers({"prod", "web-2"}).message, "waiting for the agent on node node-a");
}

TEST_F(AnswerWriterTest, SaysWhereTheAgentsAnswerHasNoRoomForThePod) {
  publish_web0();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) {
    object.status.pod_count = 1;
    object.status.pods.clear();
  });
  cluster_.advance(minutes(2));
  EXPECT_THAT(cluster_.answers(kWeb0).message.value_or(""), HasSubstr("has no room in its answer"));
}

TEST_F(AnswerWriterTest, AnUnboundPodGetsItsRefusalsAlready) {
  start();
  cluster_.put_pod(broken_pod().on_node(""));
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  EXPECT_THAT(*cluster_.answers(kWeb0).message, HasSubstr("NotOnAVolume"));
  cluster_.put_pod(broken_pod().on_node("node-a"));
  cluster_.advance(minutes(2));
  EXPECT_EQ(patches(), 1U) << "the same answer is not written again";
}

TEST_F(AnswerWriterTest, AnswersGoWithTheRequest) {
  publish_web0();
  PodView pod = simple_pod();
  pod.annotations.erase("loglink/watch-dir");
  cluster_.put_pod(pod);
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0), PodAnswers{});
  EXPECT_EQ(patches(), 1U);
  cluster_.advance(minutes(2));
  EXPECT_EQ(patches(), 1U);
}

TEST_F(AnswerWriterTest, AForeignEditOfAnAnswerIsPutRight) {
  publish_web0();
  cluster_.advance(seconds(30));
  cluster_.put_pod(simple_pod().annotate("loglink/status", "Perfect"));
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
}

TEST_F(AnswerWriterTest, AnOldEventAfterAPatchCausesNoSecondPatch) {
  start();
  const PodView before = simple_pod();
  cluster_.put_pod(before);
  cluster_.settle();
  cluster_.hold_events(true);
  cluster_.agent_answers("node-a", 1);
  cluster_.deliver();
  cluster_.settle();  // patched; the echo is held
  cluster_.effects.clear();
  cluster_.controller().pod_upserted(before, cluster_.now);
  cluster_.settle();
  EXPECT_EQ(patches(), 0U);
  cluster_.hold_events(false);
  cluster_.deliver();
  cluster_.advance(minutes(2));
  EXPECT_EQ(patches(), 0U);
}

TEST_F(AnswerWriterTest, ACountAloneIsWrittenOnceAMinute) {
  publish_web0(1);
  for (int links = 2; links < 30; ++links) {
    cluster_.advance(seconds(1));
    cluster_.agent_answers("node-a", links);
    cluster_.settle();
  }
  EXPECT_EQ(patches(), 0U);
  cluster_.advance(seconds(35));
  EXPECT_EQ(patches(), 1U);
  EXPECT_EQ(cluster_.answers(kWeb0).links, "29");
  cluster_.agent_answers("node-a", 30);
  cluster_.advance(seconds(55));
  EXPECT_EQ(patches(), 1U);
  cluster_.advance(seconds(10));
  EXPECT_EQ(patches(), 2U);
}

TEST_F(AnswerWriterTest, AChangedWordIsWrittenAtOnce) {
  publish_web0();
  cluster_.agent_answers("node-a", 2, "ReadError", "cannot read it");
  cluster_.settle();
  EXPECT_EQ(patches(), 1U);
}

TEST_F(AnswerWriterTest, APodHasThreeChangesAtOnceThenOnePerTenSeconds) {
  start();
  cluster_.put_pod(broken_pod());
  cluster_.settle();
  for (int i = 0; i < 100; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.settle();
  }
  EXPECT_EQ(patches(), 3U);
  cluster_.advance(seconds(11));
  EXPECT_EQ(patches(), 4U);
  EXPECT_THAT(*cluster_.answers(kWeb0).message, HasSubstr("/x99:"));
  cluster_.advance(minutes(5));
  EXPECT_EQ(patches(), 4U);
}

// Behind a bad proxy it took two waits of ten seconds to tell a pod that all is well.
TEST_F(AnswerWriterTest, ThatItWaitsDoesNotTakeThePodsLastChange) {
  start();
  for (int i = 0; i < 2; ++i) {
    cluster_.put_pod(broken_pod().uid("uid-1").watch("/x" + std::to_string(i)));
    cluster_.settle();
  }
  ASSERT_EQ(patches(), 2U);
  cluster_.put_pod(simple_pod().uid("uid-1"));
  cluster_.advance(seconds(4));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  cluster_.agent_answers("node-a", 2);
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  EXPECT_EQ(patches(), 3U);
}

TEST_F(AnswerWriterTest, ThatItWaitsIsSaidWhereNoAgentAnswersSoon) {
  start();
  for (int i = 0; i < 3; ++i) {
    cluster_.put_pod(broken_pod().uid("uid-1").watch("/x" + std::to_string(i)));
    cluster_.settle();
  }
  ASSERT_EQ(patches(), 3U);
  cluster_.put_pod(simple_pod().uid("uid-1"));
  cluster_.advance(seconds(14));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  cluster_.advance(seconds(2));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
  cluster_.agent_answers("node-a", 2);
  cluster_.advance(seconds(5));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
}

TEST_F(AnswerWriterTest, PatchesGoOutAtTwentyASecondNamespacesInTurn) {
  start();
  for (int i = 0; i < 100; ++i) cluster_.put_pod(broken_pod("busy", "web-" + std::to_string(i)));
  cluster_.put_pod(broken_pod("calm", "only"));
  cluster_.settle();
  EXPECT_EQ(patches(), 20U);
  EXPECT_EQ(cluster_.answers({"calm", "only"}).status, "Invalid");
  cluster_.advance(seconds(1));
  EXPECT_EQ(patches(), 40U);
  cluster_.advance(seconds(4));
  EXPECT_EQ(patches(), 101U);
}

// Writes that hang keep its node from being looked at, so that nothing else is known of the pod.
TEST_F(AnswerWriterTest, APodThatIsBoundIsNotToldThatItWaitsForANode) {
  start();
  cluster_.hang_with = [](const Effect& effect) {
    return std::holds_alternative<CreateNodeLinkSet>(effect);
  };
  for (int i = 0; i < 8; ++i) {
    const std::string node = "slow-" + std::to_string(i);
    cluster_.add_node(node);
    cluster_.put_pod(simple_pod().named("other", node).uid(node).on_node(node));
  }
  cluster_.settle();
  cluster_.put_pod(simple_pod().on_node(""));
  cluster_.advance(std::chrono::milliseconds(990));
  cluster_.put_pod(simple_pod().on_node("node-a"));
  cluster_.advance(std::chrono::milliseconds(20));
  EXPECT_EQ(cluster_.answers(kWeb0).message, std::nullopt);
}

TEST_F(AnswerWriterTest, APodThatIsBoundHasItsChangesAnew) {
  start();
  for (int i = 0; i < 3; ++i) {
    cluster_.put_pod(broken_pod().uid("uid-1").watch("/x" + std::to_string(i)).on_node(""));
    cluster_.settle();
  }
  ASSERT_EQ(patches(), 3U);
  cluster_.put_pod(simple_pod().uid("uid-1"));
  cluster_.settle();
  cluster_.agent_answers("node-a", 2);
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
}

// Its uid on no node: a list from before it was bound, as after a restore.
TEST_F(AnswerWriterTest, APodThatLosesItsNodeAndGetsAnotherLeavesNothingOnTheFirst) {
  cluster_.add_node("node-b");
  publish_web0();
  cluster_.put_pod(simple_pod().on_node(""));
  cluster_.settle();
  cluster_.put_pod(simple_pod().on_node("node-b"));
  cluster_.advance(minutes(1));
  EXPECT_THAT(live_sources(cluster_.object("node-a")->spec), IsEmpty());
  ASSERT_NE(cluster_.object("node-b"), nullptr);
  EXPECT_THAT(live_sources(cluster_.object("node-b")->spec), SizeIs(1));
}

TEST_F(AnswerWriterTest, AFinishedPodKeepsItsLastWord) {
  publish_web0();
  cluster_.put_pod(simple_pod().phase("Succeeded"));
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  cluster_.advance(minutes(5));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  EXPECT_EQ(patches(), 0U);
}

// Our write's answer came, the watch is one behind, and the agent's status has made our next write
// conflict: what is taken then is older, and nothing was restored.
TEST_F(AnswerWriterTest, AConflictWhileTheWatchIsBehindForgetsNoGeneration) {
  publish_web0();
  cluster_.hold_events(true);
  const auto put = [&](const PodView& pod) {
    cluster_.put_pod(pod);
    cluster_.controller().pod_upserted(cluster_.pods().at(pod.key()), cluster_.now);
    cluster_.settle();
  };
  put(simple_pod().watch("/var/log/app/sub"));
  const NodeLinkSet second = *cluster_.object("node-a");
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
  put(simple_pod().named("prod", "web-1").uid("u1"));
  ASSERT_GT(cluster_.object("node-a")->generation, second.generation);
  cluster_.controller().object_upserted(second, cluster_.now);
  cluster_.settle();
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.status.refused = 7; });
  put(simple_pod().named("prod", "web-2").uid("u2"));
  cluster_.hold_events(false);
  cluster_.deliver();
  for (int second_after = 0; second_after < 20; ++second_after) {
    cluster_.advance(seconds(1));
    ASSERT_EQ(cluster_.answers(kWeb0).status, "Pending") << "no agent has seen its directory";
  }
}

}  // namespace
}  // namespace loglink
