// /proc/self/mountinfo: paths in it are made by whoever mounts.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "agent/shell/mountinfo.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using loglink::fuzz::require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto mounts = loglink::parse_mountinfo(text);
  const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  require(mounts.size() <= lines, "a line is at most one mount");
  for (const loglink::MountPoint& mount : mounts) {
    require(loglink::count_mounts_at(mounts, mount.mount_point) >= 1, "a mount is where it is");
    require(loglink::find_mount(mounts, mount.id) != nullptr, "a mount is found by its id");
    if (mounts.size() > 64) break;
  }
  const auto below = loglink::mount_points_below(mounts, "/run");
  require(std::is_sorted(below.begin(), below.end()), "mount points are sorted");
  require(loglink::unescape_mount_path(text).size() <= size, "a path never grows");
  return 0;
}
