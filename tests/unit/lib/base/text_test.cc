#include "lib/base/text.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace loglink {
namespace {

struct SanitizeCase {
  const char* name;
  std::string text;
  std::size_t max_bytes;
  std::string expected;
};

class SanitizeTable : public testing::TestWithParam<SanitizeCase> {};

TEST_P(SanitizeTable, GivesPrintableAsciiWithinTheBound) {
  EXPECT_EQ(sanitize(GetParam().text, GetParam().max_bytes), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, SanitizeTable,
    testing::Values(SanitizeCase{"Empty", "", 512, ""},
                    SanitizeCase{"PlainText", "a b~!", 512, "a b~!"},
                    SanitizeCase{"Newline", "a\nb", 512, "a\\x0ab"},
                    SanitizeCase{"TerminalEscape", "\x1b[2J", 512, "\\x1b[2J"},
                    SanitizeCase{"Nul", std::string("a\0b", 3), 512, "a\\x00b"},
                    SanitizeCase{"Delete", "\x7f", 512, "\\x7f"},
                    SanitizeCase{"HighBytes", "\xc3\xa9", 512, "\\xc3\\xa9"},
                    SanitizeCase{"ExactlyTheBound", "abcdef", 6, "abcdef"},
                    SanitizeCase{"OneTooMany", "abcdefg", 6, "abc..."},
                    SanitizeCase{"NeverInsideAnEscape", "ab\x01\x02", 9, "ab\\x01..."},
                    SanitizeCase{"EscapeThatWouldBeCutIsLeftOut", "abcd\x01\x02", 10, "abcd..."},
                    SanitizeCase{"BoundBelowTheDots", "abcdef", 2, ".."},
                    SanitizeCase{"BoundZero", "abc", 0, ""}),
    [](const auto& each) { return each.param.name; });

TEST(Sanitize, HoldsItsPromisesForRandomBytes) {
  SeededRandom random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text(random.below(64), '\0');
    for (char& c : text) c = static_cast<char>(random.below(256));
    const std::size_t bound = random.below(80);
    const std::string out = sanitize(text, bound);
    ASSERT_LE(out.size(), bound);
    for (const char c : out) ASSERT_TRUE(c >= 0x20 && c < 0x7f) << out;
    // An escape is never cut: each backslash that we made has its three characters.
    if (text.find('\\') == std::string::npos) {
      for (std::size_t at = out.find('\\'); at != std::string::npos; at = out.find('\\', at + 1)) {
        ASSERT_LE(at + 4, out.size()) << out;
      }
    }
  }
}

TEST(Split, KeepsEmptyPieces) {
  EXPECT_EQ(split("", ','), (std::vector<std::string>{""}));
  EXPECT_EQ(split("a", ','), (std::vector<std::string>{"a"}));
  EXPECT_EQ(split(",a,,b,", ','), (std::vector<std::string>{"", "a", "", "b", ""}));
}

TEST(TrimSpaces, RemovesOnlySpacesAndOnlyFromTheEnds) {
  EXPECT_EQ(trim_spaces("  a b  "), "a b");
  EXPECT_EQ(trim_spaces("   "), "");
  EXPECT_EQ(trim_spaces(""), "");
  EXPECT_EQ(trim_spaces("\ta\n"), "\ta\n");
}

TEST(Join, PutsSeparatorsBetween) {
  EXPECT_EQ(join({}, ", "), "");
  EXPECT_EQ(join({"a"}, ", "), "a");
  EXPECT_EQ(join({"a", "", "a"}, ", "), "a, , a");
}

}  // namespace
}  // namespace loglink
