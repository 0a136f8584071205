// Pods in protobuf are the same values as in JSON: on answers of a real API server in both, and on
// pods from a generator.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <string>

#include "lib/base/random.h"
#include "lib/codec/kube_json.h"
#include "lib/kube/frame_splitter.h"
#include "lib/model/limits.h"
#include "tests/fakes/kube_protobuf.h"
#include "tests/unit/lib/codec/golden.h"

namespace loglink {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

std::vector<std::string> frames_of(const std::string& bytes) {
  std::vector<std::string> frames;
  FrameSplitter splitter;
  splitter.feed(bytes, [&](std::string_view frame) {
    frames.emplace_back(frame);
    return true;
  });
  EXPECT_FALSE(splitter.has_partial_frame());
  return frames;
}

void expect_same(const Decoded<PodView>& a, const Decoded<PodView>& b) {
  EXPECT_EQ(a.key, b.key);
  EXPECT_EQ(a.uid, b.uid);
  EXPECT_EQ(a.resource_version, b.resource_version);
  EXPECT_EQ(a.value.has_value(), b.value.has_value()) << a.key.name;
  EXPECT_TRUE(a.value == b.value) << a.key.name;
}

void expect_same(const ListPage<PodView>& a, const ListPage<PodView>& b) {
  EXPECT_EQ(a.resource_version, b.resource_version);
  EXPECT_EQ(a.continue_token, b.continue_token);
  ASSERT_EQ(a.items.size(), b.items.size());
  for (std::size_t i = 0; i < a.items.size(); ++i) expect_same(a.items[i], b.items[i]);
}

TEST(DecodeProtobufTest, ARecordedListIsTheSameInBothEncodings) {
  const auto codec = pod_codec();
  const auto json = codec.decode_page(golden("pods-kinds-list.json"));
  const auto protobuf = codec.decode_protobuf_page(golden("pods-kinds-list.pb"));
  ASSERT_TRUE(json) << json.error().message;
  ASSERT_TRUE(protobuf) << protobuf.error().message;
  expect_same(*json, *protobuf);
  ASSERT_EQ(protobuf->items.size(), 4U);
  EXPECT_FALSE(protobuf->items[0].value) << "foreign: its head only";
  EXPECT_TRUE(protobuf->items[1].value) << "has a label that contains the word";
  const PodView& rich = *protobuf->items[2].value;
  EXPECT_EQ(rich.volumes.size(), 31U);
  EXPECT_EQ(rich.containers.size(), 4U);
  EXPECT_EQ(rich.phase, "Running");
  EXPECT_TRUE(rich.deleting);
  EXPECT_NE(rich.created, WallTime{});
  EXPECT_EQ(rich.annotation_count, 5U);
  EXPECT_TRUE(protobuf->items[3].value) << "a static pod";
}

TEST(DecodeProtobufTest, ARecordedWatchListIsTheSameInBothEncodings) {
  const auto codec = pod_codec();
  const auto lines = golden_lines("pods-kinds-watchlist.jsonl");
  const auto frames = frames_of(golden("pods-kinds-watchlist.pb"));
  ASSERT_EQ(lines.size(), frames.size());
  // The initial events come in no order.
  std::map<std::string, WatchEvent<PodView>> by_name;
  for (const std::string& line : lines) {
    auto event = codec.decode_event(line);
    ASSERT_TRUE(event) << event.error().message;
    std::string name = event->object.key.name;
    by_name.emplace(std::move(name), *std::move(event));
  }
  for (const std::string& frame : frames) {
    const auto event = codec.decode_protobuf_event(frame);
    ASSERT_TRUE(event) << event.error().message;
    const auto other = by_name.find(event->object.key.name);
    ASSERT_NE(other, by_name.end());
    EXPECT_EQ(event->type, other->second.type);
    EXPECT_EQ(event->initial_events_end, other->second.initial_events_end);
    // Two watches, so that their marks may have versions of their own.
    if (event->type != WatchEventType::kBookmark) {
      expect_same(event->object, other->second.object);
    }
    by_name.erase(other);
  }
}

TEST(DecodeProtobufTest, TheMarkOfAWatchListIsSeen) {
  const auto codec = pod_codec();
  const auto frames = frames_of(golden("pods-watchlist.pb"));
  ASSERT_EQ(frames.size(), 3U);
  const auto mark = codec.decode_protobuf_event(frames[2]);
  ASSERT_TRUE(mark) << mark.error().message;
  EXPECT_EQ(mark->type, WatchEventType::kBookmark);
  EXPECT_TRUE(mark->initial_events_end);
  EXPECT_FALSE(mark->object.resource_version.empty());
}

TEST(DecodeProtobufTest, ARecordedFirstPageHasATokenForTheNext) {
  const auto page = pod_codec().decode_protobuf_page(golden("pods-list-page1.pb"));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->items.size(), 2U);
  EXPECT_FALSE(page->continue_token.empty());
  EXPECT_FALSE(page->resource_version.empty());
}

