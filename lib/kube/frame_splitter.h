// Cuts a stream that arrives in arbitrary pieces into its frames: four bytes of length, most
// significant first, and so many bytes. So kube-apiserver sends the events of a watch in protobuf.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/model/limits.h"

namespace loglink {

// A frame that lies in one piece is handed over as a view into the caller's bytes; only one that is
// cut by the end of a piece is copied.
class FrameSplitter {
 public:
  enum class Result {
    kFed,
    kStopped,  // on_frame returned false
    kTooLong,  // a frame says that it exceeds the bound
  };

  explicit FrameSplitter(std::size_t max_frame_bytes = limits::kEventBytes)
      : max_frame_bytes_(max_frame_bytes) {}

  // Calls on_frame(std::string_view) -> bool for each frame that `bytes` completes, without its
  // length. The view is valid during the call. After kStopped and kTooLong only reset() may follow.
  template <class OnFrame>
  Result feed(std::string_view bytes, OnFrame&& on_frame) {
    while (!bytes.empty()) {
      if (partial_.empty() && bytes.size() >= kLengthBytes) {
        const std::size_t size = length(bytes);
        if (size > max_frame_bytes_) return Result::kTooLong;
        if (bytes.size() - kLengthBytes >= size) {
          if (!on_frame(bytes.substr(kLengthBytes, size))) return Result::kStopped;
          bytes.remove_prefix(kLengthBytes + size);
          continue;
        }
      }
      if (partial_.size() < kLengthBytes) {
        take(bytes, kLengthBytes - partial_.size());
        if (partial_.size() < kLengthBytes) return Result::kFed;
        // Checked before a byte of the frame is kept.
        if (length(partial_) > max_frame_bytes_) return Result::kTooLong;
        partial_.reserve(kLengthBytes + length(partial_));
      }
      take(bytes, kLengthBytes + length(partial_) - partial_.size());
      if (partial_.size() < kLengthBytes + length(partial_)) return Result::kFed;
      const bool go_on = on_frame(std::string_view(partial_).substr(kLengthBytes));
      partial_.clear();
      // One huge frame must not pin its memory for the life of the stream.
      if (partial_.capacity() > kKeptBytes) partial_ = {};
      if (!go_on) return Result::kStopped;
    }
    return Result::kFed;
  }

  // The stream has ended so far inside a frame.
  [[nodiscard]] bool has_partial_frame() const { return !partial_.empty(); }
  void reset() { partial_ = {}; }

 private:
  static constexpr std::size_t kLengthBytes = 4;
  static constexpr std::size_t kKeptBytes = 256 * 1024;

  // REQUIRES: kLengthBytes are there.
  static std::size_t length(std::string_view bytes) {
    std::size_t size = 0;
    for (const char byte : bytes.substr(0, kLengthBytes)) {
      size = size << 8U | static_cast<unsigned char>(byte);
    }
    return size;
  }

  void take(std::string_view& bytes, std::size_t wanted) {
    const std::size_t count = std::min(wanted, bytes.size());
    partial_.append(bytes.substr(0, count));
    bytes.remove_prefix(count);
  }

  std::size_t max_frame_bytes_;
  std::string partial_;
};

}  // namespace loglink
