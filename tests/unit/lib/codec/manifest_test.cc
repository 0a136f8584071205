#include "lib/codec/manifest.h"

#include <gmock/gmock.h>

#include "lib/base/time_text.h"
#include "lib/codec/kube_json.h"
#include "tests/unit/lib/codec/golden.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string pods_error(const std::string& text) {
  const auto pods = read_pods(text, "pods.yaml");
  return pods ? "no error" : pods.error().message;
}

TEST(ReadPodsTest, APodWithWhatTheClusterWouldFillIn) {
  const auto read = read_pods(R"(
apiVersion: v1
kind: Pod
metadata:
  name: web
  creationTimestamp:
  annotations:
    loglink/watch-dir: /var/log/app
    loglink/max-depth: "2"
spec:
  containers:
  - name: app
    volumeMounts:
    - {name: logs, mountPath: /var/log/app}
  volumes:
  - name: logs
    emptyDir: {}
  - name: bare
  - name: none
    emptyDir:
)",
                              "pods.yaml");
  ASSERT_TRUE(read) << read.error().message;
  PodView expected;
  expected.namespace_name = "default";
  expected.name = "web";
  expected.uid = "unassigned";
  expected.node_name = "unscheduled";
  expected.service_account = "default";
  expected.annotations = {{"loglink/watch-dir", "/var/log/app"}, {"loglink/max-depth", "2"}};
  expected.annotation_count = 2;
  expected.containers = {
      {"app", ContainerKind::kContainer, false, {}, {{"logs", "/var/log/app", "", ""}}}};
  expected.volumes = {{"logs", "emptyDir", "", "", ""},
                      {"bare", "emptyDir", "", "", ""},
                      {"none", "emptyDir", "", "", ""}};
  EXPECT_THAT(read->pods, ElementsAre(expected));
  EXPECT_TRUE(read->skipped.empty());
  EXPECT_TRUE(read->workloads.empty());
}

TEST(ReadPodsTest, WhatIsThereIsKept) {
  const auto read = read_pods(golden("pod-annotated.json"), "pod.json");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->pods.size(), 1U);
  EXPECT_EQ(read->pods[0], *decode_pod(golden("pod-annotated.json")));
}

TEST(ReadPodsTest, DocumentsListsAndTypedLists) {
  const auto read = read_pods(
      "kind: List\nitems:\n- {kind: Pod, metadata: {name: a, namespace: shop}}\n"
      "- {kind: Service, metadata: {name: web}}\n"
      "- {kind: PodList, items: [{metadata: {name: b}}, {metadata: {name: c}}]}\n"
      "---\n\n---\n"
      "{\"kind\": \"Pod\", \"metadata\": {\"generateName\": \"d-\"}}\n"
      "---\nkind: ConfigMap\nmetadata: {name: \"x\\ty\"}\n",
      "pods.yaml");
  ASSERT_TRUE(read) << read.error().message;
  std::vector<std::string> names;
  for (const PodView& pod : read->pods) names.push_back(pod.namespace_name + "/" + pod.name);
  EXPECT_THAT(names, ElementsAre("shop/a", "default/b", "default/c", "default/d"));
  // What its name goes on with is not known.
  EXPECT_THAT(read->workloads, ElementsAre(3));
  EXPECT_THAT(read->skipped, ElementsAre("Service/web", "ConfigMap/x\\x09y"));
}

TEST(ReadPodsTest, WithoutANamespaceObjectsAreInTheDefaultOne) {
  const auto read = read_pods(
      "kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {name: b, namespace: prod}\n",
      "pods.yaml", "shop");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->pods.size(), 2U);
  EXPECT_EQ(read->pods[0].key(), (ObjectKey{"shop", "a"}));
  EXPECT_EQ(read->pods[1].key(), (ObjectKey{"prod", "b"}));
}

// Its controller adds a volume for each of them to every pod.
TEST(ReadPodsTest, AStatefulSetsClaimsAreVolumesOfItsPods) {
  const auto read = read_pods(
      "kind: StatefulSet\nmetadata: {name: db}\nspec:\n"
      "  template: {spec: {volumes: [{name: logs, emptyDir: {}}, {name: wal, emptyDir: {}}]}}\n"
      "  volumeClaimTemplates: [{metadata: {name: data}}, {metadata: {name: wal}}]\n",
      "db.yaml");
  ASSERT_TRUE(read) << read.error().message;
  std::vector<std::string> volumes;
  for (const VolumeView& volume : read->pods.at(0).volumes) {
    volumes.push_back(volume.name + " " + volume.kind);
  }
  EXPECT_THAT(volumes, ElementsAre("logs emptyDir", "data persistentVolumeClaim",
                                   "wal persistentVolumeClaim"));
}