TEST(DecodeProtobufTest, AnErrorEventIsAKubeError) {
  const auto frames = frames_of(golden("pods-watch-error-504.pb"));
  ASSERT_EQ(frames.size(), 1U);
  const auto event = pod_codec().decode_protobuf_event(frames[0]);
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->type, WatchEventType::kError);
  EXPECT_EQ(event->error.kind, KubeErrorKind::kTooLargeVersion);
  EXPECT_EQ(event->error.http_status, 504);
  EXPECT_THAT(event->error.message, HasSubstr("Too large resource version"));
}

TEST(DecodeProtobufTest, AnAnswerThatIsAStatusInProtobufIsUnderstood) {
  const std::string type = "application/vnd.kubernetes.protobuf";
  const KubeError absent = decode_error(404, type, golden("status-404.pb"));
  const KubeError same = decode_error(404, "application/json", golden("status-404.json"));
  EXPECT_EQ(absent.kind, KubeErrorKind::kNotFound);
  EXPECT_EQ(absent.kind, same.kind);
  EXPECT_EQ(absent.reason, "NotFound");
  EXPECT_THAT(absent.message, HasSubstr("not found"));
  const KubeError too_large = decode_error(504, type, golden("list-504-too-large-rv.pb"));
  EXPECT_EQ(too_large.kind, KubeErrorKind::kTooLargeVersion);
  EXPECT_EQ(too_large.retry_after, std::chrono::seconds(1));
  EXPECT_EQ(decode_error(503, type, "k8s").message, "HTTP 503") << "not a Status";
}

// --- a generator ---

std::string any_text(SeededRandom& random) {
  static const std::vector<std::string> kTexts = {"",
                                                  "a",
                                                  "loglink",
                                                  "/var/log/app",
                                                  "$(POD_NAME)/x",
                                                  "\xc3\xbc\xe2\x82\xac",
                                                  "Always",
                                                  "hostPath",
                                                  "a\tb\"c\\",
                                                  "x.y/z",
                                                  "Memory",
                                                  "Directory",
                                                  "true",
                                                  "\xf0\x9f\x90\xb3",
                                                  "k8s",
                                                  std::string(300, 'l'),
                                                  "Running",
                                                  "\x01\x7f"};
  return kTexts[random.below(kTexts.size())];
}

bool chance(SeededRandom& random, std::uint64_t one_in = 2) { return random.below(one_in) == 0; }

Json any_container(SeededRandom& random) {
  Json container = {{"name", any_text(random)}};
  if (chance(random)) container["restartPolicy"] = chance(random) ? "Always" : any_text(random);
  if (chance(random, 3)) container["envFrom"] = Json::array({Json::object()});
  if (chance(random, 8)) container["env"] = nullptr;
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    Json variable = {{"name", any_text(random)}};
    static const std::vector<std::string> kSources = {"resourceFieldRef", "configMapKeyRef",
                                                      "secretKeyRef", "fileKeyRef"};
    const std::uint64_t kind = random.below(7);
    if (kind == 0) variable["value"] = any_text(random);
    if (kind == 1) variable["valueFrom"]["fieldRef"] = {{"fieldPath", any_text(random)}};
    if (kind == 2) variable["valueFrom"] = Json::object();
    if (kind > 2) variable["valueFrom"][kSources[kind - 3]] = Json::object();
    container["env"].push_back(variable);
  }
  for (std::uint64_t i = random.below(3); i > 0; --i) {
    Json mount = {{"name", any_text(random)}, {"mountPath", any_text(random)}};
    if (chance(random)) mount["subPath"] = any_text(random);
    if (chance(random)) mount["subPathExpr"] = any_text(random);
    if (chance(random)) mount["readOnly"] = true;
    container["volumeMounts"].push_back(mount);
  }
  return container;
}

