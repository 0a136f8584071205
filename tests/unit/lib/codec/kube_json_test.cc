#include "lib/codec/kube_json.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "lib/base/time_text.h"
#include "tests/unit/lib/codec/golden.h"

namespace loglink {
namespace {

using nlohmann::json;
using testing::ElementsAre;

TEST(DecodePodTest, ARecordedPod) {
  const auto pod = decode_pod(golden("pod-annotated.json"));
  ASSERT_TRUE(pod) << pod.error().message;
  PodView expected;
  expected.namespace_name = "shop";
  expected.name = "w0";
  expected.uid = "00000000-0000-4000-8000-8571dcbe041e";
  expected.resource_version = "6554";
  expected.node_name = "node-a";
  expected.service_account = "user";
  expected.phase = "Pending";
  expected.created = *parse_time("2026-11-22T09:10:10Z");
  expected.annotations = {{"loglink/links", "199"}, {"loglink/watch-dir", "/var/log/app"}};
  expected.annotation_count = 2;
  expected.containers = {
      {"c", ContainerKind::kContainer, false, {}, {{"l", "/var/log/app", "", ""}}}};
  expected.volumes = {{"l", "emptyDir", "", "", ""}};
  EXPECT_EQ(*pod, expected);
}

constexpr std::string_view kFullPod = R"json({
  "status": {"phase": "Running", "extra": [1, {"a": null}]},
  "spec": {
    "volumes": [
      {"hostPath": {"path": "/var/log/apps", "type": "DirectoryOrCreate"}, "name": "host"},
      {"name": "memory", "emptyDir": {"medium": "Memory"}},
      {"name": "claim", "persistentVolumeClaim": {"claimName": "data"}},
      {"name": "later", "quantumVolume": {}},
      {"name": "nothing", "emptyDir": null}],
    "initContainers": [
      {"name": "setup", "env": null, "volumeMounts": null},
      {"name": "proxy", "restartPolicy": "Always"}],
    "containers": [
      {"name": "app",
       "envFrom": [{"configMapRef": {"name": "c"}}],
       "env": [{"name": "A", "value": "a$(B)"}, {"name": "E"},
               {"name": "P",
                "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}},
               {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
               {"name": "R", "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu"}}},
               {"name": "N", "value": "n", "valueFrom": null}],
       "volumeMounts": [
         {"name": "host", "mountPath": "/logs", "subPathExpr": "$(P)", "readOnly": true},
         {"name": "memory", "mountPath": "/tmp", "subPath": "x"}]},
      {"name": "bare", "envFrom": []}],
    "ephemeralContainers": [{"name": "debug"}],
    "serviceAccountName": "sa", "nodeName": "node-1"},
  "metadata": {
    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": "o",
                         "controller": true}],
    "annotations": {"loglink/message": "line\n\"quoted\" \u003cb\u003e \ud83d\ude00",
                    "other": "x", "kubernetes.io/config.mirror": "m", "kubernetes.io/psp": "p"},
    "deletionTimestamp": "2026-01-02T03:04:05Z", "creationTimestamp": "2026-01-02T03:04:00Z",
    "name": "web-0", "namespace": "prod", "uid": "u"}})json";

TEST(DecodePodTest, EverythingThatResolutionAsksFor) {
  const auto pod = decode_pod(kFullPod);
  ASSERT_TRUE(pod) << pod.error().message;
  EXPECT_EQ(pod->key(), (ObjectKey{"prod", "web-0"}));
  EXPECT_EQ(pod->phase, "Running");
  EXPECT_EQ(pod->node_name, "node-1");
  EXPECT_EQ(pod->service_account, "sa");
  EXPECT_TRUE(pod->deleting);
  EXPECT_EQ(pod->created, *parse_time("2026-01-02T03:04:00Z"));
  EXPECT_THAT(pod->owners, ElementsAre(OwnerReference{"apps/v1", "ReplicaSet", "web", "o"}));
}

