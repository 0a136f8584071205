#include "lib/model/path.h"

#include <gtest/gtest.h>

namespace loglink {
namespace {

TEST(NormalizePath, RemovesEmptyPartsAndDotsButNeverDotDot) {
  const std::pair<const char*, const char*> cases[] = {
      {"/", "/"},
      {"//", "/"},
      {"/.", "/"},
      {"", ""},
      {"/a", "/a"},
      {"/a/", "/a"},
      {"//a///b/", "/a/b"},
      {"/a/./b/.", "/a/b"},
      {"a//b/", "a/b"},
      {"./a", "a"},
      {"/a/../b", "/a/../b"},
      {"/..", "/.."},
      {"/a/.b/..c", "/a/.b/..c"},
  };
  for (const auto& [path, expected] : cases) EXPECT_EQ(normalize_path(path), expected) << path;
}

struct ContainsCase {
  const char* directory;
  const char* path;
  bool expected;
};

TEST(PathContains, HoldsOnlyOnPathBoundaries) {
  const ContainsCase cases[] = {
      {"/var/log", "/var/log", true},
      {"/var/log", "/var/log/app", true},
      {"/var/log", "/var/logs", false},
      {"/var/log", "/var", false},
      {"/var/log", "/var/lo", false},
      {"/", "/", true},
      {"/", "/a", true},
      {"/", "a", false},
      {"/", "", false},
      {"a", "a/b", true},
      {"a", "ab", false},
  };
  for (const ContainsCase& each : cases) {
    EXPECT_EQ(path_contains(each.directory, each.path), each.expected)
        << each.directory << " " << each.path;
  }
}

TEST(PathBelow, IsTheRest) {
  EXPECT_EQ(path_below("/var/log", "/var/log"), "");
  EXPECT_EQ(path_below("/var/log", "/var/log/a/b"), "a/b");
  EXPECT_EQ(path_below("/", "/a/b"), "a/b");
}

TEST(JoinPath, TakesEmptySides) {
  EXPECT_EQ(join_path("a", "b"), "a/b");
  EXPECT_EQ(join_path("", "b"), "b");
  EXPECT_EQ(join_path("a", ""), "a");
  EXPECT_EQ(join_path("/", "b"), "/b");
  EXPECT_EQ(join_path("", ""), "");
}

TEST(HasDotDot, SeesPartsNotSubstrings) {
  for (const char* path : {"..", "/..", "../a", "a/..", "a/../b"}) EXPECT_TRUE(has_dot_dot(path));
  for (const char* path : {"", "a..b", "..a", "a..", "...", "/a/...b"}) {
    EXPECT_FALSE(has_dot_dot(path)) << path;
  }
}

TEST(HasControlCharacter, KnowsTheLowOnesAndDelete) {
  EXPECT_TRUE(has_control_character("a\nb"));
  EXPECT_TRUE(has_control_character(std::string_view("\0", 1)));
  EXPECT_TRUE(has_control_character("\x7f"));
  EXPECT_FALSE(has_control_character("a b~\xc3\xa9"));
  EXPECT_FALSE(has_control_character(""));
}

}  // namespace
}  // namespace loglink
