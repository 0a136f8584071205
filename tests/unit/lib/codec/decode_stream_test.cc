#include <gmock/gmock.h>

#include "lib/codec/kube_json.h"
#include "tests/unit/lib/codec/golden.h"

namespace loglink {
namespace {

using testing::HasSubstr;

TEST(DecodeStreamTest, ARecordedWatchListOfPods) {
  const auto codec = pod_codec();
  std::vector<std::string> seen;
  for (const std::string& line : golden_lines("pods-watchlist.jsonl")) {
    const auto event = codec.decode_event(line);
    ASSERT_TRUE(event) << event.error().message;
    switch (event->type) {
      case WatchEventType::kAdded:
        seen.push_back("+" + event->object.key.name);
        break;
      case WatchEventType::kModified:
        seen.push_back("~" + event->object.key.name);
        break;
      case WatchEventType::kDeleted:
        seen.push_back("-" + event->object.key.name);
        break;
      case WatchEventType::kBookmark:
        seen.push_back(event->initial_events_end ? "end" : "bookmark");
        EXPECT_EQ(event->object.resource_version, "4358");
        continue;
      case WatchEventType::kError:
        FAIL() << line;
    }
    EXPECT_EQ(event->object.key.namespace_name, "shop");
    EXPECT_FALSE(event->object.uid.empty());
    EXPECT_FALSE(event->object.resource_version.empty());
    ASSERT_TRUE(event->object.value);
    EXPECT_EQ(event->object.value->key(), event->object.key);
  }
  EXPECT_THAT(seen, testing::ElementsAre("+w0", "+w1", "end", "+g1", "~g1", "~g1", "~g1", "-g1"));
}

// Another pod may claim the id of a static pod, so that all of them have to be known.
TEST(DecodeStreamTest, AStaticPodIsDecodedAlsoWhenItAsksForNothing) {
  const std::string pod =
      R"({"metadata":{"name":"etcd-n","namespace":"kube-system","uid":"u","resourceVersion":"5",)"
      R"("annotations":{"kubernetes.io/config.hash":"00ff","kubernetes.io/config.mirror":"00ff"}},)"
      R"("spec":{"nodeName":"n"}})";
  const auto event = pod_codec().decode_event(R"({"type":"ADDED","object":)" + pod + "}");
  ASSERT_TRUE(event) << event.error().message;
  ASSERT_TRUE(event->object.value);
  EXPECT_EQ(event->object.value->annotations.at("kubernetes.io/config.hash"), "00ff");
  EXPECT_EQ(event->object.value->node_name, "n");
  const auto page = pod_codec().decode_page(
      R"({"metadata":{"resourceVersion":"9"},"items":[)" + pod +
      R"(,{"metadata":{"name":"b","namespace":"kube-system","uid":"v","resourceVersion":"6"}}]})");
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_TRUE(page->items[0].value);
  EXPECT_FALSE(page->items[1].value);
}

TEST(DecodeStreamTest, ASourceWithATimeOutOfRangeIsLeftOutAlone) {
  const std::string source = R"("namespace":"a","pod":"p","uid":"u","container":"c","root":"r",)"
                             R"("path":"d","include":["*.log"])";
  for (const std::string field : {"since", "removeAfter"}) {
    const std::string set =
        R"({"apiVersion":"loglink.io/v1alpha1","metadata":{"name":"n","resourceVersion":"5"},)"
        R"("spec":{"sources":[{)" +
        source + R"(,")" + field + R"(":"9999-01-01T00:00:00Z"},{)" + source + "}]}}";
    const auto event =
        node_link_set_codec().decode_event(R"({"type":"ADDED","object":)" + set + "}");
    ASSERT_TRUE(event) << event.error().message;
    ASSERT_TRUE(event->object.value);
    EXPECT_EQ(event->object.value->spec.sources.size(), 1U);
    EXPECT_EQ(event->object.value->spec.unreadable, 1U);
  }
}

TEST(DecodeStreamTest, APodThatLeavesTheSelectorIsDeleted) {
  const auto codec = pod_codec();
  const auto lines = golden_lines("pods-watch-labelselector.jsonl");
  const auto event = codec.decode_event(lines.back());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, WatchEventType::kDeleted);
}

TEST(DecodeStreamTest, ARecordedWatchOfOneNodeLinkSet) {
  const auto codec = node_link_set_codec();
  const auto lines = golden_lines("nodelinkset-watchlist-one-name.jsonl");
  ASSERT_EQ(lines.size(), 3U);
  const auto added = codec.decode_event(lines[0]);
  const auto bookmark = codec.decode_event(lines[1]);
  const auto modified = codec.decode_event(lines[2]);
  ASSERT_TRUE(added && bookmark && modified);
  EXPECT_EQ(added->object.key, (ObjectKey{"", "node-b"}));
  EXPECT_EQ(added->object.value->status.links, 4);
  EXPECT_EQ(bookmark->type, WatchEventType::kBookmark);
  EXPECT_TRUE(bookmark->initial_events_end);
  EXPECT_EQ(modified->object.resource_version, "4366");
  EXPECT_EQ(modified->object.value->status.links, 2);
}

TEST(DecodeStreamTest, AnErrorEventIsAKubeError) {
  const auto event = pod_codec().decode_event(golden_lines("pods-watch-error-410.jsonl")[0]);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, WatchEventType::kError);
  EXPECT_EQ(event->error.kind, KubeErrorKind::kGone);
  EXPECT_EQ(event->error.http_status, 410);
  EXPECT_EQ(event->error.reason, "Expired");
}

