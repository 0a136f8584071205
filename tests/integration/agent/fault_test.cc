// Each system call of the agent fails once, each time that it is made, in `apply` and in `run`:
// nothing crashes, nothing of others is touched, and when the fault is over the links are right.
//
// LOGLINK_FAULTS=all tries every errno at every call; otherwise each call gets one of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>
#include <sstream>
#include <thread>

#include "tests/integration/agent/test_node.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;

constexpr int kErrors[] = {ENOSPC, EACCES, EIO, EMFILE, ELOOP, ENAMETOOLONG, EROFS, EINTR, ENOMEM};

struct Fault {
  std::string call;
  int nth = 0;
  int error = 0;
};

std::string describe(const Fault& fault) {
  return fault.call + " number " + std::to_string(fault.nth) + " fails with " +
         std::strerror(fault.error);
}

std::vector<std::string> environment_of(const Fault& fault) {
  return {"LD_PRELOAD=" LOGLINK_FAULT_SHIM, "FAULT_CALL=" + fault.call,
          "FAULT_NTH=" + std::to_string(fault.nth), "FAULT_ERRNO=" + std::to_string(fault.error)};
}

// A node on which an agent has been, and on which each kind of change is due: a link to make, one
// to re-point, one to remove, one to keep, a temporary name of a crash.
class FaultNode {
 public:
  static constexpr const char* kTemporaryLeft = "a temporary name is left";

  FaultNode() {
    for (const TestPod* pod : {&anew_, &kept_}) fs::create_directories(node.logs(*pod));
    write_text(node.logs(anew_) / "a.log", "x");
    write_text(node.logs(anew_) / "new.log", "x");
    write_text(node.logs(kept_) / "a.log", "x");
    write_text(node.logs(kept_) / "a.txt", "x");
    fs::create_directories(node.logs(kept_) / "sub");
    write_text(node.logs(kept_) / "sub/deep.log", "x");
    fs::create_directories(node.logs(gone_));
    write_text(node.logs(gone_) / "a.log", "x");
    fs::create_directory(node.links());
    write_text(node.links() / ".loglink",
               "loglink-links 1\n" + node.pods_directory().string() + "/\n");
    fs::permissions(node.links() / ".loglink", fs::perms(0644));
    const TestPod before{"web-0", "uid-0"};
    fs::create_symlink(node.logs(before) / "a.log", node.link(before, "a.log"));
    fs::create_symlink(node.logs(kept_) / "a.log", node.link(kept_, "a.log"));
    fs::create_symlink(node.logs(gone_) / "a.log", node.link(gone_, "a.log"));
    fs::create_symlink("/nowhere", node.links() / ".loglink-tmp-3");
    write_text(node.links() / "theirs.log", "x");
    fs::create_symlink("/etc/hostname", node.links() / "web-0_prod_app-theirs.log");
    for (const fs::path& path :
         {node.links() / "theirs.log", node.links() / "web-0_prod_app-theirs.log",
          node.link(kept_, "a.log")}) {
      untouchable_[path] = stamp_of(path);
    }
    node.set_pods({anew_, kept_});
  }

  [[nodiscard]] bool others_are_untouched() const {
    for (const auto& [path, stamp] : untouchable_) {
      if (stamp_of(path) != stamp) return false;
    }
    return true;
  }
  // "" or what is wrong.
  [[nodiscard]] std::string wrong() const {
    if (!others_are_untouched()) return "an entry of somebody else, or a kept link, was touched";
    if (node.has_temporary_names()) return kTemporaryLeft;
    for (const char* file : {"a.log", "new.log"}) {
      if (!node.is_linked(anew_, file)) return node.link(anew_, file).string() + " is not linked";
    }
    std::vector<std::string> targets;
    for (const auto& [name, target] : node.all_links()) targets.push_back(target);
    for (const char* file : {"a.log", "sub/deep.log"}) {
      const std::string wanted = (node.logs(kept_) / file).string();
      if (std::count(targets.begin(), targets.end(), wanted) != 1) return wanted + " has no link";
    }
    if (!TestNode::read_target(node.link(gone_, "a.log")).empty()) return "a link is left";
    return "";
  }

  TestNode node{"direct", "linger: 0s\nrescanInterval: 1s\n"};

 private:
  const TestPod anew_{"web-0", "uid-1"};
  const TestPod kept_{"web-1", "uid-2", "prod", 2};
  const TestPod gone_{"web-2", "uid-3"};
  std::map<fs::path, EntryStamp> untouchable_;
};

