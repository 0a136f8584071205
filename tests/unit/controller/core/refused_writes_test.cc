// Nodes whose object the server refuses, or fails over, and what their pods are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controller/core/controller.h"
#include "tests/unit/controller/core/cluster_double.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

const ObjectKey kWeb0{"prod", "web-0"};

PodBuilder pod_named(const std::string& namespace_name, const std::string& name,
                     const std::string& node = "node-a") {
  return simple_pod().named(namespace_name, name).uid("uid-of-" + name).on_node(node);
}

class RefusedWritesTest : public testing::Test {
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
    ASSERT_EQ(cluster_.answers(kWeb0).status, "Linked");
  }
  // From now on each effect of type T fails like this.
  template <class T>
  void refuse(KubeErrorKind kind, int http_status = 0) {
    cluster_.fail_with = [=](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
      if (!std::holds_alternative<T>(effect)) return std::nullopt;
      KubeError error = kube_error(kind);
      error.http_status = http_status;
      return ClusterDouble::Failure{error, false};
    };
  }
  [[nodiscard]] std::string message_of(const ObjectKey& pod) const {
    return cluster_.answers(pod).message.value_or("");
  }
  [[nodiscard]] std::size_t unwritable() {
    return cluster_.controller().figures().nodes_unwritable;
  }

  ClusterDouble cluster_;
  const ObjectKey web1_{"prod", "web-1"};
};

// It was told to wait for an agent that knows nothing of it.
TEST_F(RefusedWritesTest, APodWhoseNodesListIsRefusedIsToldSoAfterSomeSecondsUntilItIsWritten) {
  publish_web0();
  const PodAnswers before = cluster_.answers(kWeb0);
  refuse<PutSpec>(KubeErrorKind::kForbidden, 403);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(4));
  EXPECT_EQ(message_of(web1_), "waiting for the agent on node node-a");
  EXPECT_EQ(unwritable(), 0U);
  cluster_.advance(seconds(11));
  EXPECT_EQ(cluster_.answers(web1_).status, "Pending");
  EXPECT_EQ(message_of(web1_),
            "the controller cannot write the list of node node-a (Forbidden); ask the "
            "administrator");
  EXPECT_EQ(unwritable(), 1U);
  EXPECT_EQ(cluster_.answers(kWeb0), before) << "it has its links";

  refuse<PutSpec>(KubeErrorKind::kInvalid, 400);
  cluster_.advance(minutes(2));
  EXPECT_THAT(message_of(web1_), testing::HasSubstr("(Invalid)"));

  cluster_.fail_with = nullptr;
  cluster_.advance(minutes(2));
  EXPECT_EQ(unwritable(), 0U);
  EXPECT_THAT(message_of(web1_), testing::Not(testing::HasSubstr("cannot write")));
  cluster_.agent_answers("node-a", 1);
  cluster_.advance(seconds(10));
  EXPECT_EQ(cluster_.answers(web1_).status, "Linked");
  EXPECT_EQ(message_of(web1_), "");
}

TEST_F(RefusedWritesTest, TheSameWhereTheNodeMayNotBeReadOrNoObjectMayBeMade) {
  const auto message_after_refusal = [this](auto refused, const std::string& name) {
    refuse<decltype(refused)>(KubeErrorKind::kForbidden, 403);
    cluster_.add_node("node-of-" + name);
    cluster_.put_pod(pod_named("prod", name, "node-of-" + name));
    cluster_.advance(seconds(15));
    return message_of({"prod", name});
  };
  publish_web0();
  EXPECT_THAT(message_after_refusal(GetNode{}, "reader"), testing::HasSubstr("(Forbidden)"));
  EXPECT_THAT(message_after_refusal(CreateNodeLinkSet{}, "maker"),
              testing::HasSubstr("(Forbidden)"));
}