TEST(DecodeStreamTest, ABookmarkWithNullContainersAsOldServersSendIt) {
  const auto event = pod_codec().decode_event(
      R"({"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":)"
      R"("9","creationTimestamp":null},"spec":{"containers":null},"status":{}}})");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->object.resource_version, "9");
  EXPECT_FALSE(event->initial_events_end);
}

TEST(DecodeStreamTest, OfAPodThatDoesNotConcernUsOnlyTheHeadIsDecoded) {
  const std::string pod =
      R"({"spec":{"nodeName":7},"metadata":{"labels":{"name":"wrong","uid":"wrong"},"uid":"u",)"
      R"("resourceVersion":"12","name":"web","namespace":"shop"}})";
  for (const auto& [word, type] : {std::pair{"ADDED", WatchEventType::kAdded},
                                   std::pair{"MODIFIED", WatchEventType::kModified},
                                   std::pair{"DELETED", WatchEventType::kDeleted}}) {
    const auto codec = pod_codec();
    for (const std::string& line :
         {R"({"type":")" + std::string(word) + R"(","object":)" + pod + "}",
          R"({"object":)" + pod + R"(,"type":")" + std::string(word) + R"("})"}) {
      const auto event = codec.decode_event(line);
      ASSERT_TRUE(event) << event.error().message;
      EXPECT_EQ(event->type, type);
      EXPECT_EQ(event->object.key, (ObjectKey{"shop", "web"}));
      EXPECT_EQ(event->object.uid, "u");
      EXPECT_EQ(event->object.resource_version, "12");
      EXPECT_FALSE(event->object.value);
    }
  }
}

TEST(DecodeStreamTest, LinesThatAreNoEventsAreErrorsNotCrashes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "cannot decode"},
      {"null", "missing"},
      {"{", "cannot decode"},
      {"\"loglink\"", "expected an object"},
      {"[]", "expected an object"},
      {R"({"type":"ADDED"})", "object: missing"},
      {R"({"type":"ADDED","object":null})", "object: missing"},
      {R"({"type":"ADDED","object":{}})", "metadata.name: missing"},
      {R"({"type":"ADDED","object":{"metadata":{"name":null}}})", "metadata.name: missing"},
      {R"({"type":"FOO","object":{"metadata":{"name":"x"}}})", "unknown event type \"FOO\""},
      {R"({"type":"BOOKMARK","object":{"metadata":{}}})", "resourceVersion: missing"},
      {R"({"type":"ADDED","object":{"metadata":{"name":"loglink","uid":4}}})",
       "object.metadata.uid: expected a string"},
      {R"({"type":"ADDED","object":{"metadata":{"name":"loglink"},"spec":{"containers":[{},{"env":7}]}}})",
       "object.spec.containers[1].env: expected a list"},
  };
  const auto codec = pod_codec();
  for (const auto& [line, message] : cases) {
    const auto event = codec.decode_event(line);
    ASSERT_FALSE(event) << line;
    EXPECT_EQ(event.error().kind, KubeErrorKind::kProtocol);
    if (line != "null") {
      EXPECT_THAT(event.error().message, HasSubstr(message)) << line;
    }
  }
}

