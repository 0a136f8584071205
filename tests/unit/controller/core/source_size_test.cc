#include "controller/core/source_size.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/base/time_text.h"
#include "lib/codec/kube_json.h"
#include "lib/model/source_bounds.h"

namespace loglink {
namespace {

Source source_with_path(const std::string& path) {
  Source source;
  source.namespace_name = "prod";
  source.pod = "web-0";
  source.uid = "u-1";
  source.container = "app";
  source.root = "srv";
  source.path = path;
  source.include = {"*.log"};
  source.since = parse_time("2026-01-02T03:04:05Z").value();
  return source;
}

// What one more source of this kind adds to the object's JSON.
std::size_t encoded_bytes(const Source& source) {
  NodeLinkSet object;
  object.name = "node-a";
  object.spec.sources = {source};
  const std::size_t one = encode_node_link_set(object).size();
  object.spec.sources.push_back(source);
  return encode_node_link_set(object).size() - one;
}

std::vector<Source> samples() {
  std::vector<Source> all = {source_with_path(""),
                             source_with_path("a/b"),
                             source_with_path(std::string(1024, 'a')),
                             source_with_path(std::string(1024, '"')),
                             source_with_path(std::string(1024, '\\')),
                             source_with_path("<&>"),
                             source_with_path("v\xc3\xa5r \xe2\x82\xac \xf0\x9f\x98\x80")};
  Source full = source_with_path("a");
  full.pod = std::string(253, 'a');
  full.include.assign(16, std::string(64, '*'));
  full.exclude = full.include;
  full.max_depth = 16;
  full.plain_names = true;
  full.finished = true;
  full.required_features.assign(8, std::string(32, 'a'));
  full.remove_after = full.since;
  full.naming = std::string(32, 'a');
  all.push_back(full);
  return all;
}

TEST(SourceSize, IsNeverLessThanItsJson) {
  for (const Source& source : samples()) {
    ASSERT_TRUE(check_source_bounds(source).has_value());
    EXPECT_GE(source_bytes(source), encoded_bytes(source)) << source.path;
  }
}

TEST(SourceSize, IsCloseForAnOrdinarySource) {
  const Source source = source_with_path("a/b");
  EXPECT_LE(source_bytes(source), encoded_bytes(source) + 120);
}

TEST(SourceSize, CountsWhatAWriterMayEscape) {
  const std::size_t plain = source_bytes(source_with_path("aa"));
  EXPECT_EQ(source_bytes(source_with_path("a\"")), plain + 1);
  EXPECT_EQ(source_bytes(source_with_path("a<")), plain + 5);
  EXPECT_EQ(source_bytes(source_with_path("\xc3\xa5")), plain + 4);
}

TEST(SourceSize, DoesNotGrowWhenTheSourceIsWithdrawn) {
  Source source = source_with_path("a");
  const std::size_t live = source_bytes(source);
  source.remove_after = source.since;
  EXPECT_EQ(source_bytes(source), live);
}

TEST(SourceSize, OfASpecIsTheSum) {
  const Source source = source_with_path("a");
  EXPECT_EQ(spec_bytes({{source, source}}), 2 * source_bytes(source));
  EXPECT_EQ(spec_bytes({}), 0U);
}

}  // namespace
}  // namespace loglink
