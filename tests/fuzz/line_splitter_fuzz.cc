// Streams cut into pieces: the first byte says how, the rest is the stream.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/text.h"
#include "lib/kube/line_splitter.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

constexpr std::size_t kBound = 200;

void check_stream(std::size_t piece, std::string_view stream) {
  LineSplitter splitter(kBound);
  std::vector<std::string> lines;
  auto result = LineSplitter::Result::kFed;
  for (std::size_t at = 0; at < stream.size() && result == LineSplitter::Result::kFed;
       at += piece) {
    // A copy of its own, so that AddressSanitizer sees a read beyond the piece.
    const std::string bytes(stream.substr(at, piece));
    result = splitter.feed(bytes, [&](std::string_view line) {
      volatile char last = '\0';
      for (std::size_t i = 0; i < LineSplitter::kPadding; ++i) last = line.data()[line.size() + i];
      static_cast<void>(last);
      lines.emplace_back(line);
      return true;
    });
  }
  std::vector<std::string> expected;
  bool is_too_long = false;
  const std::vector<std::string> all = split(stream, '\n');
  for (std::size_t i = 0; i < all.size() && !is_too_long; ++i) {
    is_too_long = all[i].size() > kBound;
    if (!is_too_long && !all[i].empty() && i + 1 < all.size()) expected.push_back(all[i]);
  }
  require((result == LineSplitter::Result::kTooLong) == is_too_long, "the bound is held");
  require(lines == expected, "lines are what is between newlines");
  if (!is_too_long) require(splitter.has_partial_line() == !all.back().empty(), "a rest is told");
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  loglink::fuzz::check_stream(std::size_t{data[0]} + 1, stream);
  return 0;
}
