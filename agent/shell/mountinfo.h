// /proc/<pid>/mountinfo as values (proc(5)).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loglink {

struct MountPoint {
  std::uint64_t id = 0;
  std::string root;                  // of the mount within its file system
  std::string mount_point;           // as the reading process sees it
  std::vector<std::string> options;  // of the mount, not of the file system
  std::string file_system;

  auto operator<=>(const MountPoint&) const = default;
};

// In the order of the text. Lines that are not as proc(5) says are left out.
std::vector<MountPoint> parse_mountinfo(std::string_view text);

// "\040" and its like, as the kernel writes blanks, tabs, newlines and backslashes.
std::string unescape_mount_path(std::string_view text);

bool has_option(const MountPoint& mount, std::string_view option);
// Read-only, nosuid, nodev, noexec and nosymfollow: what the clone of a root must be.
bool has_safe_options(const MountPoint& mount);

const MountPoint* find_mount(const std::vector<MountPoint>& mounts, std::uint64_t id);
// How many mounts lie on top of each other at that path.
std::size_t count_mounts_at(const std::vector<MountPoint>& mounts, std::string_view mount_point);
// Mount points strictly below a directory, each once, sorted.
std::vector<std::string> mount_points_below(const std::vector<MountPoint>& mounts,
                                            std::string_view directory);

}  // namespace loglink
