#include "lib/kube/api_port.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

TEST(MethodText, IsTheWordOfHttp) {
  EXPECT_EQ(to_string(Method::kGet), "GET");
  EXPECT_EQ(to_string(Method::kPut), "PUT");
  EXPECT_EQ(to_string(Method::kPatch), "PATCH");
  EXPECT_EQ(to_string(Method::kPost), "POST");
  EXPECT_EQ(to_string(Method::kDelete), "DELETE");
}

// A server that accepts and says nothing must not hold a caller for ever, and a write without a
// fence of its own is not fenced.
TEST(Requests, HaveBoundsByDefault) {
  const UnaryRequest unary;
  EXPECT_EQ(unary.method, Method::kGet);
  EXPECT_EQ(unary.deadline, std::chrono::seconds(5));
  EXPECT_EQ(unary.not_after, MonotonicTime::never());
  const StreamRequest stream;
  EXPECT_LT(stream.header_timeout, stream.idle_timeout);
  EXPECT_LT(stream.idle_timeout, stream.deadline);
  EXPECT_GE(stream.deadline, std::chrono::minutes(10)) << "the longest watch that is asked for";
}

}  // namespace
}  // namespace loglink
