// What the pods of the node test run; linked statically, because their images have no libraries.
//   probe pause                     waits for SIGTERM and reaps orphans
//   probe flip DIRECTORY NAME=TARGET...
//                                   swaps each NAME for a symlink to TARGET and back, for ever
//   probe read SECONDS PATH...      opens the paths again and again and counts what it was led to;
//                                   all that it may see begins with "harmless"
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Arguments = std::vector<std::string>;

int pause_until_told() {
  struct sigaction action {};
  action.sa_handler = [](int) { _exit(0); };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  action.sa_handler = [](int) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  };
  sigaction(SIGCHLD, &action, nullptr);
  while (true) pause();
}

int flip(const Arguments& arguments) {
  const std::string& directory = arguments.at(0);
  std::vector<std::pair<std::string, std::string>> swaps;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    if (equals == std::string::npos) return 2;
    const std::string name = directory + "/" + arguments[i].substr(0, equals);
    const std::string evil = directory + "/.evil-" + std::to_string(i);
    if (symlink(arguments[i].substr(equals + 1).c_str(), evil.c_str()) != 0 && errno != EEXIST) {
      perror("symlink");
      return 1;
    }
    swaps.emplace_back(name, evil);
  }
  std::puts("flipping");
  std::fflush(stdout);
  while (true) {
    for (const auto& [name, evil] : swaps) {
      if (renameat2(AT_FDCWD, name.c_str(), AT_FDCWD, evil.c_str(), RENAME_EXCHANGE) != 0) {
        perror("renameat2");
        return 1;
      }
    }
  }
}

int read_for(const Arguments& arguments) {
  const auto end =
      std::chrono::steady_clock::now() + std::chrono::seconds(std::stoi(arguments.at(0)));
  long opened = 0;
  long refused = 0;
  long leaked = 0;
  while (std::chrono::steady_clock::now() < end) {
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      const int file = open(arguments[i].c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
      if (file < 0) {
        ++refused;
        continue;
      }
      char text[64];
      const ssize_t length = read(file, text, sizeof text);
      close(file);
      ++opened;
      // An error is no leak: the attacker may have swapped in a directory.
      if (length > 0 &&
          !std::string_view(text, static_cast<std::size_t>(length)).starts_with("harmless")) {
        ++leaked;
      }
    }
  }
  std::printf("opened %ld refused %ld leaked %ld\n", opened, refused, leaked);
  return 0;
}

}  // namespace

int main(int count, char** words) {
  const Arguments all(words, words + count);
  if (count < 2) return 2;
  const Arguments rest(all.begin() + 2, all.end());
  if (all[1] == "pause") return pause_until_told();
  if (all[1] == "flip" && rest.size() > 1) return flip(rest);
  if (all[1] == "read" && rest.size() > 1) return read_for(rest);
  return 2;
}
