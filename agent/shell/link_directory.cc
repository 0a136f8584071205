#include "agent/shell/link_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "agent/shell/beneath.h"
#include "agent/shell/system_error.h"
#include "lib/base/text.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

constexpr std::string_view kFirstLine = "loglink-links 1";
constexpr std::size_t kMarkerBytesMax = 64 * 1024;

const std::string kMarker(names::kMarkerFile);

bool is_temporary(std::string_view name) {
  return name.substr(0, names::kTemporaryPrefix.size()) == names::kTemporaryPrefix;
}

bool is_own_business(std::string_view name) { return name == kMarker || is_temporary(name); }

// Names come from link_name() and from the directory itself; any other could lead out of it.
bool is_plain(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         !is_own_business(name);
}

template <class T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

// Whoever could write the marker once must not be able to make us remove others' links.
bool is_explained(const std::string& prefix, const LinkDirectory::Prefixes& prefixes) {
  if (prefix.empty() || prefix.back() != '/' || has_dot_dot(prefix)) return false;
  if (contains(prefixes.explained, prefix)) return true;
  const std::string& below = prefixes.explained_below;
  return prefix.size() > below.size() && prefix.substr(0, below.size()) == below;
}

// Somebody else's directory or marker, or a system error.
FileError not_ownable(const Error& error) {
  const bool is_foreign = error.code == ErrorCode::kFailedPrecondition;
  return {is_foreign ? FileErrorKind::kNotOurs : FileErrorKind::kIo, 0};
}

}  // namespace

Expected<void> make_directories(const std::string& path) {
  for (std::size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string parent = path.substr(0, slash);
    if (::mkdir(parent.c_str(), 0755) != 0 && errno != EEXIST) {
      // A parent that is there on a read-only file system says EROFS, not EEXIST.
      struct stat status {};
      const int error = errno;
      if (::stat(parent.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) {
        return fail_errno(error, parent);
      }
    }
    if (slash == std::string::npos) return {};
  }
}

LinkDirectory::LinkDirectory(std::string path, Prefixes prefixes, Access access)
    : path_(std::move(path)), prefixes_(std::move(prefixes)), access_(access) {}

Expected<void> LinkDirectory::open() {
  locked_ = false;
  marker_.reset();
  marked_prefixes_.clear();
  if (access_ == Access::kWrite) LOGLINK_TRY(make_directories(path_));
  directory_.reset(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory_.valid()) {
    if (errno == ENOENT && access_ == Access::kRead) return {};
    return fail_errno(errno, "linkDir " + path_);
  }
  return open_marker();
}

Expected<void> LinkDirectory::open_marker() {
  const int mode = access_ == Access::kWrite ? O_RDWR | O_APPEND : O_RDONLY;
  marker_.reset(::openat(directory_.get(), kMarker.c_str(),
                         mode | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!marker_.valid()) {
    if (errno == ENOENT) return create_marker();
    return fail_errno(errno, "linkDir " + path_ + ": marker " + kMarker);
  }
  struct stat status {};
  if (::fstat(marker_.get(), &status) != 0) return fail_errno(errno, path_ + "/" + kMarker);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 022) != 0) {
    return fail(ErrorCode::kFailedPrecondition,
                "linkDir " + path_ + ": the marker " + kMarker +
                    " is not a regular file of ours that nobody else can write; somebody else has "
                    "made it: remove it, or choose another linkDir");
  }
  LOGLINK_ASSIGN_OR_RETURN(marked_prefixes_, read_marker());
  return {};
}

