#include "lib/model/source_bounds.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

namespace loglink {
namespace {

Source good_source() {
  Source source;
  source.namespace_name = "prod";
  source.pod = "web-0.shop";
  source.uid = "3f0c1a2b";
  source.container = "app";
  source.root = "kubelet-pods";
  source.path = "3f0c1a2b/volumes/kubernetes.io~empty-dir/logs";
  source.include = {"*.log"};
  return source;
}

struct Case {
  std::string what;
  std::function<void(Source&)> change;
  std::string refused_field;  // "" when accepted
};

class SourceBounds : public testing::TestWithParam<Case> {};

TEST_P(SourceBounds, FollowTheCrd) {
  SCOPED_TRACE(GetParam().what);
  Source source = good_source();
  GetParam().change(source);
  const Expected<void> checked = check_source_bounds(source);
  if (GetParam().refused_field.empty()) {
    EXPECT_TRUE(checked.has_value()) << (checked ? "" : checked.error().message);
  } else {
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().message.find(GetParam().refused_field), 0U)
        << checked.error().message;
  }
}

void on_host_path(Source& s, const std::string& path) {
  s.root = "apps";
  s.path = path;
}

INSTANTIATE_TEST_SUITE_P(
    Table, SourceBounds,
    testing::Values(
        Case{"unchanged", [](Source&) {}, ""},
        Case{"namespace empty", [](Source& s) { s.namespace_name = ""; }, "namespace"},
        Case{"namespace upper case", [](Source& s) { s.namespace_name = "A_b"; }, "namespace"},
        Case{"namespace with dot", [](Source& s) { s.namespace_name = "a.b"; }, "namespace"},
        Case{"namespace 64", [](Source& s) { s.namespace_name.assign(64, 'a'); }, "namespace"},
        Case{"namespace 63", [](Source& s) { s.namespace_name.assign(63, 'a'); }, ""},
        Case{"pod ends in dash", [](Source& s) { s.pod = "a-"; }, "pod"},
        Case{"pod 253", [](Source& s) { s.pod.assign(253, 'a'); }, ""},
        Case{"pod 254", [](Source& s) { s.pod.assign(254, 'a'); }, "pod"},
        Case{"uid empty", [](Source& s) { s.uid = ""; }, "uid"},
        Case{"uid with slash", [](Source& s) { s.uid = "a/b"; }, "uid"},
        Case{"uid 65", [](Source& s) { s.uid.assign(65, 'a'); }, "uid"},
        Case{"container empty", [](Source& s) { s.container = ""; }, "container"},
        Case{"root with slash", [](Source& s) { s.root = "a/b"; }, "root"},
        Case{"another pod's uid", [](Source& s) { s.path[0] = '4'; }, "path"},
        Case{"another volume kind",
             [](Source& s) { s.path = "3f0c1a2b/volumes/kubernetes.io~secret/x"; }, "path"},
        Case{"kubelet-pods itself", [](Source& s) { s.path = ""; }, "path"},
        Case{"host path root itself", [](Source& s) { on_host_path(s, ""); }, ""},
        Case{"1024 bytes", [](Source& s) { on_host_path(s, std::string(1024, 'a')); }, ""},
        Case{"1025 bytes", [](Source& s) { on_host_path(s, std::string(1025, 'a')); }, "path"},
        Case{"absolute", [](Source& s) { on_host_path(s, "/a"); }, "path"},
        Case{".. first", [](Source& s) { on_host_path(s, "../a"); }, "path"},
        Case{".. last", [](Source& s) { on_host_path(s, "a/.."); }, "path"},
        Case{"..name is a name", [](Source& s) { on_host_path(s, "..a/b.."); }, ""},
        Case{".", [](Source& s) { on_host_path(s, "."); }, "path"},
        Case{"empty component", [](Source& s) { on_host_path(s, "a//b"); }, "path"},
        Case{"trailing slash", [](Source& s) { on_host_path(s, "a/"); }, "path"},
        Case{"newline", [](Source& s) { on_host_path(s, "a\nb"); }, "path"},
        Case{"NUL", [](Source& s) { on_host_path(s, std::string("a\0b", 3)); }, "path"},
        Case{"blank and non-ASCII", [](Source& s) { on_host_path(s, "a b/v\xc3\xa5r"); }, ""},
        Case{"not UTF-8", [](Source& s) { on_host_path(s, "a\xff"); }, "path"},
        Case{"no include", [](Source& s) { s.include.clear(); }, "include"},
        Case{"16 includes", [](Source& s) { s.include.assign(16, "*"); }, ""},
        Case{"17 includes", [](Source& s) { s.include.assign(17, "*"); }, "include"},
        Case{"include with slash", [](Source& s) { s.include = {"a/b"}; }, "include"},
        Case{"include 65", [](Source& s) { s.include = {std::string(65, 'a')}; }, "include"},
        Case{"17 excludes", [](Source& s) { s.exclude.assign(17, "*"); }, "exclude"},
        Case{"empty exclude", [](Source& s) { s.exclude = {""}; }, "exclude"},
        Case{"depth 0", [](Source& s) { s.max_depth = 0; }, "maxDepth"},
        Case{"depth 16", [](Source& s) { s.max_depth = 16; }, ""},
        Case{"depth 17", [](Source& s) { s.max_depth = 17; }, "maxDepth"},
        Case{"naming upper case", [](Source& s) { s.naming = "Logfile"; }, "naming"},
        Case{"naming unknown here", [](Source& s) { s.naming = "next-2"; }, ""},
        Case{"9 features", [](Source& s) { s.required_features.assign(9, "a"); }, "requires"},
        Case{"feature upper case", [](Source& s) { s.required_features = {"A"}; }, "requires"}));

TEST(IsUtf8, RefusesOverlongSurrogatesAndCutSequences) {
  EXPECT_TRUE(is_utf8(""));
  EXPECT_TRUE(is_utf8("a\xc3\xa5\xe2\x82\xac\xf0\x9f\x98\x80"));
  EXPECT_FALSE(is_utf8("\x80"));
  EXPECT_FALSE(is_utf8("\xc0\xaf"));
  EXPECT_FALSE(is_utf8("\xe0\x80\xaf"));
  EXPECT_FALSE(is_utf8("\xed\xa0\x80"));
  EXPECT_FALSE(is_utf8("\xf4\x90\x80\x80"));
  EXPECT_FALSE(is_utf8("\xe2\x82"));
}

}  // namespace
}  // namespace loglink
