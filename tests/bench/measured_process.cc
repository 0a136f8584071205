#include "tests/bench/measured_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>

namespace loglink::bench {
namespace {

// A bookmark and its frame are far smaller.
constexpr std::size_t kSearchedBytes = 4096;
constexpr std::size_t kPipeBytes = 1024 * 1024;

}  // namespace

void give_up(const std::string& why) {
  std::fprintf(stderr, "controller_bench: %s\n", why.c_str());
  std::exit(1);
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

MeasuredProcess::MeasuredProcess(std::vector<std::string> argv, bool with_stderr)
    : name_(argv.at(0)) {
  std::vector<char*> arguments;
  for (std::string& each : argv) arguments.push_back(each.data());
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) give_up("no pipe");
  ::fcntl(ends[0], F_SETPIPE_SZ, kPipeBytes);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  if (with_stderr) posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  started_ = std::chrono::steady_clock::now();
  const int error =
      ::posix_spawnp(&pid_, arguments[0], &actions, nullptr, arguments.data(), ::environ);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  output_ = ends[0];
  if (error != 0) give_up("cannot start " + name_ + ": " + std::strerror(error));
}

MeasuredProcess::~MeasuredProcess() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ::close(output_);
}

void MeasuredProcess::stop() {
  ::kill(pid_, SIGTERM);
  // Whatever it still says, so that a full pipe does not hold it.
  char text[4096];
  while (::read(output_, text, sizeof text) > 0) {
  }
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Reading MeasuredProcess::run_until(std::string_view word, std::chrono::seconds timeout) {
  std::vector<char> buffer(kSearchedBytes + kPipeBytes);
  std::size_t kept = 0;
  const auto deadline = started_ + timeout;
  for (;;) {
    pollfd poll{output_, POLLIN, 0};
    if (::poll(&poll, 1, 1000) == 0) {
      if (std::chrono::steady_clock::now() > deadline) {
        give_up(name_ + " did not say \"" + std::string(word) + "\" in time");
      }
      continue;
    }
    const ssize_t count = ::read(output_, buffer.data() + kept, kPipeBytes);
    if (count <= 0) {
      give_up(name_ + " ended before it said \"" + std::string(word) +
              "\"; its last words: " + std::string(buffer.data(), kept));
    }
    bytes_read_ += static_cast<std::size_t>(count);
    const std::size_t size = kept + static_cast<std::size_t>(count);
    const std::size_t searched = std::min(size, kSearchedBytes);
    const std::string_view end(buffer.data() + size - searched, searched);
    if (end.find(word) != std::string_view::npos) {
      const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - started_;
      return {wall.count(), cpu_s(), status_mb("VmHWM")};
    }
    std::memmove(buffer.data(), end.data(), searched);
    kept = searched;
  }
}

void MeasuredProcess::discard_output() {
  ::fcntl(output_, F_SETFL, O_NONBLOCK);
  char text[4096];
  while (::read(output_, text, sizeof text) > 0) {
  }
}

// The kernel's clock of the whole process: nanoseconds of the scheduler, threads that ended
// included.
double MeasuredProcess::cpu_s() const {
  clockid_t clock{};
  timespec time{};
  if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

double MeasuredProcess::status_mb(const std::string& key) const {
  std::ifstream lines("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) / 1024;
  }
  return 0;
}

}  // namespace loglink::bench
