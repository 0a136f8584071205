// A file or directory by its root's name and the path below it, and how links spell it.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/file_port.h"
#include "lib/model/config.h"

namespace loglink {

// What symlink(2) takes: PATH_MAX less its NUL.
inline constexpr std::size_t kTargetBytesMax = 4095;

struct Target {
  std::string root;  // "" for a link of ours whose prefix no configured root explains
  std::string path;  // relative; "" is the root itself

  auto operator<=>(const Target&) const = default;
};

// The directory part of a relative path; "" for a path without "/".
std::string_view parent_path(std::string_view path);
std::string_view base_name(std::string_view path);
// The number of components; 0 for "".
int path_depth(std::string_view path);

// Link texts to targets and back. A value: asks the port once, when it is made.
class TargetSpelling {
 public:
  TargetSpelling(const AgentConfig& config, const FilePort& port);

  // How a link to that file is spelled now.
  [[nodiscard]] std::string text(const Target& target) const;
  // nullopt unless the text makes a link ours: an owned prefix and no "..".
  [[nodiscard]] std::optional<Target> parse(std::string_view text) const;

 private:
  struct Prefix {
    std::string text;  // ends in "/"
    std::string root;
  };

  std::map<std::string, std::string, std::less<>> current_;
  std::vector<Prefix> prefixes_;  // longest first
  std::vector<std::string> owned_;
  std::string roots_dir_;  // ends in "/"
};

}  // namespace loglink
