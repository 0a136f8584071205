#include "tests/contract/api_contract.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST_P(ApiContract, ListItemsOfBuiltInTypesHaveNoKind) {
  create_pod("a");
  const Answer answer = get(pods());
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  const Json list = answer.json();
  EXPECT_EQ(list["kind"], "PodList");
  EXPECT_THAT(names_of(list), ElementsAre("a"));
  EXPECT_FALSE(list["items"][0].contains("kind"));
  EXPECT_FALSE(list["items"][0].contains("apiVersion"));
  EXPECT_FALSE(list["metadata"].contains("continue"));
}

TEST_P(ApiContract, ListItemsOfCustomTypesHaveKindAndTheListAnEmptyContinue) {
  create_set("a");
  const Json list = get(std::string(kSets) + "?labelSelector=space%3D" + space()).json();
  EXPECT_EQ(list["kind"], "NodeLinkSetList");
  ASSERT_EQ(list["items"].size(), 1U);
  EXPECT_EQ(list["items"][0]["kind"], "NodeLinkSet");
  EXPECT_EQ(list["items"][0]["apiVersion"], "loglink.io/v1alpha1");
  EXPECT_EQ(list["metadata"]["continue"], "");
}

TEST_P(ApiContract, PagesShowTheListAsItWasAtTheFirstPage) {
  for (const char* name : {"a", "b", "c", "d", "e"}) create_pod(name);
  const Json first = get(pods() + "?limit=2").json();
  EXPECT_THAT(names_of(first), ElementsAre("a", "b"));
  EXPECT_EQ(first["metadata"]["remainingItemCount"], 3);
  must(Method::kPost, pods(), pod("bb"));
  must(Method::kDelete, pods() + "/c?gracePeriodSeconds=0");
  const std::string token = first["metadata"]["continue"];
  const Json second = get(pods() + "?limit=2&continue=" + token).json();
  EXPECT_THAT(names_of(second), ElementsAre("c", "d"));
  EXPECT_EQ(version_of(second), version_of(first));
  const std::string next = second["metadata"]["continue"];
  const Json third = get(pods() + "?limit=2&continue=" + next).json();
  EXPECT_THAT(names_of(third), ElementsAre("e"));
  EXPECT_FALSE(third["metadata"].contains("continue"));
  EXPECT_EQ(version_of(third), version_of(first));
}

TEST_P(ApiContract, VersionZeroIgnoresTheLimit) {
  for (const char* name : {"a", "b", "c"}) create_pod(name);
  // Version 0 may be stale on a real server: wait until it has caught up.
  const Json fresh = get(pods() + "?resourceVersionMatch=NotOlderThan&resourceVersion=" +
                         version_of(get(pods()).json()))
                         .json();
  ASSERT_EQ(names_of(fresh).size(), 3U);
  EXPECT_EQ(names_of(get(pods() + "?limit=1&resourceVersion=0").json()).size(), 3U);
}

TEST_P(ApiContract, AnExactListShowsThePast) {
  const Json a = create_pod("a");
  create_pod("b");
  const Json list =
      get(pods() + "?resourceVersionMatch=Exact&resourceVersion=" + version_of(a)).json();
  EXPECT_THAT(names_of(list), ElementsAre("a"));
  EXPECT_EQ(version_of(list), version_of(a));
}

