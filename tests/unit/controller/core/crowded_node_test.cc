// A tenant can bind thousands of pods to one node, by spec.nodeName and without a quota: what they
// cost must not grow with each of their changes, nor reach others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/controller.h"
#include "tests/unit/controller/core/cluster_double.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr int kCrowd = 2000;

PodBuilder pod_of_crowd(int number) {
  const std::string name = "crowd-" + std::to_string(number);
  return simple_pod().named("crowd", name).uid("uid-of-" + name);
}

class CrowdedNodeTest : public testing::Test {
 protected:
  CrowdedNodeTest() {
    for (const char* node : {"node-a", "node-b"}) cluster_.add_node(node);
    for (int i = 0; i < kCrowd; ++i) cluster_.put_pod(pod_of_crowd(i));
    cluster_.sync();
    cluster_.lead();
    cluster_.advance(minutes(3));  // all are told
    cluster_.effects.clear();
  }
  [[nodiscard]] std::size_t writes_of(const std::string& node) const {
    const std::vector<PutSpec> puts = cluster_.effects_of_kind<PutSpec>();
    const std::vector<CreateNodeLinkSet> creates = cluster_.effects_of_kind<CreateNodeLinkSet>();
    const auto is_of_node = [&](const auto& write) { return write.object.name == node; };
    return static_cast<std::size_t>(std::count_if(puts.begin(), puts.end(), is_of_node) +
                                    std::count_if(creates.begin(), creates.end(), is_of_node));
  }

  ClusterDouble cluster_;
};

// A pod may name any node, and each name is a read of a Node that is not there.
TEST(InventedNodesTest, HoldUpNoOtherNodeAndAreReadLessAndLess) {
  ClusterDouble cluster;
  cluster.add_node("node-b");
  constexpr int kInvented = 3000;
  for (int i = 0; i < kInvented; ++i) {
    cluster.put_pod(pod_of_crowd(i).on_node("0-invented-" + std::to_string(i)));
  }
  cluster.put_pod(simple_pod().named("prod", "web-0").on_node("node-b"));
  cluster.sync();
  cluster.lead();
  cluster.advance(minutes(1));
  ASSERT_NE(cluster.object("node-b"), nullptr);
  EXPECT_GE(cluster.effects_of_kind<GetNode>().size(), kInvented) << "each name was looked up";
  EXPECT_LE(cluster.effects_of_kind<GetNode>().size(), 6100U);

  // All are due at once for a new leader, and before node-b by name.
  cluster.lose_lease();
  cluster.lead();
  cluster.put_pod(simple_pod().named("prod", "web-1").uid("uid-1").on_node("node-b"));
  cluster.effects.clear();
  cluster.settle();
  EXPECT_EQ(cluster.effects_of_kind<PutSpec>().size(), 1U);
  cluster.advance(minutes(60));
  cluster.effects.clear();
  cluster.advance(minutes(1));
  EXPECT_LE(cluster.effects_of_kind<GetNode>().size(), 620U) << "ten a second, of all";
}

TEST(InventedNodesTest, ANodeThatComesBackWaitsForMinutesNotForAllOfThem) {
  ClusterDouble cluster;
  cluster.add_node("node-b");
  cluster.put_pod(simple_pod().named("prod", "web-0").on_node("node-b"));
  for (int i = 0; i < 6000; ++i) {
    cluster.put_pod(pod_of_crowd(i).on_node("0-invented-" + std::to_string(i)));
  }
  cluster.sync();
  cluster.lead();
  cluster.advance(minutes(2));
  cluster.remove_node("node-b");
  cluster.remove_object("node-b");
  cluster.advance(std::chrono::seconds(5));
  cluster.add_node("node-b");
  cluster.advance(minutes(6));
  EXPECT_NE(cluster.object("node-b"), nullptr);
}

