// The attack that decides the design: a tenant swaps its log file for something else at the moment
// in which a collector opens it through its link. Real kernel, real agent, as root in a mount
// namespace of its own.
//
// LOGLINK_ADVERSARY_FLIPS sets how many swaps the safe mode must withstand.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "lib/base/unique_fd.h"
#include "tests/integration/agent/own_mounts.h"
#include "tests/integration/agent/test_node.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;
using FileKey = std::pair<dev_t, ino_t>;

FileKey key_of(const struct stat& status) { return {status.st_dev, status.st_ino}; }

// Every file and directory that is this tenant's own to show.
std::set<FileKey> own_files(const fs::path& directory) {
  std::set<FileKey> keys;
  struct stat status {};
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    if (::lstat(entry.path().c_str(), &status) == 0) keys.insert(key_of(status));
  }
  return keys;
}

struct Tally {
  std::atomic<long> flips{0};
  std::atomic<long> opened{0};
  std::atomic<long> refused{0};  // the kernel would not follow a symlink
  std::atomic<long> leaked{0};
  std::atomic<long> absent{0};
};

class AdversaryTest : public testing::Test {
 protected:
  inline static std::string no_mounts_;  // why there are none

  static void SetUpTestSuite() { no_mounts_ = take_own_mounts(); }
  void SetUp() override {
    if (!no_mounts_.empty()) GTEST_SKIP() << no_mounts_;
  }

