#include "lib/io/unary_lane.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

TEST(UnaryLane, LeasesAndAnswersHaveTheirOwn) {
  EXPECT_EQ(unary_lane("/apis/coordination.k8s.io/v1/namespaces/s/leases/l"), UnaryLane::kLease);
  EXPECT_EQ(unary_lane("/api/v1/namespaces/a/pods/p/status"), UnaryLane::kAnswer);
  EXPECT_EQ(unary_lane("/apis/events.k8s.io/v1/namespaces/a/events"), UnaryLane::kAnswer);
  EXPECT_EQ(unary_lane("/apis/events.k8s.io/v1/namespaces/a/events/e"), UnaryLane::kAnswer);
  EXPECT_EQ(unary_lane("/apis/loglink.io/v1alpha1/nodelinksets/node-1"), UnaryLane::kOther);
}

TEST(UnaryLane, GoByThePlaceInThePathBecauseNamesAreTenants) {
  EXPECT_EQ(unary_lane("/api/v1/namespaces/leases/pods/p/status?fieldManager=x"),
            UnaryLane::kAnswer);
  EXPECT_EQ(unary_lane("/api/v1/nodes/events-1"), UnaryLane::kOther);
  EXPECT_EQ(unary_lane("/apis/loglink.io/v1alpha1/nodelinksets/events-1"), UnaryLane::kOther);
  EXPECT_EQ(unary_lane("/apis/events.k8s.io/v1/namespaces/leases/events"), UnaryLane::kAnswer);
}

}  // namespace
}  // namespace loglink