// Its Node went, then its pods, then it comes back with others.
TEST(InventedNodesTest, ANodeThatComesBackWithNewPodsIsReadAtOnce) {
  ClusterDouble cluster;
  cluster.add_node("node-b");
  cluster.put_pod(simple_pod().named("prod", "web-0").on_node("node-b"));
  cluster.sync();
  cluster.lead();
  cluster.settle();
  cluster.remove_node("node-b");
  cluster.remove_object("node-b");
  cluster.advance(minutes(5));
  cluster.remove_pod({"prod", "web-0"});
  cluster.settle();
  cluster.add_node("node-b");
  cluster.put_pod(simple_pod().named("prod", "web-1").uid("uid-1").on_node("node-b"));
  cluster.settle();
  EXPECT_NE(cluster.object("node-b"), nullptr);
}

// A proxy or an authorizer that hangs on nodes.
TEST(InventedNodesTest, ReadsOfNodesThatHangHoldUpNoWrite) {
  ClusterDouble cluster;
  for (const char* node : {"node-a", "node-b"}) cluster.add_node(node);
  cluster.put_pod(simple_pod().named("prod", "web-0").on_node("node-b"));
  cluster.sync();
  cluster.lead();
  cluster.advance(minutes(1));
  cluster.hang_with = [](const Effect& effect) { return std::holds_alternative<GetNode>(effect); };
  for (int i = 0; i < 20; ++i) {
    cluster.put_pod(pod_of_crowd(i).on_node("0-new-" + std::to_string(i)));
  }
  cluster.settle();
  cluster.effects.clear();
  cluster.put_pod(simple_pod().named("prod", "web-1").uid("uid-1").on_node("node-b"));
  cluster.settle();
  EXPECT_EQ(cluster.effects_of_kind<PutSpec>().size(), 1U);
}

// Fifty writes a second are for all: here they are used up by one tenant on 500 nodes.
TEST(BusyTenantTest, KeepsAnothersFirstChangeWaitingNoLongerThanAWriteTakes) {
  ClusterDouble cluster;
  constexpr int kNodes = 500;
  const auto node_of = [](int number) { return "0-node-" + std::to_string(number); };
  for (int i = 0; i < kNodes; ++i) cluster.add_node(node_of(i));
  cluster.add_node("node-b");
  const auto change_all = [&](const std::string& pattern) {
    for (int i = 0; i < kNodes; ++i) {
      cluster.put_pod(
          pod_of_crowd(i).on_node(node_of(i)).annotate("loglink/include", pattern + ".log"));
    }
  };
  change_all("a");
  cluster.sync();
  cluster.lead();
  cluster.advance(minutes(5));
  for (int round = 0; round < 20; ++round) {
    change_all("b" + std::to_string(round));
    cluster.advance(std::chrono::seconds(1));
  }
  cluster.effects.clear();
  cluster.put_pod(simple_pod().named("prod", "web-0").on_node("node-b"));
  cluster.advance(milliseconds(100));
  EXPECT_NE(cluster.object("node-b"), nullptr);
  EXPECT_GE(cluster.effects_of_kind<PutSpec>().size(), 3U) << "the rate is used up all the while";

  // Nor where its agent has just written, so that ours meets a conflict.
  cluster.advance(minutes(5));
  for (const char* pattern : {"d", "e"}) {
    change_all(pattern);
    cluster.advance(std::chrono::seconds(11));
  }
  change_all("f");
  cluster.settle();
  int conflicts = 1;
  cluster.fail_with = [&](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
    const PutSpec* put = std::get_if<PutSpec>(&effect);
    if (put == nullptr || put->object.name != "node-b" || conflicts-- <= 0) return std::nullopt;
    return ClusterDouble::Failure{kube_error(KubeErrorKind::kConflict)};
  };
  cluster.put_pod(simple_pod().named("prod", "web-1").uid("uid-1").on_node("node-b"));
  cluster.advance(milliseconds(500));
  EXPECT_EQ(cluster.object("node-b")->spec.sources.size(), 2U);
  EXPECT_LT(conflicts, 1);
  change_all("c");
  cluster.advance(minutes(1));
  for (int i = 0; i < kNodes; ++i) {
    EXPECT_EQ(cluster.object(node_of(i))->spec.sources.back().include,
              std::vector<std::string>{"c.log"});
  }
}

