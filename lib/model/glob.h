// Patterns on a file's base name: `*` any bytes (a leading dot too), `?` one byte, byte-wise and
// case-sensitive.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loglink {

// Linear in |pattern| * |name| at worst; no recursion.
bool glob_matches(std::string_view pattern, std::string_view name);

// Included by one pattern and excluded by none.
bool is_wanted(const std::vector<std::string>& include, const std::vector<std::string>& exclude,
               std::string_view base_name);

// 1 to 64 characters of A-Z a-z 0-9 . _ * ? @ + = ~ -
bool is_valid_glob(std::string_view pattern);

}  // namespace loglink
