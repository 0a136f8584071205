// The mounter on this machine's kernel, in a mount namespace of its own. Needs root.
#include "agent/shell/safe_roots.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/shell/mountinfo.h"
#include "agent/shell/node_files.h"
#include "tests/integration/agent/own_mounts.h"
#include "tests/integration/agent/temporary_directory.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Runs `check` in a child and says whether it returned true.
template <class Check>
bool in_child(Check check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check() ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

class SafeRootsTest : public testing::Test {
 protected:
  inline static std::string no_mounts_;  // why there are none

  static void SetUpTestSuite() { no_mounts_ = take_own_mounts(); }

  void SetUp() override {
    if (!no_mounts_.empty()) GTEST_SKIP() << no_mounts_;
    // Shared, as the host's directories are on a real node.
    for (const char* name : {"run", "host"}) {
      fs::create_directory(base_ / name);
      ASSERT_EQ(::mount("tmpfs", (base_ / name).c_str(), "tmpfs", 0, nullptr), 0);
      ASSERT_EQ(::mount("none", (base_ / name).c_str(), nullptr, MS_SHARED, nullptr), 0);
    }
    fs::create_directory(pods());
    options_.roots_dir = (base_ / "run/roots").string();
    options_.roots = {Root{"kubelet-pods", pods().string(), {"*"}, false}};
    options_.lock_deadline = std::chrono::milliseconds(100);
  }

  void TearDown() override {
    if (::geteuid() != 0) return;
    for (const char* name : {"run", "host"}) ::umount2((base_ / name).c_str(), MNT_DETACH);
  }

  fs::path pods() const { return base_ / "host/pods"; }
  fs::path roots() const { return options_.roots_dir; }
  fs::path safe() const { return roots() / "kubelet-pods"; }

  SafeRootReport report() {
    report_.clear();
    return [this](const std::string& line) { report_.push_back(line); };
  }
  void make() {
    const auto made = make_safe_roots(options_, report());
    ASSERT_TRUE(made.has_value()) << made.error().message;
  }
  std::string make_failure() {
    const auto made = make_safe_roots(options_, report());
    return made ? "" : made.error().message;
  }
  std::size_t mounts_at(const fs::path& path) {
    return count_mounts_at(parse_mountinfo(read_text("/proc/self/mountinfo")), path.string());
  }

  TemporaryDirectory base_;
  SafeRootOptions options_;
  std::vector<std::string> report_;
};

TEST_F(SafeRootsTest, AFileIsReadThroughTheSafeRootAndASymlinkIsNot) {
  write_text(pods() / "app.log", "line\n");
  write_text(base_ / "secret", "s");
  fs::create_symlink(base_ / "secret", pods() / "absolute.log");
  fs::create_symlink("app.log", pods() / "relative.log");
  fs::create_directory(pods() / "d");
  write_text(pods() / "d/app.log", "x");
  fs::create_directory_symlink("d", pods() / "directory");
  make();
  EXPECT_EQ(read_text(safe() / "app.log"), "line\n");
  for (const char* name : {"absolute.log", "relative.log", "directory/app.log"}) {
    EXPECT_EQ(::open((safe() / name).c_str(), O_RDONLY), -1) << name;
    EXPECT_EQ(errno, ELOOP) << name;
    // The control: without the flag it leaks.
    EXPECT_NE(read_text(pods() / name), "") << name;
  }
}

TEST_F(SafeRootsTest, AnAgentFindsTheSafeRootUsable) {
  write_text(pods() / "app.log", "line\n");
  make();
  NodeFiles::Options files;
  files.link_mode = LinkMode::kSafe;
  files.roots = options_.roots;
  files.roots_dir = options_.roots_dir;
  files.link_dir = (base_ / "run/links").string();
  files.state_dir = (base_ / "state").string();
  files.max_watches = 10;
  auto port = NodeFiles::open(files);
  ASSERT_TRUE(port && *(*port)->try_lock());
  EXPECT_EQ((*port)->check_root("kubelet-pods"), RootState::kUsable);
  EXPECT_EQ((*port)->target_prefix("kubelet-pods"), safe().string() + "/");
  EXPECT_EQ((*port)->stat("kubelet-pods", "app.log")->kind, FileKind::kRegular);
  const auto watch = (*port)->watch("kubelet-pods", "");
  ASSERT_TRUE(watch.has_value());
  write_text(pods() / "new.log", "x");
  EXPECT_THAT((*port)->take_notices(10),
              ElementsAre(FileNotice{FileNotice::Kind::kEntry, *watch, "new.log"}));
  // A mount that lost its flag is found out at the next check, though a descriptor is kept.
  ASSERT_EQ(::mount("none", safe().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  EXPECT_EQ((*port)->check_root("kubelet-pods"), RootState::kUnsafe);
  ASSERT_EQ(::umount2(safe().c_str(), MNT_DETACH), 0);
  EXPECT_EQ((*port)->check_root("kubelet-pods"), RootState::kAbsent);
}

TEST_F(SafeRootsTest, MakingTwiceIsMakingOnce) {
  make();
  EXPECT_THAT(report_, ElementsAre(HasSubstr("a clone of")));
  make();
  EXPECT_THAT(report_, ElementsAre(HasSubstr("is already there")));
  EXPECT_EQ(mounts_at(safe()), 1U);
  EXPECT_EQ(mounts_at(roots()), 1U);
}

TEST_F(SafeRootsTest, ARootOfTheConfigurationThatIsNewIsAdded) {
  make();
  fs::create_directory(base_ / "host/apps");
  options_.roots.push_back(Root{"apps", (base_ / "host/apps").string(), {"*"}, false});
  make();
  EXPECT_THAT(report_, ElementsAre(HasSubstr("is already there"), HasSubstr("a clone of")));
  EXPECT_TRUE(verify_safe_roots(options_).has_value());
}

// A root inside another one lies where tenants write: a clone of what their symlink points to would
// be as safe to the eye as any other, and show everything.
TEST_F(SafeRootsTest, ARootInsideAnotherIsNotReachedThroughATenantsSymlink) {
  const fs::path inner = base_ / "host/data/team-a/shared";
  const fs::path secret = base_ / "host/secret";
  fs::create_directories(inner);
  fs::create_directories(secret);
  write_text(secret / "shadow.log", "secret");
  options_.roots.push_back(Root{"outer", (base_ / "host/data").string(), {"*"}, true});
  options_.roots.push_back(Root{"inner", inner.string(), {"team-a"}, false});
  make();
  EXPECT_THAT(report_, Contains(HasSubstr("roots/inner: a clone of")));
  ASSERT_TRUE(remove_safe_roots(options_, [](const std::string&) {}).has_value());

  fs::rename(inner, base_ / "host/data/team-a/old");
  fs::create_directory_symlink(secret, inner);
  report_.clear();
  make();
  EXPECT_THAT(report_, Contains(HasSubstr("root \"inner\" (" + inner.string() +
                                          "): left out, it is no directory, or there is a")));
  EXPECT_FALSE(fs::exists(roots() / "inner/shadow.log"));
}

TEST_F(SafeRootsTest, ARootThatWasRemovedOnTheHostIsNotUsableUntilItIsMadeAgain) {
  fs::create_directory(base_ / "host/apps");
  options_.roots.push_back(Root{"apps", (base_ / "host/apps").string(), {"*"}, false});
  make();
  const UniqueFd before(::open((roots() / "apps").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  EXPECT_EQ(judge_root(before.get(), LinkMode::kSafe), RootState::kUsable);
  fs::remove_all(base_ / "host/apps");
  fs::create_directory(base_ / "host/apps");
  EXPECT_EQ(judge_root(before.get(), LinkMode::kSafe), RootState::kUnsafe);
  EXPECT_FALSE(verify_safe_roots(options_).has_value());
  report_.clear();
  make();
  EXPECT_THAT(report_, Contains(HasSubstr("replaced")));
  EXPECT_TRUE(verify_safe_roots(options_).has_value());
}

TEST_F(SafeRootsTest, StackedUnsafeAndForeignMountsAreReplaced) {
  make();
  ASSERT_EQ(::mount(pods().c_str(), safe().c_str(), nullptr, MS_BIND, nullptr), 0);
  ASSERT_EQ(mounts_at(safe()), 2U);
  make();
  EXPECT_THAT(report_, ElementsAre(HasSubstr("replaced")));
  EXPECT_EQ(mounts_at(safe()), 1U);
  ASSERT_EQ(::mount("none", safe().c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr), 0);
  make();
  EXPECT_THAT(report_, ElementsAre(HasSubstr("replaced")));
  EXPECT_TRUE(verify_safe_roots(options_).has_value());
}

TEST_F(SafeRootsTest, ARootThatIsAnotherDirectoryNowIsClonedAgain) {
  make();
  fs::rename(pods(), base_ / "host/old");
  fs::create_directory(pods());
  write_text(pods() / "app.log", "new");
  make();
  EXPECT_THAT(report_, ElementsAre(HasSubstr("replaced")));
  EXPECT_EQ(read_text(safe() / "app.log"), "new");
}

TEST_F(SafeRootsTest, MountsBelowTheRootNeverShowWhetherOlderOrNewer) {
  for (const char* name : {"older", "newer"}) fs::create_directory(pods() / name);
  ASSERT_EQ(::mount("tmpfs", (pods() / "older").c_str(), "tmpfs", 0, nullptr), 0);
  write_text(pods() / "older/token", "t");
  make();
  EXPECT_THAT(report_, Contains(AllOf(HasSubstr("1 mount points below"), HasSubstr("older"))));
  ASSERT_EQ(::mount("tmpfs", (pods() / "newer").c_str(), "tmpfs", 0, nullptr), 0);
  write_text(pods() / "newer/token", "t");
  EXPECT_FALSE(fs::exists(safe() / "older/token"));
  EXPECT_FALSE(fs::exists(safe() / "newer/token"));
  // And the kubelet can take them away, also while a collector holds a file.
  write_text(pods() / "held.log", "x");
  const UniqueFd held(::open((safe() / "held.log").c_str(), O_RDONLY));
  ASSERT_TRUE(held.valid());
  EXPECT_EQ(::umount2((pods() / "older").c_str(), 0), 0) << std::strerror(errno);
  EXPECT_EQ(::umount2((pods() / "newer").c_str(), 0), 0) << std::strerror(errno);
  EXPECT_EQ(::rmdir((pods() / "newer").c_str()), 0);
}

// What container runtimes do for a read-only volume: bind, then remount with the flags of the
// volume and of nothing else.
bool bind_as_a_runtime_does(const fs::path& volume, const fs::path& to) {
  fs::create_directory(to);
  return ::mount(volume.c_str(), to.c_str(), nullptr, MS_BIND | MS_REC, nullptr) == 0 &&
         ::mount("none", to.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) == 0;
}

TEST_F(SafeRootsTest, AVolumeOfTheParentKeepsTheFlagsAndOneOfASafeRootItselfLosesThem) {
  write_text(base_ / "secret", "s");
  fs::create_symlink(base_ / "secret", pods() / "app.log");
  make();
  // A container that starts after the mounter.
  ASSERT_TRUE(in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0) return false;
    if (::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return false;
    if (!bind_as_a_runtime_does(base_ / "run", base_ / "parent")) return false;
    const fs::path seen = base_ / "parent/roots/kubelet-pods/app.log";
    return ::open(seen.c_str(), O_RDONLY) == -1 && errno == ELOOP;
  }));
  ASSERT_TRUE(in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0) return false;
    if (::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0) return false;
    if (!bind_as_a_runtime_does(safe(), base_ / "itself")) return false;
    // The trap is real, and `verify` as well as the agent finds it.
    const UniqueFd root(::open((base_ / "itself").c_str(), O_PATH | O_DIRECTORY));
    return read_text(base_ / "itself/app.log") == "s" &&
           judge_root(root.get(), LinkMode::kSafe) == RootState::kUnsafe;
  }));
}

