// The program under test as a child process, and what tests ask of it.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

namespace loglink {

struct Finished {
  int exit_code = -1;  // 128 + the signal that ended it
  std::string out;
  std::string err;
};

// build/<preset>/bin/loglink-controller with its output in files of a directory of its own.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments, const std::string& input = "");
  ~Program();  // kills it
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void signal(int number);
  // Waits for its end; a program that does not end by itself is killed and a failure.
  Finished wait(std::chrono::seconds longest = std::chrono::seconds(60));
  [[nodiscard]] std::string err() const;
  [[nodiscard]] bool running();

 private:
  std::string directory_;
  pid_t pid_ = -1;
  int status_ = 0;
};

// Waits until `is_true`, looking often; false when it did not become true in time.
bool eventually(const std::function<bool()>& is_true,
                std::chrono::seconds longest = std::chrono::seconds(90));

// GET on 127.0.0.1; status 0 when nobody answers.
struct HttpAnswer {
  int status = 0;
  std::string body;
};
HttpAnswer http_get(int port, const std::string& path);
int free_port();

std::string make_directory();
void write_file(const std::string& name, const std::string& text);

}  // namespace loglink
