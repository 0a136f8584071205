#include "controller/core/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const WallTime kNow = at("2026-01-02T04:00:00Z");

TEST(Explain, TellsWhereAndAsWhatAPodIsLinked) {
  const Explanation explanation = explain({simple_pod()}, {}, kNow);
  ASSERT_EQ(explanation.node_link_sets.size(), 1U);
  EXPECT_EQ(explanation.node_link_sets[0].name, "node-a");
  ASSERT_EQ(explanation.node_link_sets[0].spec.sources.size(), 1U);
  const std::string text = explanation_to_text(explanation, {});
  EXPECT_THAT(text, HasSubstr("pod prod/web-0 on node node-a: Pending\n"));
  EXPECT_THAT(text, HasSubstr("/var/lib/kubelet/pods/3f0c1a2b-0000-4000-8000-000000000001/volumes/"
                              "kubernetes.io~empty-dir/logs\n"));
  EXPECT_THAT(text, HasSubstr("/run/loglink/links/web-0_prod_app-<logfile>.log\n"));
}

}  // namespace
}  // namespace loglink