TEST(DecodePodTest, OnlyAnnotationsThatConcernUsAreKeptButAllAreCounted) {
  const auto pod = decode_pod(kFullPod);
  ASSERT_TRUE(pod);
  const std::map<std::string, std::string> expected = {
      {"loglink/message", "line\n\"quoted\" <b> \xf0\x9f\x98\x80"},
      {"kubernetes.io/config.mirror", "m"}};
  EXPECT_EQ(pod->annotations, expected);
  EXPECT_EQ(pod->annotation_count, 4U);
}

TEST(DecodePodTest, ContainersComeBeforeInitContainersAndEphemeralOnesAreLeftOut) {
  const auto pod = decode_pod(kFullPod);
  ASSERT_TRUE(pod);
  std::vector<std::pair<std::string, ContainerKind>> seen;
  for (const ContainerView& container : pod->containers) {
    seen.emplace_back(container.name, container.kind);
  }
  EXPECT_THAT(seen, ElementsAre(std::pair{"app", ContainerKind::kContainer},
                                std::pair{"bare", ContainerKind::kContainer},
                                std::pair{"setup", ContainerKind::kInit},
                                std::pair{"proxy", ContainerKind::kSidecar}));
  EXPECT_TRUE(pod->containers[0].has_env_from);
  EXPECT_FALSE(pod->containers[1].has_env_from);
}

TEST(DecodePodTest, EnvironmentVariablesSayWhatIsKnownOfThem) {
  using Kind = EnvironmentVariable::Kind;
  const auto pod = decode_pod(kFullPod);
  ASSERT_TRUE(pod);
  EXPECT_THAT(pod->containers[0].env,
              ElementsAre(EnvironmentVariable{"A", Kind::kLiteral, "a$(B)"},
                          EnvironmentVariable{"E", Kind::kLiteral, ""},
                          EnvironmentVariable{"P", Kind::kField, "metadata.name"},
                          EnvironmentVariable{"S", Kind::kOther, ""},
                          EnvironmentVariable{"R", Kind::kOther, ""},
                          EnvironmentVariable{"N", Kind::kLiteral, "n"}));
}

TEST(DecodePodTest, VariablesThatNoMountExpandsAreNotKept) {
  const auto pod = decode_pod(R"json({"metadata": {}, "spec": {"containers": [
    {"name": "plain", "envFrom": [{"configMapRef": {"name": "c"}}],
     "env": [{"name": "A", "value": "a"}],
     "volumeMounts": [{"name": "v", "mountPath": "/logs", "subPath": "x"}]},
    {"name": "expanding", "env": [{"name": "A", "value": "a"}],
     "volumeMounts": [{"name": "v", "mountPath": "/tmp"},
                      {"name": "v", "mountPath": "/logs", "subPathExpr": "$(A)"}]}]}})json");
  ASSERT_TRUE(pod) << pod.error().message;
  ASSERT_EQ(pod->containers.size(), 2U);
  EXPECT_TRUE(pod->containers[0].env.empty());
  EXPECT_FALSE(pod->containers[0].has_env_from);
  EXPECT_EQ(pod->containers[0].mounts.size(), 1U);
  EXPECT_EQ(pod->containers[1].env.size(), 1U);
}

TEST(DecodePodTest, VolumesAreNamedByTheirSource) {
  const auto pod = decode_pod(kFullPod);
  ASSERT_TRUE(pod);
  EXPECT_THAT(pod->volumes,
              ElementsAre(VolumeView{"host", "hostPath", "/var/log/apps", "DirectoryOrCreate", ""},
                          VolumeView{"memory", "emptyDir", "", "", "Memory"},
                          VolumeView{"claim", "persistentVolumeClaim", "", "", ""},
                          VolumeView{"later", "quantumVolume", "", "", ""},
                          VolumeView{"nothing", "unknown", "", "", ""}));
  EXPECT_THAT(pod->containers[0].mounts, ElementsAre(VolumeMount{"host", "/logs", "", "$(P)"},
                                                     VolumeMount{"memory", "/tmp", "x", ""}));
}

