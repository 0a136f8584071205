#include "controller/core/source_size.h"

#include <numeric>
#include <string>

namespace loglink {
namespace {

// Keys, quotes, commas, numbers and both times of one source make 241 bytes.
constexpr std::size_t kFixedBytes = 256;
constexpr std::size_t kListItemBytes = 3;  // quotes and comma
constexpr std::size_t kEscapedBytes = 6;   // \u003c

// A path is the one field that may hold characters that JSON writers escape.
std::size_t path_bytes(const std::string& path) {
  std::size_t bytes = path.size();
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80) {
      bytes += kEscapedBytes / 2 - 1;  // \uXXXX stands for two bytes or more, a pair for four
    } else if (c == '<' || c == '>' || c == '&' || byte == 0x7f) {
      bytes += kEscapedBytes - 1;
    } else if (c == '"' || c == '\\') {
      bytes += 1;
    }
  }
  return bytes;
}

std::size_t list_bytes(const std::vector<std::string>& list) {
  return std::accumulate(
      list.begin(), list.end(), std::size_t{0},
      [](std::size_t sum, const std::string& item) { return sum + item.size() + kListItemBytes; });
}

}  // namespace

std::size_t source_bytes(const Source& source) {
  return kFixedBytes + source.namespace_name.size() + source.pod.size() + source.uid.size() +
         source.container.size() + source.root.size() + path_bytes(source.path) +
         source.naming.size() + list_bytes(source.include) + list_bytes(source.exclude) +
         list_bytes(source.required_features);
}

std::size_t spec_bytes(const NodeLinkSetSpec& spec) {
  return std::accumulate(
      spec.sources.begin(), spec.sources.end(), std::size_t{0},
      [](std::size_t sum, const Source& source) { return sum + source_bytes(source); });
}

}  // namespace loglink
