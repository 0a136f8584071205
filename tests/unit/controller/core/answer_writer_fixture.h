// A controller that answers on pods, for the tests of AnswerWriter.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <variant>

#include "controller/core/controller.h"
#include "tests/unit/controller/core/cluster_double.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {

inline const ObjectKey kWeb0{"prod", "web-0"};

inline PodBuilder broken_pod(const std::string& namespace_name = "prod",
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
  // `landed`: the server does them all the same, and only its answer is lost.
  enum Landed { kNotTaken, kLanded };
  void patches_fail(KubeErrorKind kind, Landed landed = kNotTaken) {
    cluster_.fail_with = [=](const Effect& effect) -> std::optional<ClusterDouble::Failure> {
      if (!std::holds_alternative<PatchPod>(effect)) return std::nullopt;
      return ClusterDouble::Failure{kube_error(kind), landed == kLanded};
    };
  }
  void patches_succeed() { cluster_.fail_with = nullptr; }
  [[nodiscard]] std::size_t patches() const { return cluster_.effects_of_kind<PatchPod>().size(); }
  [[nodiscard]] std::size_t events() const {
    return cluster_.effects_of_kind<CreateEvent>().size();
  }

  ClusterDouble cluster_;
};

}  // namespace loglink
