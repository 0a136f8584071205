// Both splitters give the same however a stream is cut: every way to cut a short one, and every
// size of piece for a longer one.
#include "lib/kube/frame_splitter.h"

#include <gtest/gtest.h>

#include <vector>

#include "lib/kube/line_splitter.h"

namespace loglink {
namespace {

using Parts = std::vector<std::string>;

std::string frame(const std::string& bytes) {
  std::string out;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    out += static_cast<char>(bytes.size() >> shift & 0xffU);
  }
  return out + bytes;
}

// Feeds `stream` in the pieces that end where a bit of `cuts` is set.
template <class Splitter>
Parts feed_cut(Splitter& splitter, const std::string& stream, std::uint64_t cuts) {
  Parts parts;
  std::size_t begin = 0;
  for (std::size_t end = 1; end <= stream.size(); ++end) {
    const bool is_cut = end == stream.size() || (cuts >> (end - 1) & 1U) != 0;
    if (!is_cut) continue;
    // A copy of its own, so that a sanitizer sees a read beyond the piece.
    const std::vector<char> piece(stream.begin() + static_cast<std::ptrdiff_t>(begin),
                                  stream.begin() + static_cast<std::ptrdiff_t>(end));
    const auto result =
        splitter.feed(std::string_view(piece.data(), piece.size()), [&](std::string_view part) {
          parts.emplace_back(part);
          return true;
        });
    EXPECT_EQ(result, Splitter::Result::kFed);
    begin = end;
  }
  return parts;
}

TEST(Splitters, EveryWayToCutAStreamGivesTheSameFrames) {
  const std::string stream = frame("ab") + frame("") + frame("c");
  ASSERT_EQ(stream.size(), 15U);
  for (std::uint64_t cuts = 0; cuts < 1U << 14U; ++cuts) {
    FrameSplitter splitter;
    ASSERT_EQ(feed_cut(splitter, stream, cuts), (Parts{"ab", "", "c"})) << cuts;
    ASSERT_FALSE(splitter.has_partial_frame());
  }
}

TEST(Splitters, EveryWayToCutAStreamGivesTheSameLines) {
  const std::string stream = "ab\n\ncdef\nghi\njk";
  ASSERT_EQ(stream.size(), 15U);
  for (std::uint64_t cuts = 0; cuts < 1U << 14U; ++cuts) {
    LineSplitter splitter;
    ASSERT_EQ(feed_cut(splitter, stream, cuts), (Parts{"ab", "cdef", "ghi"})) << cuts;
    ASSERT_TRUE(splitter.has_partial_line());
  }
}

TEST(FrameSplitter, GivesTheSameFramesForEverySizeOfPiece) {
  std::string stream;
  Parts expected;
  for (std::size_t i = 0; i < 40; ++i) {
    expected.push_back(std::string(i * 37 % 700, static_cast<char>('a' + i % 26)));
    stream += frame(expected.back());
  }
  for (std::size_t size = 1; size <= stream.size(); ++size) {
    FrameSplitter splitter;
    Parts parts;
    for (std::size_t at = 0; at < stream.size(); at += size) {
      splitter.feed(std::string_view(stream).substr(at, size), [&](std::string_view part) {
        parts.emplace_back(part);
        return true;
      });
    }
    ASSERT_EQ(parts, expected) << size;
    ASSERT_FALSE(splitter.has_partial_frame());
  }
}

TEST(FrameSplitter, KnowsAboutAnUnfinishedFrameInItsLengthToo) {
  const std::string stream = frame("abc");
  for (std::size_t size = 1; size < stream.size(); ++size) {
    FrameSplitter splitter;
    EXPECT_TRUE(feed_cut(splitter, stream.substr(0, size), 0).empty());
    EXPECT_TRUE(splitter.has_partial_frame());
    splitter.reset();
    EXPECT_FALSE(splitter.has_partial_frame());
    EXPECT_EQ(feed_cut(splitter, stream, 0), Parts{"abc"}) << "the rest is forgotten";
  }
}

TEST(FrameSplitter, RefusesAFrameBeyondTheBoundAtItsLength) {
  const auto ignore = [](std::string_view) { return true; };
  for (const std::size_t piece : {1U, 3U, 4U, 100U}) {
    FrameSplitter splitter(8);
    const std::string stream = frame("12345678") + frame("123456789").substr(0, 4);
    FrameSplitter::Result result = FrameSplitter::Result::kFed;
    std::size_t at = 0;
    for (; at < stream.size() && result == FrameSplitter::Result::kFed; at += piece) {
      result = splitter.feed(std::string_view(stream).substr(at, piece), ignore);
    }
    EXPECT_EQ(result, FrameSplitter::Result::kTooLong) << piece;
    EXPECT_GE(at, stream.size()) << "the frame before it was good";
  }
  FrameSplitter splitter;
  EXPECT_EQ(splitter.feed("\xff\xff\xff\xff", ignore), FrameSplitter::Result::kTooLong);
}

TEST(FrameSplitter, StopsWhereItIsTold) {
  const std::string stream = frame("a") + frame("b") + frame("c");
  for (const std::size_t head : {std::size_t{0}, std::size_t{7}}) {
    FrameSplitter splitter;
    int seen = 0;
    const auto on_frame = [&](std::string_view part) {
      ++seen;
      return part != "b";
    };
    splitter.feed(std::string_view(stream).substr(0, head), on_frame);
    EXPECT_EQ(splitter.feed(std::string_view(stream).substr(head), on_frame),
              FrameSplitter::Result::kStopped);
    EXPECT_EQ(seen, 2);
  }
}

TEST(FrameSplitter, CopiesOnlyWhatIsCut) {
  const std::string stream = frame("first") + frame("second") + frame("third");
  const std::string_view piece = std::string_view(stream).substr(0, stream.size() - 2);
  FrameSplitter splitter;
  int views = 0;
  splitter.feed(piece, [&](std::string_view part) {
    if (part.data() >= stream.data() && part.data() < stream.data() + stream.size()) ++views;
    return true;
  });
  EXPECT_EQ(views, 2);
}

}  // namespace
}  // namespace loglink
