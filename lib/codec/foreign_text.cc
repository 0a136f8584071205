#include "lib/codec/foreign_text.h"

#include <simdjson.h>

#include <algorithm>

namespace loglink {
namespace {

// The size of the character that begins at `at`; 0: none does.
std::size_t character_bytes(const std::string& text, std::size_t at) {
  constexpr std::size_t kLongest = 4;
  const std::size_t left = std::min(kLongest, text.size() - at);
  for (std::size_t size = 1; size <= left; ++size) {
    if (simdjson::validate_utf8(text.data() + at, size)) return size;
  }
  return 0;
}

}  // namespace

void mend_utf8(std::string& text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_bytes(text, at);
    if (size == 0) text[at] = '?';
    at += std::max<std::size_t>(size, 1);
  }
}

}  // namespace loglink
