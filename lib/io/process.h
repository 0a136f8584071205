// Runs one program to its end, with bounds on time and output.
#pragma once

#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"

namespace loglink {

struct ProcessRequest {
  std::string command;  // a path, or a name for $PATH
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;  // added to our own
  Duration timeout{0};
  std::size_t output_bytes_max = 0;
  std::stop_token stop;  // the program is killed when this is asked for
};

struct ProcessResult {
  int exit_code = 0;   // 128 + signal when one ended it
  std::string output;  // of stdout
  std::string errors;  // the first 4 KiB of stderr
};

// Blocks. stdin is /dev/null. A program that runs or writes too long, or is not wanted any more, is
// killed with its process group. posix_spawn, because a fork of a threaded program is not safe to
// continue.
Expected<ProcessResult> run_process(const ProcessRequest& request);

}  // namespace loglink
