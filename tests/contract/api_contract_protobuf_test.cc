// Pods in protobuf: what a server sends to who asks for it is what it sends to others in JSON.
#include <map>

#include "lib/codec/kube_json.h"
#include "lib/kube/frame_splitter.h"
#include "lib/kube/watch_driver.h"
#include "tests/contract/api_contract.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;
using testing::StartsWith;

const std::string kAccept(kAcceptProtobufOrJson);
const std::string kMediaType(kProtobufMediaType);
const std::string kInitial =
    "?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";

std::vector<std::string> frames(const std::string& body) {
  std::vector<std::string> result;
  FrameSplitter splitter;
  splitter.feed(body, [&](std::string_view frame) {
    result.emplace_back(frame);
    return true;
  });
  return result;
}

std::vector<WatchEvent<PodView>> decoded_frames(const std::string& body) {
  const auto codec = pod_codec();
  std::vector<WatchEvent<PodView>> events;
  for (const std::string& frame : frames(body)) {
    auto event = codec.decode_protobuf_event(frame);
    if (!event) {
      ADD_FAILURE() << event.error().message;
      continue;
    }
    events.push_back(*std::move(event));
  }
  return events;
}

// Everything that loglink reads of a pod, but for what only status and owners could add.
Json rich_pod() {
  return Json::parse(R"json({
    "metadata": {"name": "rich",
      "annotations": {"loglink/watch-dir": "/var/log/app, sidecar:/var/log/ü", "other/key": ""},
      "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "u-1",
                           "controller": true}]},
    "spec": {"nodeName": "node-a", "serviceAccountName": "default",
      "automountServiceAccountToken": false,
      "initContainers": [{"name": "init", "image": "i"},
                         {"name": "sidecar", "image": "i", "restartPolicy": "Always"}],
      "containers": [{"name": "app", "image": "app:1",
        "envFrom": [{"configMapRef": {"name": "c"}}],
        "env": [{"name": "A", "value": "x$(B)"}, {"name": "E"},
                {"name": "B", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                {"name": "C", "valueFrom": {"configMapKeyRef": {"name": "c", "key": "k"}}}],
        "volumeMounts": [{"name": "logs", "mountPath": "/var/log/app", "subPathExpr": "$(B)"},
                         {"name": "host", "mountPath": "/host", "subPath": "a/b"}]}],
      "volumes": [{"name": "logs", "emptyDir": {}},
                  {"name": "memory", "emptyDir": {"medium": "Memory"}},
                  {"name": "host", "hostPath": {"path": "/srv", "type": "Directory"}},
                  {"name": "claim", "persistentVolumeClaim": {"claimName": "c"}},
                  {"name": "image", "image": {"reference": "r"}}]}})json");
}

TEST_P(ApiContract, AListOfPodsInProtobufIsTheSame) {
  must(Method::kPost, pods(), rich_pod());
  create_pod("plain");
  const Answer json = get(pods());
  const Answer protobuf = get(pods(), kAccept);
  EXPECT_EQ(protobuf.status, 200);
  EXPECT_EQ(protobuf.content_type, kMediaType);
  const auto codec = pod_codec();
  const auto expected = codec.decode_page(json.body);
  const auto page = codec.decode_protobuf_page(protobuf.body);
  ASSERT_TRUE(expected) << expected.error().message;
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_THAT(page->items, SizeIs(2));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(page->items[i].key, expected->items[i].key);
    EXPECT_EQ(page->items[i].uid, expected->items[i].uid);
    EXPECT_EQ(page->items[i].resource_version, expected->items[i].resource_version);
    EXPECT_TRUE(page->items[i].value == expected->items[i].value);
  }
  ASSERT_TRUE(page->items[1].value) << "the annotated one";
  EXPECT_THAT(page->items[1].value->volumes, SizeIs(5));
  EXPECT_THAT(page->items[1].value->containers, SizeIs(3));
}

