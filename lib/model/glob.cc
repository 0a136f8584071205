#include "lib/model/glob.h"

#include <algorithm>

#include "lib/model/limits.h"

namespace loglink {

bool glob_matches(std::string_view pattern, std::string_view name) {
  std::size_t p = 0;
  std::size_t n = 0;
  std::size_t star = std::string_view::npos;  // position of the last `*` seen in pattern
  std::size_t resume = 0;                     // where in name its match is tried next
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      n = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool is_wanted(const std::vector<std::string>& include, const std::vector<std::string>& exclude,
               std::string_view base_name) {
  const auto matches = [&](const std::string& pattern) { return glob_matches(pattern, base_name); };
  return std::any_of(include.begin(), include.end(), matches) &&
         std::none_of(exclude.begin(), exclude.end(), matches);
}

bool is_valid_glob(std::string_view pattern) {
  static constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._*?@+=~-";
  return !pattern.empty() && pattern.size() <= limits::kPatternBytes &&
         pattern.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace loglink
