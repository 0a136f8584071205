// Cuts a stream that arrives in arbitrary pieces into its lines (one JSON document each).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "lib/model/limits.h"

namespace loglink {

// Most lines are handed over as views into the caller's bytes; only one that is cut by the end of a
// piece, or ends within kPadding bytes of it, is copied.
class LineSplitter {
 public:
  // At least so many bytes behind each line are readable: what SIMD parsers ask for.
  static constexpr std::size_t kPadding = 64;

  enum class Result {
    kFed,
    kStopped,  // on_line returned false
    kTooLong,  // a line exceeds the bound
  };

  explicit LineSplitter(std::size_t max_line_bytes = limits::kEventBytes)
      : max_line_bytes_(max_line_bytes) {}

  // Calls on_line(std::string_view) -> bool for each line that `bytes` completes, without its
  // newline; empty lines are left out. The view is valid during the call. After kStopped and
  // kTooLong only reset() may follow.
  template <class OnLine>
  Result feed(std::string_view bytes, OnLine&& on_line) {
    while (!bytes.empty()) {
      const std::size_t newline = bytes.find('\n');
      const std::string_view piece = bytes.substr(0, newline);
      if (partial_.size() + piece.size() > max_line_bytes_) return Result::kTooLong;
      if (newline == std::string_view::npos) {
        partial_.append(piece);
        return Result::kFed;
      }
      bytes.remove_prefix(newline + 1);
      const bool go_on = partial_.empty() && bytes.size() + 1 >= kPadding
                             ? piece.empty() || on_line(piece)
                             : finish_copy(piece, on_line);
      if (!go_on) return Result::kStopped;
    }
    return Result::kFed;
  }

  // The stream has ended so far inside a line.
  [[nodiscard]] bool has_partial_line() const { return !partial_.empty(); }
  void reset() { partial_ = {}; }

 private:
  template <class OnLine>
  bool finish_copy(std::string_view piece, OnLine& on_line) {
    partial_.append(piece);
    const std::size_t size = partial_.size();
    partial_.append(kPadding, '\0');
    const bool go_on = size == 0 || on_line(std::string_view(partial_).substr(0, size));
    partial_.clear();
    // One huge line must not pin its memory for the life of the stream.
    if (partial_.capacity() > kKeptBytes) partial_ = {};
    return go_on;
  }

  static constexpr std::size_t kKeptBytes = 256 * 1024;

  std::size_t max_line_bytes_;
  std::string partial_;
};

}  // namespace loglink
