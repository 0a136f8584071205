#include "agent/shell/directory_watcher.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <fstream>

#include "agent/shell/system_error.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

// Never IN_MODIFY: a busy writer would fill the queue that all directories share.
constexpr std::uint32_t kMask = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE |
                                IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW |
                                IN_EXCL_UNLINK;
constexpr std::uint32_t kEndsWatch = IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED;
// Beyond this the kernel's own queue (16,384 events) takes over, and says when it overflows.
constexpr std::size_t kNoticesMax = 16384;

}  // namespace

std::size_t affordable_watches() {
  constexpr std::size_t kMost = 4096;
  std::ifstream file("/proc/sys/fs/inotify/max_user_watches");
  std::size_t allowed = 0;
  if (!(file >> allowed)) return kMost;
  return std::min(kMost, allowed / 20);
}

DirectoryWatcher::DirectoryWatcher(std::size_t max_watches) : max_watches_(max_watches) {
  static_cast<void>(has_instance());
}

// A user has few instances, and whoever has them may end.
bool DirectoryWatcher::has_instance() {
  if (!inotify_.valid() && max_watches_ > 0) {
    inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  }
  return inotify_.valid();
}

FileExpected<int> DirectoryWatcher::add_kernel_watch(int directory_fd) {
  // "/." makes the last step a directory: the bare descriptor path is a link, which ONLYDIR and
  // DONT_FOLLOW refuse.
  const std::string path = "/proc/self/fd/" + std::to_string(directory_fd) + "/.";
  const int kernel_watch = ::inotify_add_watch(inotify_.get(), path.c_str(), kMask);
  if (kernel_watch >= 0) return kernel_watch;
  if (errno == ENOSPC || errno == EMFILE) {
    return tl::unexpected(FileError{FileErrorKind::kWatchLimit, errno});
  }
  return file_failure(errno);
}

FileExpected<std::uint64_t> DirectoryWatcher::watch(int directory_fd) {
  if (!has_instance()) return tl::unexpected(FileError{FileErrorKind::kWatchLimit, EMFILE});
  const auto kernel_watch = add_kernel_watch(directory_fd);
  if (!kernel_watch) return tl::unexpected(kernel_watch.error());
  const bool is_new = ids_.count(*kernel_watch) == 0;
  if (is_new && ids_.size() >= max_watches_) {
    if (*kernel_watch != link_directory_watch_) ::inotify_rm_watch(inotify_.get(), *kernel_watch);
    return tl::unexpected(FileError{FileErrorKind::kWatchLimit, ENOSPC});
  }
  const std::uint64_t id = next_id_++;
  kernel_watches_[id] = *kernel_watch;
  ids_[*kernel_watch].insert(id);
  return id;
}

void DirectoryWatcher::unwatch(std::uint64_t id) {
  const auto found = kernel_watches_.find(id);
  if (found == kernel_watches_.end()) return;
  const int kernel_watch = found->second;
  kernel_watches_.erase(found);
  const auto ids = ids_.find(kernel_watch);
  ids->second.erase(id);
  if (!ids->second.empty()) return;
  ids_.erase(ids);
  if (kernel_watch != link_directory_watch_) ::inotify_rm_watch(inotify_.get(), kernel_watch);
}

FileExpected<void> DirectoryWatcher::watch_link_directory(int directory_fd) {
  if (!has_instance()) return tl::unexpected(FileError{FileErrorKind::kWatchLimit, EMFILE});
  const auto kernel_watch = add_kernel_watch(directory_fd);
  if (!kernel_watch) return tl::unexpected(kernel_watch.error());
  const int former = std::exchange(link_directory_watch_, *kernel_watch);
  if (former >= 0 && former != *kernel_watch && ids_.count(former) == 0) {
    ::inotify_rm_watch(inotify_.get(), former);
  }
  return {};
}

std::vector<FileNotice> DirectoryWatcher::take(std::size_t max_notices) {
  if (notices_.size() < max_notices) read_events();
  std::vector<FileNotice> taken;
  while (!notices_.empty() && taken.size() < max_notices) {
    // Of an ended or given back watch nothing is said any more, but that it has ended.
    const FileNotice& notice = notices_.front();
    const bool is_about_watch =
        notice.kind == FileNotice::Kind::kEntry || notice.kind == FileNotice::Kind::kEntryDeleted;
    if (!is_about_watch || kernel_watches_.count(notice.watch) > 0) taken.push_back(notice);
    notices_.pop_front();
  }
  return taken;
}

void DirectoryWatcher::read_events() {
  if (!inotify_.valid()) return;
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  while (notices_.size() < kNoticesMax) {
    const ssize_t bytes =
        retry_interrupted([&] { return ::read(inotify_.get(), buffer.data(), buffer.size()); });
    if (bytes <= 0) return;  // EAGAIN: the queue is empty
    for (std::size_t at = 0; at < static_cast<std::size_t>(bytes);) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string name =
          event.len > 0 ? std::string(buffer.data() + at + sizeof event) : std::string();
      decode(event.wd, event.mask, name);
      at += sizeof event + event.len;
    }
  }
}

void DirectoryWatcher::decode(int kernel_watch, std::uint32_t mask, const std::string& name) {
  if ((mask & IN_Q_OVERFLOW) != 0) {
    notices_.push_back({FileNotice::Kind::kOverflow, 0, ""});
    return;
  }
  if (kernel_watch == link_directory_watch_) decode_link_directory(mask, name);
  const auto ids = ids_.find(kernel_watch);
  if (ids == ids_.end()) return;  // given back while this event was in the queue
  if ((mask & kEndsWatch) != 0) {
    end_kernel_watch(kernel_watch);
    return;
  }
  const FileNotice::Kind kind =
      (mask & IN_DELETE) != 0 ? FileNotice::Kind::kEntryDeleted : FileNotice::Kind::kEntry;
  for (const std::uint64_t id : ids->second) notices_.push_back({kind, id, name});
}

void DirectoryWatcher::decode_link_directory(std::uint32_t mask, const std::string& name) {
  if ((mask & kEndsWatch) != 0) {
    notices_.push_back({FileNotice::Kind::kLinkDirectory, 0, ""});
    if ((mask & IN_IGNORED) != 0) link_directory_watch_ = -1;
    return;
  }
  // Marker and temporary names are the link directory's own business.
  const bool is_own = name == names::kMarkerFile ||
                      name.compare(0, names::kTemporaryPrefix.size(), names::kTemporaryPrefix) == 0;
  FileNotice notice{FileNotice::Kind::kLinkDirectory, 0, name};
  const bool repeats = !notices_.empty() && notices_.back() == notice;
  if (!is_own && !repeats) notices_.push_back(std::move(notice));
}

void DirectoryWatcher::end_kernel_watch(int kernel_watch) {
  const auto ids = ids_.find(kernel_watch);
  for (const std::uint64_t id : ids->second) {
    notices_.push_back({FileNotice::Kind::kDirectoryGone, id, ""});
    kernel_watches_.erase(id);
  }
  ids_.erase(ids);
  // A directory that was moved away is still watched by the kernel; one that is gone is not.
  if (kernel_watch != link_directory_watch_) ::inotify_rm_watch(inotify_.get(), kernel_watch);
}

}  // namespace loglink