// How often each call is made when nothing fails.
std::map<std::string, int> count_calls(const std::string& command) {
  FaultNode world;
  const std::string counts = (world.node.base() / "counts").string();
  auto program = world.node.start(command, {},
                                  {"LD_PRELOAD=" LOGLINK_FAULT_SHIM, "FAULT_COUNT_FILE=" + counts});
  EXPECT_TRUE(wait_until([&] { return world.wrong().empty(); }))
      << world.wrong() << program->errors();
  if (command == "run") program->signal(SIGTERM);
  EXPECT_EQ(program->wait(), 0) << program->errors();
  std::map<std::string, int> found;
  std::istringstream lines(read_text(counts));
  std::string call;
  for (int count = 0; lines >> call >> count;) found[call] = count;
  return found;
}

std::vector<Fault> faults_for(const std::string& command) {
  const char* const all = std::getenv("LOGLINK_FAULTS");
  const bool every_error = all != nullptr && std::string(all) == "all";
  std::vector<Fault> faults;
  std::size_t turn = 0;
  for (const auto& [call, count] : count_calls(command)) {
    EXPECT_GT(count, 0) << call << " is never made: the shim does not see it";
    for (int nth = 1; nth <= count; ++nth) {
      if (every_error) {
        for (const int error : kErrors) faults.push_back({call, nth, error});
      } else {
        faults.push_back({call, nth, kErrors[turn++ % std::size(kErrors)]});
      }
    }
  }
  return faults;
}

// Several at once: most of the time is waiting for processes.
template <class Try>
void try_all(const std::vector<Fault>& faults, Try attempt) {
  std::atomic<std::size_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at = next++; at < faults.size(); at = next++) attempt(faults[at]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%zu faults\n", faults.size());
}

class FaultTest : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(LOGLINK_SANITIZE) != "") {
      GTEST_SKIP() << "a sanitizer has its own wrappers of these calls: run this in preset dev";
    }
  }
};

TEST_F(FaultTest, ApplySurvivesEachFaultAndTheNextOneMakesItRight) {
  try_all(faults_for("apply"), [](const Fault& fault) {
    SCOPED_TRACE(describe(fault));
    FaultNode world;
    auto faulty = world.node.start("apply", {}, environment_of(fault));
    const int code = faulty->wait();
    EXPECT_TRUE(code == 0 || code == 1) << code << faulty->errors();
    EXPECT_TRUE(world.others_are_untouched()) << faulty->output() << faulty->errors();
    if (code == 0) {
      // What it could not do, it has said; a temporary name may wait for the next start.
      const bool told = faulty->output().find("refused: ") != std::string::npos;
      const std::string wrong = world.wrong();
      EXPECT_TRUE(told || wrong.empty() || wrong == FaultNode::kTemporaryLeft)
          << wrong << faulty->output() << faulty->errors();
    } else {
      EXPECT_NE(faulty->errors(), "") << "it fails and does not say why";
    }
    auto clean = world.node.start("apply");
    EXPECT_EQ(clean->wait(), 0) << clean->errors();
    EXPECT_EQ(world.wrong(), "") << clean->output() << clean->errors();
  });
}

TEST_F(FaultTest, TheRunningAgentSurvivesEachFaultAndMakesItRight) {
  try_all(faults_for("run"), [](const Fault& fault) {
    SCOPED_TRACE(describe(fault));
    FaultNode world;
    auto agent = world.node.start("run", {}, environment_of(fault));
    bool right =
        wait_until([&] { return world.wrong().empty() || agent->exit_code().has_value(); });
    if (agent->exit_code()) {
      // At its start it may end with a reason: it is started again.
      EXPECT_EQ(agent->exit_code(), 1) << agent->errors();
      EXPECT_NE(agent->errors(), "");
      EXPECT_TRUE(world.others_are_untouched()) << agent->errors();
      agent = world.node.start("run");
      right = wait_until([&] { return world.wrong().empty(); });
    }
    EXPECT_TRUE(right) << world.wrong() << agent->errors();
    agent->signal(SIGTERM);
    EXPECT_EQ(agent->wait(), 0) << agent->errors();
    EXPECT_EQ(world.wrong(), "") << agent->errors();
  });
}

}  // namespace
}  // namespace loglink
