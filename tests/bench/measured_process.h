// A program that is run until it has said something, and what that took.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace loglink::bench {

struct Reading {
  double wall_s = 0;
  double cpu_s = 0;   // user and system, all threads
  double rss_mb = 0;  // the highest so far
};

class MeasuredProcess {
 public:
  // Starts argv[0], found in PATH, with a pipe for its stdout and, if `with_stderr`, its stderr.
  // Ends the bench when it cannot.
  explicit MeasuredProcess(std::vector<std::string> argv, bool with_stderr = false);
  ~MeasuredProcess();  // kill -9
  MeasuredProcess(const MeasuredProcess&) = delete;
  MeasuredProcess& operator=(const MeasuredProcess&) = delete;

  // Reads until `word` came; what it took from the start. Ends the bench when the output ends or
  // `timeout` passes before. The word is looked for in the end of what one read brings, so that
  // the floor does not pay for a search: it must be the last thing that is said.
  Reading run_until(std::string_view word,
                    std::chrono::seconds timeout = std::chrono::seconds(300));
  // Output that nobody looks at must not fill the pipe.
  void discard_output();

  [[nodiscard]] double cpu_s() const;
  // Of /proc/PID/status, as "VmRSS".
  [[nodiscard]] double status_mb(const std::string& key) const;
  [[nodiscard]] std::size_t bytes_read() const { return bytes_read_; }
  void stop();  // SIGTERM, and waits

 private:
  std::chrono::steady_clock::time_point started_;
  std::string name_;
  pid_t pid_ = -1;
  int output_ = -1;
  std::size_t bytes_read_ = 0;
};

// Of an odd number of values, the one in the middle.
double median(std::vector<double> values);

// Prints what is wrong and ends the program.
[[noreturn]] void give_up(const std::string& why);

}  // namespace loglink::bench
