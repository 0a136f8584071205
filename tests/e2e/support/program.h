// A program under test: started, signalled, waited for, its output kept.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace loglink::testing {

class Program {
 public:
  // Starts argv[0] with the given variables added to the environment; stdout and stderr go to one
  // file, `log_file`. Aborts the test program when it cannot be started.
  Program(std::vector<std::string> argv, std::string log_file,
          std::map<std::string, std::string> environment = {});
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();  // kill -9 if it still runs

  void signal(int number) const;
  // The exit code (128 + signal when killed), or nullopt when it still runs after `timeout`.
  std::optional<int> wait(std::chrono::milliseconds timeout);
  [[nodiscard]] std::string output() const;
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::string log_file_;
  pid_t pid_ = -1;
  std::optional<int> exit_code_;
};

// build/<preset>/bin/<name>.
std::string program_path(const std::string& name);

// Polls until `condition` holds; false when it does not within `timeout`.
template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds timeout = std::chrono::seconds(90));

// A wait of one poll, for eventually().
void poll_pause();

template <class Condition>
bool eventually(Condition condition, std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    poll_pause();
  }
  return true;
}

}  // namespace loglink::testing
