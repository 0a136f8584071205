// The parts that fit on one page: resource versions and the line splitter.
#include <gtest/gtest.h>

#include <vector>

#include "lib/kube/line_splitter.h"
#include "lib/kube/resource_version.h"

namespace loglink {
namespace {

struct VersionCase {
  const char* a;
  const char* b;
  bool expected;
};

TEST(IsOlderVersion, ComparesNumbersByLengthThenBytes) {
  const VersionCase cases[] = {
      {"9", "10", true},
      {"10", "9", false},
      {"10", "10", false},
      {"10", "11", true},
      {"99999999999999999998", "99999999999999999999", true},  // beyond 64 bits
      // Whatever is not such a number says nothing.
      {"", "10", false},
      {"9", "", false},
      {"09", "10", false},
      {"0", "1", false},
      {"9a", "10", false},
      {"-9", "10", false},
      {"9", "1x", false},
  };
  for (const VersionCase& each : cases) {
    EXPECT_EQ(is_older_version(each.a, each.b), each.expected) << each.a << " " << each.b;
  }
}

std::vector<std::string> feed_in_pieces(LineSplitter& splitter, std::string_view text,
                                        std::size_t piece) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size(); begin += piece) {
    const auto result = splitter.feed(text.substr(begin, piece), [&](std::string_view line) {
      lines.emplace_back(line);
      return true;
    });
    EXPECT_EQ(result, LineSplitter::Result::kFed);
  }
  return lines;
}

TEST(LineSplitter, GivesTheSameLinesHoweverTheBytesArrive) {
  std::string text;
  std::vector<std::string> expected;
  for (int i = 0; i < 40; ++i) {
    expected.push_back(std::string(static_cast<std::size_t>(i * 7 % 90 + 1), 'a') +
                       std::to_string(i));
    text += expected.back() + "\n";
    if (i % 5 == 0) text += "\n";  // an empty line
  }
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    LineSplitter splitter;
    ASSERT_EQ(feed_in_pieces(splitter, text, piece), expected) << piece;
    ASSERT_FALSE(splitter.has_partial_line());
  }
}

TEST(LineSplitter, KeepsAnUnfinishedLine) {
  LineSplitter splitter;
  EXPECT_EQ(feed_in_pieces(splitter, "one\ntwo", 3), std::vector<std::string>{"one"});
  EXPECT_TRUE(splitter.has_partial_line());
  EXPECT_EQ(feed_in_pieces(splitter, "\n", 1), std::vector<std::string>{"two"});
  EXPECT_FALSE(splitter.has_partial_line());
}

TEST(LineSplitter, ResetForgetsTheUnfinishedLine) {
  LineSplitter splitter;
  feed_in_pieces(splitter, "half", 4);
  splitter.reset();
  EXPECT_EQ(feed_in_pieces(splitter, "x\n", 2), std::vector<std::string>{"x"});
}

TEST(LineSplitter, CopiesOnlyWhatHasNoPaddingBehindIt) {
  const std::string text = "first\n" + std::string(200, 'x') + "\nlast\n";
  LineSplitter splitter;
  std::vector<bool> is_view;
  splitter.feed(text, [&](std::string_view line) {
    const bool inside = line.data() >= text.data() && line.data() < text.data() + text.size();
    is_view.push_back(inside);
    // What is promised to be readable is read: AddressSanitizer would object.
    unsigned sum = 0;
    for (std::size_t i = 0; i < LineSplitter::kPadding; ++i) {
      sum += static_cast<unsigned char>(line.data()[line.size() + i]);
    }
    EXPECT_GE(sum, inside ? 1U : 0U);
    return true;
  });
  EXPECT_EQ(is_view, (std::vector<bool>{true, false, false}));
}

TEST(LineSplitter, RefusesALineBeyondTheBoundBeforeItIsWhole) {
  LineSplitter splitter(8);
  const auto ignore = [](std::string_view) { return true; };
  EXPECT_EQ(splitter.feed("12345678\n", ignore), LineSplitter::Result::kFed);
  EXPECT_EQ(splitter.feed("12345", ignore), LineSplitter::Result::kFed);
  EXPECT_EQ(splitter.feed("6789", ignore), LineSplitter::Result::kTooLong);
  splitter.reset();
  EXPECT_EQ(splitter.feed("123456789\n", ignore), LineSplitter::Result::kTooLong);
}

TEST(LineSplitter, StopsWhereItIsTold) {
  LineSplitter splitter;
  int seen = 0;
  EXPECT_EQ(splitter.feed("a\nb\nc\n",
                          [&](std::string_view line) {
                            ++seen;
                            return line != "b";
                          }),
            LineSplitter::Result::kStopped);
  EXPECT_EQ(seen, 2);
}

}  // namespace
}  // namespace loglink
