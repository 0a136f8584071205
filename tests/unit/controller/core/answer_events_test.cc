// Which changes of answers are told by Events too, and how often.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/core/answer_writer_fixture.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::SizeIs;

class AnswerEventsTest : public AnswerWriterTest {};

// A pod with as many bytes of annotations as there may be cannot be written to.
TEST_F(AnswerEventsTest, ARefusalThatCannotBeWrittenOnThePodIsAnEventOnce) {
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

TEST_F(AnswerEventsTest, AChangeForTheWorseIsAWarningEvent) {
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
TEST_F(AnswerEventsTest, APodThatIsBoundWhileItIsToldOfItsTroubleGetsItsEvent) {
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

TEST_F(AnswerEventsTest, AnAnswerThatLandedUnheardOfIsAnEventToo) {
  publish_web0();
  patches_fail(KubeErrorKind::kDeadline, kLanded);
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
  patches_succeed();
  cluster_.advance(minutes(1));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
  EXPECT_EQ(events(), 2U);
}

TEST_F(AnswerEventsTest, AnAnswerThatLandedUnheardOfIsAnEventAlsoWhereItsCountHasMovedOn) {
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

TEST_F(AnswerEventsTest, APodThatGetsEventsOnlyAfterATryThatFailedGetsOne) {
  publish_web0();
  patches_fail(KubeErrorKind::kTooManyRequests);
  PodView pod = simple_pod().watch("/var/log/app,/data");
  cluster_.put_pod(pod);
  cluster_.settle();
  patches_succeed();
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
TEST_F(AnswerEventsTest, AnAnswerThatWasNotSentBeforeTheLeaseWasLostIsNotToldOfLater) {
  publish_web0();
  patches_fail(KubeErrorKind::kCancelled, kLanded);
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

// The first of two changes landed unheard of, and the second leaves the word as it is.
TEST_F(AnswerEventsTest, ATroubleOfWhichNobodyHeardIsToldByTheNextAnswer) {
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

TEST_F(AnswerEventsTest, TheSameTroubleAgainIsASeries) {
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

TEST_F(AnswerEventsTest, ANewLeaderCountsAPredecessorsEventOn) {
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

TEST_F(AnswerEventsTest, EventsThatCannotBeWrittenAreGivenUp) {
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
TEST_F(AnswerEventsTest, ANamespaceThatFillsTheQueueOfEventsKeepsNoOthersOut) {
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

TEST_F(AnswerEventsTest, AnEventOutlastsAStormOf429) {
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

TEST_F(AnswerEventsTest, APodWithTooManyAnnotationsGetsEventsOnly) {
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

}  // namespace
}  // namespace loglink
