#include "lib/kube/trouble.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

KubeError error_of(KubeErrorKind kind, int status, const std::string& message) {
  KubeError error;
  error.kind = kind;
  error.http_status = status;
  error.message = message;
  return error;
}

TEST(Trouble, SaysWhatAndHowToCureIt) {
  EXPECT_EQ(describe_with_cure(error_of(KubeErrorKind::kForbidden, 403, "pods is forbidden")),
            "Forbidden (403): pods is forbidden; grant what the chart's ClusterRole grants");
  EXPECT_EQ(describe_with_cure(error_of(KubeErrorKind::kNotServed, 404, "404 page not found")),
            "NotServed (404): 404 page not found; install the CustomResourceDefinition "
            "nodelinksets.loglink.io");
}

TEST(Trouble, HasNoCureForWhatPassesByItself) {
  EXPECT_EQ(cure(error_of(KubeErrorKind::kTooManyRequests, 429, "")), "");
  EXPECT_EQ(describe_with_cure(error_of(KubeErrorKind::kIdleTimeout, 0, "a:1: stalled")),
            "IdleTimeout: a:1: stalled");
}

}  // namespace
}  // namespace loglink
