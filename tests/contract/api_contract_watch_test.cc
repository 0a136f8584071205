#include "tests/contract/api_contract.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

const std::string kInitial =
    "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

TEST_P(ApiContract, AWatchTellsWhatHappensAfterItsVersion) {
  const std::string version = version_of(get(pods()).json());
  const auto stream = watch(pods() + "?resourceVersion=" + version);
  EXPECT_EQ(stream->heard().head->status, 200);
  create_pod("a");
  must(Method::kPatch, pods() + "/a", {{"metadata", {{"labels", {{"x", "1"}}}}}}, kMergePatch);
  must(Method::kDelete, pods() + "/a?gracePeriodSeconds=0");
  EXPECT_THAT(wait_events(*stream, 4),
              ElementsAre("ADDED a", "MODIFIED a", "MODIFIED a", "DELETED a"));
  EXPECT_EQ(object_of(*stream, 0)["kind"], "Pod");
  EXPECT_TRUE(object_of(*stream, 2)["metadata"].contains("deletionTimestamp"));
  // The version of a DELETED event is that of the deletion.
  EXPECT_NE(version_of(object_of(*stream, 3)), version_of(object_of(*stream, 2)));
}

TEST_P(ApiContract, AWatchResumesAfterTheLastEventItSaw) {
  create_pod("a");
  const Json b = create_pod("b");
  create_pod("c");
  const auto stream = watch(pods() + "?resourceVersion=" + version_of(b));
  EXPECT_THAT(wait_events(*stream, 1), ElementsAre("ADDED c"));
}

TEST_P(ApiContract, AWatchWithoutVersionBeginsWithWhatIsThere) {
  create_pod("a");
  for (const char* version : {"", "resourceVersion=0&"}) {
    const auto stream = watch(pods() + "?" + version + "timeoutSeconds=300");
    EXPECT_THAT(wait_events(*stream, 1), ElementsAre("ADDED a")) << version;
  }
}

TEST_P(ApiContract, AWatchFromForgottenTimesIs200WithAnErrorEvent) {
  create_set("a");
  const auto stream = watch(std::string(kSets) + "?resourceVersion=1");
  ASSERT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  EXPECT_EQ(stream->heard().head->status, 200);
  EXPECT_EQ(stream->heard().error, std::nullopt);
  const std::vector<Json> told = lines(stream->heard().body);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0]["type"], "ERROR");
  EXPECT_EQ(told[0]["object"]["code"], 410);
  EXPECT_EQ(told[0]["object"]["reason"], "Expired");
  EXPECT_THAT(told[0]["object"]["message"].get<std::string>(),
              HasSubstr("too old resource version: 1 ("));
}

TEST_P(ApiContract, AWatchFromTheFutureIsSilentAndEndsInTime) {
  create_pod("a");
  const auto stream = watch(pods() + "?resourceVersion=99999999&timeoutSeconds=1");
  ASSERT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  EXPECT_EQ(stream->heard().head->status, 200);
  EXPECT_EQ(stream->heard().body, "");
  EXPECT_EQ(stream->heard().error, std::nullopt) << "the end is clean";
}

TEST_P(ApiContract, AWatchEndsAfterTimeoutSeconds) {
  const auto stream =
      watch(pods() + "?timeoutSeconds=1&resourceVersion=" + version_of(get(pods()).json()));
  create_pod("a");
  ASSERT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  EXPECT_THAT(events_of(stream->heard().body), ElementsAre("ADDED a"));
  EXPECT_EQ(stream->heard().error, std::nullopt);
}

TEST_P(ApiContract, AnObjectThatLeavesTheSelectorIsDeletedForTheWatch) {
  create_pod("a", {{"app", "web"}});
  const std::string version = version_of(get(pods()).json());
  const auto stream = watch(pods() + "?labelSelector=app%3Dweb&resourceVersion=" + version);
  const Json other = {{"metadata", {{"labels", {{"app", "db"}}}}}};
  const Json web = {{"metadata", {{"labels", {{"app", "web"}}}}}};
  const Json changed = must(Method::kPatch, pods() + "/a", other, kMergePatch);
  must(Method::kPatch, pods() + "/a", web, kMergePatch);
  EXPECT_THAT(wait_events(*stream, 2), ElementsAre("DELETED a", "ADDED a"));
  const Json gone = object_of(*stream, 0);
  EXPECT_EQ(gone["metadata"]["labels"]["app"], "web") << "as it was when it still matched";
  EXPECT_EQ(version_of(gone), version_of(changed));
}