  // The tenant's files, and beside each what it is swapped for.
  void prepare(const TestNode& node) {
    write_text(node.base() / "secret", "shadow\n");
    fs::create_directories(node.logs(neighbour_));
    write_text(node.logs(neighbour_) / "token", "neighbour's\n");
    const fs::path logs = node.logs(tenant_);
    fs::create_directories(logs / "sub");
    fs::create_directories(node.base() / "elsewhere");
    write_text(node.base() / "elsewhere/deep.log", "shadow\n");
    for (const char* name : {"plain.log", "any.log", "sub/deep.log"}) {
      write_text(logs / name, "line\n");
    }
    fs::create_symlink(node.base() / "secret", logs / "plain.secret");
    fs::create_symlink(node.base() / "secret", logs / "any.secret");
    fs::create_symlink("../../../../" + TestNode::path_in_root(neighbour_) + "/token",
                       logs / "any.neighbour");
    fs::create_symlink("plain.log", logs / "any.relative");
    fs::create_directory(logs / "any.directory");
    ASSERT_EQ(::mkfifo((logs / "any.fifo").c_str(), 0666), 0);
    ASSERT_EQ(::mknod((logs / "any.device").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0)
        << std::strerror(errno);
    fs::create_directory_symlink(node.base() / "elsewhere", logs / "sub.elsewhere");
    node.set_pods({tenant_});
    own_ = own_files(logs);
  }

  // Swaps `victim` with one of the others, for ever.
  void swap_until_stopped(const fs::path& directory, const std::string& victim,
                          const std::vector<std::string>& others, Tally& tally) const {
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::minstd_rand random(7);
    while (!stop_) {
      const std::string& other = others[random() % others.size()];
      // There and back again: what `victim` is at first returns at each second swap.
      for (int i = 0; i < 2; ++i) {
        if (::renameat2(fd.get(), other.c_str(), fd.get(), victim.c_str(), RENAME_EXCHANGE) == 0) {
          ++tally.flips;
        }
      }
    }
  }

  // Opens what is linked, as a collector does that finds its files by the link directory.
  void read_until_stopped(const fs::path& links, Tally& tally) const {
    while (!stop_) {
      std::error_code error;
      for (const auto& entry : fs::directory_iterator(links, error)) {
        if (entry.path().extension() != ".log") continue;
        for (int i = 0; i < 50 && !stop_; ++i) open_once(entry.path(), tally);
      }
    }
  }

  void open_once(const fs::path& link, Tally& tally) const {
    const UniqueFd file(::open(link.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
    if (!file.valid()) {
      ++(errno == ELOOP ? tally.refused : tally.absent);
      return;
    }
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return;
    ++tally.opened;
    if (own_.count(key_of(status)) == 0) ++tally.leaked;
  }

  // Tenants and collectors at once, until `enough`.
  template <class Enough>
  bool attack(const TestNode& node, Tally& tally, Enough enough, std::chrono::seconds deadline) {
    stop_ = false;
    const fs::path logs = node.logs(tenant_);
    std::vector<std::thread> threads;
    threads.emplace_back([&] { swap_until_stopped(logs, "plain.log", {"plain.secret"}, tally); });
    threads.emplace_back([&] {
      swap_until_stopped(logs, "any.log",
                         {"any.secret", "any.neighbour", "any.relative", "any.directory",
                          "any.fifo", "any.device"},
                         tally);
    });
    threads.emplace_back([&] { swap_until_stopped(logs, "sub", {"sub.elsewhere"}, tally); });
    for (int i = 0; i < 2; ++i) {
      threads.emplace_back([&] { read_until_stopped(node.links(), tally); });
    }
    const bool done = wait_until([&] { return enough(tally); }, deadline);
    stop_ = true;
    for (std::thread& thread : threads) thread.join();
    std::printf("%ld swaps, %ld opens, %ld leaks, %ld refused as symlinks, %ld not there\n",
                tally.flips.load(), tally.opened.load(), tally.leaked.load(), tally.refused.load(),
                tally.absent.load());
    return done;
  }

  TestPod tenant_{"web-0", "3f0c", "prod", 2};
  TestPod neighbour_{"bank-0", "77aa", "finance", 1};
  std::set<FileKey> own_;
  std::atomic<bool> stop_{false};
};

TEST_F(AdversaryTest, NoSwapLeadsACollectorOutOfTheTenantsOwnFilesInSafeMode) {
  TestNode node("safe");
  prepare(node);
  auto mounter = node.start("mount");
  ASSERT_EQ(mounter->wait(), 0) << mounter->errors();
  auto agent = node.start("run");
  const std::string target = (node.safe_root() / TestNode::path_in_root(tenant_)).string();
  const auto is_linked = [&](const char* file) {
    return TestNode::read_target(node.link(tenant_, file)) == target + "/" + file;
  };
  ASSERT_TRUE(wait_until([&] {
    return is_linked("plain.log") && is_linked("any.log") && node.all_links().size() == 3;
  })) << agent->errors();

  const long wanted = number_from_environment("LOGLINK_ADVERSARY_FLIPS", 50'000);
  Tally tally;
  const bool done = attack(
      node, tally, [&](const Tally& t) { return t.flips >= wanted && t.refused > 0; },
      std::chrono::seconds(60 + wanted / 1000));
  EXPECT_TRUE(done);
  EXPECT_EQ(tally.leaked, 0);
  // The readers were there while it happened.
  EXPECT_GT(tally.opened, wanted / 100);
  EXPECT_GT(tally.refused, wanted / 1000);

  // The agent has outlived it, and comes back to what is there.
  ASSERT_EQ(agent->exit_code(), std::nullopt) << agent->errors();
  write_text(node.logs(tenant_) / "after.log", "x");
  EXPECT_TRUE(wait_until([&] {
    return is_linked("plain.log") && is_linked("any.log") && is_linked("after.log");
  })) << agent->errors();
  agent->signal(SIGTERM);
  EXPECT_EQ(agent->wait(), 0);
  auto unmounter = node.start("mount", {"--unmount"});
  EXPECT_EQ(unmounter->wait(), 0) << unmounter->errors();
}

// The test bites: the same tenants, the same readers, links to raw paths.
TEST_F(AdversaryTest, TheSameSwapsLeakThroughRawPaths) {
  TestNode node("direct");
  prepare(node);
  auto agent = node.start("run");
  ASSERT_TRUE(wait_until([&] { return node.all_links().size() == 3; })) << agent->errors();
  Tally tally;
  EXPECT_TRUE(attack(
      node, tally, [](const Tally& t) { return t.leaked > 0; }, std::chrono::seconds(30)));
}

}  // namespace
}  // namespace loglink
