// Frames cut into pieces: the first byte says how, the rest is the stream.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/kube/frame_splitter.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

constexpr std::size_t kBound = 300;

// What the stream says, read at leisure.
struct Expected {
  std::vector<std::string> frames;
  bool too_long = false;
  bool rest = false;
};

Expected read_whole(std::string_view stream) {
  Expected expected;
  while (stream.size() >= 4) {
    std::size_t size = 0;
    for (int i = 0; i < 4; ++i) size = size * 256 + static_cast<unsigned char>(stream[i]);
    expected.too_long = size > kBound;
    if (expected.too_long || stream.size() - 4 < size) break;
    expected.frames.emplace_back(stream.substr(4, size));
    stream.remove_prefix(4 + size);
  }
  expected.rest = !stream.empty();
  return expected;
}

void check_stream(std::size_t piece, std::string_view stream) {
  FrameSplitter splitter(kBound);
  std::vector<std::string> frames;
  auto result = FrameSplitter::Result::kFed;
  for (std::size_t at = 0; at < stream.size() && result == FrameSplitter::Result::kFed;
       at += piece) {
    // A copy of its own, so that AddressSanitizer sees a read beyond the piece.
    const std::string bytes(stream.substr(at, piece));
    result = splitter.feed(bytes, [&](std::string_view frame) {
      frames.emplace_back(frame);
      return true;
    });
  }
  const Expected expected = read_whole(stream);
  require((result == FrameSplitter::Result::kTooLong) == expected.too_long, "the bound is held");
  require(frames == expected.frames, "frames are as long as they say");
  if (!expected.too_long) require(splitter.has_partial_frame() == expected.rest, "a rest is told");
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  loglink::fuzz::check_stream(std::size_t{data[0]} + 1, stream);
  return 0;
}
