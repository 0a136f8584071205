// explain on a file of thirty pods that differ, as a user reads it. tests/golden/thirty_pods.txt is
// to be read through whenever it changes; LOGLINK_UPDATE_GOLDEN=1 writes it.
#include "controller/shell/explain_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "lib/base/time_text.h"
#include "lib/codec/config_yaml.h"
#include "lib/codec/manifest.h"
#include "lib/model/limits.h"
#include "lib/model/reason.h"

namespace loglink {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::string golden_path(const std::string& name) {
  return std::string(LOGLINK_SOURCE_DIR) + "/tests/golden/" + name;
}

std::string read(const std::string& name) {
  std::ostringstream text;
  text << std::ifstream(golden_path(name)).rdbuf();
  return text.str();
}

ControllerConfig golden_config() {
  const auto config =
      parse_controller_config(read("thirty_pods.config.yaml"), "thirty_pods.config.yaml");
  EXPECT_TRUE(config) << config.error().message;
  return config.value_or(ControllerConfig{});
}

Expected<std::string> explain_text(const std::string& manifest, ExplainFormat format) {
  return explain_manifests({{manifest, "thirty_pods.yaml"}}, "default", golden_config(), format,
                           *parse_time("2026-01-02T04:00:00Z"));
}

std::string explain_thirty(ExplainFormat format) {
  const Expected<std::string> text = explain_text(read("thirty_pods.yaml"), format);
  EXPECT_TRUE(text) << text.error().message;
  return text.value_or("");
}

TEST(ExplainThirtyPods, AsTextIsWhatWasReadThrough) {
  const std::string text = explain_thirty(ExplainFormat::kText);
  if (std::getenv("LOGLINK_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(golden_path("thirty_pods.txt")) << text;
  }
  EXPECT_EQ(text, read("thirty_pods.txt"));
}

TEST(ExplainThirtyPods, AsJsonHasEachPodWithItsAnswer) {
  const json document = json::parse(explain_thirty(ExplainFormat::kJson));
  ASSERT_EQ(document.at("pods").size(), 30U);
  std::map<std::string, int> words;
  std::set<std::string> reasons;
  for (const json& pod : document.at("pods")) {
    ++words[pod.at("status")];
    EXPECT_LE(pod.at("message").get<std::string>().size(), limits::kMessageBytes);
    for (const json& refusal : pod.at("refusals")) {
      const std::string reason = refusal.at("reason");
      EXPECT_TRUE(reason_from_string(reason)) << reason;
      reasons.insert(reason);
      // What is wrong; what to do.
      EXPECT_THAT(refusal.at("message").get<std::string>(), HasSubstr("; ")) << pod;
    }
  }
  EXPECT_EQ(words, (std::map<std::string, int>{{"Degraded", 1}, {"Invalid", 17}, {"Pending", 12}}));
  EXPECT_GE(reasons.size(), 13U);
}

// What it prints is what the controller would publish, and what an agent reads with --from-file.
TEST(ExplainThirtyPods, AsYamlIsReadBackByTheAgentsReader) {
  const std::string text = explain_thirty(ExplainFormat::kYaml);
  const json sets = json::parse(explain_thirty(ExplainFormat::kJson)).at("nodeLinkSets");
  std::vector<std::string> documents;
  for (std::size_t at = 0; at != std::string::npos;) {
    const std::size_t next = text.find("---\n", at);
    documents.push_back(text.substr(at, next - at));
    at = next == std::string::npos ? next : next + 4;
  }
  ASSERT_EQ(documents.size(), sets.size());
  for (std::size_t i = 0; i < documents.size(); ++i) {
    const auto set = read_node_link_set(documents[i], "set.yaml");
    ASSERT_TRUE(set) << set.error().message << "\n" << documents[i];
    EXPECT_EQ(json::parse(node_link_set_to_json(*set)), sets[i]);
    EXPECT_EQ(node_link_set_to_yaml(*set), documents[i]);
  }
}

TEST(ExplainNotes, SayWhatNobodyWouldOtherwiseNotice) {
  const std::string pod = "kind: Pod\nmetadata: {name: a, annotations: {KEY: /x}}\n";
  const auto with_key = [&](const std::string& key) {
    std::string text = pod;
    return explain_text(text.replace(text.find("KEY"), 3, key), ExplainFormat::kText).value_or("");
  };
  EXPECT_THAT(with_key("loglink.io/watch-dir"),
              HasSubstr("note: Pod/a: loglink.io/watch-dir is not an annotation of loglink; its "
                        "keys begin with \"loglink/\"\n"));
  EXPECT_THAT(with_key("acme.com/watch-dir"), HasSubstr("note: Pod/a: acme.com/watch-dir"));
  EXPECT_THAT(with_key("acme.com/team"), Not(HasSubstr("note:")));
  // Our own chart's pods have it.
  EXPECT_THAT(with_key("loglink.io/config-checksum"), Not(HasSubstr("note:")));
  EXPECT_THAT(with_key("loglink/watch-dir"), Not(HasSubstr("note:")));
  EXPECT_THAT(
      explain_text("kind: CronJob\nmetadata: {name: a}\nspec: {jobTemplate: {spec: {template: "
                   "{metadata: {annotations: {loglink.io/max-depth: '2'}}, spec: {}}}}}\n",
                   ExplainFormat::kText)
          .value_or(""),
      HasSubstr("note: CronJob/a: loglink.io/max-depth is not"));
  for (const std::string text : {"", "kind: Service\nmetadata: {name: a}\n"}) {
    EXPECT_THAT(explain_text(text, ExplainFormat::kText).value_or(""),
                HasSubstr("note: thirty_pods.yaml has no pods and no workloads\n"));
  }
}

TEST(ExplainNotes, SayWhereAnnotationsBelong) {
  EXPECT_THAT(explain_text("kind: Pod\nmetadata: {name: a, labels: {loglink/watch-dir: x}}\n",
                           ExplainFormat::kText)
                  .value_or(""),
              HasSubstr("note: Pod/a: loglink/watch-dir does nothing in metadata.labels; put it "
                        "into metadata.annotations\n"));
}

// A misspelled annotation refuses nothing, and is told in both.
TEST(ExplainNotes, OfAPodAreInJsonToo) {
  const std::string pod =
      "kind: Pod\nmetadata: {name: a, annotations: {loglink/watch-dir: /logs/x.log, "
      "loglink/incldue: x}}\nspec: {volumes: [{name: v}], containers: [{name: c, volumeMounts: "
      "[{name: v, mountPath: /logs}]}]}\n";
  const json document = json::parse(explain_text(pod, ExplainFormat::kJson).value_or("null"));
  const json& explained = document.at("pods").at(0);
  EXPECT_EQ(explained.at("refusals"), json::array());
  ASSERT_EQ(explained.at("notes").size(), 2U) << explained;
  EXPECT_EQ(explained["notes"][0]["reason"], "UnknownAnnotation");
  EXPECT_EQ(explained["notes"][1]["watchDir"], "/logs/x.log");
  EXPECT_THAT(explain_text(pod, ExplainFormat::kText).value_or(""),
              HasSubstr("1 directory linked, 0 refusals\n"));
}

TEST(ExplainManifests, AreOneClusterAndErrorsNameTheirFile) {
  const std::string pod =
      "kind: Pod\nmetadata: {name: NAME, annotations: {loglink/watch-dir: /x}}\n";
  const auto named = [&](const std::string& name) {
    std::string text = pod;
    return text.replace(text.find("NAME"), 4, name);
  };
  const auto explain_both = [&](const std::string& second) {
    return explain_manifests({{named("a"), "a.yaml"}, {second, "b.yaml"}}, "shop", {},
                             ExplainFormat::kText, *parse_time("2026-01-02T04:00:00Z"));
  };
  EXPECT_THAT(explain_both(named("b")).value_or(""),
              testing::AllOf(HasSubstr("pod shop/a "), HasSubstr("pod shop/b "),
                             HasSubstr("2 pods with loglink annotations")));
  EXPECT_THAT(explain_both("").value_or(""), HasSubstr("note: b.yaml has no pods"));
  // A workload of the second file is not taken for a pod of the first.
  EXPECT_THAT(explain_both("kind: Deployment\nmetadata: {name: a}\nspec: {template: {metadata: "
                           "{annotations: {loglink/watch-dir: /x}}}}\n")
                  .value_or(""),
              testing::AllOf(HasSubstr("pod shop/a (on any node)"),
                             HasSubstr("pod shop/a-* (on any node)")));
  ASSERT_FALSE(explain_both("kind: Pod\n"));
  EXPECT_THAT(explain_both("kind: Pod\n").error().message, HasSubstr("b.yaml:1: metadata.name"));
}

TEST(ExplainBrokenManifests, NameFileLineAndCure) {
  struct Case {
    std::string text;
    std::string says;
  };
  const Case cases[] = {
      {"kind: Pod\nmetadata: {name: a\nspec: {}\n", "thirty_pods.yaml:3: not valid YAML"},
      {"kind: Pod\n\tmetadata: {}\n", "thirty_pods.yaml:2: not valid YAML"},
      {"kind: Pod\nmetadata:\n  name: a\n  annotations: {loglink/max-depth: 2}\n",
       "thirty_pods.yaml:4: metadata.annotations.loglink/max-depth: expected a string; put the "
       "value in quotes"},
      {"kind: Pod\nmetadata: {}\n", "thirty_pods.yaml:2: metadata.name: missing"},
      {"metadata: {name: a}\n", "thirty_pods.yaml:1: kind: missing; every Kubernetes object has"},
      {"kind: Deployment\nmetadata: {name: a}\nspec: {}\n",
       "thirty_pods.yaml:3: spec.template: missing"},
      {"kind: Pod\nmetadata: {name: a}\nspec:\n  containers: web\n",
       "thirty_pods.yaml:4: spec.containers: expected a list"},
  };
  for (const Case& each : cases) {
    const Expected<std::string> text = explain_text(each.text, ExplainFormat::kText);
    ASSERT_FALSE(text) << each.text;
    EXPECT_THAT(text.error().message, HasSubstr(each.says)) << each.text;
  }
}

}  // namespace
}  // namespace loglink
