#include "agent/shell/safe_roots.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>

#include "agent/shell/beneath.h"
#include "agent/shell/mountinfo.h"
#include "agent/shell/node_files.h"
#include "agent/shell/system_error.h"
#include "lib/base/unique_fd.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

constexpr std::uint64_t kSafeAttributes = MOUNT_ATTR_NOSYMFOLLOW | MOUNT_ATTR_RDONLY |
                                          MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
const std::string kReady(names::kReadyFile);

tl::unexpected<Error> fail_mount(int error, const std::string& context) {
  if (error == EPERM) {
    return fail(ErrorCode::kPermissionDenied,
                context +
                    ": not permitted; `loglink-agent mount` needs CAP_SYS_ADMIN, in "
                    "Kubernetes a container with privileged: true",
                error);
  }
  if (error == ENOSYS || error == EINVAL) {
    utsname kernel{};
    ::uname(&kernel);
    return fail(ErrorCode::kUnsupported,
                context + ": the kernel cannot do it (" + kernel.release +
                    "); safe roots need Linux 5.12 or later; linkMode: direct goes without, and "
                    "without their protection",
                error);
  }
  return fail_errno(error, context);
}

// --- thin wrappers of system calls --------------------------------------------------------------

UniqueFd clone_tree(int directory_fd) {
  // Never AT_RECURSIVE: mounts below (tokens, Secrets, other volumes) stay out, and the kubelet can
  // unmount them.
  return UniqueFd(
      ::open_tree(directory_fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
}

int set_safe_attributes(int mount_fd) {
  mount_attr attributes{};
  attributes.attr_set = kSafeAttributes;
  attributes.propagation = MS_PRIVATE;
  return ::mount_setattr(mount_fd, "", AT_EMPTY_PATH, &attributes, sizeof attributes);
}

int attach(int mount_fd, int directory_fd) {
  return ::move_mount(mount_fd, "", directory_fd, "",
                      MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int configure(int context_fd, unsigned command, const char* key, const char* value) {
  return ::fsconfig(context_fd, command, key, value, 0);
}

// --- what is mounted where ----------------------------------------------------------------------

struct Mounted {
  bool is_root = false;  // the descriptor is the root of a mount
  std::uint64_t id = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

Expected<Mounted> look_at(int fd, const std::string& what) {
  struct statx status {};
  if (::statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_MNT_ID, &status) != 0) {
    return fail_errno(errno, what);
  }
  Mounted mounted;
  mounted.is_root = (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
  mounted.id = status.stx_mnt_id;
  mounted.device = (std::uint64_t{status.stx_dev_major} << 32U) | status.stx_dev_minor;
  mounted.inode = status.stx_ino;
  return mounted;
}

Expected<std::vector<MountPoint>> read_mounts() {
  std::ifstream file("/proc/self/mountinfo");
  if (!file) return fail_errno(errno, "/proc/self/mountinfo");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return parse_mountinfo(text);
}

// --- the ground: rootsDir's parent, locked; rootsDir, a tmpfs ------------------------------------

struct Ground {
  UniqueFd parent;   // its lock goes with it
  std::string name;  // of rootsDir in it
};

Expected<UniqueFd> lock_parent(const std::string& parent, Duration deadline) {
  UniqueFd fd(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) {
    return fail_errno(errno, "cannot open rootsDir's parent " + parent +
                                 ", which has to exist (a hostPath of type DirectoryOrCreate)");
  }
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return fail_errno(errno, "lock on " + parent);
    if (std::chrono::steady_clock::now() >= end) {
      return fail(ErrorCode::kFailedPrecondition,
                  "another process holds the lock on " + parent +
                      ": another `loglink-agent mount` is at work, or hangs");
    }
    ::poll(nullptr, 0, 20);
  }
  return fd;
}

Expected<Ground> enter_ground(const SafeRootOptions& options) {
  const std::size_t slash = options.roots_dir.rfind('/');
  Ground ground;
  ground.name = options.roots_dir.substr(slash + 1);
  LOGLINK_ASSIGN_OR_RETURN(
      ground.parent,
      lock_parent(slash == 0 ? "/" : options.roots_dir.substr(0, slash), options.lock_deadline));
  return ground;
}

// A directory beneath another, whatever mounts are on it; a symlink is somebody's trap.
Expected<UniqueFd> open_ground(int parent, const std::string& name, const std::string& shown) {
  auto fd = open_path_beneath(parent, name, MountCrossing::kAllowed);
  if (!fd && fd.error().kind == FileErrorKind::kSymlinkInPath) {
    return fail(ErrorCode::kFailedPrecondition,
                shown + " is a symlink: somebody has put it there; remove it");
  }
  if (!fd) return fail_errno(fd.error().system_errno, shown);
  const auto info = file_info(fd->get());
  if (!info || info->kind != FileKind::kDirectory) {
    return fail(ErrorCode::kFailedPrecondition, shown + " is not a directory: remove it");
  }
  return *std::move(fd);
}

// Our tmpfs on rootsDir, if it is there: exactly one mount, on its own root.
Expected<bool> is_own_tmpfs(int fd, const std::string& shown) {
  LOGLINK_ASSIGN_OR_RETURN(const Mounted mounted, look_at(fd, shown));
  if (!mounted.is_root) return false;
  LOGLINK_ASSIGN_OR_RETURN(const std::vector<MountPoint> mounts, read_mounts());
  const MountPoint* mount = find_mount(mounts, mounted.id);
  return mount != nullptr && mount->file_system == "tmpfs" && mount->root == "/" &&
         count_mounts_at(mounts, mount->mount_point) == 1;
}

Expected<void> set_tmpfs_access(int fd, const char* access, const std::string& shown) {
  // Of the file system, not of this mount: other mount namespaces have mounts of their own of it.
  const UniqueFd context(::fspick(fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC));
  if (!context.valid() || configure(context.get(), FSCONFIG_SET_FLAG, access, nullptr) != 0 ||
      configure(context.get(), FSCONFIG_CMD_RECONFIGURE, nullptr, nullptr) != 0) {
    return fail_mount(errno, shown + ": remount " + access);
  }
  return {};
}

Expected<UniqueFd> make_tmpfs(int directory_fd, const std::string& shown) {
  const UniqueFd context(::fsopen("tmpfs", FSOPEN_CLOEXEC));
  if (!context.valid()) return fail_mount(errno, shown + ": tmpfs");
  constexpr auto kString = FSCONFIG_SET_STRING;
  // Room for directories and the gate, not for anybody's data.
  if (configure(context.get(), kString, "source", "loglink") != 0 ||
      configure(context.get(), kString, "size", "256k") != 0 ||
      configure(context.get(), kString, "nr_inodes", "1024") != 0 ||
      configure(context.get(), kString, "mode", "0755") != 0 ||
      configure(context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr) != 0) {
    return fail_mount(errno, shown + ": tmpfs");
  }
  UniqueFd mount(::fsmount(context.get(), FSMOUNT_CLOEXEC,
                           MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC));
  if (!mount.valid()) return fail_mount(errno, shown + ": tmpfs");
  if (attach(mount.get(), directory_fd) != 0) return fail_mount(errno, shown + ": mount tmpfs");
  return mount;
}

// Takes away whatever is mounted on parent/name, layer by layer.
Expected<int> unmount_layers(int parent, const std::string& name, const std::string& shown) {
  constexpr int kLayersMax = 64;
  for (int layers = 0; layers < kLayersMax; ++layers) {
    LOGLINK_ASSIGN_OR_RETURN(const UniqueFd fd, open_ground(parent, name, shown));
    LOGLINK_ASSIGN_OR_RETURN(const Mounted mounted, look_at(fd.get(), shown));
    if (!mounted.is_root) return layers;
    // By descriptor: a path could lead elsewhere by now.
    const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
    if (::umount2(path.c_str(), MNT_DETACH) != 0) return fail_mount(errno, "unmount " + shown);
  }
  return fail(ErrorCode::kFailedPrecondition, shown + ": too many mounts on top of each other");
}

Expected<UniqueFd> open_or_make_tmpfs(const Ground& ground, const std::string& shown) {
  if (::mkdirat(ground.parent.get(), ground.name.c_str(), 0755) != 0 && errno != EEXIST) {
    return fail_errno(errno, shown);
  }
  {
    LOGLINK_ASSIGN_OR_RETURN(UniqueFd there, open_ground(ground.parent.get(), ground.name, shown));
    LOGLINK_ASSIGN_OR_RETURN(const bool own, is_own_tmpfs(there.get(), shown));
    if (own) return there;
  }
  LOGLINK_TRY(unmount_layers(ground.parent.get(), ground.name, shown));
  LOGLINK_ASSIGN_OR_RETURN(const UniqueFd bare,
                           open_ground(ground.parent.get(), ground.name, shown));
  return make_tmpfs(bare.get(), shown);
}

// Makes `change` on the tmpfs writable for as long as it takes.
template <class Change>
Expected<void> while_writable(int tmpfs, const std::string& shown, Change change) {
  LOGLINK_TRY(set_tmpfs_access(tmpfs, "rw", shown));
  Expected<void> changed = change();
  const Expected<void> closed = set_tmpfs_access(tmpfs, "ro", shown);
  LOGLINK_TRY(changed);
  return closed;
}

Expected<void> make_subdirectories(int tmpfs, const std::vector<std::string>& wanted,
                                   const std::string& shown) {
  struct statfs status {};
  if (::fstatfs(tmpfs, &status) != 0) return fail_errno(errno, shown);
  constexpr long kReadOnly = 1;  // ST_RDONLY
  bool is_complete = (static_cast<long>(status.f_flags) & kReadOnly) != 0;
  for (const std::string& name : wanted) {
    if (!open_path_beneath(tmpfs, name, MountCrossing::kAllowed)) is_complete = false;
  }
  if (is_complete) return {};
  return while_writable(tmpfs, shown, [&]() -> Expected<void> {
    for (const std::string& name : wanted) {
      if (::mkdirat(tmpfs, name.c_str(), 0755) != 0 && errno != EEXIST) {
        return fail_errno(errno, shown + "/" + name);
      }
    }
    return {};
  });
}

// --- one safe root ------------------------------------------------------------------------------

struct Original {
  const Root* root = nullptr;
  UniqueFd fd;
  Mounted mounted;
};

// The outermost root that contains `root`; nullptr when none does. What lies below it belongs to
// tenants: they may put a symlink where a root of the configuration was.
const Root* outer_root(const std::vector<Root>& roots, const Root& root) {
  const Root* outer = nullptr;
  for (const Root& each : roots) {
    const bool contains = each.path != root.path && path_contains(each.path, root.path);
    if (contains && (outer == nullptr || each.path.size() < outer->path.size())) outer = &each;
  }
  return outer;
}

// Invalid, after a report, where the root is to be left out.
Expected<UniqueFd> open_original(const std::vector<Root>& roots, const Root& root,
                                 const std::string& shown, const SafeRootReport& report) {
  const Root* const outer = outer_root(roots, root);
  const std::string& start = outer == nullptr ? root.path : outer->path;
  UniqueFd fd(::open(start.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid() && errno != ENOENT) return fail_errno(errno, shown);
  const std::string absent = shown + ": left out, the directory does not exist on this node";
  if (!fd.valid()) {
    report(absent);
    return fd;
  }
  if (outer == nullptr) return fd;
  auto below = open_path_beneath(fd.get(), std::string(path_below(start, root.path)),
                                 MountCrossing::kAllowed);
  struct stat status {};
  if (below && ::fstat(below->get(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return std::move(*below);
  }
  const bool is_absent = !below && below.error().kind == FileErrorKind::kNotFound;
  report(is_absent ? absent
                   : shown +
                         ": left out, it is no directory, or there is a symbolic link in its "
                         "path below root \"" +
                         outer->name + "\", where pods may write; make it a directory again");
  return UniqueFd();
}

Expected<std::vector<Original>> open_originals(const std::vector<Root>& roots,
                                               const SafeRootReport& report) {
  std::vector<Original> originals;
  for (const Root& root : roots) {
    Original original;
    original.root = &root;
    const std::string shown = "root \"" + root.name + "\" (" + root.path + ")";
    LOGLINK_ASSIGN_OR_RETURN(original.fd, open_original(roots, root, shown, report));
    if (!original.fd.valid()) continue;
    if (judge_root(original.fd.get(), LinkMode::kDirect) == RootState::kRemote) {
      return fail(ErrorCode::kUnsupported,
                  shown +
                      " is on NFS, CIFS, Ceph or FUSE, where one hung call would stop the "
                      "agent; take it out of `roots`");
    }
    LOGLINK_ASSIGN_OR_RETURN(original.mounted, look_at(original.fd.get(), shown));
    originals.push_back(std::move(original));
  }
  return originals;
}

Expected<bool> is_safe_clone(int fd, const Original& original, const std::string& shown) {
  LOGLINK_ASSIGN_OR_RETURN(const Mounted mounted, look_at(fd, shown));
  if (!mounted.is_root || mounted.device != original.mounted.device ||
      mounted.inode != original.mounted.inode) {
    return false;
  }
  LOGLINK_ASSIGN_OR_RETURN(const std::vector<MountPoint> mounts, read_mounts());
  const MountPoint* mount = find_mount(mounts, mounted.id);
  return mount != nullptr && has_safe_options(*mount) &&
         count_mounts_at(mounts, mount->mount_point) == 1;
}

Expected<void> make_safe_root(int tmpfs, const Original& original, const std::string& roots_dir,
                              const SafeRootReport& report) {
  const std::string& name = original.root->name;
  const std::string shown = roots_dir + "/" + name;
  {
    LOGLINK_ASSIGN_OR_RETURN(const UniqueFd there, open_ground(tmpfs, name, shown));
    LOGLINK_ASSIGN_OR_RETURN(const bool is_safe, is_safe_clone(there.get(), original, shown));
    if (is_safe) {
      report(shown + ": is already there");
      return {};
    }
  }
  LOGLINK_ASSIGN_OR_RETURN(const int replaced, unmount_layers(tmpfs, name, shown));
  const UniqueFd clone = clone_tree(original.fd.get());
  if (!clone.valid()) return fail_mount(errno, shown + ": clone of " + original.root->path);
  // Flags and propagation while it is still detached: nothing can get in before.
  if (set_safe_attributes(clone.get()) != 0) return fail_mount(errno, shown + ": mount_setattr");
  LOGLINK_ASSIGN_OR_RETURN(const UniqueFd bare, open_ground(tmpfs, name, shown));
  if (attach(clone.get(), bare.get()) != 0) return fail_mount(errno, shown + ": mount");

  LOGLINK_ASSIGN_OR_RETURN(const UniqueFd made, open_ground(tmpfs, name, shown));
  LOGLINK_ASSIGN_OR_RETURN(const bool is_safe, is_safe_clone(made.get(), original, shown));
  if (!is_safe) {
    return fail(ErrorCode::kInternal, shown + ": the new mount is not as it must be");
  }
  report(shown + (replaced > 0 ? ": replaced, a clone of " : ": a clone of ") +
         original.root->path);
  return {};
}

Expected<void> report_mounts_below(const std::vector<Original>& originals,
                                   const SafeRootReport& report) {
  LOGLINK_ASSIGN_OR_RETURN(const std::vector<MountPoint> mounts, read_mounts());
  for (const Original& original : originals) {
    const auto below = mount_points_below(mounts, original.root->path);
    if (below.empty()) continue;
    report("root \"" + original.root->name + "\": " + std::to_string(below.size()) +
           " mount points below " + original.root->path +
           " are not visible through it, the first is " + below.front());
  }
  return {};
}

std::string cure(const std::string& roots_dir) {
  return "; mount the hostPath " + roots_dir.substr(0, roots_dir.rfind('/')) +
         " (the parent, never a safe root itself) at the same path, with mountPropagation: "
         "HostToContainer, and see that `loglink-agent mount` has run on this node";
}

}  // namespace

Expected<void> make_safe_roots(const SafeRootOptions& options, const SafeRootReport& report) {
  LOGLINK_ASSIGN_OR_RETURN(const Ground ground, enter_ground(options));
  LOGLINK_ASSIGN_OR_RETURN(const std::vector<Original> originals,
                           open_originals(options.roots, report));
  LOGLINK_ASSIGN_OR_RETURN(const UniqueFd tmpfs, open_or_make_tmpfs(ground, options.roots_dir));
  std::vector<std::string> wanted;
  for (const Original& original : originals) wanted.push_back(original.root->name);
  LOGLINK_TRY(make_subdirectories(tmpfs.get(), wanted, options.roots_dir));
  for (const Original& original : originals) {
    LOGLINK_TRY(make_safe_root(tmpfs.get(), original, options.roots_dir, report));
  }
  return report_mounts_below(originals, report);
}

Expected<void> open_gate(const SafeRootOptions& options, const SafeRootReport& report) {
  LOGLINK_ASSIGN_OR_RETURN(const Ground ground, enter_ground(options));
  if (!options.roots.empty()) LOGLINK_TRY(verify_safe_roots(options));
  LOGLINK_ASSIGN_OR_RETURN(const UniqueFd tmpfs, open_or_make_tmpfs(ground, options.roots_dir));
  const std::string shown = options.roots_dir + "/" + kReady;
  const auto opened = while_writable(tmpfs.get(), options.roots_dir, [&]() -> Expected<void> {
    const UniqueFd gate(::openat(tmpfs.get(), kReady.c_str(),
                                 O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0444));
    if (!gate.valid()) return fail_errno(errno, shown);
    return {};
  });
  LOGLINK_TRY(opened);
  report(shown + ": collectors may start");
  return {};
}

Expected<void> remove_safe_roots(const SafeRootOptions& options, const SafeRootReport& report) {
  LOGLINK_ASSIGN_OR_RETURN(const Ground ground, enter_ground(options));
  auto there = open_path_beneath(ground.parent.get(), ground.name, MountCrossing::kAllowed);
  if (!there && there.error().kind == FileErrorKind::kNotFound) return {};
  // All that is on it, also of roots that the configuration no longer has.
  for (int layer = 0; layer < 64; ++layer) {
    LOGLINK_ASSIGN_OR_RETURN(const UniqueFd roots,
                             open_ground(ground.parent.get(), ground.name, options.roots_dir));
    LOGLINK_ASSIGN_OR_RETURN(const Mounted mounted, look_at(roots.get(), options.roots_dir));
    if (!mounted.is_root) break;
    const auto readable =
        open_directory_beneath(ground.parent.get(), ground.name, MountCrossing::kAllowed);
    if (!readable) return fail_errno(readable.error().system_errno, options.roots_dir);
    const auto entries = list_names(readable->get());
    if (!entries) return fail_errno(entries.error().system_errno, options.roots_dir);
    for (const std::string& name : *entries) {
      if (name == kReady) continue;
      const std::string shown = options.roots_dir + "/" + name;
      LOGLINK_ASSIGN_OR_RETURN(const int layers, unmount_layers(roots.get(), name, shown));
      if (layers > 0) report(shown + ": unmounted");
    }
    const std::string path = "/proc/self/fd/" + std::to_string(roots.get());
    if (::umount2(path.c_str(), MNT_DETACH) != 0) {
      return fail_mount(errno, "unmount " + options.roots_dir);
    }
    report(options.roots_dir + ": unmounted");
  }
  return {};
}

Expected<void> verify_safe_roots(const SafeRootOptions& options) {
  const UniqueFd directory(::open(options.roots_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) {
    return fail_errno(
        errno, "rootsDir " + options.roots_dir + " cannot be seen here" + cure(options.roots_dir));
  }
  std::size_t safe = 0;
  for (const Root& root : options.roots) {
    const std::string shown = options.roots_dir + "/" + root.name;
    const auto fd = open_path_beneath(directory.get(), root.name, MountCrossing::kAllowed);
    // The mounter leaves out a root whose directory a node does not have.
    if (!fd && fd.error().kind == FileErrorKind::kNotFound) continue;
    if (!fd) return fail_errno(fd.error().system_errno, shown + cure(options.roots_dir));
    const auto mounted = is_mount_root(fd->get());
    if (mounted && !*mounted) {
      return fail(
          ErrorCode::kFailedPrecondition,
          shown + ": nothing is mounted there, as seen from here" + cure(options.roots_dir));
    }
    if (judge_root(fd->get(), LinkMode::kSafe) != RootState::kUsable) {
      return fail(ErrorCode::kFailedPrecondition,
                  shown +
                      " is not nosymfollow and read-only, as seen from here: links through it "
                      "can be led astray" +
                      cure(options.roots_dir));
    }
    ++safe;
  }
  if (safe == 0) {
    return fail(ErrorCode::kFailedPrecondition,
                "no safe root can be seen in " + options.roots_dir + cure(options.roots_dir));
  }
  return {};
}

}  // namespace loglink