// Why the flags are set on the detached clone: a bind mount in the source's peer group receives
// later mounts, and those have no flag.
TEST_F(SafeRootsTest, APlainBindWouldReceiveLaterMountsWithoutTheFlag) {
  write_text(base_ / "secret", "s");
  fs::create_directory(pods() / "volume");
  fs::create_directory(base_ / "bind");
  ASSERT_EQ(::mount(pods().c_str(), (base_ / "bind").c_str(), nullptr, MS_BIND, nullptr), 0);
  constexpr unsigned long kNoSymlinkFollow = 256;  // MS_NOSYMFOLLOW
  ASSERT_EQ(::mount("none", (base_ / "bind").c_str(), nullptr,
                    MS_REMOUNT | MS_BIND | MS_RDONLY | kNoSymlinkFollow, nullptr),
            0);
  make();
  ASSERT_EQ(::mount("tmpfs", (pods() / "volume").c_str(), "tmpfs", 0, nullptr), 0);
  fs::create_symlink(base_ / "secret", pods() / "volume/app.log");
  EXPECT_EQ(read_text(base_ / "bind/volume/app.log"), "s");
  EXPECT_FALSE(fs::exists(fs::symlink_status(safe() / "volume/app.log")));
  EXPECT_EQ(::umount2((base_ / "bind").c_str(), MNT_DETACH), 0);
}

