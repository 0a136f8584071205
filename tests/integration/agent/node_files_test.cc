// What NodeFiles does beyond the contract of FilePort: marker, lock, prefixes, replaced
// directories.
#include "agent/shell/node_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <thread>

#include "agent/shell/directory_watcher.h"
#include "tests/integration/agent/temporary_directory.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using Access = LinkDirectory::Access;

class NodeFilesTest : public testing::Test {
 protected:
  NodeFilesTest() { fs::create_directory(base_ / "apps"); }

  NodeFiles::Options options() const {
    NodeFiles::Options options;
    options.link_mode = LinkMode::kDirect;
    options.roots = {Root{"apps", (base_ / "apps").string(), {"*"}, false}};
    options.link_dir = (base_ / "links").string();
    options.roots_dir = (base_ / "roots").string();
    options.state_dir = (base_ / "state").string();
    options.max_watches = 100;
    return options;
  }
  static std::unique_ptr<NodeFiles> open_locked(const NodeFiles::Options& options) {
    auto files = NodeFiles::open(options);
    EXPECT_TRUE(files.has_value()) << (files ? "" : files.error().message);
    if (!files) return nullptr;
    const auto locked = (*files)->try_lock();
    EXPECT_TRUE(locked && *locked);
    return *std::move(files);
  }
  std::string refusal(const NodeFiles::Options& options) {
    const auto files = NodeFiles::open(options);
    EXPECT_FALSE(files.has_value());
    return files ? "" : files.error().message;
  }
  fs::path links() const { return base_ / "links"; }
  std::string apps(const std::string& path) const { return (base_ / "apps").string() + "/" + path; }

  TemporaryDirectory base_;
};

TEST_F(NodeFilesTest, AFreshLinkDirectoryGetsAMarkerThatNamesTheFormatAndThePrefixes) {
  open_locked(options());
  EXPECT_EQ(read_text(links() / ".loglink"), "loglink-links 1\n" + apps("") + "\n");
  EXPECT_EQ(fs::status(links()).permissions(), fs::perms(0755));
}

TEST_F(NodeFilesTest, MissingParentsOfTheLinkDirectoryAreMade) {
  auto nested = options();
  nested.link_dir = (base_ / "a/b/links").string();
  open_locked(nested);
  EXPECT_TRUE(fs::is_regular_file(base_ / "a/b/links/.loglink"));
}

TEST_F(NodeFilesTest, AForeignDirectoryWithContentsIsRefusedAndLeftAlone) {
  fs::create_directory(links());
  write_text(links() / "precious", "x");
  EXPECT_THAT(refusal(options()), HasSubstr("is not empty and has no marker .loglink"));
  EXPECT_FALSE(fs::exists(links() / ".loglink"));
  EXPECT_EQ(read_text(links() / "precious"), "x");
}

TEST_F(NodeFilesTest, AMarkerThatIsNotAnOwnRegularFileIsRefused) {
  fs::create_directory(links());
  const fs::path marker = links() / ".loglink";
  write_text(base_ / "elsewhere", "loglink-links 1\n");
  fs::create_symlink(base_ / "elsewhere", marker);
  EXPECT_THAT(refusal(options()), HasSubstr(".loglink"));
  fs::remove(marker);
  ASSERT_EQ(::mkfifo(marker.c_str(), 0644), 0);
  EXPECT_THAT(refusal(options()), HasSubstr("not a regular file of ours"));
  fs::remove(marker);
  write_text(marker, "loglink-links 1\n");
  fs::permissions(marker, fs::perms(0646));
  EXPECT_THAT(refusal(options()), HasSubstr("nobody else can write"));
  if (::geteuid() == 0) {
    fs::permissions(marker, fs::perms(0644));
    ASSERT_EQ(::chown(marker.c_str(), 12345, 12345), 0);
    EXPECT_THAT(refusal(options()), HasSubstr("not a regular file of ours"));
  }
}

