#include "lib/model/path.h"

#include <algorithm>

#include "lib/base/text.h"

namespace loglink {

std::string normalize_path(std::string_view path) {
  const bool absolute = !path.empty() && path.front() == '/';
  std::vector<std::string> kept;
  for (std::string& part : split(path, '/')) {
    if (!part.empty() && part != ".") kept.push_back(std::move(part));
  }
  return (absolute ? "/" : "") + join(kept, "/");
}

bool path_contains(std::string_view directory, std::string_view path) {
  if (directory == "/") return !path.empty() && path.front() == '/';
  if (path.substr(0, directory.size()) != directory) return false;
  return directory.empty() || path.size() == directory.size() || path[directory.size()] == '/';
}

std::string path_below(std::string_view directory, std::string_view path) {
  std::string_view rest = path.substr(directory.size());
  if (!rest.empty() && rest.front() == '/') rest.remove_prefix(1);
  return std::string(rest);
}

std::string join_path(std::string_view a, std::string_view b) {
  if (a.empty()) return std::string(b);
  if (b.empty()) return std::string(a);
  std::string path(a);
  if (path.back() != '/') path += '/';
  path += b;
  return path;
}

bool has_dot_dot(std::string_view path) {
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    if (path.substr(begin, end - begin) == "..") return true;
    begin = end + 1;
  }
  return false;
}

bool has_control_character(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

}  // namespace loglink
