// What stands on the pods, and how often it is written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/controller.h"
#include "tests/unit/controller/core/cluster_double.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const ObjectKey kWeb0{"prod", "web-0"};

PodBuilder broken_pod(const std::string& namespace_name = "prod",
                      const std::string& name = "web-0") {
  return PodBuilder()
      .named(namespace_name, name)
      .uid("uid-of-" + namespace_name + name)
      .watch("/x");
}

class AnswerWriterTest : public testing::Test {
 protected:
  void start() {
    cluster_.add_node("node-a");
    cluster_.sync();
    cluster_.lead();
    cluster_.settle();
  }
  void publish_web0(int links = 2) {
    start();
    cluster_.put_pod(simple_pod());
    cluster_.settle();
    cluster_.agent_answers("node-a", links);
    cluster_.settle();
    ASSERT_EQ(cluster_.answers(kWeb0).status, "Linked");
    cluster_.effects.clear();
  }
  [[nodiscard]] std::size_t patches() const { return cluster_.effects_of_kind<PatchPod>().size(); }
  [[nodiscard]] std::size_t events() const {
    return cluster_.effects_of_kind<CreateEvent>().size();
  }

  ClusterDouble cluster_;
};

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

// After a storm of 429 a pod had no change left for what became of it.
TEST_F(AnswerWriterTest, TriesThatFailTakeNoneOfThePodsChanges) {
  start();
  std::optional<KubeErrorKind> fault = KubeErrorKind::kTooManyRequests;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!fault || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(*fault, {}), false};
  };
  cluster_.put_pod(broken_pod());
  cluster_.advance(seconds(20));
  const std::size_t tries = patches();
  EXPECT_GE(tries, 4U) << "after 1, 2 and 4 s, and half as much again";
  EXPECT_LE(tries, 7U);
  fault.reset();
  cluster_.advance(seconds(6));
  EXPECT_EQ(patches(), tries + 1);
  for (int i = 0; i < 2; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.settle();
  }
  EXPECT_EQ(patches(), tries + 3);
}

// Each change of its owner tries it anew, or makes a conflict; and a pod may be so large that its
// answer is not read.
TEST_F(AnswerWriterTest, TriesThatFailByThePodItselfTakeItsChanges) {
  for (const KubeErrorKind kind :
       {KubeErrorKind::kForbidden, KubeErrorKind::kConflict, KubeErrorKind::kProtocol}) {
    cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
      if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
      return ClusterDouble::Failure{kube_error(kind, {}), kind == KubeErrorKind::kProtocol};
    };
    start();
    cluster_.effects.clear();
    const std::string name = "of-" + std::string(to_string(kind));
    for (int i = 0; i < 60; ++i) {
      cluster_.put_pod(broken_pod("prod", name).watch("/x" + std::to_string(i)));
      cluster_.advance(seconds(1));
    }
    EXPECT_GE(patches(), 3U);
    EXPECT_LE(patches(), 9U);
    cluster_.remove_pod({"prod", name});
  }
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

TEST_F(AnswerWriterTest, AWrongUidDropsThePatchUntilThePodChanges) {
  start();
  PodView old = simple_pod();
  cluster_.put_pod(simple_pod().uid("the-new-one"));
  cluster_.controller().pod_upserted(old, cluster_.now);  // a stale view
  cluster_.advance(minutes(10));
  EXPECT_EQ(patches(), 1U);
  cluster_.sync();
  cluster_.advance(seconds(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
}

TEST_F(AnswerWriterTest, AGonePodDropsThePatch) {
  start();
  cluster_.controller().pod_upserted(simple_pod(), cluster_.now);
  cluster_.advance(minutes(10));
  EXPECT_EQ(patches(), 1U);
}

TEST_F(AnswerWriterTest, ARefusingPolicyIsSaidOnceAndTriedSlowly) {
  start();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kInvalid, {{"", "policy says no", ""}}),
                                  false};
  };
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(30));
  EXPECT_LE(patches(), 20U);
  EXPECT_GE(patches(), 5U);
  EXPECT_EQ(std::count_if(cluster_.remarks.begin(), cluster_.remarks.end(),
                          [](const Remark& each) { return each.level == RemarkLevel::kWarning; }),
            1);
}