Json any_volume(SeededRandom& random) {
  static const std::vector<std::string> kKinds = {
      "hostPath", "emptyDir",   "secret",    "persistentVolumeClaim", "projected",
      "csi",      "image",      "ephemeral", "awsElasticBlockStore",  "portworxVolume",
      "scaleIO",  "downwardAPI"};
  Json volume = {{"name", any_text(random)}};
  if (chance(random, 10)) return volume;
  const std::string& kind = kKinds[random.below(kKinds.size())];
  volume[kind] = Json::object();
  if (kind == "hostPath") volume[kind]["path"] = any_text(random);
  if (kind == "hostPath" && chance(random)) volume[kind]["type"] = any_text(random);
  if (kind == "emptyDir" && chance(random)) volume[kind]["medium"] = any_text(random);
  return volume;
}

Json any_pod(SeededRandom& random) {
  Json metadata = {{"name", "p" + any_text(random)},
                   {"namespace", any_text(random)},
                   {"uid", any_text(random)},
                   {"resourceVersion", std::to_string(random.below(100000))}};
  if (chance(random)) metadata["creationTimestamp"] = "2026-02-03T04:05:06Z";
  if (chance(random, 8)) metadata["creationTimestamp"] = nullptr;
  if (chance(random, 4)) metadata["deletionTimestamp"] = "2026-02-03T04:05:07Z";
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    static const std::vector<std::string> kKeys = {
        "loglink/watch-dir",         "loglink/", "loglink",
        "kubernetes.io/config.hash", "other",    "x/loglink"};
    metadata["annotations"][kKeys[random.below(kKeys.size())]] = any_text(random);
  }
  if (chance(random)) metadata["labels"] = {{any_text(random), any_text(random)}};
  for (std::uint64_t i = random.below(3); i > 0; --i) {
    metadata["ownerReferences"].push_back({{"apiVersion", any_text(random)},
                                           {"kind", any_text(random)},
                                           {"name", any_text(random)},
                                           {"uid", any_text(random)},
                                           {"controller", chance(random)}});
  }
  Json spec = {{"nodeName", any_text(random)}, {"serviceAccountName", any_text(random)}};
  spec["containers"] = nullptr;
  for (std::uint64_t i = random.below(3); i > 0; --i)
    spec["containers"].push_back(any_container(random));
  for (std::uint64_t i = random.below(3); i > 0; --i)
    spec["initContainers"].push_back(any_container(random));
  if (chance(random, 3)) spec["ephemeralContainers"].push_back(any_container(random));
  for (std::uint64_t i = random.below(4); i > 0; --i) spec["volumes"].push_back(any_volume(random));
  Json pod = {{"kind", "Pod"}, {"apiVersion", "v1"}, {"metadata", metadata}, {"spec", spec}};
  pod["status"] = {{"phase", any_text(random)}, {"podIP", any_text(random)}};
  return pod;
}

TEST(DecodeProtobufTest, GeneratedPodsAreTheSameInBothEncodings) {
  const auto codec = pod_codec();
  int whole = 0;
  for (std::uint64_t seed = 1; seed <= 600; ++seed) {
    SCOPED_TRACE(seed);
    SeededRandom random(seed);
    static const std::vector<std::string> kTypes = {"ADDED", "MODIFIED", "DELETED"};
    const Json event = {{"type", kTypes[random.below(3)]}, {"object", any_pod(random)}};
    const auto json = codec.decode_event(event.dump());
    const auto protobuf = codec.decode_protobuf_event(fakes::protobuf_frame(event).substr(4));
    ASSERT_TRUE(json) << json.error().message;
    ASSERT_TRUE(protobuf) << protobuf.error().message;
    EXPECT_EQ(json->type, protobuf->type);
    expect_same(json->object, protobuf->object);
    if (protobuf->object.value) ++whole;

    const Json list = {{"kind", "PodList"},
                       {"apiVersion", "v1"},
                       {"metadata", {{"resourceVersion", "7"}, {"continue", any_text(random)}}},
                       {"items", {any_pod(random), event["object"]}}};
    const auto json_page = codec.decode_page(list.dump());
    const auto protobuf_page = codec.decode_protobuf_page(fakes::protobuf_object(list));
    ASSERT_TRUE(json_page) << json_page.error().message;
    ASSERT_TRUE(protobuf_page) << protobuf_page.error().message;
    expect_same(*json_page, *protobuf_page);
    if (HasFailure()) break;
  }
  EXPECT_GT(whole, 200);
  EXPECT_LT(whole, 590) << "some are read to their head only";
}

// Containers, volumes, mounts, environment variables and owners.
std::size_t parts_of(const PodView& pod) {
  std::size_t parts = pod.owners.size() + pod.containers.size() + pod.volumes.size();
  for (const ContainerView& each : pod.containers) parts += each.env.size() + each.mounts.size();
  return parts;
}