TEST(DecodePodTest, AWrongTypeIsToldWithItsPath) {
  const auto pod = decode_pod(R"({"metadata":{"annotations":{"loglink/max-depth":2}}})");
  ASSERT_FALSE(pod);
  EXPECT_EQ(pod.error().kind, KubeErrorKind::kProtocol);
  EXPECT_EQ(pod.error().message,
            "cannot decode a Pod: metadata.annotations.loglink/max-depth: expected a string; put "
            "the value in quotes");
}

TEST(DecodeNodeLinkSetTest, ARecordedOneWithoutWhatLaterVersionsAdded) {
  const auto set = decode_node_link_set(golden("nodelinkset.json"));
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->name, "node-a");
  EXPECT_EQ(set->generation, 4);
  ASSERT_EQ(set->spec.sources.size(), 1U);
  EXPECT_EQ(set->spec.sources[0].max_depth, 3);
  EXPECT_TRUE(set->spec.sources[0].include.empty());
  EXPECT_EQ(set->status.links, 901);
}

NodeLinkSet full_set() {
  NodeLinkSet set;
  set.name = "node-1";
  set.uid = "set-uid";
  set.resource_version = "77";
  set.owners = {{"v1", "Node", "node-1", "node-uid"},
                {"example.com/v1", "Fleet", "f", "fleet-uid", true, false}};
  set.foreign_metadata =
      R"({"annotations":{"a":"1"},"finalizers":["example.com/keep"],"labels":{"team":"red"}})";
  Source source;
  source.namespace_name = "prod";
  source.pod = "web-0";
  source.uid = "3f0c";
  source.container = "app";
  source.root = "kubelet-pods";
  source.path = "3f0c/volumes/kubernetes.io~empty-dir/logs \"\\ \xc3\xa4";
  source.include = {"*.log", "*.txt"};
  source.exclude = {"*.gz"};
  source.max_depth = 3;
  source.naming = "kubelet";
  source.plain_names = true;
  source.finished = true;
  source.required_features = {"deep-links"};
  source.since = *parse_time("2026-01-02T03:04:05Z");
  source.remove_after = *parse_time("2026-01-02T04:04:05Z");
  Source plain;
  plain.namespace_name = "prod";
  plain.pod = "web-1";
  plain.uid = "4f0c";
  plain.container = "app";
  plain.root = "applogs";
  plain.include = {"*.log"};
  set.spec.sources = {source, plain};
  set.status.observed_generation = 7;
  set.status.pod_count = 2;
  set.status.links = 12;
  set.status.refused = 1;
  set.status.pods = {{"prod", "web-0", "3f0c", 12, 1, "NameTaken", "one \"file\""},
                     {"prod", "web-1", "4f0c", 0, 0, "", ""}};
  set.status.conditions = {
      {"Ready", "False", "UnsafeRoot", "why", 7, *parse_time("2026-01-02T03:04:05Z")}};
  return set;
}

TEST(EncodeNodeLinkSetTest, ASpecComesBackAsItWas) {
  const NodeLinkSet set = full_set();
  const auto back = decode_node_link_set(encode_node_link_set(set));
  ASSERT_TRUE(back) << back.error().message;
  NodeLinkSet expected = set;
  expected.status = {};
  EXPECT_EQ(*back, expected);
}

// A PUT replaces the whole object: what others put there must go back.
TEST(EncodeNodeLinkSetTest, LabelsAnnotationsFinalizersAndOwnersOfOthersAreKept) {
  const std::string stored =
      R"({"metadata":{"name":"n","resourceVersion":"5","labels":{"team":"red"},)"
      R"("annotations":{"note":"keep \"me\""},"finalizers":["example.com/keep"],)"
      R"("managedFields":[{"manager":"x"}],"ownerReferences":[{"apiVersion":"v1","kind":"Node",)"
      R"("name":"n","uid":"u","controller":true,"blockOwnerDeletion":false}]},)"
      R"("spec":{"sources":[]}})";
  const auto set = decode_node_link_set(stored);
  ASSERT_TRUE(set) << set.error().message;
  const json before = json::parse(stored).at("metadata");
  const json after = json::parse(encode_node_link_set(*set)).at("metadata");
  for (const char* key : {"labels", "annotations", "finalizers", "ownerReferences"}) {
    EXPECT_EQ(after.at(key), before.at(key)) << key;
  }
  EXPECT_FALSE(after.contains("managedFields"));
  EXPECT_FALSE(json::parse(encode_node_link_set_status(*set)).at("metadata").contains("labels"));
}