TEST_F(NodeFilesTest, AMarkerOfAnotherVersionIsRefused) {
  fs::create_directory(links());
  write_text(links() / ".loglink", "loglink-links 2\n");
  EXPECT_THAT(refusal(options()), HasSubstr("unknown version"));
}

TEST_F(NodeFilesTest, AMarkerThatACrashCutIsCompleted) {
  for (const std::string& cut :
       {std::string(), std::string("loglink-li"), std::string("loglink-links 1"),
        std::string("loglink-links 1\n/half")}) {
    fs::remove_all(links());
    fs::create_directory(links());
    write_text(links() / ".loglink", cut);
    EXPECT_THAT(open_locked(options())->owned_prefixes(), ElementsAre(apps("")));
    // The next start reads it whole.
    EXPECT_THAT(open_locked(options())->owned_prefixes(), ElementsAre(apps("")));
  }
}

TEST_F(NodeFilesTest, AMarkerWithOtherContentsIsRefusedAndLeftAsItIs) {
  for (const std::string& text : {std::string("garbage"), std::string("loglink-links 12")}) {
    fs::remove_all(links());
    fs::create_directory(links());
    write_text(links() / ".loglink", text);
    EXPECT_THAT(refusal(options()), HasSubstr("unknown version"));
    EXPECT_EQ(read_text(links() / ".loglink"), text);
  }
}

TEST_F(NodeFilesTest, PrefixesOfOtherModesAndRootsStayOursButNoOthers) {
  auto safe = options();
  safe.link_mode = LinkMode::kSafe;
  open_locked(safe);
  const std::string roots = (base_ / "roots").string();
  std::ofstream(links() / ".loglink", std::ios::app) << "/etc/\n"
                                                     << roots << "/former/\n"
                                                     << roots << "/../x/\n"
                                                     << roots << "/\n"
                                                     << apps("no-slash") << "\n";
  EXPECT_THAT(open_locked(options())->owned_prefixes(),
              ElementsAre(apps(""), roots + "/apps/", roots + "/former/"));
}

TEST_F(NodeFilesTest, ASecondAgentWaitsForTheLock) {
  auto first = open_locked(options());
  auto second = NodeFiles::open(options());
  ASSERT_TRUE(second.has_value());
  EXPECT_FALSE(*(*second)->try_lock());
  EXPECT_EQ((*second)->make_link("a.log", apps("a")).error().kind, FileErrorKind::kReadOnly);
  first.reset();
  EXPECT_TRUE(*(*second)->try_lock());
  EXPECT_TRUE((*second)->make_link("a.log", apps("a")).has_value());
}

TEST_F(NodeFilesTest, TemporaryNamesAreRemovedUnderTheLockOnly) {
  auto first = open_locked(options());
  fs::create_symlink("/x", links() / ".loglink-tmp-7");
  auto second = NodeFiles::open(options());
  ASSERT_FALSE(*(*second)->try_lock());
  EXPECT_TRUE(fs::is_symlink(links() / ".loglink-tmp-7"));
  EXPECT_THAT(*first->list_links(), IsEmpty());
  first.reset();
  ASSERT_TRUE(*(*second)->try_lock());
  EXPECT_FALSE(fs::is_symlink(links() / ".loglink-tmp-7"));
}

TEST_F(NodeFilesTest, ReadAccessChangesNothing) {
  auto read_only = options();
  read_only.access = Access::kRead;
  auto files = NodeFiles::open(read_only);
  ASSERT_TRUE(files.has_value());
  EXPECT_THAT(*(*files)->list_links(), IsEmpty());
  EXPECT_FALSE(fs::exists(links()));
  { open_locked(options())->make_link("a.log", apps("a")); }
  files = NodeFiles::open(read_only);
  ASSERT_TRUE(files.has_value());
  EXPECT_EQ((*files)->list_links()->size(), 1U);
  EXPECT_EQ((*files)->make_link("b.log", apps("b")).error().kind, FileErrorKind::kReadOnly);
  EXPECT_EQ((*files)->remove_link("a.log", apps("a")).error().kind, FileErrorKind::kReadOnly);
}