TEST_F(CrowdedNodeTest, IsLookedAtTenTimesASecond) {
  cluster_.put_pod(simple_pod().named("prod", "web-0"));
  cluster_.settle();
  EXPECT_EQ(writes_of("node-a"), 1U);
  cluster_.put_pod(simple_pod().named("prod", "web-1").uid("uid-1"));
  cluster_.settle();
  EXPECT_EQ(writes_of("node-a"), 1U);
  cluster_.advance(milliseconds(100));
  EXPECT_EQ(writes_of("node-a"), 2U);
}

TEST_F(CrowdedNodeTest, HoldsUpNoOtherNode) {
  for (const std::string name : {"web-0", "web-1"}) {
    cluster_.put_pod(pod_of_crowd(1).annotate("loglink/include", name + ".log"));
    cluster_.put_pod(simple_pod().named("prod", name).uid("uid-of-" + name).on_node("node-b"));
    cluster_.settle();
  }
  EXPECT_EQ(writes_of("node-b"), 2U);
}

TEST_F(CrowdedNodeTest, HasAllOfItsPodsComparedFiveTimesASecond) {
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.status.links = 7; });
  cluster_.settle();
  cluster_.agent_answers("node-a", 1);
  cluster_.settle();
  EXPECT_THAT(cluster_.effects_of_kind<PatchPod>(), IsEmpty());
  cluster_.advance(milliseconds(199));
  EXPECT_THAT(cluster_.effects_of_kind<PatchPod>(), IsEmpty());
  cluster_.advance(milliseconds(1));
  EXPECT_THAT(cluster_.effects_of_kind<PatchPod>(), Not(IsEmpty()));
}

// A change of one pod, be it our own answer on it, is about this pod.
TEST_F(CrowdedNodeTest, HasOnePodComparedWithoutTheOthers) {
  cluster_.edit_object("node-a", [](NodeLinkSet& object) { object.status.links = 7; });
  cluster_.settle();  // all are compared
  cluster_.put_pod(simple_pod().watch("/nowhere"));
  cluster_.settle();
  EXPECT_EQ(cluster_.answers({"prod", "web-0"}).status, "Invalid");
}

// It had no place, and asks for something else now: the next look finds out what is true.
TEST_F(CrowdedNodeTest, TellsAPodNothingThatTheNextLookTakesBack) {
  const ObjectKey last{"crowd", "crowd-" + std::to_string(kCrowd - 1)};
  ASSERT_THAT(*cluster_.answers(last).message, HasSubstr("NamespaceLimitReached"));
  cluster_.put_pod(simple_pod());
  cluster_.settle();  // a look
  cluster_.put_pod(pod_of_crowd(kCrowd - 1).watch("/nowhere"));
  cluster_.advance(minutes(1));
  std::vector<std::string> told;
  for (const PatchPod& patch : cluster_.effects_of_kind<PatchPod>()) {
    if (patch.pod == last) told.push_back(*patch.answers.status);
  }
  EXPECT_THAT(told, ElementsAre("Invalid"));
}

// Its look cannot come while as many writes as may be are under way, on a server that hangs.
TEST_F(CrowdedNodeTest, LetsTheLoopRestWhileItsLookWaitsForWritesThatHang) {
  cluster_.put_pod(simple_pod());
  cluster_.settle();  // a look
  Controller& controller = cluster_.controller();
  controller.pod_upserted(pod_of_crowd(kCrowd - 1).watch("/nowhere"), cluster_.now);
  controller.step(cluster_.now);  // the next one waits
  for (int i = 0; i < 8; ++i) {
    const std::string name = "other-" + std::to_string(i);
    controller.pod_upserted(simple_pod().named("prod", name).uid(name).on_node("node-of-" + name),
                            cluster_.now);
  }
  EXPECT_THAT(controller.step(cluster_.now), Not(IsEmpty()));  // and nobody answers
  cluster_.now.monotonic = cluster_.now.monotonic + milliseconds(200);
  controller.step(cluster_.now);
  EXPECT_GT(controller.next_wakeup(cluster_.now.monotonic), cluster_.now.monotonic);
}

}  // namespace
}  // namespace loglink
