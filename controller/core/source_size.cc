#include "controller/core/source_size.h"

#include <numeric>
#include <string>

namespace loglink {
namespace {

// Keys, quotes, commas, numbers and both times of one source make 241 bytes.
constexpr std::size_t kFixedBytes = 256;
constexpr std::size_t kListItemBytes = 3;  // quotes and comma
constexpr std::size_t kEscapedBytes = 6;   // \u003c

std::size_t text_bytes(const std::string& text) {
  std::size_t bytes = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '<' || c == '>' || c == '&') {
      bytes += kEscapedBytes;
    } else if (byte >= 0x80) {
      bytes += kEscapedBytes / 2;  // \uXXXX stands for two bytes or more, a pair for four
    } else if (c == '"' || c == '\\') {
      bytes += 2;
    } else {
      bytes += 1;
    }
  }
  return bytes;
}

std::size_t list_bytes(const std::vector<std::string>& list) {
  return std::accumulate(list.begin(), list.end(), std::size_t{0},
                         [](std::size_t sum, const std::string& item) {
                           return sum + text_bytes(item) + kListItemBytes;
                         });
}

}  // namespace

std::size_t source_bytes(const Source& source) {
  return kFixedBytes + text_bytes(source.namespace_name) + text_bytes(source.pod) +
         text_bytes(source.uid) + text_bytes(source.container) + text_bytes(source.root) +
         text_bytes(source.path) + text_bytes(source.naming) + list_bytes(source.include) +
         list_bytes(source.exclude) + list_bytes(source.required_features);
}

std::size_t spec_bytes(const NodeLinkSetSpec& spec) {
  return std::accumulate(
      spec.sources.begin(), spec.sources.end(), std::size_t{0},
      [](std::size_t sum, const Source& source) { return sum + source_bytes(source); });
}

}  // namespace loglink
