// Patterns against names: the input is <pattern> NUL <name>.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "lib/model/glob.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

// The meaning of a pattern as a table: row by row, which prefixes of the name it matches.
bool matches_by_table(std::string_view pattern, std::string_view name) {
  std::vector<bool> matched(name.size() + 1, false);
  matched[0] = true;
  for (const char c : pattern) {
    if (c == '*') {
      for (std::size_t i = 0; i < name.size(); ++i) matched[i + 1] = matched[i + 1] || matched[i];
      continue;
    }
    for (std::size_t i = name.size(); i > 0; --i) {
      matched[i] = matched[i - 1] && (c == '?' || c == name[i - 1]);
    }
    matched[0] = false;
  }
  return matched[name.size()];
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t nul = input.find('\0');
  const std::string_view pattern = input.substr(0, nul);
  const std::string_view name =
      nul == std::string_view::npos ? std::string_view() : input.substr(nul + 1);
  loglink::is_valid_glob(pattern);
  if (pattern.size() > 256 || name.size() > 1024) return 0;
  loglink::fuzz::require(
      loglink::glob_matches(pattern, name) == loglink::fuzz::matches_by_table(pattern, name),
      "a pattern matches what it means");
  return 0;
}