// A few bytes make a part: megabytes of them would be hundreds in memory, for each of a page's
// pods.
TEST(DecodeProtobufTest, OfAPodWithTooManyPartsOneMoreThanTheBoundIsKeptInBothEncodings) {
  const auto many = [](std::size_t count, const Json& each) { return Json(count, each); };
  const Json name = {{"name", "x"}};
  const auto in_container = [&](const std::string& list, std::size_t count) {
    return Json{{"containers", {{{"name", "c"}, {list, many(count, name)}}}}};
  };
  constexpr std::size_t kMany = 50000;
  constexpr std::size_t kBound = limits::kPodParts;
  struct Case {
    std::string what;
    Json spec;
    std::size_t owners;
    std::size_t kept;
  };
  for (const Case& each : std::vector<Case>{
           {"containers", {{"containers", many(kMany, name)}}, 0, kBound + 1},
           {"init containers", {{"initContainers", many(kMany, name)}}, 0, kBound + 1},
           {"volumes", {{"volumes", many(kMany, name)}}, 0, kBound + 1},
           {"variables", in_container("env", kMany), 0, kBound + 1},
           {"mounts", in_container("volumeMounts", kMany), 0, kBound + 1},
           {"owners", Json::object(), kMany, kBound + 1},
           {"as many as are linked", in_container("volumeMounts", kBound - 2), 1, kBound},
           {"one more", in_container("env", kBound - 1), 1, kBound + 1},
           {"variables that nobody reads", in_container("env", kBound - 2), 1, 2},
       }) {
    SCOPED_TRACE(each.what);
    Json pod = {{"kind", "Pod"},
                {"apiVersion", "v1"},
                {"metadata", {{"name", "x"}, {"annotations", {{"loglink/watch-dir", "/logs"}}}}},
                {"spec", each.spec}};
    if (each.owners > 0) pod["metadata"]["ownerReferences"] = many(each.owners, name);
    const Json event = {{"type", "ADDED"}, {"object", pod}};
    const auto json = pod_codec().decode_event(event.dump());
    const auto protobuf = pod_codec().decode_protobuf_event(fakes::protobuf_frame(event).substr(4));
    ASSERT_TRUE(json) << json.error().message;
    ASSERT_TRUE(protobuf) << protobuf.error().message;
    EXPECT_EQ(parts_of(*json->object.value), each.kept);
    EXPECT_EQ(parts_of(*protobuf->object.value), each.kept);
  }
}

// --- what is no answer of a server ---

TEST(DecodeProtobufTest, APrefixIsNeverAnEventNorAPage) {
  const auto codec = pod_codec();
  for (const std::string& frame : frames_of(golden("pods-kinds-watchlist.pb"))) {
    ASSERT_TRUE(codec.decode_protobuf_event(frame));
    for (std::size_t size = 0; size < frame.size(); ++size) {
      // An exact copy, so that a sanitizer sees a read beyond its end.
      const std::vector<char> prefix(frame.begin(),
                                     frame.begin() + static_cast<std::ptrdiff_t>(size));
      const auto event = codec.decode_protobuf_event({prefix.data(), prefix.size()});
      ASSERT_FALSE(event) << size;
      EXPECT_EQ(event.error().kind, KubeErrorKind::kProtocol);
    }
  }
}

// The page ends with two empty strings of its envelope, which may be absent.
TEST(DecodeProtobufTest, APrefixOfAPageIsNeverAPage) {
  const auto codec = pod_codec();
  const std::string page = golden("pods-list-page1.pb");
  ASSERT_TRUE(codec.decode_protobuf_page(page));
  for (std::size_t size = 0; size + 4 < page.size(); ++size) {
    const std::vector<char> prefix(page.begin(), page.begin() + static_cast<std::ptrdiff_t>(size));
    ASSERT_FALSE(codec.decode_protobuf_page({prefix.data(), prefix.size()})) << size;
  }
}

Json event_of(const std::string& type, Json metadata) {
  return {{"type", type},
          {"object", {{"kind", "Pod"}, {"apiVersion", "v1"}, {"metadata", std::move(metadata)}}}};
}

std::string frame_of(const Json& event) { return fakes::protobuf_frame(event).substr(4); }

