// rsyslog's imfile reads the link directory while files rotate, pods come and go, and the agent is
// killed: each line that an application wrote arrives, and arrives once.
//
// Needs the program rsyslogd; no root, no port, nothing of the machine's own rsyslog.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <sstream>

#include "lib/base/unique_fd.h"
#include "tests/integration/agent/test_node.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;

std::string find_rsyslogd() {
  for (const char* path : {"/usr/sbin/rsyslogd", "/sbin/rsyslogd", "/usr/local/sbin/rsyslogd"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return "";
}

class Rsyslog {
 public:
  explicit Rsyslog(const TestNode& node)
      : directory_(node.base() / "rsyslog"), received_(directory_ / "received") {
    fs::create_directories(directory_ / "state");
    write_text(directory_ / "rsyslog.conf",
               "global(workDirectory=\"" + (directory_ / "state").string() +
                   "\" maxMessageSize=\"8k\")\n"
                   "module(load=\"imfile\" mode=\"inotify\")\n"
                   "template(name=\"bare\" type=\"string\" string=\"%msg%\\n\")\n"
                   "input(type=\"imfile\" tag=\"loglink\" reopenOnTruncate=\"on\" "
                   "freshStartTail=\"off\" file=\"" +
                   (node.links() / "*.log").string() +
                   "\")\n"
                   "action(type=\"omfile\" template=\"bare\" file=\"" +
                   received_.string() + "\")\n");
    program_.emplace(std::vector<std::string>{find_rsyslogd(), "-n", "-f",
                                              (directory_ / "rsyslog.conf").string(), "-i",
                                              (directory_ / "pid").string()},
                     directory_, "rsyslogd");
  }

  // How often each line has come.
  [[nodiscard]] std::map<std::string, int> received() const {
    std::map<std::string, int> counts;
    std::istringstream lines(read_text(received_));
    for (std::string line; std::getline(lines, line);) {
      // A line's syslog form may keep a blank before it.
      ++counts[line.substr(
          line.find_first_not_of(' ') == std::string::npos ? 0 : line.find_first_not_of(' '))];
    }
    return counts;
  }
  [[nodiscard]] std::string errors() const { return program_->errors(); }

 private:
  fs::path directory_;
  fs::path received_;
  std::optional<Program> program_;
};

class RsyslogTest : public testing::Test {
 protected:
  void SetUp() override {
    if (find_rsyslogd().empty()) {
      GTEST_SKIP() << "there is no rsyslogd: scripts/setup --check installs it";
    }
  }

  // Appends lines that nobody else writes.
  void write_lines(const fs::path& file, int count = 3) {
    std::ofstream out(file, std::ios::app);
    for (int i = 0; i < count; ++i) {
      const std::string line = "line " + std::to_string(++lines_) + " of " + step_;
      written_.push_back(line);
      out << line << "\n";
    }
  }
  // Each line so far has come, once; what follows belongs to `next`.
  void expect_all_arrived(const Rsyslog& rsyslog, const std::string& next) {
    std::map<std::string, int> received;
    wait_until([&] {
      received = rsyslog.received();
      return std::all_of(written_.begin(), written_.end(),
                         [&](const std::string& line) { return received.count(line) > 0; });
    });
    for (const std::string& line : written_) {
      EXPECT_EQ(received[line], 1) << line << "; after: " << step_;
    }
    step_ = next;
  }
  // Deletes it and keeps its inode number taken: for a file below 512 bytes rsyslog knows no more
  // than that number, and would go on in the next file that has it where it was in this one.
  void remove_keeping_inode(const fs::path& file) {
    deleted_.emplace_back(::open(file.c_str(), O_PATH | O_CLOEXEC));
    ASSERT_TRUE(deleted_.back().valid()) << file;
    fs::remove(file);
  }
  void remove_tree_keeping_inodes(const fs::path& directory) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.is_regular_file()) files.push_back(entry.path());
    }
    for (const fs::path& file : files) remove_keeping_inode(file);
    fs::remove_all(directory);
  }
  void expect_linked(const TestPod& pod, const std::string& file) {
    EXPECT_TRUE(wait_until([&] { return node_.is_linked(pod, file); })) << pod.uid << " " << file;
  }

  TestNode node_{"direct", "rescanInterval: 1s\n"};
  std::vector<std::string> written_;
  std::vector<UniqueFd> deleted_;
  int lines_ = 0;
  std::string step_ = "the start";
};