TEST(EncodeNodeLinkSetTest, AStatusComesBackAsItWasWithoutTheSpec) {
  const NodeLinkSet set = full_set();
  const std::string body = encode_node_link_set_status(set);
  const auto back = decode_node_link_set(body);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->status, set.status);
  EXPECT_EQ(back->resource_version, "77");
  EXPECT_FALSE(json::parse(body).contains("spec"));
}

TEST(EncodeNodeLinkSetTest, FieldsAreNamedAsInTheApi) {
  const json body = json::parse(encode_node_link_set(full_set()));
  EXPECT_EQ(body.at("apiVersion"), "loglink.io/v1alpha1");
  EXPECT_EQ(body.at("kind"), "NodeLinkSet");
  EXPECT_EQ(body.at("metadata").at("resourceVersion"), "77");
  EXPECT_EQ(body.at("metadata").at("ownerReferences")[0]["kind"], "Node");
  EXPECT_FALSE(body.at("metadata").contains("managedFields"));
  EXPECT_FALSE(body.contains("status"));
  const json& source = body.at("spec").at("sources")[0];
  EXPECT_EQ(source.at("requires"), json({"deep-links"}));
  EXPECT_EQ(source.at("removeAfter"), "2026-01-02T04:04:05Z");
  EXPECT_EQ(source.at("maxDepth"), 3);
  EXPECT_EQ(source.at("plainNames"), true);
  const json& plain = body.at("spec").at("sources")[1];
  for (const char* absent : {"removeAfter", "since", "requires", "exclude"}) {
    EXPECT_FALSE(plain.contains(absent)) << absent;
  }
}

TEST(EncodeNodeLinkSetTest, AnEmptySetHasAnEmptyListAndNoVersionWhenNew) {
  NodeLinkSet set;
  set.name = "node-1";
  EXPECT_EQ(json::parse(encode_node_link_set(set)),
            json::parse(R"({"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet",
                            "metadata":{"name":"node-1"},"spec":{"sources":[]}})"));
}

TEST(EncodeNodeLinkSetTest, BytesThatAreNoUtf8AreReplacedNotThrown) {
  NodeLinkSet set = full_set();
  set.spec.sources[0].path = "a\xff/b";
  const auto back = decode_node_link_set(encode_node_link_set(set));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->spec.sources[0].path, "a\xef\xbf\xbd/b");
}

TEST(LeaseTest, ARecordedLeaseAndBack) {
  const auto lease = decode_lease(golden("lease.json"));
  ASSERT_TRUE(lease) << lease.error().message;
  Lease expected;
  expected.namespace_name = "loglink-system";
  expected.name = "loglink-controller";
  expected.resource_version = "4422";
  expected.holder = "a";
  expected.duration_seconds = 15;
  expected.acquired = *parse_time("2026-11-22T08:00:00Z");
  expected.renewed = *parse_time("2026-11-22T08:00:02.123456Z");
  EXPECT_EQ(*lease, expected);
  const std::string body = encode_lease(*lease);
  EXPECT_EQ(json::parse(body).at("spec").at("acquireTime"), "2026-11-22T08:00:00.000000Z");
  EXPECT_EQ(json::parse(body).at("spec").at("renewTime"), "2026-11-22T08:00:02.123456Z");
  EXPECT_EQ(decode_lease(body), expected);
}