TEST(ReadPodsTest, KeysThatOnlyLookLikeOursAreNamedWithTheirField) {
  const auto strays = [](const std::string& metadata) {
    const auto read = read_pods("kind: Pod\nmetadata: {name: a, " + metadata + "}\n", "a.yaml");
    std::vector<std::string> texts;
    for (const StrayKey& each : read->strays) {
      texts.push_back(each.object + " " + each.field + " " + each.key);
    }
    return texts;
  };
  for (const std::string key : {"loglink.io/watch-dir", "Loglink/Watch-Dir", "LOGLINK/include",
                                "loglink-watch-dir", "acme.com/watch-dir", "watch-dir"}) {
    EXPECT_THAT(strays("annotations: {" + key + ": x}"), ElementsAre("Pod/a annotations " + key));
  }
  EXPECT_THAT(strays("annotation: {loglink/watch-dir: /x}"),
              ElementsAre("Pod/a annotation loglink/watch-dir"));
  EXPECT_THAT(strays("labels: {loglink/watch-dir: x, app: loglink}"),
              ElementsAre("Pod/a labels loglink/watch-dir"));
  for (const std::string key : {"loglink/watch-dir", "loglink/no-such-key",
                                "loglink.io/config-checksum", "acme.com/team", "loglinker/x"}) {
    EXPECT_THAT(strays("annotations: {" + key + ": x}"), testing::IsEmpty()) << key;
  }
}

TEST(ReadPodsTest, ARecordedListInJson) {
  const auto read = read_pods(golden("pods-list-page1.json"), "list.json");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->pods.size(), 1U);
  EXPECT_EQ(read->pods[0].name, "w0");
}

class Workloads : public testing::TestWithParam<std::string> {};

TEST_P(Workloads, GiveThePodOfTheirTemplate) {
  const std::string pod_template =
      "template: {metadata: {name: ignored, namespace: ignored, uid: ignored, annotations: "
      "{loglink/watch-dir: /x}}, spec: {serviceAccountName: sa, containers: [{name: app}]}}";
  std::string spec = "{" + pod_template + "}";
  if (GetParam() == "CronJob") spec = "{jobTemplate: {spec: " + spec + "}}";
  const auto read = read_pods(
      "kind: " + GetParam() + "\nmetadata: {name: web, namespace: prod}\nspec: " + spec, "w.yaml");
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->pods.size(), 1U);
  const PodView& pod = read->pods[0];
  EXPECT_EQ(pod.key(), (ObjectKey{"prod", "web"}));
  EXPECT_EQ(pod.uid, "unassigned");
  EXPECT_EQ(pod.node_name, "unscheduled");
  EXPECT_EQ(pod.service_account, "sa");
  EXPECT_EQ(pod.annotations.at("loglink/watch-dir"), "/x");
  EXPECT_EQ(pod.containers.at(0).name, "app");
  EXPECT_THAT(read->workloads, ElementsAre(0));
  EXPECT_TRUE(read->misplaced.empty());
}