TEST_F(RsyslogTest, EachLineArrivesOnceThroughRotationsCrashesAndPodsThatComeAndGo) {
  const TestPod web{"web-0", "uid-0"};
  const TestPod job{"job-0", "uid-1"};
  for (const TestPod& pod : {web, job}) fs::create_directories(node_.logs(pod));
  node_.set_pods({web, job});
  auto agent = node_.start("run");
  ASSERT_TRUE(wait_until([&] { return fs::exists(node_.links() / ".loglink"); }));
  const Rsyslog rsyslog(node_);
  const fs::path logs = node_.logs(web);
  const fs::path log = logs / "app.log";
  write_lines(log);
  write_lines(node_.logs(job) / "job.log");
  expect_linked(web, "app.log");
  write_lines(log);
  expect_all_arrived(rsyslog, "rename and create");

  fs::rename(log, logs / "app.log.1");
  write_lines(logs / "app.log.1");  // the application still has the old file open
  write_lines(log);
  expect_all_arrived(rsyslog, "copytruncate");

  fs::copy_file(log, logs / "app.log.2");
  fs::resize_file(log, 0);
  write_lines(log, 1);
  expect_all_arrived(rsyslog, "delete and create");

  remove_keeping_inode(log);
  write_lines(log, 5);
  expect_all_arrived(rsyslog, "kill -9 of the agent, rotation while it is away");

  agent.reset();
  fs::rename(log, logs / "app.log.3");
  write_lines(logs / "app.log.3");
  write_lines(log);
  write_lines(logs / "other.log");
  agent = node_.start("run");
  expect_linked(web, "other.log");
  expect_all_arrived(rsyslog, "a dated name that matches the pattern");

  // Not before the kill -9: what was linked in the last 30 seconds need not be on the disk then,
  // and a dated name of it may come twice.
  fs::rename(log, logs / "app-2026-01-01.log");
  write_lines(logs / "app-2026-01-01.log");
  write_lines(log);
  expect_all_arrived(rsyslog, "an orderly restart, a dated rename while it is away");
  EXPECT_FALSE(node_.is_linked(web, "app-2026-01-01.log"));

  agent->signal(SIGTERM);
  ASSERT_EQ(agent->wait(), 0) << agent->errors();
  fs::rename(log, logs / "app-2026-01-02.log");
  write_lines(logs / "app-2026-01-02.log");
  write_lines(log);
  agent = node_.start("run");
  write_lines(logs / "third.log");
  expect_linked(web, "third.log");
  expect_all_arrived(rsyslog, "a new pod, a withdrawn one that still writes");
  EXPECT_FALSE(node_.is_linked(web, "app-2026-01-02.log"));

  const TestPod late{"late-0", "uid-2"};
  fs::create_directories(node_.logs(late));
  write_lines(node_.logs(late) / "late.log");
  node_.set_pods({web, late});
  expect_linked(late, "late.log");
  write_lines(node_.logs(job) / "job.log");
  write_lines(log);
  expect_all_arrived(rsyslog, "a pod that is made anew under its name");

  const TestPod again{"web-0", "uid-3"};
  fs::create_directories(node_.logs(again));
  node_.set_pods({again, late});
  remove_tree_keeping_inodes(node_.pods_directory() / web.uid);
  write_lines(node_.logs(again) / "app.log");
  expect_linked(again, "app.log");
  write_lines(node_.logs(again) / "app.log");
  write_lines(node_.logs(late) / "late.log");
  expect_all_arrived(rsyslog, "the end");
  EXPECT_EQ(agent->exit_code(), std::nullopt) << agent->errors();
}

// The test bites: a link that is re-made, though it means the same file, repeats that file.
TEST_F(RsyslogTest, ALinkThatIsReMadeRepeatsItsFile) {
  const TestPod web{"web-0", "uid-0"};
  fs::create_directories(node_.logs(web));
  node_.set_pods({web});
  auto agent = node_.start("run");
  ASSERT_TRUE(wait_until([&] { return fs::exists(node_.links() / ".loglink"); }));
  const Rsyslog rsyslog(node_);
  write_lines(node_.logs(web) / "app.log");
  expect_all_arrived(rsyslog, "re-made");
  fs::create_symlink(node_.logs(web) / "app.log", node_.links() / "new");
  fs::rename(node_.links() / "new", node_.link(web, "app.log"));
  EXPECT_TRUE(wait_until([&] { return rsyslog.received()[written_.front()] == 2; }));
}

}  // namespace
}  // namespace loglink
