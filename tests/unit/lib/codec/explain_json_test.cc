#include "lib/codec/explain_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/codec/kube_json.h"

namespace loglink {
namespace {

using nlohmann::json;

NodeLinkSet one_set() {
  NodeLinkSet set;
  set.name = "node-a";
  Source source;
  source.namespace_name = "prod";
  source.pod = "web-0";
  source.uid = "u";
  source.container = "app";
  source.root = "apps";
  source.path = "web";
  source.include = {"*.log"};
  set.spec.sources = {source};
  return set;
}

TEST(ExplanationToJson, HasTheDocumentedShape) {
  const json document = json::parse(
      explanation_to_json({one_set()},
                          {{"prod",
                            "web-0",
                            "Degraded",
                            "why",
                            {{"/data", "NotOnAVolume", "mount one"}, {"", "NoWatchDir", "add one"}},
                            {{"/logs", "", "look"}},
                            true},
                           {"prod", "web-1", "Pending", "", {}, {}}},
                          {{"a note"}, {"Service/web"}}));
  EXPECT_EQ(document.size(), 4U);
  EXPECT_EQ(document.at("pods"), json::parse(R"([
    {"namespace": "prod", "pod": "web-0", "ofWorkload": true, "status": "Degraded", "message": "why", "refusals": [
      {"watchDir": "/data", "reason": "NotOnAVolume", "message": "mount one"},
      {"watchDir": "", "reason": "NoWatchDir", "message": "add one"}],
     "notes": [{"watchDir": "/logs", "reason": "", "message": "look"}]},
    {"namespace": "prod", "pod": "web-1", "ofWorkload": false, "status": "Pending", "message": "", "refusals": [],
     "notes": []}])"));
  EXPECT_EQ(document.at("notes"), json({"a note"}));
  EXPECT_EQ(document.at("skipped"), json({"Service/web"}));
  ASSERT_EQ(document.at("nodeLinkSets").size(), 1U);
  const auto back = decode_node_link_set(document.at("nodeLinkSets")[0].dump());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, one_set()) << "the API's own document";
}

// jq users get lists, not nulls.
TEST(ExplanationToJson, NothingIsEmptyLists) {
  EXPECT_EQ(json::parse(explanation_to_json({}, {}, {})),
            json::parse(R"({"nodeLinkSets": [], "pods": [], "notes": [], "skipped": []})"));
}

TEST(ExplanationToJson, BytesThatAreNoUtf8AreReplacedNotThrown) {
  NodeLinkSet set = one_set();
  set.spec.sources[0].path = "a\xff";
  const std::string text =
      explanation_to_json({set}, {{"prod", "w\xff", "Invalid", "m\xfe", {}, {}}}, {{"n\xff"}, {}});
  EXPECT_TRUE(json::accept(text)) << text;
}

}  // namespace
}  // namespace loglink
