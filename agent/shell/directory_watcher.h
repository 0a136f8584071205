// One inotify instance. What it says is a hint: the agent converges without it.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "lib/base/unique_fd.h"

namespace loglink {

class DirectoryWatcher {
 public:
  // A `max_watches` of 0 switches inotify off: each watch() then fails with kWatchLimit.
  explicit DirectoryWatcher(std::size_t max_watches);

  // Readable when there is something to take; -1 while there is no inotify, which each watch()
  // tries to get.
  [[nodiscard]] int descriptor() const { return inotify_.get(); }

  // Two watches of one directory share the kernel's, which ends with the last of them.
  FileExpected<std::uint64_t> watch(int directory_fd);
  void unwatch(std::uint64_t id);
  // Ends the watch of the former link directory, if there was another.
  FileExpected<void> watch_link_directory(int directory_fd);
  [[nodiscard]] bool watches_link_directory() const { return link_directory_watch_ >= 0; }

  std::vector<FileNotice> take(std::size_t max_notices);
  // Some were read from the kernel and not taken yet.
  [[nodiscard]] bool has_notices() const { return !notices_.empty(); }

 private:
  bool has_instance();
  void decode_link_directory(std::uint32_t mask, const std::string& name);
  FileExpected<int> add_kernel_watch(int directory_fd);
  void read_events();
  void decode(int kernel_watch, std::uint32_t mask, const std::string& name);
  void end_kernel_watch(int kernel_watch);

  UniqueFd inotify_;
  std::size_t max_watches_;
  std::uint64_t next_id_ = 1;
  std::map<std::uint64_t, int> kernel_watches_;  // by our id
  std::map<int, std::set<std::uint64_t>> ids_;   // by the kernel's
  int link_directory_watch_ = -1;
  std::deque<FileNotice> notices_;
};

// What this node can spare: 5 % of fs.inotify.max_user_watches, at most 4,096.
std::size_t affordable_watches();

}  // namespace loglink