TEST_P(Workloads, AreNamedWhenTheyHaveTheAnnotationsOfTheirPods) {
  std::string spec = "{template: {metadata: {}, spec: {}}}";
  if (GetParam() == "CronJob") spec = "{jobTemplate: {spec: " + spec + "}}";
  const auto read = read_pods("kind: " + GetParam() +
                                  "\nmetadata: {name: web, annotations: {loglink/watch-dir: /x}}\n"
                                  "spec: " +
                                  spec,
                              "w.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->misplaced, ElementsAre(GetParam() + "/web"));
}

TEST(ReadPodsTest, AnnotationsOfACronJobsJobTemplateAreMisplacedToo) {
  const auto read = read_pods(
      "kind: CronJob\nmetadata: {name: report}\nspec: {jobTemplate: {metadata: {annotations: "
      "{loglink/watch-dir: /x, loglink.io/include: x}}, spec: {template: {spec: {}}}}}\n",
      "c.yaml");
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_THAT(read->misplaced, ElementsAre("CronJob/report"));
  ASSERT_EQ(read->strays.size(), 1U);
  EXPECT_EQ(read->strays[0].key, "loglink.io/include");
}

INSTANTIATE_TEST_SUITE_P(All, Workloads,
                         testing::Values("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet",
                                         "Job", "CronJob"));

TEST(ReadPodsTest, ErrorsNameFileLineAndCure) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"kind: Pod\nmetadata:\n  name: a\n  annotations:\n    loglink/max-depth: 2\n",
       "pods.yaml:5: metadata.annotations.loglink/max-depth: expected a string; put the value in "
       "quotes"},
      {"kind: Pod\nmetadata:\n  name: a\n  annotations:\n    loglink/watch-dir: [/a, /b]\n",
       "pods.yaml:5: metadata.annotations.loglink/watch-dir: expected a string, not a list; "
       "separate directories or patterns by commas"},
      {"kind: Pod\nmetadata: {name: a}\n---\nkind: Pod\nmetadata: {}\n",
       "pods.yaml:5: metadata.name: missing"},
      {"metadata: {}\n", "pods.yaml:1: kind: missing"},
      {"a: [\n", "pods.yaml:2: not valid YAML or JSON: "},
      {"kind: List\nitems:\n- kind: Pod\n  metadata: {name: a}\n  spec:\n    containers: {}\n",
       "pods.yaml:6: items[0].spec.containers: expected a list"},
      {"kind: Deployment\nmetadata: {name: a}\nspec: {}\n", "pods.yaml:3: spec.template: missing"},
      {"just words", "pods.yaml:1: expected an object"},
      {"- 1\n", "pods.yaml:1: expected an object"},
      {"{\n\t\"kind\": \"Pod\",\n\t\"metadata\": 5\n}\n", "metadata: expected an object"},
      {"{\"kind\": \"Pod\",\n \"metadata\": 5\n}\n", "pods.yaml:2: metadata: expected an object"},
      {"{\"kind\": \"Pod\",\n", "pods.yaml:"},
      {"\xff", "pods.yaml: not valid YAML or JSON: not UTF-8 text"},
  };
  for (const auto& [text, message] : cases) {
    EXPECT_THAT(pods_error(text), HasSubstr(message)) << text;
  }
}

TEST(ReadPodsTest, AnEmptyFileHasNoPods) {
  for (const std::string text : {"", "\n", "# nothing\n", "---\n"}) {
    const auto read = read_pods(text, "pods.yaml");
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_TRUE(read->pods.empty());
  }
}

constexpr std::string_view kSet = R"(apiVersion: loglink.io/v1alpha1
kind: NodeLinkSet
metadata:
  name: node-1
spec:
  sources:
  - namespace: prod
    pod: web-0
    uid: 3f0c
    container: app
    root: kubelet-pods
    path: 3f0c/volumes/kubernetes.io~empty-dir/logs
    include: ["*.log"]
)";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ReadNodeLinkSetTest, TheDefaultsOfTheCrd) {
  const auto set = read_node_link_set(kSet, "set.yaml");
  ASSERT_TRUE(set) << set.error().message;
  EXPECT_EQ(set->name, "node-1");
  ASSERT_EQ(set->spec.sources.size(), 1U);
  const Source& source = set->spec.sources[0];
  EXPECT_EQ(source.max_depth, 1);
  EXPECT_EQ(source.naming, "logfile");
  EXPECT_FALSE(source.plain_names);
  EXPECT_FALSE(source.finished);
  EXPECT_EQ(source.since, std::nullopt);
}

TEST(ReadNodeLinkSetTest, BoundsOfTheCrdAndMissingFieldsAreErrorsWithTheirLine) {
  const std::string text(kSet);
  const std::vector<std::pair<std::string, std::string>> cases = {
      {replaced(text, "    path: 3f0c/volumes/kubernetes.io~empty-dir/logs\n", ""),
       "set.yaml:7: spec.sources[0].path: missing"},
      {replaced(text, "    include: [\"*.log\"]\n", ""),
       "set.yaml:7: spec.sources[0].include: missing"},
      {replaced(text, "3f0c/volumes", "4f0c/volumes"), "set.yaml:7: spec.sources[0]: path"},
      {replaced(text, "[\"*.log\"]", "[]"), "set.yaml:7: spec.sources[0]: include"},
      {replaced(text, "[\"*.log\"]", "[5]"), "set.yaml:13: spec.sources[0].include[0]: expected a"},
      {replaced(text, "pod: web-0", "pod: Web_0"), "set.yaml:7: spec.sources[0]: pod"},
      {text + "    maxDepth: 17\n", "set.yaml:7: spec.sources[0]: maxDepth"},
      {text + "    since: yesterday\n", "set.yaml:14: spec.sources[0].since: "},
      {text + "    removeAfter: \"9999-01-01T00:00:00Z\"\n",
       "set.yaml:14: spec.sources[0].removeAfter: "},
      {replaced(text, "  name: node-1", "  labels: {}"), "set.yaml:3: metadata.name: missing"},
      {replaced(text, "v1alpha1", "v2"), "set.yaml:1: apiVersion: \"loglink.io/v2\""},
      {"apiVersion: loglink.io/v1alpha1\nkind: NodeLinkSet\nmetadata: {name: n}\n",
       "spec.sources: missing"},
      {"kind: Pod\nmetadata: {name: a}\n", "set.yaml: no NodeLinkSet in it"},
      {text + "---\n" + text, "a second NodeLinkSet"},
  };
  for (const auto& [yaml, message] : cases) {
    const auto set = read_node_link_set(yaml, "set.yaml");
    ASSERT_FALSE(set) << message;
    EXPECT_THAT(set.error().message, HasSubstr(message));
    EXPECT_EQ(set.error().code, ErrorCode::kInvalidArgument);
  }
}