// The Lease and answers go another way than NodeLinkSets: a proxy may break these alone.
TEST_F(RefusedWritesTest, TroubleThatPassesIsToldWhenItDoesNot) {
  struct Case {
    KubeErrorKind kind;
    bool told_after_a_minute;
  };
  for (const Case& one :
       {Case{KubeErrorKind::kServerError, true}, Case{KubeErrorKind::kDeadline, true},
        Case{KubeErrorKind::kTooManyRequests, true}, Case{KubeErrorKind::kRefused, true},
        Case{KubeErrorKind::kProtocol, true}, Case{KubeErrorKind::kCancelled, false},
        Case{KubeErrorKind::kConflict, true}}) {
    SCOPED_TRACE(to_string(one.kind));
    publish_web0();
    refuse<PutSpec>(one.kind);
    cluster_.put_pod(pod_named("prod", "web-1"));
    cluster_.advance(seconds(55));
    EXPECT_EQ(unwritable(), 0U);
    cluster_.advance(seconds(25));
    EXPECT_EQ(unwritable(), one.told_after_a_minute ? 1U : 0U);
    EXPECT_EQ(message_of(web1_).find("cannot write") != std::string::npos, one.told_after_a_minute);
    cluster_.fail_with = nullptr;
    cluster_.remove_pod(web1_);
    cluster_.advance(minutes(30));
    EXPECT_EQ(unwritable(), 0U);
  }
}

// With the server the Lease goes, and with the term what has lasted.
TEST_F(RefusedWritesTest, AServerThatWasAwayIsNotTold) {
  publish_web0();
  refuse<PutSpec>(KubeErrorKind::kRefused);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(10));
  cluster_.lose_lease();
  cluster_.advance(minutes(10));
  cluster_.lead();
  cluster_.advance(seconds(5));
  EXPECT_EQ(unwritable(), 0U);
  EXPECT_THAT(message_of(web1_), testing::Not(testing::HasSubstr("cannot write")));
}

// From then on the CRD is what is wrong, and its cure is told.
TEST_F(RefusedWritesTest, AnAnswerThatTheCrdIsOutdatedEndsTheTrouble) {
  for (const bool prunes : {true, false}) {
    publish_web0();
    refuse<PutSpec>(KubeErrorKind::kForbidden, 403);
    cluster_.put_pod(pod_named("prod", "web-1"));
    cluster_.advance(seconds(15));
    EXPECT_EQ(unwritable(), 1U);
    if (prunes) {
      cluster_.fail_with = nullptr;
      cluster_.prune = [](NodeLinkSetSpec& spec) { spec.sources.resize(1); };
    } else {
      refuse<PutSpec>(KubeErrorKind::kInvalid, 422);
    }
    cluster_.advance(minutes(2));
    EXPECT_EQ(cluster_.controller().figures().nodes_outdated, 1U);
    EXPECT_EQ(unwritable(), 0U);
    EXPECT_THAT(message_of(web1_), testing::HasSubstr("CRDOutdated"));
    cluster_.fail_with = nullptr;
    cluster_.prune = nullptr;
    cluster_.remove_pod(web1_);
    cluster_.advance(minutes(30));
  }
}

TEST_F(RefusedWritesTest, WhenNothingIsLeftToWriteTheTroubleIsOver) {
  publish_web0();
  refuse<PutSpec>(KubeErrorKind::kForbidden, 403);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(15));
  EXPECT_EQ(unwritable(), 1U);
  cluster_.remove_pod(web1_);
  cluster_.advance(minutes(2));
  EXPECT_EQ(unwritable(), 0U);
}

// The next leader writes it, and nobody tells the former one.
TEST_F(RefusedWritesTest, WhoDoesNotLeadCountsNone) {
  publish_web0();
  refuse<PutSpec>(KubeErrorKind::kForbidden, 403);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(15));
  EXPECT_EQ(unwritable(), 1U);
  cluster_.lose_lease();
  cluster_.advance(seconds(1));
  EXPECT_EQ(unwritable(), 0U);
}