TEST_P(ApiContract, PagesInProtobufGoOnFromTheirToken) {
  for (const char* name : {"a", "b", "c"}) create_pod(name);
  const auto codec = pod_codec();
  const auto first = codec.decode_protobuf_page(get(pods() + "?limit=2", kAccept).body);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_THAT(first->items, SizeIs(2));
  const auto rest = codec.decode_protobuf_page(
      get(pods() + "?limit=2&continue=" + first->continue_token, kAccept).body);
  ASSERT_TRUE(rest) << rest.error().message;
  ASSERT_THAT(rest->items, SizeIs(1));
  EXPECT_EQ(rest->items[0].key.name, "c");
  EXPECT_EQ(rest->continue_token, "");
  EXPECT_EQ(rest->resource_version, first->resource_version);
}

TEST_P(ApiContract, AWatchListOfPodsInProtobufIsTheSameAndGoesOn) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  must(Method::kPost, pods(), rich_pod());
  StreamRequest request;
  request.target = pods() + kInitial;
  request.accept = kAccept;
  const auto stream = api().open(request);
  const auto has = [](std::size_t count) {
    return [count](const Heard& heard) { return frames(heard.body).size() >= count; };
  };
  ASSERT_TRUE(stream->wait(has(2)));
  EXPECT_THAT(stream->heard().head->content_type, StartsWith(kMediaType));
  create_pod("later");
  must(Method::kDelete, pods() + "/later?gracePeriodSeconds=0");
  ASSERT_TRUE(stream->wait(has(4)));
  const auto events = decoded_frames(stream->heard().body);
  ASSERT_GE(events.size(), 4U);
  EXPECT_EQ(events[0].type, WatchEventType::kAdded);
  const auto json = pod_codec().decode_page(get(pods()).body);
  ASSERT_TRUE(json);
  EXPECT_TRUE(events[0].object.value == json->items[0].value);
  EXPECT_EQ(events[1].type, WatchEventType::kBookmark);
  EXPECT_TRUE(events[1].initial_events_end);
  EXPECT_FALSE(events[1].object.resource_version.empty());
  EXPECT_EQ(events[2].type, WatchEventType::kAdded);
  EXPECT_EQ(events[2].object.key, (ObjectKey{space(), "later"}));
}

TEST_P(ApiContract, AWatchInProtobufFromTheFutureIsAnErrorEvent504) {
  if (!has_watch_list()) GTEST_SKIP() << "this server's gate is off";
  const Answer answer = get(pods() + kInitial + "&resourceVersion=99999999", kAccept);
  EXPECT_EQ(answer.status, 200);
  const auto events = decoded_frames(answer.body);
  ASSERT_THAT(events, SizeIs(1));
  EXPECT_EQ(events[0].type, WatchEventType::kError);
  EXPECT_EQ(events[0].error.kind, KubeErrorKind::kTooLargeVersion);
}

TEST_P(ApiContract, WhoAsksForProtobufIsRefusedInIt) {
  const Answer absent = get(pods() + "/none", kAccept);
  EXPECT_EQ(absent.status, 404);
  EXPECT_EQ(absent.content_type, kMediaType);
  const KubeError error = decode_error(absent.status, absent.content_type, absent.body);
  EXPECT_EQ(error.kind, KubeErrorKind::kNotFound);
  EXPECT_EQ(error.reason, "NotFound");
  EXPECT_THAT(error.message, HasSubstr("\"none\" not found"));
  const Answer bad = get(pods() + "?continue=garbage", kAccept);
  EXPECT_EQ(decode_error(bad.status, bad.content_type, bad.body).kind, KubeErrorKind::kInvalid);
}

TEST_P(ApiContract, CustomResourcesComeInJsonToWhoAlsoTakesThat) {
  create_set("a");
  const Answer answer = get(std::string(kSets) + "?labelSelector=space%3D" + space(), kAccept);
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.content_type, "application/json");
  EXPECT_THAT(names_of(answer.json()), ElementsAre(set_name("a")));
}

}  // namespace
}  // namespace loglink
