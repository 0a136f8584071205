// A program that a test starts, waits for and ends.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tests/integration/agent/temporary_directory.h"

namespace loglink {

// True as soon as `condition` is; false when it is not within the deadline.
inline bool wait_until(const std::function<bool()>& condition,
                       std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    ::poll(nullptr, 0, 5);
  }
  return true;
}

class Program {
 public:
  // stdout and stderr go to files in `directory`.
  Program(std::vector<std::string> arguments, const std::filesystem::path& directory,
          const std::string& name, const std::vector<std::string>& environment = {})
      : output_(directory / (name + ".out")), errors_(directory / (name + ".err")) {
    std::vector<std::string> variables = {"PATH=/usr/bin:/bin"};
    variables.insert(variables.end(), environment.begin(), environment.end());
    std::vector<char*> argv = pointers(arguments);
    std::vector<char*> envp = pointers(variables);
    process_ = ::fork();
    if (process_ != 0) return;
    redirect(output_, STDOUT_FILENO);
    redirect(errors_, STDERR_FILENO);
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ~Program() {
    if (process_ <= 0 || exit_code_) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t id() const { return process_; }
  void signal(int number) const { ::kill(process_, number); }
  // nullopt while it runs; -1 when it was killed.
  std::optional<int> exit_code() {
    int status = 0;
    if (!exit_code_ && ::waitpid(process_, &status, WNOHANG) == process_) {
      exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return exit_code_;
  }
  // -2 when it does not end in time.
  int wait(std::chrono::milliseconds deadline = std::chrono::seconds(60)) {
    const bool ended = wait_until([this] { return exit_code().has_value(); }, deadline);
    return ended ? *exit_code_ : -2;
  }
  [[nodiscard]] std::string output() const { return read_text(output_); }
  [[nodiscard]] std::string errors() const { return read_text(errors_); }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    for (std::string& text : texts) all.push_back(text.data());
    all.push_back(nullptr);
    return all;
  }
  static void redirect(const std::filesystem::path& path, int to) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ::dup2(fd, to) < 0) ::_exit(126);
  }

  std::filesystem::path output_;
  std::filesystem::path errors_;
  pid_t process_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace loglink