TEST_P(ApiContract, AWatchOfOneNameTellsOfThatNameOnly) {
  const std::string query = "?fieldSelector=metadata.name%3D" + set_name("b");
  const std::string version = version_of(get(kSets + query).json());
  const auto stream = watch(kSets + query + "&resourceVersion=" + version);
  create_set("a");
  create_set("b");
  EXPECT_THAT(wait_events(*stream, 1), ElementsAre("ADDED " + set_name("b")));
  EXPECT_EQ(object_of(*stream, 0)["kind"], "NodeLinkSet");
}

TEST_P(ApiContract, AWatchListSendsWhatIsThereThenTheMarkThenGoesOn) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  create_pod("a");
  const Json b = create_pod("b");
  const auto stream = watch(pods() + kInitial);
  std::vector<std::string> told = wait_events(*stream, 3);
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_EQ(told[2], "BOOKMARK");
  std::sort(told.begin(), told.begin() + 2);
  EXPECT_THAT(told, ElementsAre("ADDED a", "ADDED b", "BOOKMARK"));
  const Json mark = object_of(*stream, 2);
  EXPECT_GE(std::stoull(version_of(mark)), std::stoull(version_of(b)));
  create_pod("c");
  EXPECT_EQ(wait_events(*stream, 4).back(), "ADDED c");
}

TEST_P(ApiContract, TheMarkOfAWatchListIsAnEmptyObjectOfTheType) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  const auto stream = watch(pods() + kInitial);
  wait_events(*stream, 1);
  Json mark = object_of(*stream, 0);
  mark["metadata"].erase("resourceVersion");
  EXPECT_EQ(mark, Json::parse(R"({"kind": "Pod", "apiVersion": "v1",
      "metadata": {"annotations": {"k8s.io/initial-events-end": "true"}},
      "spec": {"containers": null}, "status": {}})"));
  const auto sets = watch(kSets + kInitial + "&fieldSelector=metadata.name%3D" + set_name("none"));
  wait_events(*sets, 1);
  mark = object_of(*sets, 0);
  mark["metadata"].erase("resourceVersion");
  EXPECT_EQ(mark, Json::parse(R"({"kind": "NodeLinkSet", "apiVersion": "loglink.io/v1alpha1",
      "metadata": {"annotations": {"k8s.io/initial-events-end": "true"}}})"));
}

TEST_P(ApiContract, AWatchListFromAnOldVersionStillSendsEverything) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  create_pod("a");
  const auto stream = watch(pods() + kInitial + "&resourceVersion=1");
  EXPECT_THAT(wait_events(*stream, 2), ElementsAre("ADDED a", "BOOKMARK"));
}

TEST_P(ApiContract, AWatchListFromTheFutureIsAnErrorEvent504) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  const auto stream = watch(pods() + kInitial + "&resourceVersion=99999999");
  ASSERT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  EXPECT_EQ(stream->heard().head->status, 200);
  const std::vector<Json> told = lines(stream->heard().body);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0]["type"], "ERROR");
  EXPECT_EQ(told[0]["object"]["code"], 504);
}

TEST_P(ApiContract, WithoutBookmarksAWatchListHasNoMark) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  create_pod("a");
  const auto stream = watch(pods() + "?sendInitialEvents=true&resourceVersionMatch=NotOlderThan");
  EXPECT_THAT(wait_events(*stream, 1), ElementsAre("ADDED a"));
  create_pod("b");
  EXPECT_THAT(wait_events(*stream, 2), ElementsAre("ADDED a", "ADDED b"));
}

TEST_P(ApiContract, WrongWatchParametersAreRefused) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  struct Case {
    const char* query;
    int status;
    const char* field;
  };
  const Case cases[] = {
      {"sendInitialEvents=true&allowWatchBookmarks=true", 422, "resourceVersionMatch"},
      {"sendInitialEvents=false", 422, "resourceVersionMatch"},
      {"sendInitialEvents=true&resourceVersionMatch=Exact", 422, "resourceVersionMatch"},
      {"resourceVersionMatch=NotOlderThan", 422, "resourceVersionMatch"},
      {"resourceVersion=abc", 500, ""},
      {"fieldSelector=spec.bogus%3D1", 400, ""},
  };
  for (const Case& one : cases) {
    const Answer answer = get(pods() + "?watch=1&" + one.query);
    EXPECT_EQ(answer.status, one.status) << one.query;
    if (*one.field != '\0') {
      EXPECT_EQ(answer.json()["details"]["causes"][0]["field"], one.field) << one.query;
    }
  }
}