TEST_F(NodeFilesTest, ALinkDirectoryInsideARootIsRefusedByWhateverPath) {
  auto inside = options();
  fs::create_directory(base_ / "apps/sub");
  inside.link_dir = apps("sub/links");
  EXPECT_THAT(refusal(inside), HasSubstr("lies below it"));
  fs::create_symlink(base_ / "apps/sub", base_ / "alias");
  inside.link_dir = (base_ / "alias/links").string();
  EXPECT_THAT(refusal(inside), HasSubstr("lies below it"));
  auto above = options();
  above.link_dir = base_.path().string() + "/outer";
  fs::create_directory(base_ / "outer");
  open_locked(above);
  above.roots[0].path = (base_ / "outer/root").string();
  fs::create_directory(base_ / "outer/root");
  open_locked(above);
}

TEST_F(NodeFilesTest, ALinkDirectoryThatWasRemovedIsMadeAgain) {
  auto files = open_locked(options());
  ASSERT_TRUE(files->make_link("a.log", apps("a")).has_value());
  fs::remove_all(links());
  ASSERT_TRUE(files->link_directory_version().has_value());
  EXPECT_THAT(*files->list_links(), IsEmpty());
  EXPECT_TRUE(files->make_link("a.log", apps("a")).has_value());
  EXPECT_TRUE(fs::is_symlink(links() / "a.log"));
  EXPECT_FALSE(*(*NodeFiles::open(options()))->try_lock());
  (void)files->take_notices(100);
  write_text(links() / "x.log", "x");
  EXPECT_THAT(files->take_notices(100),
              Contains(FileNotice{FileNotice::Kind::kLinkDirectory, 0, "x.log"}));
}

TEST_F(NodeFilesTest, AMarkerThatWasRemovedIsRestored) {
  auto files = open_locked(options());
  ASSERT_TRUE(files->make_link("a.log", apps("a")).has_value());
  fs::remove(links() / ".loglink");
  ASSERT_EQ(files->list_links()->size(), 1U);
  EXPECT_EQ(read_text(links() / ".loglink"), "loglink-links 1\n" + apps("") + "\n");
  EXPECT_FALSE(*(*NodeFiles::open(options()))->try_lock());
}

TEST_F(NodeFilesTest, AForeignDirectoryInTheLinkDirectorysPlaceIsLeftAloneUntilItGoes) {
  auto files = open_locked(options());
  ASSERT_TRUE(files->make_link("a.log", apps("a")).has_value());
  fs::rename(links(), base_ / "moved");
  fs::create_directory(links());
  write_text(links() / "precious", "x");
  // Every time, not only the first: what is there is nobody's to write or to believe.
  for (int reading = 0; reading < 3; ++reading) {
    const auto listed = files->list_links();
    ASSERT_FALSE(listed.has_value()) << reading;
    EXPECT_EQ(listed.error().kind, FileErrorKind::kNotOurs);
    EXPECT_FALSE(files->make_link("b.log", apps("b")).has_value());
  }
  EXPECT_EQ(read_text(links() / "precious"), "x");
  fs::remove(links() / "precious");
  ASSERT_TRUE(files->list_links().has_value());
  EXPECT_TRUE(files->make_link("b.log", apps("b")).has_value());
  EXPECT_TRUE(fs::is_symlink(links() / "b.log"));
}

TEST_F(NodeFilesTest, ALinkDirectoryThatAnotherAgentHoldsIsTakenWhenItIsFree) {
  auto files = open_locked(options());
  auto other_options = options();
  other_options.link_dir = (base_ / "others").string();
  auto other = open_locked(other_options);
  fs::remove_all(links());
  fs::rename(base_ / "others", links());
  for (int reading = 0; reading < 2; ++reading) EXPECT_FALSE(files->list_links().has_value());
  other.reset();
  ASSERT_TRUE(files->list_links().has_value());
  EXPECT_TRUE(files->make_link("a.log", apps("a")).has_value());
}

