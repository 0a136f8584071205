// Whatever has happened, and whatever has failed: when it stops, the controller brings everything
// to what its rules say, and then writes nothing more.
#include "controller/core/controller.h"

#include <gtest/gtest.h>

#include "controller/core/answers.h"
#include "tests/unit/controller/core/cluster_double.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class History {
 public:
  explicit History(std::uint64_t seed) : random_(seed), cluster_(short_lingers(), seed) {
    cluster_.fail_with = [this](const Effect& effect) { return fail(effect); };
    cluster_.lead();
    cluster_.sync();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      act();
      if (random_.below(2) == 0) cluster_.settle();
      if (testing::Test::HasFatalFailure()) return;
    }
  }

  // Faults stop; nodes that are left get their agents' answers.
  void come_to_rest() {
    failing_ = false;
    cluster_.hold_events(false);
    cluster_.lead();
    cluster_.sync();
    for (int i = 0; i < 4; ++i) {
      cluster_.advance(minutes(3));
      cluster_.collect_garbage();
      for (const auto& [node, object] : objects()) cluster_.agent_answers(node, 1);
    }
    cluster_.advance(minutes(3));
  }

  void check() {
    cluster_.effects.clear();
    cluster_.advance(minutes(5));
    for (const Effect& effect : cluster_.effects) {
      // A pod that is bound to a node that does not exist keeps being asked about.
      EXPECT_TRUE(std::holds_alternative<GetNode>(effect)) << "a write of kind " << effect.index();
    }
    std::map<std::string, std::vector<ResolvedPod>> by_node;
    for (const auto& [key, pod] : cluster_.pods()) {
      by_node[pod.node_name].push_back({pod, resolve(pod, cluster_.config, {})});
    }
    for (const auto& [node, pods] : by_node) check_node(node, pods);
    for (const auto& [node, object] : cluster_.objects()) {
      EXPECT_TRUE(by_node.contains(node) || object.spec.sources.empty()) << node;
    }
  }

 private:
  static ControllerConfig short_lingers() {
    ControllerConfig config;
    config.linger = seconds(20);
    config.policy_linger = seconds(40);
    return config;
  }
  [[nodiscard]] std::map<std::string, NodeLinkSet> objects() const { return cluster_.objects(); }

  void check_node(const std::string& node, const std::vector<ResolvedPod>& pods) {
    const NodeLinkSet* object = cluster_.object(node);
    NodeLinkSetSpec before;
    if (object != nullptr) before = object->spec;
    const DesiredSet desired = desired_set(pods, before, {}, cluster_.config, cluster_.now.wall);
    const bool is_there = cluster_.nodes().contains(node);
    if (is_there) {
      EXPECT_EQ(before, desired.spec) << node;
      if (!desired.spec.sources.empty()) {
        ASSERT_NE(object, nullptr);
        EXPECT_EQ(object->owners.front().uid, cluster_.nodes().at(node));
      }
    }
    for (const ResolvedPod& pod : pods) {
      const PodAnswers answers = answers_on(pod.pod);
      if (!pod.resolution.requested) {
        EXPECT_EQ(answers, PodAnswers{}) << pod.pod.name;
      } else if (pod.resolution.sources.empty()) {
        EXPECT_EQ(answers.status, "Invalid") << pod.pod.name;
      } else if (!pod.resolution.refusals.empty()) {
        EXPECT_EQ(answers.status, "Degraded") << pod.pod.name;
      } else {
        EXPECT_EQ(answers.status, is_there && object != nullptr ? "Linked" : "Pending")
            << pod.pod.name << ": " << answers.message.value_or("");
      }
    }
  }

  PodView any_pod() {
    static int uids = 0;
    const std::string name = "web-" + std::to_string(random_.below(6));
    const std::vector<std::string> watch_dirs = {
        "/var/log/app", "/var/log/app/sub", "/data", "/var/log/app,/data", "", ""};
    PodView pod = simple_pod()
                      .named(random_.below(2) == 0 ? "prod" : "test", name)
                      .on_node(any_node())
                      .watch(watch_dirs[random_.below(watch_dirs.size())]);
    if (pod.annotations["loglink/watch-dir"].empty()) pod.annotations.erase("loglink/watch-dir");
    // The same pod with another annotation, or one re-created.
    const auto known = cluster_.pods().find(pod.key());
    if (known != cluster_.pods().end() && random_.below(3) != 0) {
      pod.uid = known->second.uid;
      if (!known->second.node_name.empty()) pod.node_name = known->second.node_name;
    } else {
      pod.uid = "uid-" + std::to_string(++uids);
    }
    return pod;
  }

  std::string any_node() {
    const std::uint64_t node = random_.below(4);
    return node == 3 ? "" : "node-" + std::to_string(node);
  }

  void act() {
    switch (random_.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        cluster_.put_pod(any_pod());
        return;
      case 4:
        cluster_.remove_pod(any_pod().key());
        return;
      case 5:
        cluster_.add_node("node-" + std::to_string(random_.below(3)));
        return;
      case 6: {
        const std::string node = any_node();
        if (cluster_.nodes().contains(node)) cluster_.remove_node(node);
        return;
      }
      case 7:
        cluster_.agent_answers(any_node(), static_cast<int>(random_.below(3)));
        return;
      case 8:
        cluster_.edit_object(any_node(), [](NodeLinkSet& object) { object.spec.sources.clear(); });
        return;
      case 9:
        cluster_.hold_events(random_.below(2) == 0);
        return;
      case 10:
        cluster_.deliver();
        return;
      case 11:
        cluster_.advance(milliseconds(random_.below(30000)));
        return;
      case 12:
        if (random_.below(2) == 0) {
          cluster_.lose_lease();
        } else {
          cluster_.lead(seconds(random_.below(20)));
        }
        return;
      case 13:
        cluster_.restart_controller();
        return;
    }
  }

  std::optional<ClusterDouble::Failure> fail(const Effect&) {
    if (!failing_ || random_.below(3) != 0) return std::nullopt;
    static const std::vector<KubeErrorKind> kKinds = {
        KubeErrorKind::kDeadline,        KubeErrorKind::kTruncated, KubeErrorKind::kConflict,
        KubeErrorKind::kTooManyRequests, KubeErrorKind::kForbidden, KubeErrorKind::kServerError,
        KubeErrorKind::kCancelled,       KubeErrorKind::kRefused};
    const KubeErrorKind kind = kKinds[random_.below(kKinds.size())];
    // These two may hide a write that was done.
    const bool may_be_done = kind == KubeErrorKind::kDeadline || kind == KubeErrorKind::kTruncated;
    return ClusterDouble::Failure{kube_error(kind), may_be_done && random_.below(2) == 0};
  }

  SeededRandom random_;
  ClusterDouble cluster_;
  bool failing_ = true;
};