TEST_P(ApiContract, AListFromTheFutureIs504TooLarge) {
  const Answer answer = get(pods() + "?resourceVersionMatch=NotOlderThan&resourceVersion=99999999");
  EXPECT_EQ(answer.status, 504);
  EXPECT_EQ(answer.retry_after, std::chrono::seconds(1));
  const Json status = answer.json();
  EXPECT_EQ(status["reason"], "Timeout");
  EXPECT_EQ(status["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

TEST_P(ApiContract, WrongListParametersAreRefused) {
  struct Case {
    const char* query;
    int status;
    const char* field;  // of the first cause; "" for none
    const char* message;
  };
  const Case cases[] = {
      {"limit=abc", 400, "", "strconv.ParseInt"},
      {"resourceVersion=abc", 400, "", "invalid resource version"},
      {"continue=garbage", 400, "", "continue key is not valid"},
      {"resourceVersionMatch=Exact", 422, "resourceVersionMatch", "unless resourceVersion"},
      {"resourceVersion=1&resourceVersionMatch=Bogus", 422, "resourceVersionMatch", "Bogus"},
      {"resourceVersion=0&resourceVersionMatch=Exact", 422, "resourceVersionMatch", "forbidden"},
      {"fieldSelector=spec.bogus%3D1", 400, "", "field label not supported: spec.bogus"},
      {"fieldSelector=x", 400, "", "invalid selector"},
      {"labelSelector=a%20b%20c", 400, "", "unable to parse requirement"},
  };
  for (const Case& one : cases) {
    const Answer answer = get(pods() + "?" + one.query);
    EXPECT_EQ(answer.status, one.status) << one.query;
    const Json status = answer.json();
    EXPECT_THAT(status.value("message", ""), HasSubstr(one.message)) << one.query;
    if (*one.field != '\0') {
      EXPECT_EQ(status["details"]["causes"][0]["field"], one.field) << one.query;
    }
  }
}

TEST_P(ApiContract, LabelSelectorsChoose) {
  create_pod("a", {{"app", "web"}, {"tier", "front"}});
  create_pod("b", {{"app", "db"}});
  create_pod("c");
  const std::pair<const char*, std::vector<std::string>> cases[] = {
      {"app%3Dweb", {"a"}},
      {"app%3D%3Dweb", {"a"}},
      {"app!%3Dweb", {"b", "c"}},
      {"app%20in%20(web,db)", {"a", "b"}},
      {"app%20notin%20(web)", {"b", "c"}},
      {"app", {"a", "b"}},
      {"!app", {"c"}},
      {"app,tier", {"a"}},
      {"app%20in%20(web,db),tier!%3Dfront", {"b"}},
  };
  for (const auto& [selector, names] : cases) {
    EXPECT_EQ(names_of(get(pods() + "?labelSelector=" + selector).json()), names) << selector;
  }
}

TEST_P(ApiContract, FieldSelectorsChoose) {
  create_pod("a");
  Json elsewhere = pod("b");
  elsewhere["spec"]["nodeName"] = "node-b";
  must(Method::kPost, pods(), elsewhere);
  must(Method::kPatch, pods() + "/b/status", {{"status", {{"phase", "Running"}}}}, kMergePatch);
  const std::pair<std::string, std::vector<std::string>> cases[] = {
      {"metadata.name%3Da", {"a"}},
      {"metadata.name!%3Da", {"b"}},
      {"spec.nodeName%3Dnode-b", {"b"}},
      {"status.phase%3DPending", {"a"}},
      {"status.phase%3DRunning,spec.nodeName%3Dnode-a", {}},
      {"metadata.namespace%3D" + space(), {"a", "b"}},
  };
  for (const auto& [selector, names] : cases) {
    EXPECT_EQ(names_of(get(pods() + "?fieldSelector=" + selector).json()), names) << selector;
  }
  create_set("a");
  create_set("b");
  EXPECT_THAT(
      names_of(get(std::string(kSets) + "?fieldSelector=metadata.name%3D" + set_name("b")).json()),
      ElementsAre(set_name("b")));
}

TEST_P(ApiContract, WhatIsAbsentIsToldApartFromWhatIsNotServed) {
  const Answer object = get(pods() + "/none");
  EXPECT_EQ(object.status, 404);
  EXPECT_EQ(object.content_type, "application/json");
  EXPECT_EQ(object.json()["details"], (Json{{"name", "none"}, {"kind", "pods"}}));
  for (const char* path :
       {"/apis/none.io/v1/things", "/nonsense", "/apis/loglink.io/v1alpha1/others"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.status, 404) << path;
    EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8") << path;
    EXPECT_EQ(answer.body, "404 page not found\n") << path;
  }
  EXPECT_EQ(refused(Method::kGet, pods() + "/none").kind, KubeErrorKind::kNotFound);
  EXPECT_EQ(refused(Method::kGet, "/apis/none.io/v1/things").kind, KubeErrorKind::kNotServed);
}

TEST_P(ApiContract, AnUnknownTokenIs401) {
  const auto stranger = api().as("no-such-token");
  UnaryRequest request;
  request.target = pods();
  const UnaryResult result = stranger->call(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kUnauthorized);
  EXPECT_EQ(result.error().message, "Unauthorized");
}

// What follows needs a server that does as it is told.

TEST_P(ApiContract, ARevokedUserIs403AndToldWhat) {
  const auto allow = [](fakes::FakeKube& kube, Now) {
    kube.set_user("t", "system:serviceaccount:loglink-system:loglink-agent",
                  {{{"get"}, {"nodelinksets"}, {}, {}}});
  };
  if (!api().script(allow)) GTEST_SKIP() << "only fakes can be told who may what";
  const auto agent = api().as("t");
  UnaryRequest request;
  request.target = pods();
  const UnaryResult result = agent->call(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kForbidden);
  EXPECT_THAT(result.error().message,
              HasSubstr("pods is forbidden: User "
                        "\"system:serviceaccount:loglink-system:loglink-agent\" cannot list "
                        "resource \"pods\" in API group \"\" in the namespace \"" +
                        space() + "\""));
  request.target = set_path("x");
  EXPECT_EQ(agent->call(request).error().kind, KubeErrorKind::kNotFound);
}

TEST_P(ApiContract, AnExpiredContinueTokenIs410WithATokenForTheRest) {
  for (const char* name : {"a", "b", "c"}) create_pod(name);
  const std::string token = get(pods() + "?limit=1").json()["metadata"]["continue"];
  if (!api().script([](fakes::FakeKube& kube, Now) { kube.expire_continue_tokens(); })) {
    GTEST_SKIP() << "a real server keeps them for minutes";
  }
  must(Method::kDelete, pods() + "/b?gracePeriodSeconds=0");
  const Answer expired = get(pods() + "?limit=1&continue=" + token);
  EXPECT_EQ(expired.status, 410);
  EXPECT_EQ(expired.json()["reason"], "Expired");
  const std::string rest = expired.json()["metadata"]["continue"];
  EXPECT_THAT(names_of(get(pods() + "?limit=5&continue=" + rest).json()), ElementsAre("c"));
}

TEST_P(ApiContract, AnExactListOfForgottenTimesIs410) {
  const std::string old = version_of(create_pod("a"));
  create_pod("b");
  if (!api().script([](fakes::FakeKube& kube, Now) { kube.compact(); })) {
    GTEST_SKIP() << "a real server compacts when it likes";
  }
  const Answer answer = get(pods() + "?resourceVersionMatch=Exact&resourceVersion=" + old);
  EXPECT_EQ(answer.status, 410);
  EXPECT_EQ(answer.json()["message"], "The resourceVersion for the provided list is too old.");
}

TEST_P(ApiContract, ABusyServerAnswersInPlainText) {
  fakes::Fault busy;
  busy.status = 429;
  busy.retry_after_seconds = 1;
  busy.path_prefix = pods();
  if (!api().add_fault(busy)) GTEST_SKIP() << "a real server is busy when it likes";
  const Answer answer = get(pods());
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(answer.body, "Too many requests, please try again later.\n");
  EXPECT_EQ(answer.retry_after, std::chrono::seconds(1));
  EXPECT_EQ(get(pods()).status, 200) << "the fault was for one request";
}

}  // namespace
}  // namespace loglink