TEST(DecodeProtobufTest, FramesThatAreNoEventsAreErrorsThatSayWhy) {
  Json service = event_of("ADDED", {{"name", "x"}});
  service["object"]["kind"] = "Service";
  std::string encoded = frame_of(event_of("ADDED", {{"name", "x"}}));
  const std::string no_encoding("\x1a\0\x22\0", 4);
  ASSERT_THAT(encoded, testing::EndsWith(no_encoding));
  encoded[encoded.size() - 4] = '\x22';  // contentType twice: not an error
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "unknown event type \"\""},
      {"k8s", "cannot decode"},
      {frame_of(event_of("FOO", {{"name", "x"}})), "unknown event type \"FOO\""},
      {frame_of(event_of("ADDED", Json::object())), "object.metadata.name: missing"},
      {frame_of(event_of("BOOKMARK", Json::object())), "resourceVersion: missing"},
      {frame_of(event_of("ERROR", {{"name", "x"}})), "kind \"Pod\" is not expected"},
      {frame_of(service), "kind \"Service\" is not expected"},
      {std::string("\x0a\x05"
                   "ADDED",
                   7),
       "object: missing"},
      {std::string("\x08\x05", 2), "cannot decode"},  // the type is a number
  };
  const auto codec = pod_codec();
  for (const auto& [frame, message] : cases) {
    const auto event = codec.decode_protobuf_event(frame);
    ASSERT_FALSE(event) << message;
    EXPECT_EQ(event.error().kind, KubeErrorKind::kProtocol);
    EXPECT_THAT(event.error().message, HasSubstr(message));
  }
  EXPECT_TRUE(codec.decode_protobuf_event(encoded));
}

TEST(DecodeProtobufTest, PagesThatAreNoneAreErrors) {
  const Json no_version = {{"kind", "PodList"}, {"apiVersion", "v1"}, {"items", Json::array()}};
  const Json no_name = {{"kind", "PodList"},
                        {"metadata", {{"resourceVersion", "5"}}},
                        {"items", {{{"metadata", {{"uid", "u"}}}}}}};
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "cannot decode a list"},
      {"{\"kind\":\"PodList\"}", "cannot decode a list"},
      {golden("status-404.pb"), "kind \"Status\" is not expected"},
      {fakes::protobuf_object(no_version), "resourceVersion: missing"},
      {fakes::protobuf_object(no_name), "metadata.name: missing"},
  };
  for (const auto& [body, message] : cases) {
    const auto page = pod_codec().decode_protobuf_page(body);
    ASSERT_FALSE(page) << message;
    EXPECT_THAT(page.error().message, HasSubstr(message));
  }
}

// A client may store such bytes when it writes protobuf. Where the server writes JSON, Go puts
// U+FFFD for each of them, and so do we: what is made of a pod must be text.
TEST(DecodeProtobufTest, BytesThatAreNotUtf8AreReplacedOneByOne) {
  const std::string bad = "a\xff\xc3\xbc\xe2\x82z\xed\xa0\x80";
  const Json event =
      event_of("ADDED", {{"name", "x"}, {"annotations", {{"loglink/watch-dir", bad}}}});
  const auto decoded = pod_codec().decode_protobuf_event(frame_of(event));
  ASSERT_TRUE(decoded) << decoded.error().message;
  const std::string mark = "\xef\xbf\xbd";
  EXPECT_EQ(decoded->object.value->annotations.at("loglink/watch-dir"),
            "a" + mark + "\xc3\xbc" + mark + mark + "z" + mark + mark + mark);
}

TEST(DecodeProtobufTest, AVolumeOfAKindThatIsNewerThanWeIsUnknown) {
  std::string source("\xca\x3e\x00", 3);  // field 1001, empty
  std::string volume("\x0a\x01v\x12\x03", 5);
  volume += source;
  std::string spec("\x0a", 1);
  spec += static_cast<char>(volume.size());
  spec += volume;
  std::string pod("\x0a\x09\x0a\x07loglink\x12", 12);
  pod += static_cast<char>(spec.size());
  pod += spec;
  std::string unknown("k8s\0\x0a\x05\x12\x03Pod\x12", 12);
  unknown += static_cast<char>(pod.size());
  unknown += pod;
  std::string raw("\x0a", 1);
  raw += static_cast<char>(unknown.size());
  raw += unknown;
  std::string frame(
      "\x0a\x05"
      "ADDED\x12",
      8);
  frame += static_cast<char>(raw.size());
  frame += raw;
  const auto event = pod_codec().decode_protobuf_event(frame);
  ASSERT_TRUE(event) << event.error().message;
  ASSERT_TRUE(event->object.value);
  ASSERT_EQ(event->object.value->volumes.size(), 1U);
  EXPECT_EQ(event->object.value->volumes[0].name, "v");
  EXPECT_EQ(event->object.value->volumes[0].kind, "unknown");
}

}  // namespace
}  // namespace loglink