TEST(DecodeStreamTest, APrefixOfALineIsNeverAnEvent) {
  const auto codec = pod_codec();
  const std::string with = golden_lines("pods-watchlist.jsonl")[0];
  const std::string without =
      R"({"type":"ADDED","object":{"spec":{"a":[{"b":"}"}]},"metadata":{"name":"web","uid":"u"}}})";
  for (const std::string& line : {with, without}) {
    ASSERT_TRUE(codec.decode_event(line));
    for (std::size_t size = 0; size < line.size(); ++size) {
      // An exact copy, so that a sanitizer sees a read beyond its end.
      const std::vector<char> prefix(line.begin(),
                                     line.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_FALSE(codec.decode_event({prefix.data(), prefix.size()})) << size;
    }
  }
}

// A pod as its writer may have made it: the API server hands managed fields on unchanged.
std::string pod_with_managed_fields(const std::string& annotation, const std::string& fields) {
  return R"({"metadata":{"name":"web","namespace":"shop","annotations":{")" + annotation +
         R"(":"/logs"},"managedFields":[{"manager":"x","fieldsV1":)" + fields +
         R"(}],"uid":"u","resourceVersion":"12"},"spec":{"nodeName":"node-a"}})";
}

std::string nested(int levels) {
  std::string text;
  for (int i = 0; i < levels; ++i) text += R"({"f:a":)";
  return text + "{}" + std::string(static_cast<std::size_t>(levels), '}');
}

TEST(DecodeStreamTest, ManagedFieldsOfOnePodDoNotHideTheOthers) {
  const auto codec = pod_codec();
  for (const std::string& fields :
       {std::string("{\"f:a\xff\":{}}"), std::string("{\"f:\xed\xa0\x80\":{}}"),
        std::string("{\"f:\xe2\x82\":{}}"), nested(1100), nested(10000)}) {
    for (const std::string annotation : {"loglink/watch-dir", "other/annotation"}) {
      const std::string pod = pod_with_managed_fields(annotation, fields);
      const auto event = codec.decode_event(R"({"type":"ADDED","object":)" + pod + "}");
      ASSERT_TRUE(event) << event.error().message;
      EXPECT_EQ(event->object.key, (ObjectKey{"shop", "web"}));
      EXPECT_EQ(event->object.value.has_value(), annotation == "loglink/watch-dir");
      const auto page = codec.decode_page(R"({"metadata":{"resourceVersion":"8"},"items":[)" + pod +
                                          R"(,{"metadata":{"name":"next","uid":"1"}}]})");
      ASSERT_TRUE(page) << page.error().message;
      ASSERT_EQ(page->items.size(), 2U);
      EXPECT_EQ(page->items[0].value.has_value(), annotation == "loglink/watch-dir");
      EXPECT_EQ(page->items[1].key.name, "next");
      EXPECT_EQ(decode_pod(pod)->node_name, "node-a");
      EXPECT_EQ(*decode_uid(pod, "web"), "u");
    }
  }
}

TEST(DecodeStreamTest, OfBrokenTextOnlyTheBrokenBytesAreReplaced) {
  const std::string pod = pod_with_managed_fields("loglink/caf\xc3\xa9\xe2\x82\xac\xc3",
                                                  "{\"f:\xf0\x9f\x98\x80\xff\":{}}");
  const auto event = pod_codec().decode_event(R"({"type":"ADDED","object":)" + pod + "}");
  ASSERT_TRUE(event) << event.error().message;
  EXPECT_EQ(event->object.value->annotations.begin()->first, "loglink/caf\xc3\xa9\xe2\x82\xac?");
}

TEST(DecodePageTest, RecordedPagesOfPods) {
  const auto codec = pod_codec();
  const auto first = codec.decode_page(golden("pods-list-page1.json"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->resource_version, "4385");
  EXPECT_FALSE(first->continue_token.empty());
  ASSERT_EQ(first->items.size(), 1U);
  EXPECT_EQ(first->items[0].key, (ObjectKey{"shop", "w0"}));
  ASSERT_TRUE(first->items[0].value);
  EXPECT_EQ(first->items[0].value->annotations.at("loglink/watch-dir"), "/var/log/app");

  const auto last = codec.decode_page(golden("pods-list-page2.json"));
  ASSERT_TRUE(last);
  EXPECT_EQ(last->continue_token, "");
  EXPECT_EQ(last->items.size(), 1U);
}

TEST(DecodePageTest, ARecordedPageOfNodeLinkSets) {
  const auto page = node_link_set_codec().decode_page(golden("nodelinkset-list-page1.json"));
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->resource_version, "6598");
  EXPECT_FALSE(page->continue_token.empty());
  ASSERT_EQ(page->items.size(), 1U);
  const NodeLinkSet& set = *page->items[0].value;
  EXPECT_EQ(set.spec.sources.size(), 3U);
  EXPECT_EQ(set.status.pods.size(), 3U);
  EXPECT_EQ(set.status.conditions.at(0).reason, "Synced");
}

