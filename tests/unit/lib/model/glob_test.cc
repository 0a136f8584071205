#include "lib/model/glob.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace loglink {
namespace {

struct GlobCase {
  const char* pattern;
  const char* name;
  bool expected;
};

TEST(GlobMatches, FollowsTheRules) {
  const GlobCase cases[] = {
      {"*.log", "app.log", true},
      {"*.log", ".log", true},
      {"*.log", ".hidden.log", true},
      {"*.log", "app.log.1", false},
      {"*.log", "app.LOG", false},
      {"*", "", true},
      {"*", "anything", true},
      {"", "", true},
      {"", "a", false},
      {"?", "a", true},
      {"?", "", false},
      {"?", "ab", false},
      {"a?c", "abc", true},
      {"a*b*c", "aXbYc", true},
      {"a*b*c", "acb", false},
      {"**", "a", true},
      {"a**", "a", true},
      {"*a", "ba", true},
      {"*ab", "aab", true},
      {"*aab", "aaab", true},
      {"app-*", "app-", true},
      {"app", "app", true},
      {"app", "apps", false},
      {"apps", "app", false},
      {"??", "\xc3\xa9", true},
  };
  for (const GlobCase& each : cases) {
    EXPECT_EQ(glob_matches(each.pattern, each.name), each.expected)
        << each.pattern << " " << each.name;
  }
}

// What a pattern means, said as plainly as possible.
bool matches_naively(std::string_view pattern, std::string_view name) {
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    return matches_naively(pattern.substr(1), name) ||
           (!name.empty() && matches_naively(pattern, name.substr(1)));
  }
  return !name.empty() && (pattern.front() == '?' || pattern.front() == name.front()) &&
         matches_naively(pattern.substr(1), name.substr(1));
}

TEST(GlobMatches, AgreesWithTheNaiveMeaning) {
  SeededRandom random(11);
  int matched = 0;
  for (int round = 0; round < 20000; ++round) {
    std::string pattern(random.below(7), '\0');
    for (char& c : pattern) c = "ab*?"[random.below(4)];
    std::string name(random.below(8), '\0');
    for (char& c : name) c = "ab"[random.below(2)];
    const bool expected = matches_naively(pattern, name);
    ASSERT_EQ(glob_matches(pattern, name), expected) << pattern << " " << name;
    matched += expected ? 1 : 0;
  }
  EXPECT_GT(matched, 2000);
}

TEST(GlobMatches, DoesNotExplodeOnManyStars) {
  std::string pattern;
  for (int i = 0; i < 32; ++i) pattern += "*a";
  EXPECT_FALSE(glob_matches(pattern + "b", std::string(255, 'a')));
}

TEST(IsWanted, ExcludeWins) {
  EXPECT_TRUE(is_wanted({"*.log"}, {}, "a.log"));
  EXPECT_TRUE(is_wanted({"*.txt", "*.log"}, {"b*"}, "a.log"));
  EXPECT_FALSE(is_wanted({"*.log"}, {"a*"}, "a.log"));
  EXPECT_FALSE(is_wanted({}, {}, "a.log"));
}

TEST(IsValidGlob, HoldsTheBounds) {
  EXPECT_TRUE(is_valid_glob("*.log"));
  EXPECT_TRUE(is_valid_glob("A-z_0?@+=~."));
  EXPECT_TRUE(is_valid_glob(std::string(64, '*')));
  for (const std::string& bad : {std::string(), std::string(65, 'a'), std::string("a b"),
                                 std::string("a/b"), std::string("[ab]"), std::string("\xc3\xa9"),
                                 std::string("a\n"), std::string("a,b"), std::string("\\*")}) {
    EXPECT_FALSE(is_valid_glob(bad)) << bad;
  }
}

}  // namespace
}  // namespace loglink