// A pod with as many bytes of annotations as there may be cannot be written to.
TEST_F(AnswerWriterTest, ARefusalThatCannotBeWrittenOnThePodIsAnEventOnce) {
  start();
  bool refuses = true;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!refuses || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kInvalid, {{"", "too long", ""}}),
                                  false};
  };
  cluster_.put_pod(broken_pod());
  cluster_.advance(minutes(30));
  ASSERT_EQ(events(), 1U);
  EXPECT_EQ(cluster_.effects_of_kind<CreateEvent>()[0].event.reason, "NotOnAVolume");
  refuses = false;
  cluster_.advance(minutes(10));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  ASSERT_THAT(cluster_.events, SizeIs(1));
  EXPECT_EQ(cluster_.events.begin()->second, 1) << "told already";
}

TEST_F(AnswerWriterTest, AServerThatWasBusyForLongIsTriedAgainWithinSixSeconds) {
  start();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kTooManyRequests, {}), false};
  };
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(10));
  cluster_.fail_with = nullptr;
  cluster_.advance(seconds(6));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
}

// It was silent after any other failure, and all about failures that pass.
TEST_F(AnswerWriterTest, TroubleIsSaidOnceARefusalAfterItTooAndItsEndToo) {
  start();
  std::optional<KubeErrorKind> fault = KubeErrorKind::kServerError;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!fault || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(*fault, {}), false};
  };
  const auto said = [&](const std::string& text) {
    return std::count_if(cluster_.remarks.begin(), cluster_.remarks.end(),
                         [&](const Remark& each) { return each.message == text; });
  };
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(10));
  EXPECT_EQ(said("trouble with the API server, trying again"), 1);
  fault = KubeErrorKind::kForbidden;
  cluster_.advance(minutes(10));
  EXPECT_EQ(said("the answer on a pod is refused"), 1);
  fault = KubeErrorKind::kServerError;
  cluster_.advance(minutes(10));
  fault.reset();
  cluster_.advance(seconds(50));
  EXPECT_EQ(said("the API server answers again"), 1);
}

TEST_F(AnswerWriterTest, AChangeForTheWorseIsAWarningEvent) {
  publish_web0();
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.settle();
  ASSERT_EQ(events(), 1U);
  const KubeEvent event = cluster_.effects_of_kind<CreateEvent>()[0].event;
  EXPECT_EQ(event.type, "Warning");
  EXPECT_EQ(event.reason, "NotOnAVolume");
  EXPECT_EQ(event.namespace_name, "prod");
  EXPECT_EQ(event.regarding_name, "web-0");
  EXPECT_EQ(event.regarding_uid, simple_pod().pod().uid);
  EXPECT_EQ(event.reporting_instance, "controller-1");
  EXPECT_THAT(event.note, HasSubstr("/data"));

  cluster_.advance(minutes(1));
  cluster_.put_pod(simple_pod());
  cluster_.agent_answers("node-a");
  cluster_.advance(minutes(1));
  EXPECT_EQ(events(), 1U) << "no Event for the better";
}

// A scheduler binds a pod while its first answer is on its way: no Event told of its trouble.
TEST_F(AnswerWriterTest, APodThatIsBoundWhileItIsToldOfItsTroubleGetsItsEvent) {
  start();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    cluster_.put_pod(broken_pod());
    return std::nullopt;
  };
  cluster_.put_pod(broken_pod().on_node(""));
  cluster_.settle();
  cluster_.advance(minutes(10));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  EXPECT_EQ(patches(), 1U);
  ASSERT_EQ(events(), 1U);
  EXPECT_EQ(cluster_.effects_of_kind<CreateEvent>()[0].event.reason, "NotOnAVolume");
}

TEST_F(AnswerWriterTest, APodWhoseAnswersWereRefusedIsTriedAtOnceWhenItIsBound) {
  start();
  bool refuses = true;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!refuses || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kForbidden, {}), false};
  };
  cluster_.put_pod(broken_pod().on_node(""));
  cluster_.advance(minutes(30));
  refuses = false;
  cluster_.put_pod(broken_pod());
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
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