// One such record locked every controller out for ever: it could not be read.
TEST(LeaseTest, ItsTimesMayBeOfAnyYear) {
  const auto lease = decode_lease(
      R"({"metadata":{"name":"l"},"spec":{"holderIdentity":"x","leaseDurationSeconds":15,)"
      R"("acquireTime":"0001-01-01T00:00:00.000000Z","renewTime":"9999-12-31T23:59:59.000000Z"}})");
  ASSERT_TRUE(lease) << lease.error().message;
  EXPECT_EQ(lease->holder, "x");
  EXPECT_EQ(lease->acquired, WallTime{});
  EXPECT_EQ(lease->renewed, parse_time("2261-12-31T23:59:59Z").value());
  EXPECT_FALSE(decode_lease(R"({"metadata":{"name":"l"},"spec":{"renewTime":"soon"}})"));
}

TEST(LeaseTest, AReleasedLeaseHasNoHolder) {
  Lease lease;
  lease.namespace_name = "n";
  lease.name = "l";
  lease.transitions = 4;
  const json body = json::parse(encode_lease(lease));
  EXPECT_EQ(body.at("spec"), json::parse(R"({"leaseTransitions":4})"));
  EXPECT_EQ(body.at("metadata"), json::parse(R"({"name":"l","namespace":"n"})"));
  const auto back = decode_lease(R"({"metadata":{"name":"l","namespace":"n"},"spec":{
      "holderIdentity":null,"leaseTransitions":4}})");
  EXPECT_EQ(back, lease);
}

TEST(DecodeUidTest, OfAnyObject) {
  const std::string node = R"({"kind":"Node","metadata":{"name":"n","uid":"abc"}})";
  EXPECT_EQ(decode_uid(node, "n"), "abc");
  EXPECT_FALSE(decode_uid(node, "m")) << "another's, from a mixed-up proxy";
  EXPECT_FALSE(decode_uid(R"({"kind":"Node","metadata":{"name":"n"}})", "n"));
  EXPECT_FALSE(decode_uid("nonsense", "n"));
}

TEST(PodAnswersTest, AMergePatchWithTheUidWhereNullRemoves) {
  PodAnswers answers;
  answers.status = "Linked";
  answers.links = "2";
  EXPECT_EQ(json::parse(encode_pod_answers_patch("u-1", answers)),
            json::parse(R"({"metadata":{"uid":"u-1","annotations":{"loglink/status":"Linked",
                            "loglink/links":"2","loglink/message":null}}})"));
}

TEST(EventTest, HasTheFieldsThatARealServerTook) {
  const json recorded = json::parse(golden("event.json"));
  KubeEvent event;
  event.namespace_name = "shop";
  event.name = "w0.loglink.18ea5335cc14b360";
  event.type = "Warning";
  event.reason = "LinkRefused";
  event.action = "Link";
  event.note = "watch-dir /opt is not on a volume that loglink can read";
  event.reporting_controller = "loglink.io/controller";
  event.reporting_instance = "loglink-controller-0";
  event.regarding_api_version = "v1";
  event.regarding_kind = "Pod";
  event.regarding_namespace = "shop";
  event.regarding_name = "w0";
  event.regarding_uid = "00000000-0000-4000-8000-8571dcbe041e";
  event.time = *parse_time("2026-11-22T09:00:00Z");
  const json body = json::parse(encode_event(event));
  for (const char* key : {"apiVersion", "kind", "eventTime", "type", "reason", "action", "note",
                          "reportingController", "reportingInstance"}) {
    EXPECT_EQ(body.at(key), recorded.at(key)) << key;
  }
  for (const auto& [key, value] : body.at("regarding").items()) {
    EXPECT_EQ(value, recorded.at("regarding").at(key)) << key;
  }
  EXPECT_EQ(body.at("metadata").at("name"), recorded.at("metadata").at("name"));
  EXPECT_EQ(body.at("metadata").at("namespace"), "shop");
}

TEST(EventTest, ARepeatIsASeriesInMicroTime) {
  EXPECT_EQ(
      json::parse(encode_event_series_patch(3, *parse_time("2026-11-22T09:00:00.5Z"))),
      json::parse(R"({"series":{"count":3,"lastObservedTime":"2026-11-22T09:00:00.500000Z"}})"));
}

}  // namespace
}  // namespace loglink