TEST_F(NodeFilesTest, AMarkerThatSomebodyElseReplacedIsTakenOver) {
  auto files = open_locked(options());
  fs::remove(links() / ".loglink");
  write_text(links() / ".loglink", "loglink-links 1\n");
  fs::permissions(links() / ".loglink", fs::perms(0644));
  (void)files->list_links();
  ASSERT_TRUE(files->list_links().has_value());
  EXPECT_TRUE(files->make_link("a.log", apps("a")).has_value());
}

TEST_F(NodeFilesTest, SafeModeWithoutSafeRootsIsNeverUsable) {
  auto safe = options();
  safe.link_mode = LinkMode::kSafe;
  auto files = open_locked(safe);
  EXPECT_EQ(files->check_root("apps"), RootState::kAbsent);
  // Nothing is mounted there yet.
  fs::create_directories(base_ / "roots/apps");
  EXPECT_EQ(files->check_root("apps"), RootState::kAbsent);
  write_text(base_ / "roots/apps/a.log", "x");
  EXPECT_EQ(files->check_root("apps"), RootState::kUnsafe);
  EXPECT_EQ(files->stat("apps", "a.log").error().kind, FileErrorKind::kNotFound);
  fs::remove_all(base_ / "roots/apps");
  fs::create_symlink(base_ / "apps", base_ / "roots/apps");
  EXPECT_EQ(files->check_root("apps"), RootState::kUnsafe);
}

TEST_F(NodeFilesTest, AReaderOfLinksNeverSeesANameGoneWhileItIsRePointed) {
  auto files = open_locked(options());
  ASSERT_TRUE(files->make_link("a.log", apps("0")).has_value());
  std::atomic<bool> stop{false};
  std::atomic<int> absences{0};
  std::thread reader([&] {
    while (!stop) {
      if (!fs::is_symlink(links() / "a.log")) ++absences;
    }
  });
  for (int i = 0; i < 2000; ++i) {
    ASSERT_TRUE(files->replace_link("a.log", apps(std::to_string(i)), apps(std::to_string(i + 1))));
  }
  stop = true;
  reader.join();
  EXPECT_EQ(absences, 0);
}

TEST_F(NodeFilesTest, ATenantWhoSwapsAFileForASymlinkIsNeverFollowed) {
  write_text(base_ / "secret", "s");
  write_text(base_ / "apps/a.log", "x");
  fs::create_symlink(base_ / "secret", base_ / "apps/b.log");
  auto files = open_locked(options());
  struct stat secret_status {};
  ASSERT_EQ(::stat((base_ / "secret").c_str(), &secret_status), 0);
  std::atomic<bool> stop{false};
  std::thread tenant([&] {
    const std::string a = apps("a.log");
    const std::string b = apps("b.log");
    while (!stop) {
      ::renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
    }
  });
  int regular = 0;
  int refused = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto info = files->stat("apps", "a.log");
    if (!info) {
      EXPECT_EQ(info.error().kind, FileErrorKind::kSymlinkInPath);
      ++refused;
      continue;
    }
    ASSERT_NE(info->id.inode, secret_status.st_ino);
    ++regular;
  }
  stop = true;
  tenant.join();
  EXPECT_GT(regular, 0);
  EXPECT_GT(refused, 0);
}

TEST_F(NodeFilesTest, TheQueueOfTheKernelOverflowsIntoOneNotice) {
  auto files = open_locked(options());
  ASSERT_TRUE(files->watch("apps", "").has_value());
  std::ifstream limit_file("/proc/sys/fs/inotify/max_queued_events");
  int limit = 0;
  limit_file >> limit;
  ASSERT_GT(limit, 0);
  for (int i = 0; i < limit / 2 + 10; ++i) {
    const std::string path = apps(std::to_string(i % 2));
    write_text(path, "");
    fs::remove(path);
  }
  int overflows = 0;
  for (;;) {
    const auto notices = files->take_notices(1000);
    if (notices.empty()) break;
    for (const FileNotice& notice : notices) {
      if (notice.kind == FileNotice::Kind::kOverflow) ++overflows;
    }
  }
  EXPECT_EQ(overflows, 1);
}