TEST_F(AnswerWriterTest, AnAnswerThatLandedUnheardOfIsAnEventToo) {
  publish_web0();
  std::optional<KubeErrorKind> fault = KubeErrorKind::kDeadline;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!fault || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(*fault, {}), true};
  };
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.advance(minutes(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Degraded");
  EXPECT_EQ(patches(), 1U);
  EXPECT_EQ(events(), 1U);
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  EXPECT_EQ(events(), 1U) << "no Event for the better";
  cluster_.put_pod(simple_pod().watch("/other"));
  fault.reset();
  cluster_.advance(minutes(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  EXPECT_EQ(events(), 2U);
}

TEST_F(AnswerWriterTest, AnAnswerThatLandedUnheardOfIsAnEventAlsoWhereItsCountHasMovedOn) {
  publish_web0();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    cluster_.agent_answers("node-a", 7, "ReadError", "cannot read it");
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kDeadline, {}), true};
  };
  cluster_.agent_answers("node-a", 6, "ReadError", "cannot read it");
  cluster_.advance(seconds(5));
  EXPECT_EQ(cluster_.answers(kWeb0).links, "6");
  EXPECT_EQ(events(), 1U);
}

// It took the count that stood there for the one that had not been taken.
TEST_F(AnswerWriterTest, ACountThatTheServerDidNotTakeIsTriedAgainSoon) {
  publish_web0();
  cluster_.advance(minutes(2));
  bool fails = true;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!fails || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kTooManyRequests, {}), false};
  };
  cluster_.agent_answers("node-a", 3);
  cluster_.settle();
  ASSERT_EQ(patches(), 1U);
  fails = false;
  cluster_.advance(seconds(2));
  EXPECT_EQ(cluster_.answers(kWeb0).links, "3");
}

TEST_F(AnswerWriterTest, APodThatGetsEventsOnlyAfterATryThatFailedGetsOne) {
  publish_web0();
  bool fails = true;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!fails || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kTooManyRequests, {}), false};
  };
  PodView pod = simple_pod().watch("/var/log/app,/data");
  cluster_.put_pod(pod);
  cluster_.settle();
  fails = false;
  pod.annotation_count = 300;
  cluster_.put_pod(pod);
  cluster_.advance(minutes(1));
  pod.annotation_count = 301;
  cluster_.put_pod(pod);
  cluster_.advance(minutes(1));
  ASSERT_THAT(cluster_.events, SizeIs(1));
  EXPECT_EQ(cluster_.events.begin()->second, 1);
}

// Another leader has told of it since.
TEST_F(AnswerWriterTest, AnAnswerThatWasNotSentBeforeTheLeaseWasLostIsNotToldOfLater) {
  publish_web0();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kCancelled, {}), true};
  };
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.settle();
  ASSERT_EQ(patches(), 1U);
  cluster_.lose_lease();
  cluster_.advance(minutes(5));
  cluster_.lead();
  cluster_.advance(minutes(5));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Degraded");
  EXPECT_EQ(events(), 0U);
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

// The first of two changes landed unheard of, and the second leaves the word as it is.
TEST_F(AnswerWriterTest, ATroubleOfWhichNobodyHeardIsToldByTheNextAnswer) {
  publish_web0();
  bool fails = true;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!fails || !std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    fails = false;
    cluster_.put_pod(simple_pod().watch("/var/log/app,/other"));
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kTruncated, {}), true};
  };
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.advance(minutes(1));
  EXPECT_THAT(cluster_.answers(kWeb0).message.value_or(""), HasSubstr("/other"));
  ASSERT_EQ(events(), 1U);
  EXPECT_THAT(cluster_.effects_of_kind<CreateEvent>()[0].event.note, HasSubstr("/other"));
}

TEST_F(AnswerWriterTest, TheSameTroubleAgainIsASeries) {
  publish_web0();
  for (int i = 0; i < 3; ++i) {
    cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
    cluster_.advance(minutes(1));
    cluster_.put_pod(simple_pod());
    cluster_.advance(minutes(1));
  }
  EXPECT_EQ(events(), 1U);
  ASSERT_THAT(cluster_.events, SizeIs(1));
  EXPECT_EQ(cluster_.events.begin()->second, 3);
  cluster_.events.clear();  // the server forgets Events after an hour
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.advance(minutes(1));
  EXPECT_THAT(cluster_.events, SizeIs(1));
}

