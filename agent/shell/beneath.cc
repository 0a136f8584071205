#include "agent/shell/beneath.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include "agent/shell/system_error.h"

namespace loglink {
namespace {

constexpr std::uint64_t kResolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;

FileExpected<UniqueFd> open_beneath(int directory_fd, const std::string& path, int flags,
                                    MountCrossing crossing) {
  open_how how{};
  // Never O_NOFOLLOW: together with O_PATH it would hand out a trailing symlink itself instead of
  // refusing it.
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = kResolve;
  if (crossing == MountCrossing::kRefused) how.resolve |= RESOLVE_NO_XDEV;
  const char* name = path.empty() ? "." : path.c_str();
  // A path with a NUL byte would be cut by the kernel and mean something else.
  if (path.find('\0') != std::string::npos) return file_failure(ENOENT);
  // EAGAIN: something was renamed on the way; the kernel asks to try again.
  for (int attempt = 0;; ++attempt) {
    const long fd = retry_interrupted(
        [&] { return ::syscall(SYS_openat2, directory_fd, name, &how, sizeof how); });
    if (fd >= 0) return UniqueFd(static_cast<int>(fd));
    if (errno != EAGAIN || attempt == 8) return file_failure(errno);
  }
}

FileKind kind_of(unsigned mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return FileKind::kRegular;
    case S_IFDIR:
      return FileKind::kDirectory;
    case S_IFLNK:
      return FileKind::kSymlink;
    case S_IFIFO:
      return FileKind::kFifo;
    case S_IFSOCK:
      return FileKind::kSocket;
    case S_IFCHR:
    case S_IFBLK:
      return FileKind::kDevice;
    default:
      return FileKind::kUnknown;
  }
}

std::int64_t nanoseconds(const statx_timestamp& time) {
  return time.tv_sec * 1'000'000'000 + time.tv_nsec;
}

FileInfo to_info(const struct statx& status) {
  FileInfo info;
  info.kind = kind_of(status.stx_mode);
  info.id = {gnu_dev_makedev(status.stx_dev_major, status.stx_dev_minor), status.stx_ino};
  if ((status.stx_mask & STATX_BTIME) != 0) info.birth_ns = nanoseconds(status.stx_btime);
  info.change_ns = nanoseconds(status.stx_ctime);
  info.size = status.stx_size;
  return info;
}

// AT_STATX_DONT_SYNC: a mount point of a network file system among the entries must not hang us.
FileExpected<struct statx> read_statx(int fd, const char* name, int flags) {
  struct statx status {};
  const int result = retry_interrupted([&] {
    return ::statx(fd, name, flags | AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC,
                   STATX_BASIC_STATS | STATX_BTIME, &status);
  });
  if (result != 0) return file_failure(errno);
  return status;
}

// The record of getdents64(2); libc's dirent64 has a name of fixed size.
struct RawEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
};
constexpr std::size_t kRawNameOffset = offsetof(RawEntry, type) + 1;

// The names in an open directory, one after the other.
class NameReader {
 public:
  // nullopt at the end.
  FileExpected<std::optional<std::string>> next(int fd) {
    for (;;) {
      while (at_ < filled_) {
        RawEntry raw{};
        std::memcpy(&raw, buffer_->data() + at_, kRawNameOffset);
        std::string name(buffer_->data() + at_ + kRawNameOffset);
        at_ += raw.length;
        if (name != "." && name != "..") return name;
      }
      const long bytes = retry_interrupted(
          [&] { return ::syscall(SYS_getdents64, fd, buffer_->data(), kBufferBytes); });
      if (bytes < 0) return file_failure(errno);
      if (bytes == 0) return std::nullopt;
      at_ = 0;
      filled_ = static_cast<std::size_t>(bytes);
    }
  }

 private:
  static constexpr std::size_t kBufferBytes = 32 * 1024;

  std::unique_ptr<std::array<char, kBufferBytes>> buffer_ =
      std::make_unique<std::array<char, kBufferBytes>>();
  std::size_t at_ = 0;
  std::size_t filled_ = 0;
};

// nullopt: gone since the kernel named it, as if it had never been there.
std::optional<DirectoryEntry> look_at_entry(int fd, std::string name) {
  const auto status = read_statx(fd, name.c_str(), AT_SYMLINK_NOFOLLOW);
  if (!status && status.error().kind == FileErrorKind::kNotFound) return std::nullopt;
  DirectoryEntry entry;
  entry.name = std::move(name);
  // An entry that cannot be asked (a dead mount point) is there, of no known kind.
  if (status) entry.info = to_info(*status);
  return entry;
}

class PieceReader final : public DirectoryReader {
 public:
  explicit PieceReader(UniqueFd fd) : fd_(std::move(fd)) {}

  FileExpected<void> read(std::size_t max_entries, std::vector<DirectoryEntry>& into) override {
    for (std::size_t added = 0; added < max_entries;) {
      auto name = names_.next(fd_.get());
      if (!name) return tl::unexpected(name.error());
      if (!*name) return {};
      std::optional<DirectoryEntry> entry = look_at_entry(fd_.get(), std::move(**name));
      if (!entry) continue;
      into.push_back(std::move(*entry));
      ++added;
    }
    return {};
  }

 private:
  UniqueFd fd_;
  NameReader names_;
};

}  // namespace

FileExpected<UniqueFd> open_path_beneath(int directory_fd, const std::string& path,
                                         MountCrossing crossing) {
  return open_beneath(directory_fd, path, O_PATH, crossing);
}

FileExpected<UniqueFd> open_directory_beneath(int directory_fd, const std::string& path,
                                              MountCrossing crossing) {
  return open_beneath(directory_fd, path, O_RDONLY | O_DIRECTORY, crossing);
}

FileExpected<FileInfo> file_info(int fd) {
  const auto status = read_statx(fd, "", AT_EMPTY_PATH);
  if (!status) return tl::unexpected(status.error());
  return to_info(*status);
}

FileExpected<bool> is_mount_root(int fd) {
  const auto status = read_statx(fd, "", AT_EMPTY_PATH);
  if (!status) return tl::unexpected(status.error());
  return (status->stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

FileExpected<OpenDirectory> read_in_pieces(UniqueFd fd) {
  const auto directory = file_info(fd.get());
  if (!directory) return tl::unexpected(directory.error());
  return OpenDirectory{*directory, std::make_unique<PieceReader>(std::move(fd))};
}

FileExpected<std::vector<std::string>> list_names(int fd) {
  std::vector<std::string> all;
  NameReader names;
  for (;;) {
    auto name = names.next(fd);
    if (!name) return tl::unexpected(name.error());
    if (!*name) return all;
    all.push_back(std::move(**name));
  }
}

FileExpected<std::string> read_link_at(int directory_fd, const std::string& name) {
  std::array<char, PATH_MAX + 1> buffer;
  const ssize_t bytes = retry_interrupted(
      [&] { return ::readlinkat(directory_fd, name.c_str(), buffer.data(), buffer.size()); });
  if (bytes < 0) {
    if (errno == EINVAL) return tl::unexpected(FileError{FileErrorKind::kNotOurs, EINVAL});
    return file_failure(errno);
  }
  return std::string(buffer.data(), static_cast<std::size_t>(bytes));
}

}  // namespace loglink
