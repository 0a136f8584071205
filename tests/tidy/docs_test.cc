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

TEST(Docs, EveryReasonIsDocumentedAndNoOther) {
  const std::string text = read_text("docs/reference/reasons.md");
  std::set<std::string> known;
  for (const Reason reason : all_reasons()) {
    known.insert(std::string(to_string(reason)));
    EXPECT_NE(text.find("`" + std::string(to_string(reason)) + "`"), std::string::npos)
        << to_string(reason) << " is not in docs/reference/reasons.md";
  }
  for (const std::string& word : matches(text, R"(\n\| `([A-Z][A-Za-z]+)` \|)")) {
    EXPECT_TRUE(known.count(word) != 0) << word << " is documented but unknown to the code";
  }
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

}  // namespace
}  // namespace loglink::testing