// Why the clone is not recursive: what is mounted below would stay busy.
TEST_F(SafeRootsTest, AVolumeUnmountsWhileACollectorHoldsItsDirectoryThroughTheSafeRoot) {
  const fs::path volume = pods() / "volume";
  fs::create_directory(volume);
  ASSERT_EQ(::mount("tmpfs", volume.c_str(), "tmpfs", 0, nullptr), 0);
  write_text(volume / "app.log", "x");
  make();
  {
    const UniqueFd direct(::open(volume.c_str(), O_PATH | O_DIRECTORY));
    EXPECT_EQ(::umount2(volume.c_str(), 0), -1) << "the control: a holder of the mount blocks it";
    EXPECT_EQ(errno, EBUSY);
  }
  const UniqueFd held(::open((safe() / "volume").c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_TRUE(held.valid());
  EXPECT_EQ(::umount2(volume.c_str(), 0), 0) << std::strerror(errno);
  EXPECT_EQ(::rmdir(volume.c_str()), 0) << std::strerror(errno);
}

TEST_F(SafeRootsTest, NobodyCanRenameOrAddAnythingInRootsDir) {
  make();
  EXPECT_EQ(::rename(safe().c_str(), (roots() / "stolen").c_str()), -1);
  EXPECT_TRUE(errno == EBUSY || errno == EROFS) << errno;
  EXPECT_EQ(::rename(roots().c_str(), (base_ / "run/stolen").c_str()), -1);
  EXPECT_EQ(errno, EBUSY);
  EXPECT_EQ(::mkdir((roots() / "x").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
}

TEST_F(SafeRootsTest, OtherMountNamespacesSeeTheRootsWithTheirFlags) {
  // A viewer that started before the mounter, with HostToContainer.
  int ready[2];
  int made[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(made), 0);
  write_text(pods() / "app.log", "line");
  const pid_t viewer = ::fork();
  if (viewer == 0) {
    char byte = 'x';
    const bool isolated = ::unshare(CLONE_NEWNS) == 0 &&
                          ::mount("none", "/", nullptr, MS_REC | MS_SLAVE, nullptr) == 0;
    bool good = isolated && ::write(ready[1], &byte, 1) == 1 && ::read(made[0], &byte, 1) == 1;
    good = good && verify_safe_roots(options_).has_value();
    good = good && read_text(safe() / "app.log") == "line";
    good = good && ::mkdir((roots() / "x").c_str(), 0755) == -1 && errno == EROFS;
    ::_exit(good ? 0 : 1);
  }
  char byte = 'x';
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  make();
  ASSERT_EQ(::write(made[1], &byte, 1), 1);
  int status = 0;
  ::waitpid(viewer, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {ready[0], ready[1], made[0], made[1]}) ::close(fd);
}

TEST_F(SafeRootsTest, AViewerWithoutPropagationIsToldByVerify) {
  fs::create_directories(safe());
  int ready[2];
  int made[2];
  ASSERT_EQ(::pipe(ready), 0);
  ASSERT_EQ(::pipe(made), 0);
  const pid_t viewer = ::fork();
  if (viewer == 0) {
    char byte = 'x';
    bool good = ::unshare(CLONE_NEWNS) == 0 &&
                ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                ::write(ready[1], &byte, 1) == 1 && ::read(made[0], &byte, 1) == 1;
    const auto verified = verify_safe_roots(options_);
    good =
        good && !verified && verified.error().message.find("HostToContainer") != std::string::npos;
    ::_exit(good ? 0 : 1);
  }
  char byte = 'x';
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  make();
  ASSERT_EQ(::write(made[1], &byte, 1), 1);
  int status = 0;
  ::waitpid(viewer, &status, 0);
  EXPECT_EQ(status, 0);
  for (const int fd : {ready[0], ready[1], made[0], made[1]}) ::close(fd);
}

TEST_F(SafeRootsTest, GroundThatAnAgentPreparedIsRefused) {
  fs::create_directory(base_ / "run/elsewhere");
  fs::create_directory_symlink("elsewhere", roots());
  EXPECT_THAT(make_failure(), HasSubstr("is a symlink"));
  EXPECT_THAT(fs::directory_iterator(base_ / "run/elsewhere") == fs::directory_iterator(), true);
  fs::remove(roots());
  write_text(roots(), "x");
  EXPECT_THAT(make_failure(), HasSubstr("is not a directory"));
  fs::remove(roots());
  // What is prepared below rootsDir disappears under our own tmpfs.
  fs::create_directory(roots());
  fs::create_directory_symlink(base_ / "run/elsewhere", safe());
  make();
  EXPECT_EQ(mounts_at(safe()), 1U);
}

TEST_F(SafeRootsTest, AHeldLockIsAnErrorAfterTheDeadline) {
  const UniqueFd lock(::open((base_ / "run").c_str(), O_RDONLY | O_DIRECTORY));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  EXPECT_THAT(make_failure(), HasSubstr("holds the lock"));
}

TEST_F(SafeRootsTest, TwoMountersAtOnceMakeOneMount) {
  options_.lock_deadline = std::chrono::seconds(20);
  const pid_t other = ::fork();
  if (other == 0) ::_exit(make_safe_roots(options_, [](const std::string&) {}) ? 0 : 1);
  make();
  int status = 0;
  ::waitpid(other, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(mounts_at(safe()), 1U);
  EXPECT_EQ(mounts_at(roots()), 1U);
}

TEST_F(SafeRootsTest, ADirectoryThatTheNodeDoesNotHaveIsLeftOutAndTold) {
  options_.roots.push_back(Root{"apps", (base_ / "host/none").string(), {"*"}, false});
  make();
  EXPECT_THAT(report_, Contains(HasSubstr("does not exist on this node")));
  EXPECT_TRUE(verify_safe_roots(options_).has_value());
}

TEST_F(SafeRootsTest, WithoutPrivilegeTheErrorSaysWhatIsMissing) {
  EXPECT_TRUE(in_child([&] {
    fs::permissions(base_.path(), fs::perms(0755));
    fs::create_directory(roots());
    if (::setuid(65534) != 0) return false;
    const auto made = make_safe_roots(options_, [](const std::string&) {});
    return !made && made.error().message.find("CAP_SYS_ADMIN") != std::string::npos;
  }));
}

TEST_F(SafeRootsTest, TheGateOpensOnlyWhenTheSafeRootsAreThere) {
  EXPECT_FALSE(open_gate(options_, report()).has_value());
  EXPECT_FALSE(fs::exists(roots() / ".ready"));
  make();
  EXPECT_FALSE(fs::exists(roots() / ".ready"));
  for (int i = 0; i < 2; ++i) {
    const auto opened = open_gate(options_, report());
    ASSERT_TRUE(opened.has_value()) << opened.error().message;
    EXPECT_TRUE(fs::is_regular_file(roots() / ".ready"));
  }
  EXPECT_EQ(::mkdir((roots() / "x").c_str(), 0755), -1);
  EXPECT_EQ(errno, EROFS);
  make();
  EXPECT_TRUE(fs::is_regular_file(roots() / ".ready"));
}

TEST_F(SafeRootsTest, WithoutRootsTheGateIsAllThereIs) {
  options_.roots.clear();
  ASSERT_TRUE(open_gate(options_, report()).has_value());
  EXPECT_TRUE(fs::is_regular_file(roots() / ".ready"));
}

TEST_F(SafeRootsTest, UnmountingTakesEverythingAwayAndMayBeRepeated) {
  EXPECT_TRUE(remove_safe_roots(options_, report()).has_value());
  EXPECT_THAT(report_, IsEmpty());
  make();
  ASSERT_TRUE(open_gate(options_, report()).has_value());
  const auto removed = remove_safe_roots(options_, report());
  ASSERT_TRUE(removed.has_value()) << removed.error().message;
  EXPECT_EQ(mounts_at(safe()), 0U);
  EXPECT_EQ(mounts_at(roots()), 0U);
  EXPECT_FALSE(fs::exists(roots() / ".ready"));
  EXPECT_TRUE(remove_safe_roots(options_, report()).has_value());
  EXPECT_FALSE(verify_safe_roots(options_).has_value());
}

}  // namespace
}  // namespace loglink