TEST(DecodePageTest, OnlyOursAreDecodedWhole) {
  const auto page = pod_codec().decode_page(
      R"({"items":[{"metadata":{"name":"a","namespace":"n","uid":"1","resourceVersion":"5"},)"
      R"("spec":{"nodeName":7}},{"metadata":{"name":"b","namespace":"n",)"
      R"("annotations":{"loglink/watch-dir":"/x"}}}],"metadata":{"resourceVersion":"8"}})");
  ASSERT_TRUE(page) << page.error().message;
  ASSERT_EQ(page->items.size(), 2U);
  EXPECT_FALSE(page->items[0].value);
  EXPECT_EQ(page->items[0].uid, "1");
  EXPECT_EQ(page->items[0].resource_version, "5");
  EXPECT_TRUE(page->items[1].value);
}

TEST(DecodePageTest, AnEmptyListMayBeNullOrAbsent) {
  for (const std::string body : {R"({"metadata":{"resourceVersion":"8"},"items":null})",
                                 R"({"metadata":{"resourceVersion":"8"},"items":[]})",
                                 R"({"metadata":{"continue":null,"resourceVersion":"8"}})"}) {
    const auto page = pod_codec().decode_page(body);
    ASSERT_TRUE(page) << body << page.error().message;
    EXPECT_TRUE(page->items.empty());
    EXPECT_EQ(page->resource_version, "8");
  }
}

TEST(DecodePageTest, APrefixOfAPageIsNeverAPage) {
  const auto codec = pod_codec();
  const std::string body = golden("pods-list-page1.json")
                               .substr(0, golden("pods-list-page1.json").find_last_of('}') + 1);
  ASSERT_TRUE(codec.decode_page(body));
  for (std::size_t size = 0; size < body.size(); ++size) {
    const std::vector<char> prefix(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(codec.decode_page({prefix.data(), prefix.size()})) << size;
  }
}

TEST(DecodePageTest, AListWithoutVersionOrOfStrangersIsAnError) {
  for (const std::string body :
       {R"({"items":[]})", R"({"metadata":{"resourceVersion":"8"},"items":{}})",
        R"({"metadata":{"resourceVersion":"8"},"items":nwll})",
        R"({"metadata":{"resourceVersion":nwll},"items":[]})",
        R"({"metadata":{"resourceVersion":"8"},"items":[5]})",
        R"({"metadata":{"resourceVersion":"8"},"items":[{}]})",
        R"({"metadata":{"resourceVersion":8},"items":[]})", R"([])", ""}) {
    EXPECT_FALSE(pod_codec().decode_page(body)) << body;
  }
}

TEST(DecodePageTest, ADecoderIsReusedForLargeAndSmallTexts) {
  const auto codec = pod_codec();
  std::string body = R"({"metadata":{"resourceVersion":"8"},"items":[)";
  for (int i = 0; i < 3000; ++i) {
    body += R"({"metadata":{"name":"pod-)" + std::to_string(i) +
            R"(","namespace":"n","annotations":{"loglink/watch-dir":"/x","pad":")" +
            std::string(400, 'p') + R"("}}},)";
  }
  body.back() = ']';
  body += '}';
  for (int round = 0; round < 2; ++round) {
    const auto page = codec.decode_page(body);
    ASSERT_TRUE(page) << page.error().message;
    ASSERT_EQ(page->items.size(), 3000U);
    EXPECT_EQ(page->items.back().key.name, "pod-2999");
    EXPECT_EQ(page->items.back().value->annotation_count, 2U);
    EXPECT_TRUE(codec.decode_event(golden_lines("pods-watchlist.jsonl")[0]));
  }
}

}  // namespace
}  // namespace loglink
