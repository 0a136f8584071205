#include "lib/kube/requests.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

TEST(EscapeUrl, EncodesAllButTheUnreserved) {
  EXPECT_EQ(escape_url("AZaz09-._~"), "AZaz09-._~");
  EXPECT_EQ(escape_url("metadata.name=a"), "metadata.name%3Da");
  EXPECT_EQ(escape_url("a/b?c&d#e f%"), "a%2Fb%3Fc%26d%23e%20f%25");
  EXPECT_EQ(escape_url("\xc3\xa9\n"), "%C3%A9%0A");
  EXPECT_EQ(escape_url("+"), "%2B");
}

struct RequestCase {
  const char* name;
  UnaryRequest request;
  Method method;
  const char* target;
  const char* content_type;
};

TEST(Requests, GoToTheRightPlaceWithTheRightManager) {
  const ObjectKey pod{"prod", "web-0"};
  const RequestCase cases[] = {
      {"node", get_node_request("node-a"), Method::kGet, "/api/v1/nodes/node-a", ""},
      {"get nls", get_node_link_set_request("node-a"), Method::kGet,
       "/apis/loglink.io/v1alpha1/nodelinksets/node-a", ""},
      {"create nls", create_node_link_set_request("B"), Method::kPost,
       "/apis/loglink.io/v1alpha1/nodelinksets?fieldManager=loglink-controller",
       "application/json"},
      {"put nls", put_node_link_set_request("node-a", "B"), Method::kPut,
       "/apis/loglink.io/v1alpha1/nodelinksets/node-a?fieldManager=loglink-controller",
       "application/json"},
      {"put nls status", put_node_link_set_status_request("node-a", "B"), Method::kPut,
       "/apis/loglink.io/v1alpha1/nodelinksets/node-a/status?fieldManager=loglink-agent",
       "application/json"},
      {"get pod", get_pod_request(pod), Method::kGet, "/api/v1/namespaces/prod/pods/web-0", ""},
      {"patch pod", patch_pod_status_request(pod, "B"), Method::kPatch,
       "/api/v1/namespaces/prod/pods/web-0/status?fieldManager=loglink-controller",
       "application/merge-patch+json"},
      {"get lease", get_lease_request({"ns", "l"}), Method::kGet,
       "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l", ""},
      {"create lease", create_lease_request("ns", "B"), Method::kPost,
       "/apis/coordination.k8s.io/v1/namespaces/ns/leases?fieldManager=loglink-controller",
       "application/json"},
      {"put lease", put_lease_request({"ns", "l"}, "B"), Method::kPut,
       "/apis/coordination.k8s.io/v1/namespaces/ns/leases/l?fieldManager=loglink-controller",
       "application/json"},
      {"create event", create_event_request("prod", "B"), Method::kPost,
       "/apis/events.k8s.io/v1/namespaces/prod/events?fieldManager=loglink-controller",
       "application/json"},
      {"patch event", patch_event_request({"prod", "e"}, "B"), Method::kPatch,
       "/apis/events.k8s.io/v1/namespaces/prod/events/e?fieldManager=loglink-controller",
       "application/merge-patch+json"},
  };
  for (const RequestCase& each : cases) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(each.request.method, each.method);
    EXPECT_EQ(each.request.target, each.target);
    EXPECT_EQ(each.request.content_type, each.content_type);
    EXPECT_EQ(each.request.body, each.method == Method::kGet ? "" : "B");
    EXPECT_EQ(each.request.not_after, MonotonicTime::never());
  }
}

TEST(Requests, NamesCannotLeaveTheirPlaceInThePath) {
  EXPECT_EQ(get_node_request("../secrets?x").target, "/api/v1/nodes/..%2Fsecrets%3Fx");
  EXPECT_EQ(patch_pod_status_request({"a/b", "c"}, "").target,
            "/api/v1/namespaces/a%2Fb/pods/c/status?fieldManager=loglink-controller");
}

TEST(NameSelector, IsNotYetEscaped) { EXPECT_EQ(name_selector("node-a"), "metadata.name=node-a"); }

struct ReactionCase {
  KubeErrorKind kind;
  Reaction stream;
  Reaction unary;
  Reaction lease;
};

TEST(Reaction, TableHoldsForEveryKind) {
  using enum KubeErrorKind;
  using enum Reaction;
  const ReactionCase cases[] = {
      {kCancelled, kDrop, kDrop, kBackOff},
      {kRefused, kBackOff, kBackOff, kBackOff},
      {kDns, kBackOff, kBackOff, kBackOff},
      {kTls, kBackOff, kBackOff, kBackOff},
      {kConnectTimeout, kBackOff, kBackOff, kBackOff},
      {kIdleTimeout, kBackOff, kBackOff, kBackOff},
      {kDeadline, kResume, kBackOff, kBackOff},
      {kTruncated, kBackOff, kBackOff, kBackOff},
      {kProtocol, kRelist, kBackOff, kBackOff},
      {kUnauthorized, kRefreshCredentials, kRefreshCredentials, kRefreshCredentials},
      {kForbidden, kBackOff, kBackOff, kBackOff},
      {kNotFound, kBackOff, kDrop, kRequeue},
      {kNotServed, kBackOff, kBackOff, kBackOff},
      {kConflict, kBackOff, kRequeue, kRequeue},
      {kAlreadyExists, kBackOff, kRequeue, kRequeue},
      {kGone, kRelist, kRequeue, kBackOff},
      {kTooLargeVersion, kRelist, kRequeue, kBackOff},
      {kInvalid, kRelist, kDrop, kBackOff},
      {kTooManyRequests, kBackOff, kBackOff, kBackOff},
      {kServerError, kBackOff, kBackOff, kBackOff},
      {kUnexpected, kBackOff, kBackOff, kBackOff},
  };
  EXPECT_EQ(std::size(cases), static_cast<std::size_t>(kUnexpected) + 1);
  for (const ReactionCase& each : cases) {
    SCOPED_TRACE(to_string(each.kind));
    EXPECT_EQ(reaction(each.kind, RequestUse::kStream), each.stream);
    EXPECT_EQ(reaction(each.kind, RequestUse::kUnary), each.unary);
    EXPECT_EQ(reaction(each.kind, RequestUse::kLease), each.lease);
  }
}

TEST(Method, HasHttpsWords) {
  EXPECT_EQ(to_string(Method::kGet), "GET");
  EXPECT_EQ(to_string(Method::kPut), "PUT");
  EXPECT_EQ(to_string(Method::kPatch), "PATCH");
  EXPECT_EQ(to_string(Method::kPost), "POST");
  EXPECT_EQ(to_string(Method::kDelete), "DELETE");
}

}  // namespace
}  // namespace loglink
