// Paths as text. Nothing here asks a file system, and nothing ever collapses "..".
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"

namespace loglink {

// Removes "//", "/./" and a trailing "/". "/" stays "/". ".." is kept as it is.
std::string normalize_path(std::string_view path);

// True when `path` is `directory` or below it on a path boundary: "/var/log" does not contain
// "/var/logs". Both normalised; "/" contains every absolute path.
bool path_contains(std::string_view directory, std::string_view path);

// What is left of `path` below `directory`, without a leading "/"; "" when they are equal.
// REQUIRES: path_contains(directory, path).
std::string path_below(std::string_view directory, std::string_view path);

// a + "/" + b, either of which may be empty.
std::string join_path(std::string_view a, std::string_view b);

bool has_dot_dot(std::string_view path);
bool has_control_character(std::string_view text);

}  // namespace loglink
