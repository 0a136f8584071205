// FilePort: everything the agent asks of and does to the node's file systems. One real
// implementation (agent/shell), one fake (tests/fakes); both pass tests/contract.
//
// Rules for implementations (docs/architecture.md, "Resolving"): every path below a root is
// resolved by one openat2(RESOLVE_BENEATH|NO_SYMLINKS|NO_MAGICLINKS|NO_XDEV, O_PATH); no file of a
// tenant is ever opened for reading. Calls are synchronous, on the agent's one thread.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace loglink {

enum class FileKind { kRegular, kDirectory, kSymlink, kFifo, kSocket, kDevice, kUnknown };

enum class FileErrorKind {
  kNotFound,          // ENOENT
  kPermissionDenied,  // EACCES, EPERM
  kNotADirectory,     // ENOTDIR
  kSymlinkInPath,     // ELOOP
  kCrossesMount,      // EXDEV
  kNameTooLong,       // ENAMETOOLONG
  kAlreadyExists,     // EEXIST
  kNoSpace,           // ENOSPC, EDQUOT
  kTooManyOpenFiles,  // EMFILE, ENFILE
  kReadOnly,          // EROFS
  kNotOurs,           // a link operation found something else under that name
  kWatchLimit,        // ENOSPC or EMFILE of inotify
  kUnsupported,       // ENOSYS, EOPNOTSUPP
  kIo,                // EIO, ESTALE and everything else
};

// "permission denied", for logs and conditions.
std::string_view describe(FileErrorKind kind);

struct FileError {
  FileErrorKind kind = FileErrorKind::kIo;
  int system_errno = 0;

  auto operator<=>(const FileError&) const = default;
};

template <class T>
using FileExpected = tl::expected<T, FileError>;

struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;

  auto operator<=>(const FileId&) const = default;
};

struct FileInfo {
  FileKind kind = FileKind::kUnknown;
  FileId id;
  std::optional<std::int64_t> birth_ns;  // absent where the file system keeps none
  std::int64_t change_ns = 0;            // ctime
  std::uint64_t size = 0;

  auto operator<=>(const FileInfo&) const = default;
};

struct DirectoryEntry {
  std::string name;
  FileInfo info;

  auto operator<=>(const DirectoryEntry&) const = default;
};

enum class RootState {
  kUsable,  // safe mode: nosymfollow and read-only; direct mode: a directory
  kUnsafe,  // there, without nosymfollow + ro
  kAbsent,  // not there, or not readable: unknown, not empty
  kRemote,  // on NFS, CIFS or FUSE: one hung stat would stop the only thread
};

// An entry of the link directory.
struct LinkEntry {
  std::string name;
  bool is_link = false;
  std::string target;  // of a link

  auto operator<=>(const LinkEntry&) const = default;
};

struct FileNotice {
  enum class Kind {
    kEntry,          // created in, moved to, moved from or deleted from a watched directory
    kEntryDeleted,   // the name is gone for good (IN_DELETE): its inode number may be reused
    kDirectoryGone,  // the watch has ended: deleted, moved, unmounted, ignored
    kLinkDirectory,  // `name` changed in the link directory; "": anything may have
    kOverflow,       // events were lost: everything is dirty
  };
  Kind kind = Kind::kEntry;
  std::uint64_t watch = 0;
  std::string name;  // of the entry or link; "" otherwise

  auto operator<=>(const FileNotice&) const = default;
};

// A directory that is read in pieces, so that a large one does not hold up the rest.
class DirectoryReader {
 public:
  virtual ~DirectoryReader() = default;

  // Adds the next entries, at most max_entries, in no order, without "." and ".."; fewer only at
  // the end. What was read before is not read again: all pieces together may show no one moment.
  virtual FileExpected<void> read(std::size_t max_entries, std::vector<DirectoryEntry>& into) = 0;
};

struct OpenDirectory {
  FileInfo directory;  // read before the entries
  std::unique_ptr<DirectoryReader> reader;
};

class FilePort {
 public:
  virtual ~FilePort() = default;

  // Roots are named; the implementation maps names to host directories from the configuration.
  // Re-opens by path at each call: a kept descriptor goes on showing the old mount. Until the next
  // call the other verbs see the root as it was found: one that vanishes meanwhile never makes
  // what is in it seem missing.
  virtual RootState check_root(const std::string& root) = 0;
  // The text that a link's target starts with, for a file of that root: "<dir>/" (safe root or, in
  // direct mode, the host path).
  [[nodiscard]] virtual std::string target_prefix(const std::string& root) const = 0;
  // A link is ours when its target starts with one of these: what the marker says was ever used, as
  // far as the configuration can explain it (below rootsDir, or a root's own path). Each ends in
  // "/".
  [[nodiscard]] virtual std::vector<std::string> owned_prefixes() const = 0;

  virtual FileExpected<FileInfo> stat(const std::string& root, const std::string& path) = 0;
  virtual FileExpected<OpenDirectory> open_directory(const std::string& root,
                                                     const std::string& path) = 0;

  // The link directory. The marker, temporary names and the lock are the implementation's business.
  virtual FileExpected<std::vector<LinkEntry>> list_links() = 0;
  virtual FileExpected<LinkEntry> read_link(const std::string& name) = 0;
  // kAlreadyExists when the name is taken, by whatever.
  virtual FileExpected<void> make_link(const std::string& name, const std::string& target) = 0;
  // Atomically, by a temporary name and rename. kNotOurs unless the name is a link to old_target.
  virtual FileExpected<void> replace_link(const std::string& name, const std::string& old_target,
                                          const std::string& new_target) = 0;
  // kNotOurs unless the name is a link to target; an absent name is done.
  virtual FileExpected<void> remove_link(const std::string& name, const std::string& target) = 0;
  // Something that differs after any change in the link directory (its ctime in ns).
  virtual FileExpected<std::int64_t> link_directory_version() = 0;

  // Watching is a hint; the agent converges without it. A directory has one watch per call, to be
  // given back with unwatch; the watch belongs to the directory's inode.
  virtual FileExpected<std::uint64_t> watch(const std::string& root, const std::string& path) = 0;
  virtual void unwatch(std::uint64_t watch) = 0;
  // What has happened since the last call, in order, at most max_notices.
  virtual std::vector<FileNotice> take_notices(std::size_t max_notices) = 0;

  // Small files in stateDir. nullopt: never written. store() is atomic and durable, maybe later: it
  // may run off the loop, the last call for a name wins.
  virtual FileExpected<std::optional<std::string>> load_state(const std::string& name) = 0;
  virtual void store_state(const std::string& name, std::string bytes) = 0;
};

}  // namespace loglink