TEST_F(NodeFilesTest, WatchesAreBounded) {
  auto few = options();
  few.max_watches = 2;
  auto files = open_locked(few);
  for (const char* name : {"a", "b", "c"}) fs::create_directory(base_ / "apps" / name);
  const auto first = files->watch("apps", "a");
  ASSERT_TRUE(first && files->watch("apps", "b"));
  EXPECT_EQ(files->watch("apps", "c").error().kind, FileErrorKind::kWatchLimit);
  EXPECT_TRUE(files->watch("apps", "a").has_value());  // shares the kernel's watch
  auto none = options();
  none.max_watches = 0;
  none.link_dir = (base_ / "other").string();
  EXPECT_EQ(open_locked(none)->watch("apps", "a").error().kind, FileErrorKind::kWatchLimit);
}

TEST_F(NodeFilesTest, StateThatCannotBeWrittenIsTold) {
  auto broken = options();
  write_text(base_ / "file", "x");
  broken.state_dir = (base_ / "file").string();
  auto files = open_locked(broken);
  files->store_state("desired.json", "x");
  files->flush_state(std::chrono::seconds(10));
  EXPECT_THAT(files->state_trouble(), HasSubstr("Not a directory"));
  auto good = options();
  good.link_dir = (base_ / "other").string();
  auto working = open_locked(good);
  working->store_state("desired.json", "x");
  ASSERT_TRUE(working->flush_state(std::chrono::seconds(10)));
  EXPECT_EQ(working->state_trouble(), "");
  EXPECT_EQ(fs::status(base_ / "state").permissions(), fs::perms(0700));
  EXPECT_EQ(fs::status(base_ / "state/desired.json").permissions(), fs::perms(0600));
  EXPECT_FALSE(fs::exists(base_ / "state/.desired.json.tmp"));
}

// Instances of inotify are few, and all of a user's together: who has none asks again.
TEST_F(NodeFilesTest, AWatcherThatGetsNoInotifyTriesAgain) {
  const UniqueFd directory(::open(base_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &usual), 0);
  rlimit none = usual;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  DirectoryWatcher watcher(10);
  const auto refused = watcher.watch(directory.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &usual), 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, FileErrorKind::kWatchLimit);
  EXPECT_EQ(watcher.descriptor(), -1);

  EXPECT_TRUE(watcher.watch(directory.get()));
  EXPECT_GE(watcher.descriptor(), 0);
  write_text(base_ / "new.log", "x");
  EXPECT_THAT(watcher.take(10), testing::Not(testing::IsEmpty()));
}

// A full disk that had room again three seconds later never got the last set.
TEST_F(NodeFilesTest, StateThatCouldNotBeWrittenIsTriedAgainWithoutBeingStoredAnew) {
  auto later = options();
  write_text(base_ / "later", "x");
  later.state_dir = (base_ / "later").string();
  auto files = open_locked(later);
  files->store_state("desired.json", "the set");
  files->store_state("inodes.txt", "the memory");
  files->flush_state(std::chrono::seconds(10));
  EXPECT_THAT(files->state_trouble(), HasSubstr("Not a directory"));
  EXPECT_EQ(**files->load_state("desired.json"), "the set");

  fs::remove(base_ / "later");
  ASSERT_TRUE(files->flush_state(std::chrono::seconds(10)));
  EXPECT_EQ(files->state_trouble(), "");
  EXPECT_EQ(read_text(base_ / "later/desired.json"), "the set");
  EXPECT_EQ(read_text(base_ / "later/inodes.txt"), "the memory");
}

}  // namespace
}  // namespace loglink
