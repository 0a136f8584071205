#include "agent/shell/node_files.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <utility>

#include "agent/shell/beneath.h"
#include "agent/shell/system_error.h"

namespace loglink {
namespace {

// Bits of statfs.f_flags (linux/statfs.h is not for programs).
constexpr long kReadOnly = 0x0001;
constexpr long kNoSymlinkFollow = 0x2000;

bool is_remote(long file_system) {
  switch (static_cast<unsigned long>(file_system) & 0xffffffffUL) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case 0xfe534d42UL:  // SMB2
    case 0xff534d42UL:  // CIFS
    case FUSE_SUPER_MAGIC:
    case CEPH_SUPER_MAGIC:
      return true;
    default:
      return false;
  }
}

// A safe root's directory on which nothing is mounted (the mounter has not run, or is at work)
// holds nothing, so no link through it leads anywhere: unknown rather than unsafe.
bool is_bare_directory(int roots_directory, const std::string& name, int fd) {
  const auto mounted = is_mount_root(fd);
  if (!mounted || *mounted) return false;
  const auto readable = open_directory_beneath(roots_directory, name, MountCrossing::kAllowed);
  if (!readable) return false;
  const auto listing = list_names(readable->get());
  return listing && listing->empty();
}

LinkDirectory::Prefixes prefixes_of(const NodeFiles::Options& options) {
  LinkDirectory::Prefixes prefixes;
  prefixes.explained_below = options.roots_dir + "/";
  for (const Root& root : options.roots) {
    prefixes.used.push_back(root_prefix(root, options.roots_dir, options.link_mode));
    prefixes.explained.push_back(root_prefix(root, options.roots_dir, LinkMode::kDirect));
  }
  return prefixes;
}

// A tenant who can write a root must not be able to plant links: the link directory is neither a
// root nor below one, also where mounts or symlinks give one directory two paths.
Expected<void> check_outside_roots(int link_directory, const std::string& link_dir,
                                   const std::vector<Root>& roots) {
  UniqueFd step(::openat(link_directory, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (;;) {
    struct stat here {};
    if (!step.valid() || ::fstat(step.get(), &here) != 0) return fail_errno(errno, link_dir);
    for (const Root& root : roots) {
      struct stat other {};
      if (::stat(root.path.c_str(), &other) != 0) continue;
      if (other.st_dev != here.st_dev || other.st_ino != here.st_ino) continue;
      return fail(ErrorCode::kFailedPrecondition,
                  "linkDir " + link_dir + " is the root \"" + root.name + "\" (" + root.path +
                      ") or lies below it: whoever writes there could plant links; choose another "
                      "linkDir");
    }
    UniqueFd parent(::openat(step.get(), "..", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat above {};
    if (!parent.valid() || ::fstat(parent.get(), &above) != 0) return fail_errno(errno, link_dir);
    if (above.st_dev == here.st_dev && above.st_ino == here.st_ino) return {};
    step = std::move(parent);
  }
}

}  // namespace

std::string root_prefix(const Root& root, const std::string& roots_dir, LinkMode mode) {
  switch (mode) {
    case LinkMode::kSafe:
      return roots_dir + "/" + root.name + "/";
    case LinkMode::kDirect:
      return root.path + "/";
  }
  __builtin_unreachable();
}

RootState judge_root(int fd, LinkMode mode) {
  struct statfs status {};
  if (retry_interrupted([&] { return ::fstatfs(fd, &status); }) != 0) return RootState::kAbsent;
  if (is_remote(static_cast<long>(status.f_type))) return RootState::kRemote;
  switch (mode) {
    case LinkMode::kDirect:
      return RootState::kUsable;
    case LinkMode::kSafe: {
      constexpr long kNeeded = kReadOnly | kNoSymlinkFollow;
      // One whose directory on the host was removed, and perhaps made anew: nothing comes any more.
      struct stat directory {};
      const bool is_there = ::fstat(fd, &directory) == 0 && directory.st_nlink > 0;
      const bool is_safe = (static_cast<long>(status.f_flags) & kNeeded) == kNeeded;
      return is_safe && is_there ? RootState::kUsable : RootState::kUnsafe;
    }
  }
  __builtin_unreachable();
}

NodeFiles::Options NodeFiles::options_from(const AgentConfig& config,
                                           LinkDirectory::Access access) {
  Options options;
  options.link_mode = config.link_mode;
  options.roots = config.roots;
  options.link_dir = config.link_dir;
  options.roots_dir = config.roots_dir;
  options.state_dir = config.state_dir;
  options.access = access;
  options.max_watches = affordable_watches();
  return options;
}

NodeFiles::NodeFiles(Options options)
    : options_(std::move(options)),
      links_(options_.link_dir, prefixes_of(options_), options_.access),
      watcher_(options_.max_watches),
      state_(options_.state_dir) {}

Expected<std::unique_ptr<NodeFiles>> NodeFiles::open(Options options) {
  std::unique_ptr<NodeFiles> files(new NodeFiles(std::move(options)));
  LOGLINK_TRY(files->links_.open());
  if (files->links_.descriptor() >= 0) {
    LOGLINK_TRY(check_outside_roots(files->links_.descriptor(), files->options_.link_dir,
                                    files->options_.roots));
  }
  return files;
}

Expected<bool> NodeFiles::try_lock() {
  const bool was_locked = links_.locked();
  LOGLINK_ASSIGN_OR_RETURN(const bool locked, links_.try_lock());
  // Without a watch the periodic check finds the same changes, later.
  if (locked && !was_locked) (void)watcher_.watch_link_directory(links_.descriptor());
  return locked;
}

const Root* NodeFiles::find(const std::string& root) const {
  for (const Root& candidate : options_.roots) {
    if (candidate.name == root) return &candidate;
  }
  return nullptr;
}

FileExpected<UniqueFd> NodeFiles::open_root(const Root& root) const {
  const bool is_safe = options_.link_mode == LinkMode::kSafe;
  const std::string& path = is_safe ? options_.roots_dir : root.path;
  UniqueFd directory(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return file_failure(errno);
  if (!is_safe) return directory;
  return open_path_beneath(directory.get(), root.name, MountCrossing::kAllowed);
}

RootState NodeFiles::check_root(const std::string& root) {
  roots_.erase(root);
  const Root* known = find(root);
  if (known == nullptr) return RootState::kAbsent;
  auto fd = open_root(*known);
  if (!fd) {
    // A symlink in the place of a safe root can lead anywhere.
    return fd.error().kind == FileErrorKind::kSymlinkInPath ? RootState::kUnsafe
                                                            : RootState::kAbsent;
  }
  const RootState state = judge_root(fd->get(), options_.link_mode);
  if (state == RootState::kUsable) {
    roots_[root] = *std::move(fd);
  } else if (state == RootState::kUnsafe) {
    const UniqueFd parent(::open(options_.roots_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (parent.valid() && is_bare_directory(parent.get(), root, fd->get())) {
      return RootState::kAbsent;
    }
  }
  return state;
}

FileExpected<int> NodeFiles::usable_root(const std::string& root) {
  const auto found = roots_.find(root);
  if (found != roots_.end()) return found->second.get();
  if (check_root(root) != RootState::kUsable) return file_failure(ENOENT);
  return roots_.at(root).get();
}

std::string NodeFiles::target_prefix(const std::string& root) const {
  const Root* known = find(root);
  if (known == nullptr) return "";
  return root_prefix(*known, options_.roots_dir, options_.link_mode);
}

std::vector<std::string> NodeFiles::owned_prefixes() const { return links_.owned_prefixes(); }

FileExpected<FileInfo> NodeFiles::stat(const std::string& root, const std::string& path) {
  const auto root_fd = usable_root(root);
  if (!root_fd) return tl::unexpected(root_fd.error());
  const auto fd = open_path_beneath(*root_fd, path);
  if (!fd) return tl::unexpected(fd.error());
  return file_info(fd->get());
}

FileExpected<OpenDirectory> NodeFiles::open_directory(const std::string& root,
                                                      const std::string& path) {
  const auto root_fd = usable_root(root);
  if (!root_fd) return tl::unexpected(root_fd.error());
  auto fd = open_directory_beneath(*root_fd, path);
  if (!fd) return tl::unexpected(fd.error());
  return read_in_pieces(*std::move(fd));
}

FileExpected<void> NodeFiles::follow_link_directory() {
  const auto replaced = links_.reopen_if_replaced();
  if (!replaced) return tl::unexpected(replaced.error());
  const bool lacks_watch = links_.locked() && !watcher_.watches_link_directory();
  if (*replaced || lacks_watch) (void)watcher_.watch_link_directory(links_.descriptor());
  return {};
}

FileExpected<std::vector<LinkEntry>> NodeFiles::list_links() {
  const auto followed = follow_link_directory();
  if (!followed) return tl::unexpected(followed.error());
  return links_.list();
}

FileExpected<LinkEntry> NodeFiles::read_link(const std::string& name) { return links_.read(name); }

FileExpected<void> NodeFiles::make_link(const std::string& name, const std::string& target) {
  return links_.make(name, target);
}

FileExpected<void> NodeFiles::replace_link(const std::string& name, const std::string& old_target,
                                           const std::string& new_target) {
  return links_.replace(name, old_target, new_target);
}

FileExpected<void> NodeFiles::remove_link(const std::string& name, const std::string& target) {
  return links_.remove(name, target);
}

FileExpected<std::int64_t> NodeFiles::link_directory_version() {
  const auto followed = follow_link_directory();
  if (!followed) return tl::unexpected(followed.error());
  return links_.version();
}

FileExpected<std::uint64_t> NodeFiles::watch(const std::string& root, const std::string& path) {
  const auto root_fd = usable_root(root);
  if (!root_fd) return tl::unexpected(root_fd.error());
  const auto fd = open_path_beneath(*root_fd, path);
  if (!fd) return tl::unexpected(fd.error());
  return watcher_.watch(fd->get());
}

void NodeFiles::unwatch(std::uint64_t watch) { watcher_.unwatch(watch); }

std::vector<FileNotice> NodeFiles::take_notices(std::size_t max_notices) {
  return watcher_.take(max_notices);
}

FileExpected<std::optional<std::string>> NodeFiles::load_state(const std::string& name) {
  return state_.load(name);
}

void NodeFiles::store_state(const std::string& name, std::string bytes) {
  state_.store(name, std::move(bytes));
}

}  // namespace loglink
