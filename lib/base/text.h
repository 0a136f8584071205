// Small text functions that several layers share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loglink {

// Makes tenants' bytes safe to show (annotation, Event, condition, log): printable ASCII stays,
// every other byte becomes \xNN, the result is at most max_bytes long and never ends inside an
// escape; a cut text ends in "...".
std::string sanitize(std::string_view text, std::size_t max_bytes = 512);

// Pieces between separators, empty ones included; "" gives one empty piece.
std::vector<std::string> split(std::string_view text, char separator);

// Removes U+0020 from both ends.
std::string_view trim_spaces(std::string_view text);

// ASCII only, whatever the locale.
char to_lower(char c);

std::string join(const std::vector<std::string>& parts, std::string_view separator);

}  // namespace loglink