Expected<void> LinkDirectory::create_marker() {
  const auto found = list_names(directory_.get());
  if (!found) return fail_errno(found.error().system_errno, "linkDir " + path_);
  const bool is_empty = std::all_of(found->begin(), found->end(),
                                    [](const std::string& n) { return is_temporary(n); });
  if (!is_empty) {
    return fail(ErrorCode::kFailedPrecondition,
                "linkDir " + path_ + " is not empty and has no marker " + kMarker +
                    ": it belongs to somebody else; empty it, or choose another linkDir");
  }
  if (access_ == Access::kRead) return {};
  marker_.reset(::openat(directory_.get(), kMarker.c_str(),
                         O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (marker_.valid()) {
    // The umask does not decide who may read which directories are ours.
    if (::fchmod(marker_.get(), 0644) != 0) return fail_errno(errno, path_ + "/" + kMarker);
    return {};
  }
  // Another agent was faster; its marker is as good as ours.
  if (errno == EEXIST) return open_marker();
  return fail_errno(errno, "linkDir " + path_ + ": cannot make the marker " + kMarker);
}

Expected<std::vector<std::string>> LinkDirectory::read_marker() const {
  std::string text(kMarkerBytesMax + 1, '\0');
  const ssize_t bytes =
      retry_interrupted([&] { return ::pread(marker_.get(), text.data(), text.size(), 0); });
  if (bytes < 0) return fail_errno(errno, path_ + "/" + kMarker);
  text.resize(static_cast<std::size_t>(bytes));
  if (text.size() > kMarkerBytesMax) {
    return fail(ErrorCode::kFailedPrecondition,
                "linkDir " + path_ + ": the marker " + kMarker + " is too long to be ours");
  }
  // What follows the last newline was cut by a crash, or is being written.
  std::vector<std::string> lines = split(text, '\n');
  const std::string cut = std::move(lines.back());
  lines.pop_back();
  if (lines.empty() && cut == kFirstLine.substr(0, cut.size())) return lines;
  if (lines.empty() || lines.front() != kFirstLine) {
    return fail(ErrorCode::kFailedPrecondition,
                "linkDir " + path_ + ": the marker " + kMarker +
                    " is of an unknown version; this agent knows \"" + std::string(kFirstLine) +
                    "\": install the newer agent again, or choose another linkDir");
  }
  lines.erase(lines.begin());
  return lines;
}

Expected<bool> LinkDirectory::try_lock() {
  if (locked_) return true;
  if (::flock(marker_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return false;
    return fail_errno(errno, "linkDir " + path_ + ": cannot lock the marker " + kMarker);
  }
  LOGLINK_ASSIGN_OR_RETURN(marked_prefixes_, read_marker());
  LOGLINK_TRY(append_prefixes());
  LOGLINK_TRY(remove_temporaries());
  locked_ = true;
  return true;
}

Expected<void> LinkDirectory::append_prefixes() {
  struct stat status {};
  if (::fstat(marker_.get(), &status) != 0) return fail_errno(errno, path_ + "/" + kMarker);
  std::string addition;
  const auto first_line_bytes = static_cast<off_t>(kFirstLine.size());
  if (status.st_size <= first_line_bytes && status.st_size > 0) {
    // Cut within the first line: nothing in it is worth keeping.
    if (::ftruncate(marker_.get(), 0) != 0) return fail_errno(errno, path_ + "/" + kMarker);
    status.st_size = 0;
  }
  if (status.st_size == 0) {
    addition = std::string(kFirstLine) + "\n";
  } else {
    char last = '\0';
    if (::pread(marker_.get(), &last, 1, status.st_size - 1) == 1 && last != '\n') addition = "\n";
  }
  for (const std::string& prefix : prefixes_.used) {
    if (!contains(marked_prefixes_, prefix)) addition += prefix + "\n";
  }
  if (addition.empty()) return {};
  const ssize_t written =
      retry_interrupted([&] { return ::write(marker_.get(), addition.data(), addition.size()); });
  if (written != static_cast<ssize_t>(addition.size())) {
    return fail_errno(written < 0 ? errno : ENOSPC, path_ + "/" + kMarker);
  }
  return {};
}

std::vector<std::string> LinkDirectory::owned_prefixes() const {
  std::vector<std::string> owned = prefixes_.used;
  for (const std::string& prefix : marked_prefixes_) {
    if (is_explained(prefix, prefixes_) && !contains(owned, prefix)) owned.push_back(prefix);
  }
  return owned;
}

Expected<void> LinkDirectory::remove_temporaries() {
  // Through a descriptor of its own: the offset of directory_ is shared by all who list.
  const UniqueFd fresh(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fresh.valid()) return fail_errno(errno, "linkDir " + path_);
  const auto found = list_names(fresh.get());
  if (!found) return fail_errno(found.error().system_errno, "linkDir " + path_);
  for (const std::string& name : *found) {
    if (!is_temporary(name)) continue;
    const auto target = read_link_at(directory_.get(), name);
    const bool may_be_ours = target || (target.error().kind != FileErrorKind::kNotFound &&
                                        target.error().kind != FileErrorKind::kNotOurs);
    if (!may_be_ours) continue;
    // It could be ours and cannot be asked: later, rather than never.
    if (!target) return fail_errno(target.error().system_errno, path_ + "/" + name);
    if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
      return fail_errno(errno, path_ + "/" + name);
    }
  }
  return {};
}

FileExpected<bool> LinkDirectory::reopen_if_replaced() {
  struct stat there {};
  struct stat ours {};
  const bool is_there = ::lstat(path_.c_str(), &there) == 0;
  if (!is_there && errno != ENOENT) return file_failure(errno);
  if (is_there && directory_.valid() && ::fstat(directory_.get(), &ours) == 0 &&
      there.st_dev == ours.st_dev && there.st_ino == ours.st_ino) {
    if (access_ == Access::kRead) return false;
    if (locked_) {
      const bool has_lost_marker = ::fstat(marker_.get(), &ours) == 0 && ours.st_nlink == 0;
      if (has_lost_marker) return restore_marker();
      return false;
    }
    // Opened by an earlier call, but not ours yet: what kept it from us may be over.
  }
  if (!is_there && access_ == Access::kRead) return false;
  const auto opened = open();
  if (!opened) return tl::unexpected(not_ownable(opened.error()));
  if (access_ == Access::kRead) return true;
  const auto is_locked = try_lock();
  if (!is_locked) return tl::unexpected(not_ownable(is_locked.error()));
  if (!*is_locked) return tl::unexpected(FileError{FileErrorKind::kNotOurs, EBUSY});
  return true;
}

FileExpected<bool> LinkDirectory::restore_marker() {
  // Somebody removed the marker under us. Without one the next start would take the directory for
  // a foreign one; it is still ours as long as nobody made another.
  UniqueFd fresh(::openat(directory_.get(), kMarker.c_str(),
                          O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!fresh.valid()) {
    const int error = errno;
    // Where it just cannot be made (a full disk) the next call tries again.
    if (error == EEXIST) locked_ = false;
    return file_failure(error);
  }
  locked_ = false;
  marked_prefixes_.clear();
  marker_ = std::move(fresh);
  const auto is_locked = try_lock();
  if (!is_locked) return tl::unexpected(not_ownable(is_locked.error()));
  if (!*is_locked) return tl::unexpected(FileError{FileErrorKind::kNotOurs, EBUSY});
  return false;
}

FileExpected<std::vector<LinkEntry>> LinkDirectory::list() const {
  std::vector<LinkEntry> entries;
  if (!directory_.valid()) return entries;
  const UniqueFd fresh(::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fresh.valid()) return file_failure(errno);
  auto found = list_names(fresh.get());
  if (!found) return tl::unexpected(found.error());
  for (std::string& name : *found) {
    if (is_own_business(name)) continue;
    auto target = read_link_at(directory_.get(), name);
    if (!target && target.error().kind == FileErrorKind::kNotFound) continue;
    // What cannot be asked must not pass for somebody else's: its link would be nobody's to remove.
    if (!target && target.error().kind != FileErrorKind::kNotOurs) {
      return tl::unexpected(target.error());
    }
    LinkEntry entry;
    entry.name = std::move(name);
    entry.is_link = target.has_value();
    if (target) entry.target = *std::move(target);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

FileExpected<LinkEntry> LinkDirectory::read(const std::string& name) const {
  if (!directory_.valid()) return file_failure(ENOENT);
  if (!is_plain(name)) return file_failure(EINVAL);
  auto target = read_link_at(directory_.get(), name);
  if (!target && target.error().kind != FileErrorKind::kNotOurs) {
    return tl::unexpected(target.error());
  }
  LinkEntry entry;
  entry.name = name;
  entry.is_link = target.has_value();
  if (target) entry.target = *std::move(target);
  return entry;
}

FileExpected<void> LinkDirectory::make(const std::string& name, const std::string& target) {
  if (!is_writable()) return file_failure(EROFS);
  if (!is_plain(name)) return file_failure(EINVAL);
  if (::symlinkat(target.c_str(), directory_.get(), name.c_str()) != 0) return file_failure(errno);
  return {};
}

FileExpected<void> LinkDirectory::replace(const std::string& name, const std::string& old_target,
                                          const std::string& new_target) {
  if (!is_writable()) return file_failure(EROFS);
  if (!is_plain(name)) return file_failure(EINVAL);
  const auto target = read_link_at(directory_.get(), name);
  if (!target && target.error().kind != FileErrorKind::kNotFound &&
      target.error().kind != FileErrorKind::kNotOurs) {
    return tl::unexpected(target.error());
  }
  if (!target || *target != old_target) {
    return tl::unexpected(FileError{FileErrorKind::kNotOurs, 0});
  }
  const std::string temporary =
      std::string(names::kTemporaryPrefix) + std::to_string(next_temporary_++);
  if (::symlinkat(new_target.c_str(), directory_.get(), temporary.c_str()) != 0) {
    return file_failure(errno);
  }
  if (::renameat(directory_.get(), temporary.c_str(), directory_.get(), name.c_str()) != 0) {
    const int error = errno;
    ::unlinkat(directory_.get(), temporary.c_str(), 0);
    return file_failure(error);
  }
  return {};
}

FileExpected<void> LinkDirectory::remove(const std::string& name, const std::string& target) {
  if (!is_writable()) return file_failure(EROFS);
  if (!is_plain(name)) return file_failure(EINVAL);
  const auto found = read_link_at(directory_.get(), name);
  if (!found && found.error().kind == FileErrorKind::kNotFound) return {};
  if (!found) return tl::unexpected(found.error());
  if (*found != target) return tl::unexpected(FileError{FileErrorKind::kNotOurs, 0});
  if (::unlinkat(directory_.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return file_failure(errno);
  }
  return {};
}

FileExpected<std::int64_t> LinkDirectory::version() const {
  if (!directory_.valid()) return std::int64_t{0};
  const auto info = file_info(directory_.get());
  if (!info) return tl::unexpected(info.error());
  return info->change_ns;
}

}  // namespace loglink