// Nodes come and go by the thousand where a cluster grows and shrinks, and a standby never looks at
// one.
TEST(ControllerTest, NodesThatAreGoneAreForgottenAlsoByAStandby) {
  for (const bool leads : {true, false}) {
    SCOPED_TRACE(leads ? "leader" : "standby");
    ClusterDouble cluster;
    if (leads) cluster.lead();
    cluster.sync();
    for (int i = 0; i < 200; ++i) {
      const std::string node = "node-" + std::to_string(i);
      const PodView pod = simple_pod().named("prod", "web-" + std::to_string(i)).on_node(node);
      cluster.add_node(node);
      cluster.put_pod(pod);
      if (!leads) {
        // The object of the one that leads.
        NodeLinkSet object;
        object.name = node;
        object.uid = "uid-of-" + node;
        cluster.controller().object_upserted(object, cluster.now);
      }
      cluster.settle();
      EXPECT_GE(cluster.controller().figures().nodes, 1U);
      cluster.remove_pod(pod.key());
      cluster.remove_node(node);
      if (!leads) cluster.controller().object_deleted(node, cluster.now);
    }
    cluster.advance(minutes(30));
    EXPECT_EQ(cluster.controller().figures().nodes, 0U);
    EXPECT_TRUE(cluster.controller().state().nodes().empty());
    EXPECT_TRUE(cluster.controller().state().pods().empty());
  }
}

TEST(ControllerTest, EveryHistoryConvergesAndThenRests) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    History history(seed);
    history.run(60);
    history.come_to_rest();
    history.check();
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace loglink
