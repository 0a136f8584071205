// Code, CRD and documentation say the same words.
#include <gtest/gtest.h>

#include <regex>
#include <set>

#include "lib/model/reason.h"
#include "tests/tidy/tree.h"

namespace loglink::testing {
namespace {

std::set<std::string> matches(const std::string& text, const std::string& expression) {
  const std::regex pattern(expression);
  std::set<std::string> found;
  for (std::sregex_iterator match(text.begin(), text.end(), pattern), end; match != end; ++match) {
    found.insert((*match)[1]);
  }
  return found;
}

// The table of reasons, and the reasons of the condition Ready that are no refusals.
std::set<std::string> all_reason_words() {
  std::set<std::string> words =
      matches(read_text("lib/model/names.h"), R"re(kReason[A-Za-z]+ = "([A-Za-z]+)")re");
  for (const Reason reason : all_reasons()) words.insert(std::string(to_string(reason)));
  return words;
}

TEST(Docs, EveryReasonIsDocumentedAndNoOther) {
  const std::set<std::string> in_docs =
      matches(read_text("docs/reference/reasons.md"), R"(\n\| `([A-Z][A-Za-z]+)` \|)");
  EXPECT_EQ(in_docs, all_reason_words());
}

TEST(Docs, EveryReasonHasItsEntryInTroubleshooting) {
  const std::set<std::string> in_docs = matches(read_text("docs/operations/troubleshooting.md"),
                                                R"(\n### `([A-Z][A-Za-z]+)`(?= *\n))");
  EXPECT_EQ(in_docs, all_reason_words());
}

// Words like DirectMode reach users without being a Reason: as the reason of a condition, the label
// of a metric, the result of a request, the first word of /readyz. What Kubernetes calls its own
// kinds and types is documented there.
TEST(Docs, EveryWordThatTheProgramsSayIsInTheReference) {
  static const std::set<std::string> kKubernetes = {"BlockDevice",
                                                    "CharDevice",
                                                    "CronJob",
                                                    "DaemonSet",
                                                    "DirectoryOrCreate",
                                                    "ExecCredential",
                                                    "FileOrCreate",
                                                    "HugePages",
                                                    "NodeLinkSetList",
                                                    "NotOlderThan",
                                                    "PodList",
                                                    "ReplicaSet",
                                                    "ResourceVersionTooLarge",
                                                    "StatefulSet"};
  std::string reference;
  for (const SourceFile& page : source_files({"docs/reference"}, {".md"})) {
    reference += read_text(page.path);
  }
  // Of two humps anywhere; of one where nothing else is written.
  const std::vector<std::pair<std::vector<std::string>, std::string>> places = {
      {{"agent", "controller", "lib"}, R"re("([A-Z][a-z]+[A-Z][A-Za-z]*)[":])re"},
      {{"lib/model"}, R"re(return "([A-Z][A-Za-z]+)";)re"},
      {{"agent/core"}, R"re(return "([A-Z][A-Za-z]+)";)re"},
      {{"lib/kube"}, R"re(restarted\("([A-Z][A-Za-z]+)"\))re"},
      {{"agent", "controller"}, R"re(eason = "([A-Z][A-Za-z]+)")re"},
      {{"agent", "controller"}, R"re(Blocker\{"([A-Z][A-Za-z]+)")re"},
  };
  std::size_t words = 0;
  for (const auto& [folders, expression] : places) {
    for (const SourceFile& file : source_files(folders)) {
      std::string code;
      for (const std::string& line : file.lines) {
        if (line.find("#include") == std::string::npos) code += line + "\n";
      }
      for (const std::string& word : matches(code, expression)) {
        if (kKubernetes.contains(word)) continue;
        ++words;
        EXPECT_NE(reference.find("`" + word + "`"), std::string::npos)
            << file.path << " says " << word << ", which is on no page of docs/reference";
      }
    }
  }
  EXPECT_GT(words, 60U) << "the expressions no longer find the words";
}

TEST(Docs, EveryAnnotationIsDocumentedAndNoOther) {
  const std::string names = read_text("lib/model/names.h");
  const std::string text = read_text("docs/reference/annotations.md");
  const std::set<std::string> in_code = matches(names, R"re("(loglink/[a-z-]+)")re");
  EXPECT_EQ(in_code.size(), 7U);
  EXPECT_EQ(matches(text, "`(loglink/[a-z-]+)`"), in_code);
}

TEST(Docs, TheCrdHasTheNamesOfTheCode) {
  const std::string crd = read_text("charts/loglink/crds/nodelinksets.yaml");
  const std::string names = read_text("lib/model/names.h");
  for (const char* constant : {"kGroup", "kKind", "kListKind", "kPlural"}) {
    const std::set<std::string> value =
        matches(names, std::string(constant) + R"re( = "([A-Za-z0-9.]+)")re");
    ASSERT_EQ(value.size(), 1U) << constant;
    EXPECT_NE(crd.find(": " + *value.begin() + "\n"), std::string::npos) << *value.begin();
  }
  EXPECT_NE(crd.find("- name: v1alpha1"), std::string::npos);
}

TEST(Docs, EveryFieldOfTheCrdIsDocumented) {
  const std::string crd = read_text("charts/loglink/crds/nodelinksets.yaml");
  const std::string text = read_text("docs/reference/nodelinkset.md");
  // Fields of sources and status stand at these indentations of the CRD.
  for (const std::string& field : matches(crd, R"(\n {20}([a-z][A-Za-z]+):)")) {
    if (field == "type" || field == "description" || field == "items" || field == "properties" ||
        field == "required" || field == "fieldPath") {
      continue;
    }
    EXPECT_NE(text.find("`" + field + "`"), std::string::npos)
        << field << " is not in docs/reference/nodelinkset.md";
  }
}

TEST(Docs, EveryConfigurationKeyIsDocumented) {
  const std::string text = read_text("docs/reference/configuration.md");
  static const std::string kKey =
      R"re([a-z]\.(?:texts?|number|flag|duration|word<[A-Za-z]+>|child|each)\("([a-z][A-Za-z]+)")re";
  std::size_t keys = 0;
  for (const SourceFile& file : source_files({"lib/codec"}, {".cc"})) {
    if (file.path.find("config") == std::string::npos) continue;
    std::string code;
    for (const std::string& line : file.lines) code += line + "\n";
    for (const std::string& key : matches(code, kKey)) {
      ++keys;
      EXPECT_NE(text.find("`" + key + "`"), std::string::npos)
          << file.path << " reads " << key << ", which is not in docs/reference/configuration.md";
    }
  }
  EXPECT_GT(keys, 20U) << "the expression no longer finds the keys";
}

TEST(Docs, EveryMetricIsDocumentedAndNoOther) {
  std::set<std::string> in_code;
  for (const SourceFile& file : source_files({"lib", "agent", "controller"})) {
    for (const std::string& line : file.lines) {
      in_code.merge(matches(line, R"re("(loglink_[a-z_]+)")re"));
    }
  }
  EXPECT_EQ(matches(read_text("docs/reference/metrics.md"), R"(\n\| `(loglink_[a-z_]+))"), in_code);
}

TEST(Docs, EveryKindOfRequestIsDocumented) {
  const std::string text = read_text("docs/reference/metrics.md");
  const std::set<std::string> kinds = matches(read_text("controller/shell/controller_loop.cc"),
                                              R"re((?:send\(|requests\[\{)"([a-z_]+)")re");
  EXPECT_GT(kinds.size(), 6U) << "the expression no longer finds the kinds";
  for (const std::string& kind : kinds) {
    EXPECT_NE(text.find("`" + kind + "`"), std::string::npos) << kind << " is not in metrics.md";
  }
}

TEST(Docs, EveryAlertIsDocumented) {
  const std::set<std::string> alerts =
      matches(read_text("charts/loglink/files/alerts.yaml"), R"(- alert: (\w+))");
  EXPECT_GT(alerts.size(), 8U) << "the expression no longer finds the alerts";
  EXPECT_EQ(matches(read_text("docs/reference/metrics.md"), R"(\n\| `(Loglink\w+)`)"), alerts);
}

// A graph or an alert on a metric or label that is not there stays empty, silently.
TEST(Docs, DashboardAndAlertsUseMetricsAndLabelsThatExist) {
  const std::string reference = read_text("docs/reference/metrics.md");
  const std::set<std::string> metrics = matches(reference, R"(\n\| `(loglink_[a-z_]+))");
  // Of the scrape (charts/loglink/templates/monitoring.yaml) and of histograms.
  std::set<std::string> labels = {"pod", "node", "component", "job", "le"};
  for (const std::string& row : matches(reference, R"(\n\| `loglink_[a-z_]+` \|([^|]*)\|)")) {
    labels.merge(matches(row, "`([a-z]+)`"));
  }
  for (const char* file :
       {"charts/loglink/files/alerts.yaml", "charts/loglink/files/dashboard.json"}) {
    std::string text = read_text(file);
    text = std::regex_replace(text, std::regex(R"(\\")"), "\"");
    for (std::string name : matches(text, "(loglink_[a-z_]+)")) {
      name = std::regex_replace(name, std::regex("_(bucket|sum|count)$"), "");
      EXPECT_TRUE(metrics.contains(name)) << file << ": " << name;
    }
    std::set<std::string> asked = matches(text, R"re([{,] ?([a-z]+)(?:=~|!=|!~|=)")re");
    for (const std::string& list : matches(text, R"(by \(([a-z, ]+)\))")) {
      asked.merge(matches(list, "([a-z]+)"));
    }
    asked.merge(matches(text, R"(\$labels\.([a-z]+))"));
    EXPECT_GT(asked.size(), 3U) << file;
    for (const std::string& label : asked) {
      EXPECT_TRUE(labels.contains(label)) << file << ": " << label;
    }
  }
}

}  // namespace
}  // namespace loglink::testing