TEST_F(AnswerWriterTest, ANewLeaderCountsAPredecessorsEventOn) {
  publish_web0();
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.advance(minutes(1));
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(1));
  cluster_.restart_controller();
  cluster_.put_pod(simple_pod().watch("/var/log/app,/data"));
  cluster_.advance(minutes(1));
  ASSERT_THAT(cluster_.events, SizeIs(1));
  EXPECT_EQ(cluster_.events.begin()->second, 2);
}

TEST_F(AnswerWriterTest, EventsThatCannotBeWrittenAreGivenUp) {
  start();
  cluster_.fail_with = [](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<CreateEvent>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kServerError), false};
  };
  cluster_.put_pod(broken_pod());
  cluster_.advance(minutes(30));
  EXPECT_EQ(events(), 4U);
  EXPECT_EQ(cluster_.controller().figures().events_dropped, 1U);
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
}

// Pods that get Events only wait for no patch: one namespace can fill the queue at once.
TEST_F(AnswerWriterTest, ANamespaceThatFillsTheQueueOfEventsKeepsNoOthersOut) {
  start();
  const auto shout = [&](int first, int last) {
    for (int i = first; i < last; ++i) {
      PodView pod = broken_pod("loud", "p" + std::to_string(100000 + i)).on_node("");
      pod.annotation_count = 300;
      cluster_.put_pod(pod);
    }
    cluster_.settle();
  };
  shout(0, 10100);
  EXPECT_EQ(cluster_.controller().figures().events_dropped, 100U - events());
  shout(10100, 10200);
  EXPECT_EQ(cluster_.controller().figures().events_queued, 10000U);
  EXPECT_EQ(cluster_.controller().figures().events_dropped, 200U - events());

  for (int i = 0; i < 20; ++i) cluster_.put_pod(broken_pod("calm", "q" + std::to_string(i)));
  cluster_.advance(seconds(5));
  std::size_t calm = 0;
  for (const CreateEvent& each : cluster_.effects_of_kind<CreateEvent>()) {
    if (each.pod.namespace_name == "calm") ++calm;
  }
  EXPECT_EQ(calm, 20U) << "every second Event is theirs, at ten a second";
}

TEST_F(AnswerWriterTest, AnEventOutlastsAStormOf429) {
  start();
  bool storm = true;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!storm || !std::holds_alternative<CreateEvent>(effect)) return std::nullopt;
    KubeError busy = kube_error(KubeErrorKind::kTooManyRequests);
    busy.retry_after = seconds(10);
    return ClusterDouble::Failure{busy, false};
  };
  cluster_.put_pod(broken_pod());
  cluster_.advance(minutes(3));
  EXPECT_LE(events(), 20U);
  storm = false;
  cluster_.advance(seconds(11));
  EXPECT_THAT(cluster_.events, SizeIs(1));
}

// As of a pod with as many bytes as etcd takes, whose owner changes it all the time.
TEST_F(AnswerWriterTest, ChangesOfAPodDoNotHastenWhatTheServerFailsAt) {
  start();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kServerError, {}), false};
  };
  for (int i = 0; i < 60; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.advance(seconds(1));
  }
  EXPECT_GE(patches(), 10U);
  EXPECT_LE(patches(), 16U) << "after 1, 2 and then each 4 to 6 s";
}

TEST_F(AnswerWriterTest, AnswersThatLandUnheardOfAreChangesOfThePodToo) {
  start();
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kTruncated, {}), true};
  };
  for (int i = 0; i < 60; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.advance(seconds(1));
  }
  EXPECT_GE(patches(), 7U);
  EXPECT_LE(patches(), 9U) << "three, then one per ten seconds";
}

TEST_F(AnswerWriterTest, APodWithTooManyAnnotationsGetsEventsOnly) {
  start();
  PodView pod = broken_pod();
  pod.annotation_count = 254;  // 257 with our three
  cluster_.put_pod(pod);
  cluster_.advance(minutes(10));
  EXPECT_EQ(patches(), 0U);
  EXPECT_EQ(events(), 1U);
  pod.annotation_count = 253;
  cluster_.put_pod(pod);
  cluster_.advance(minutes(1));
  EXPECT_EQ(patches(), 1U);
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
