#include "lib/codec/yaml_tree.h"

#include <gmock/gmock.h>

namespace loglink {
namespace {

using testing::HasSubstr;

std::string json_of(const std::string& yaml) {
  const auto documents = parse_yaml(yaml);
  if (!documents)
    return "line " + std::to_string(documents.error().line) + ": " + documents.error().message;
  std::string out;
  for (const YamlNodePointer& document : *documents) out += yaml_to_json(*document);
  return out;
}

TEST(YamlTreeTest, ScalarsMeanWhatTheyMeanToKubernetes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"v", "\"v\""},
      {"true", "true"},
      {"False", "false"},
      {"yes", "true"},
      {"off", "false"},
      {"'yes'", "\"yes\""},
      {"\"true\"", "\"true\""},
      {"!!str true", "\"true\""},
      {"12", "12"},
      {"+12", "12"},
      {"-0", "0"},
      {"-9223372036854775808", "-9223372036854775808"},
      {"18446744073709551615", "18446744073709551615"},
      {"0644", "420"},
      {"0o17", "15"},
      {"0x1F", "31"},
      {"0b101", "5"},
      {"1_000", "1000"},
      {"089", "89.0"},
      {"1.5", "1.5"},
      {".5", "0.5"},
      {"1e3", "1000.0"},
      {"1e999", "\"1e999\""},
      {".inf", "\".inf\""},
      {"-.", "\"-.\""},
      {"'12'", "\"12\""},
      {"~", "null"},
      {"null", "null"},
      {"'null'", "\"null\""},
      {"2026-01-02T03:04:05Z", "\"2026-01-02T03:04:05Z\""},
      {"1:30", "\"1:30\""},
      {"5m", "\"5m\""},
      {"0.0.0.0:80", "\"0.0.0.0:80\""},
      {"3f0c", "\"3f0c\""},
      {"0x", "\"0x\""},
      {"\"a\\tb\\u00e4\"", "\"a\\tb\xc3\xa4\""},
      {"|\n  two\n  lines\n", "\"two\\nlines\\n\""},
  };
  for (const auto& [yaml, json] : cases) {
    EXPECT_EQ(json_of("k: " + yaml), "{\"k\":" + json + "}") << yaml;
  }
}

TEST(YamlTreeTest, CollectionsAndDocuments) {
  EXPECT_EQ(json_of("a: [1, {b: c}]\nd: {}\ne: []\n---\n- x\n---\n# nothing\n"),
            R"({"a":[1,{"b":"c"}],"d":{},"e":[]}["x"])");
  EXPECT_EQ(json_of(""), "");
  EXPECT_EQ(json_of("\xef\xbb\xbf"
                    "a: b\r\nc: d\r\n"),
            R"({"a":"b","c":"d"})");
}

TEST(YamlTreeTest, AnchorsAreWrittenOutAndMerged) {
  EXPECT_EQ(json_of("a: &x {k: 1}\nb: *x\n"), R"({"a":{"k":1},"b":{"k":1}})");
  EXPECT_EQ(json_of("a: &x {k: 1, m: 2}\nb:\n  <<: *x\n  k: 3\n"),
            R"({"a":{"k":1,"m":2},"b":{"k":3,"m":2}})");
  EXPECT_EQ(json_of("- &x {k: 1}\n- &y {k: 2, m: 2}\n- <<: [*x, *y]\n"),
            R"([{"k":1},{"k":2,"m":2},{"k":1,"m":2}])");
}

TEST(YamlTreeTest, ErrorsNameTheLine) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"a: 1\nb: [1, 2\nc: d\n", "line 3: "},
      {"a: 1\n\tb: 2\n", "line 2: "},
      {"a: 1\na: 2\n", "line 2: the key \"a\" is there twice"},
      {"a: 1\n? [x]\n: 2\n", "line 2: a key must be a word"},
      {"a: !!binary aGk=\n", "line 1: the tag tag:yaml.org,2002:binary is not supported"},
      {"a: !secret {b: c}\n", "line 1: the tag !secret is not supported"},
      {"a: b\nc: *nobody\n", "line 2: "},
      {"{a: b}, {c: d}\n", "line 1: expected the end of the document"},
      {"{a: b}}\n", "line 1: "},
      {"a: b\n]\n", "line 2: "},
      {"a: &x [1, *x]\n", "line 1: an alias to a node that is not complete"},
      {"a: \xff\n", "line 0: not UTF-8 text"},
      {std::string("a: \0b\n", 7), "line 0: not UTF-8 text"},
  };
  for (const auto& [yaml, message] : cases) {
    EXPECT_THAT(json_of(yaml), testing::StartsWith(message)) << yaml;
  }
}

TEST(YamlTreeTest, AnAliasBombIsRefused) {
  std::string bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 12; ++i) {
    const std::string below = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += below + (k < 9 ? ", " : "]\n");
  }
  EXPECT_THAT(json_of(bomb), HasSubstr("too large when every alias is written out"));
}

TEST(YamlTreeTest, ABombOfMergesIsRefused) {
  std::string bomb = "a: &a\n";
  for (int i = 0; i < 2000; ++i) bomb += "  key" + std::to_string(i) + ": v\n";
  bomb += "b:\n";
  for (int i = 0; i < 2000; ++i) bomb += "- {<<: *a}\n";
  EXPECT_THAT(json_of(bomb), HasSubstr("too large when every alias is written out"));
}

TEST(YamlTreeTest, DepthIsBounded) {
  const std::string deep(150, '[');
  EXPECT_EQ(json_of(deep + std::string(150, ']')), deep + std::string(150, ']'));
  for (const std::size_t depth : {250U, 5000U, 100000U}) {
    EXPECT_THAT(json_of(std::string(depth, '[') + std::string(depth, ']')), HasSubstr("line "));
    EXPECT_THAT(json_of(std::string(depth, '{')), HasSubstr("line "));
  }
}

TEST(YamlTreeTest, SizeIsBounded) {
  EXPECT_EQ(json_of(std::string(16 * 1024 * 1024 + 1, '#')), "line 0: larger than 16 MiB");
}

TEST(YamlTreeTest, PathsLeadToLines) {
  const auto documents = parse_yaml(
      "spec:\n"                       // 1
      "  containers:\n"               // 2
      "  - name: a\n"                 // 3
      "  - env: []\n"                 // 4
      "    name: b\n"                 // 5
      "metadata:\n"                   // 6
      "  annotations:\n"              // 7
      "    loglink/watch-dir: /x\n"   // 8
      "    kubernetes.io/a.b: c\n");  // 9
  ASSERT_TRUE(documents);
  const YamlNode& document = *documents->front();
  const std::vector<std::pair<std::string, int>> cases = {
      {"", 1},
      {"spec", 1},
      {"spec.containers[0].name", 3},
      {"spec.containers[1].name", 5},
      {"spec.containers[1]", 4},
      {"spec.containers[7].name", 2},
      {"spec.containers[x", 2},
      {"spec.containers[99999999999999999999]", 2},
      {"spec.volumes", 1},
      {"metadata.annotations.loglink/watch-dir", 8},
      {"metadata.annotations.kubernetes.io/a.b", 9},
      {"nonsense", 1},
  };
  for (const auto& [path, line] : cases) EXPECT_EQ(line_of(document, path), line) << path;
}

}  // namespace
}  // namespace loglink