// What follows needs a server that does as it is told.

TEST_P(ApiContract, WithTheGateOffAWatchListIs422) {
  if (has_watch_list() &&
      !api().script([](fakes::FakeKube& kube, Now) { kube.set_watch_list(false); })) {
    GTEST_SKIP() << "this server's gate is on";
  }
  const Answer answer = get(pods() + kInitial + "&watch=1");
  EXPECT_EQ(answer.status, 422);
  const Json status = answer.json();
  EXPECT_EQ(status["details"]["causes"][0]["field"], "sendInitialEvents");
  EXPECT_EQ(status["message"],
            "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: "
            "sendInitialEvents is forbidden for watch unless the WatchList feature gate is "
            "enabled");
}

TEST_P(ApiContract, ABookmarkMovesTheVersionWhenNothingMatches) {
  const std::string version = version_of(get(pods()).json());
  const std::string query = "?allowWatchBookmarks=true&resourceVersion=" + version;
  const auto stream = watch(pods() + query + "&labelSelector=app%3Dnone");
  const auto deaf = watch(pods() + "?labelSelector=app%3Dnone&resourceVersion=" + version);
  const Json a = create_pod("a");
  if (!api().script([](fakes::FakeKube& kube, Now) { kube.send_bookmarks(); })) {
    GTEST_SKIP() << "a real server sends one about every minute";
  }
  EXPECT_THAT(wait_events(*stream, 1), ElementsAre("BOOKMARK"));
  const Json mark = object_of(*stream, 0);
  EXPECT_EQ(version_of(mark), version_of(a));
  EXPECT_FALSE(mark["metadata"].contains("annotations"));
  EXPECT_EQ(deaf->heard().body, "");
}

TEST_P(ApiContract, DroppedWatchesEndCleanly) {
  const auto stream = watch(pods() + "?resourceVersion=" + version_of(get(pods()).json()));
  if (!api().script([](fakes::FakeKube& kube, Now) { kube.drop_watches(); })) {
    GTEST_SKIP() << "a real server restarts when it likes";
  }
  ASSERT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  EXPECT_EQ(stream->heard().error, std::nullopt);
}

TEST_P(ApiContract, WithoutTheDefinitionNodeLinkSetsAreNotServed) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  create_set("a");
  const auto stream = watch(kSets + kInitial);
  wait_events(*stream, 2);
  if (!api().script([](fakes::FakeKube& kube, Now now) { kube.remove_crd(now); })) {
    GTEST_SKIP() << "the definition stays on a real server";
  }
  EXPECT_EQ(refused(Method::kGet, kSets).kind, KubeErrorKind::kNotServed);
  EXPECT_EQ(get(kSets).body, "404 page not found\n");
  EXPECT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  api().script([](fakes::FakeKube& kube, Now now) { kube.install_crd(now); });
  EXPECT_TRUE(names_of(get(kSets).json()).empty());
}

TEST_P(ApiContract, ACutStreamIsToldApartFromACleanEnd) {
  create_pod("a");
  fakes::Fault cut;
  cut.cut_after_bytes = 20;
  cut.watch = true;
  if (!api().add_fault(cut)) GTEST_SKIP() << "a real connection cannot be cut from here";
  const auto stream = watch(pods() + kInitial);
  ASSERT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; }));
  ASSERT_TRUE(stream->heard().error);
  EXPECT_EQ(stream->heard().error->kind, KubeErrorKind::kTruncated);
  EXPECT_EQ(stream->heard().body, R"({"type":"ADDED","obj)");
}

TEST_P(ApiContract, ALostAnswerMayStandForAWriteThatWasDone) {
  fakes::Fault lost;
  lost.method = "DELETE";
  lost.lose_answer = true;
  lost.count = 2;  // a client may try again by itself
  create_set("a");
  if (!api().add_fault(lost)) GTEST_SKIP() << "a real connection cannot be cut from here";
  EXPECT_FALSE(call(Method::kDelete, set_path("a")));
  EXPECT_EQ(refused(Method::kGet, set_path("a")).kind, KubeErrorKind::kNotFound);
}

}  // namespace
}  // namespace loglink
