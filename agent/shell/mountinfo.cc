#include "agent/shell/mountinfo.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "lib/base/text.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// 36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
// id parent device root mount-point options [tag...] - type source super-options
std::optional<MountPoint> parse_line(std::string_view line) {
  const std::vector<std::string> fields = split(line, ' ');
  constexpr std::size_t kFixedFields = 6;
  if (fields.size() < kFixedFields + 2) return std::nullopt;
  const auto dash = std::find(fields.begin() + kFixedFields, fields.end(), "-");
  if (dash == fields.end() || dash + 1 == fields.end()) return std::nullopt;
  MountPoint mount;
  const std::string& id = fields[0];
  const auto parsed = std::from_chars(id.data(), id.data() + id.size(), mount.id);
  if (parsed.ec != std::errc() || parsed.ptr != id.data() + id.size()) return std::nullopt;
  mount.root = unescape_mount_path(fields[3]);
  mount.mount_point = unescape_mount_path(fields[4]);
  mount.options = split(fields[5], ',');
  mount.file_system = *(dash + 1);
  return mount;
}

}  // namespace

std::string unescape_mount_path(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_escape = text[i] == '\\' && i + 3 < text.size() && text[i + 1] <= '3' &&
                           is_octal(text[i + 1]) && is_octal(text[i + 2]) && is_octal(text[i + 3]);
    if (!is_escape) {
      plain += text[i];
      continue;
    }
    const int value = (text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0');
    plain += static_cast<char>(value);
    i += 3;
  }
  return plain;
}

std::vector<MountPoint> parse_mountinfo(std::string_view text) {
  std::vector<MountPoint> mounts;
  for (const std::string& line : split(text, '\n')) {
    auto mount = parse_line(line);
    if (mount) mounts.push_back(*std::move(mount));
  }
  return mounts;
}

bool has_option(const MountPoint& mount, std::string_view option) {
  return std::find(mount.options.begin(), mount.options.end(), option) != mount.options.end();
}

bool has_safe_options(const MountPoint& mount) {
  for (const std::string_view needed : {"ro", "nosuid", "nodev", "noexec", "nosymfollow"}) {
    if (!has_option(mount, needed)) return false;
  }
  return true;
}

const MountPoint* find_mount(const std::vector<MountPoint>& mounts, std::uint64_t id) {
  const auto found = std::find_if(mounts.begin(), mounts.end(),
                                  [&](const MountPoint& mount) { return mount.id == id; });
  return found == mounts.end() ? nullptr : &*found;
}

std::size_t count_mounts_at(const std::vector<MountPoint>& mounts, std::string_view mount_point) {
  return static_cast<std::size_t>(
      std::count_if(mounts.begin(), mounts.end(),
                    [&](const MountPoint& mount) { return mount.mount_point == mount_point; }));
}

std::vector<std::string> mount_points_below(const std::vector<MountPoint>& mounts,
                                            std::string_view directory) {
  std::set<std::string> below;
  for (const MountPoint& mount : mounts) {
    if (mount.mount_point != directory && path_contains(directory, mount.mount_point)) {
      below.insert(mount.mount_point);
    }
  }
  return {below.begin(), below.end()};
}

}  // namespace loglink
