// Answers that the server does not take, or takes without our hearing of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/core/answer_writer_fixture.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class FailedAnswersTest : public AnswerWriterTest {};

// After a storm of 429 a pod had no change left for what became of it.
TEST_F(FailedAnswersTest, TriesThatFailTakeNoneOfThePodsChanges) {
  start();
  patches_fail(KubeErrorKind::kTooManyRequests);
  cluster_.put_pod(broken_pod());
  cluster_.advance(seconds(20));
  const std::size_t tries = patches();
  EXPECT_GE(tries, 4U) << "after 1, 2 and 4 s, and half as much again";
  EXPECT_LE(tries, 7U);
  patches_succeed();
  cluster_.advance(seconds(6));
  EXPECT_EQ(patches(), tries + 1);
  for (int i = 0; i < 2; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.settle();
  }
  EXPECT_EQ(patches(), tries + 3);
}

// Each change of its owner tries it anew, or makes a conflict; and a pod may be so large that the
// answer, of a write that was done, is not read.
TEST_F(FailedAnswersTest, TriesThatFailByThePodItselfTakeItsChanges) {
  for (const KubeErrorKind kind :
       {KubeErrorKind::kForbidden, KubeErrorKind::kConflict, KubeErrorKind::kProtocol}) {
    patches_fail(kind, kind == KubeErrorKind::kProtocol ? kLanded : kNotTaken);
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

TEST_F(FailedAnswersTest, AWrongUidDropsThePatchUntilThePodChanges) {
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

TEST_F(FailedAnswersTest, AGonePodDropsThePatch) {
  start();
  cluster_.controller().pod_upserted(simple_pod(), cluster_.now);
  cluster_.advance(minutes(10));
  EXPECT_EQ(patches(), 1U);
}

TEST_F(FailedAnswersTest, ARefusingPolicyIsSaidOnceAndTriedSlowly) {
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

TEST_F(FailedAnswersTest, AServerThatWasBusyForLongIsTriedAgainWithinSixSeconds) {
  start();
  patches_fail(KubeErrorKind::kTooManyRequests);
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(10));
  patches_succeed();
  cluster_.advance(seconds(6));
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Pending");
}

// It was silent after any other failure, and all about failures that pass.
TEST_F(FailedAnswersTest, TroubleIsSaidOnceARefusalAfterItTooAndItsEndToo) {
  start();
  patches_fail(KubeErrorKind::kServerError);
  const auto said = [&](const std::string& text) {
    return std::count_if(cluster_.remarks.begin(), cluster_.remarks.end(),
                         [&](const Remark& each) { return each.message == text; });
  };
  cluster_.put_pod(simple_pod());
  cluster_.advance(minutes(10));
  EXPECT_EQ(said("trouble with the API server, trying again"), 1);
  patches_fail(KubeErrorKind::kForbidden);
  cluster_.advance(minutes(10));
  EXPECT_EQ(said("the answer on a pod is refused"), 1);
  patches_fail(KubeErrorKind::kServerError);
  cluster_.advance(minutes(10));
  patches_succeed();
  cluster_.advance(seconds(50));
  EXPECT_EQ(said("the API server answers again"), 1);
}

TEST_F(FailedAnswersTest, APodWhoseAnswersWereRefusedIsTriedAtOnceWhenItIsBound) {
  start();
  patches_fail(KubeErrorKind::kForbidden);
  cluster_.put_pod(broken_pod().on_node(""));
  cluster_.advance(minutes(30));
  patches_succeed();
  cluster_.put_pod(broken_pod());
  cluster_.settle();
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Invalid");
}

// It took the count that stood there for the one that had not been taken.
TEST_F(FailedAnswersTest, ACountThatTheServerDidNotTakeIsTriedAgainSoon) {
  publish_web0();
  cluster_.advance(minutes(2));
  patches_fail(KubeErrorKind::kTooManyRequests);
  cluster_.agent_answers("node-a", 3);
  cluster_.settle();
  ASSERT_EQ(patches(), 1U);
  patches_succeed();
  cluster_.advance(seconds(2));
  EXPECT_EQ(cluster_.answers(kWeb0).links, "3");
}

// As of a pod with as many bytes as etcd takes, whose owner changes it all the time.
TEST_F(FailedAnswersTest, ChangesOfAPodDoNotHastenWhatTheServerFailsAt) {
  start();
  patches_fail(KubeErrorKind::kServerError);
  for (int i = 0; i < 60; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.advance(seconds(1));
  }
  EXPECT_GE(patches(), 10U);
  EXPECT_LE(patches(), 16U) << "after 1, 2 and then each 4 to 6 s";
}

TEST_F(FailedAnswersTest, AnswersThatLandUnheardOfAreChangesOfThePodToo) {
  start();
  patches_fail(KubeErrorKind::kTruncated, kLanded);
  for (int i = 0; i < 60; ++i) {
    cluster_.put_pod(broken_pod().watch("/x" + std::to_string(i)));
    cluster_.advance(seconds(1));
  }
  EXPECT_GE(patches(), 7U);
  EXPECT_LE(patches(), 9U) << "three, then one per ten seconds";
}

}  // namespace
}  // namespace loglink