// A webhook may answer so for ever.
TEST_F(RefusedWritesTest, ConflictsWithoutEndAreToldAfterAMinute) {
  publish_web0();
  refuse<PutSpec>(KubeErrorKind::kConflict, 409);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.remarks.clear();
  cluster_.advance(seconds(55));
  EXPECT_EQ(unwritable(), 0U);
  EXPECT_THAT(cluster_.remarks, testing::IsEmpty());
  cluster_.advance(seconds(25));
  EXPECT_EQ(unwritable(), 1U);
  EXPECT_THAT(message_of(web1_), testing::HasSubstr("cannot write the list of node node-a"));
  ASSERT_THAT(cluster_.remarks, testing::SizeIs(1));
  EXPECT_EQ(cluster_.remarks[0].message, "a node link set cannot be written, trying again");
  cluster_.fail_with = nullptr;
  cluster_.advance(seconds(15));
  EXPECT_EQ(unwritable(), 0U);
}

// The object was believed gone, and made again and again: AlreadyExists until the watch told of it,
// which has nothing to tell of an object that does not change.
TEST_F(RefusedWritesTest, A404ThatIsAWebhooksIsToldAndTheObjectIsWrittenWhenItEnds) {
  publish_web0();
  refuse<PutSpec>(KubeErrorKind::kNotFound, 404);
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.advance(seconds(20));
  const std::string told =
      "the controller cannot write the list of node node-a (NotFound); ask the administrator";
  EXPECT_EQ(message_of(web1_), told);
  EXPECT_EQ(cluster_.answers(kWeb0).status, "Linked");
  cluster_.effects.clear();
  cluster_.advance(minutes(10));
  EXPECT_THAT(cluster_.effects_of_kind<PatchPod>(), testing::IsEmpty()) << "nothing new to tell";
  cluster_.fail_with = nullptr;
  cluster_.advance(minutes(2));
  EXPECT_EQ(unwritable(), 0U);
  cluster_.agent_answers("node-a");
  cluster_.advance(seconds(15));
  EXPECT_EQ(cluster_.answers(web1_).status, "Linked");
}

// What the server says of an object that went with its Node does not count minutes later.
TEST_F(RefusedWritesTest, A404ThatTheWatchConfirmsIsNoTrouble) {
  publish_web0();
  cluster_.hold_events(true);
  cluster_.remove_node("node-a");
  cluster_.controller().pod_upserted(pod_named("prod", "web-1").pod(), cluster_.now);
  cluster_.settle();
  cluster_.hold_events(false);
  cluster_.deliver();
  cluster_.advance(minutes(2));
  cluster_.add_node("node-a");
  int failures = 1;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<CreateNodeLinkSet>(effect) || failures-- <= 0) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kConflict)};
  };
  cluster_.advance(minutes(2));
  ASSERT_LT(failures, 0);
  for (const Remark& remark : cluster_.remarks) {
    EXPECT_NE(remark.level, RemarkLevel::kWarning) << remark.message;
  }
}

// The one of an hour ago is no beginning of this one.
TEST_F(RefusedWritesTest, AConflictOfAFormerTermDoesNotCountInThisOne) {
  publish_web0();
  int conflicts = 1;
  cluster_.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    if (!std::holds_alternative<PutSpec>(effect) || conflicts-- <= 0) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kConflict)};
  };
  cluster_.put_pod(pod_named("prod", "web-1"));
  cluster_.settle();
  cluster_.lose_lease();
  cluster_.advance(minutes(60));
  cluster_.remarks.clear();
  conflicts = 1;
  cluster_.lead();
  cluster_.settle();
  ASSERT_EQ(conflicts, 0);
  EXPECT_EQ(unwritable(), 0U);
  EXPECT_THAT(cluster_.remarks, testing::IsEmpty());
}

}  // namespace
}  // namespace loglink