TEST(ReadNodeLinkSetTest, MoreThanAThousandSourcesAreRefused) {
  std::string text(kSet);
  const std::string source = text.substr(text.find("  - namespace"));
  for (int i = 0; i < 1000; ++i) text += source;
  const auto set = read_node_link_set(text, "set.yaml");
  ASSERT_FALSE(set);
  EXPECT_THAT(set.error().message, HasSubstr("more than 1000 sources"));
}

NodeLinkSet printed_set() {
  NodeLinkSet set = *read_node_link_set(kSet, "set.yaml");
  set.uid = "1234-5678";
  set.owners = {{"v1", "Node", "node-1", "12"}};
  set.spec.sources[0].since = *parse_time("2026-01-02T03:04:05Z");
  set.spec.sources[0].path += "/yes/it's: \"a\" #dir \xc3\xa4\\";
  set.spec.sources[0].exclude = {"-x", "~", "true", "12", "a b ", "x:", "@a", "0x1f", "plain"};
  set.status.links = 3;
  set.status.conditions = {{"Ready", "True", "Linked", "", 0, *parse_time("2026-01-02T03:04:05Z")}};
  return set;
}

TEST(PrintTest, YamlAsKubectlPrintsIt) {
  NodeLinkSet set = *read_node_link_set(kSet, "set.yaml");
  set.spec.sources[0].since = *parse_time("2026-01-02T03:04:05Z");
  EXPECT_EQ(node_link_set_to_yaml(set), R"(apiVersion: loglink.io/v1alpha1
kind: NodeLinkSet
metadata:
  name: node-1
spec:
  sources:
  - container: app
    finished: false
    include:
    - '*.log'
    maxDepth: 1
    namespace: prod
    naming: logfile
    path: 3f0c/volumes/kubernetes.io~empty-dir/logs
    plainNames: false
    pod: web-0
    root: kubelet-pods
    since: "2026-01-02T03:04:05Z"
    uid: 3f0c
)");
  set.spec.sources.clear();
  EXPECT_THAT(node_link_set_to_yaml(set), testing::EndsWith("spec:\n  sources: []\n"));
}

TEST(PrintTest, WhatIsPrintedIsReadBack) {
  NodeLinkSet set = printed_set();
  const auto json = decode_node_link_set(node_link_set_to_json(set));
  ASSERT_TRUE(json) << json.error().message;
  EXPECT_EQ(*json, set);
  // These patterns are there for the quotes, not for the CRD.
  set.spec.sources[0].exclude = {"-x", "~", "12", "x-", "@a", "0x1f", "plain", "true", "=", "?"};
  set.spec.sources[0].path = "3f0c/volumes/kubernetes.io~empty-dir/yes/it's: \"a\" #dir \xc3\xa4\\";
  const auto yaml = read_node_link_set(node_link_set_to_yaml(set), "printed.yaml");
  ASSERT_TRUE(yaml) << yaml.error().message << node_link_set_to_yaml(set);
  EXPECT_EQ(*yaml, set);
}

TEST(PrintTest, JsonIsIndentedAsKubectlDoes) {
  NodeLinkSet set;
  set.name = "n";
  EXPECT_THAT(node_link_set_to_json(set),
              testing::StartsWith("{\n    \"apiVersion\": \"loglink.io/v1alpha1\",\n"));
}

}  // namespace
}  // namespace loglink
