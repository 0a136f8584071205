#include "tests/bench/floor.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

namespace loglink::bench {
namespace {

constexpr int kReady = 'r';

[[noreturn]] void run_bare_loop(int ready, const std::filesystem::path& directory,
                                const std::filesystem::path& links) {
  const int link_fd = ::open(links.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int notify = ::inotify_init1(IN_CLOEXEC);
  ::inotify_add_watch(notify, directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
  const char byte = kReady;
  if (::write(ready, &byte, 1) != 1) ::_exit(1);
  alignas(inotify_event) char buffer[16 * 1024];
  for (;;) {
    const ssize_t bytes = ::read(notify, buffer, sizeof buffer);
    if (bytes <= 0) ::_exit(1);
    for (ssize_t at = 0; at < bytes;) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      const std::string name(buffer + at + sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
      const std::string target = (directory / name).string();
      if (::symlinkat(target.c_str(), link_fd, name.c_str()) != 0) ::_exit(1);
    }
  }
}

int open_beneath(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(flags | O_CLOEXEC);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
  return static_cast<int>(::syscall(SYS_openat2, root, path.c_str(), &how, sizeof how));
}

void link_directory(int root, int link_fd, const std::filesystem::path& base,
                    const std::string& directory, int number) {
  const int fd = open_beneath(root, directory, O_RDONLY | O_DIRECTORY);
  DIR* const stream = ::fdopendir(fd);
  while (const dirent* const entry = ::readdir(stream)) {
    if (entry->d_name[0] == '.') continue;
    const std::string path = directory + "/" + entry->d_name;
    const int file = open_beneath(root, path, O_PATH);
    struct stat status {};
    if (::fstat(file, &status) != 0 || !S_ISREG(status.st_mode)) ::_exit(1);
    ::close(file);
    const std::string name = std::to_string(number) + "-" + entry->d_name;
    if (::symlinkat((base / path).c_str(), link_fd, name.c_str()) != 0) ::_exit(1);
  }
  ::closedir(stream);
}

}  // namespace

pid_t start_bare_loop(const std::filesystem::path& directory, const std::filesystem::path& links) {
  int ready[2];
  if (::pipe(ready) != 0) return -1;
  const pid_t child = ::fork();
  if (child == 0) run_bare_loop(ready[1], directory, links);
  char byte = 0;
  const bool started = ::read(ready[0], &byte, 1) == 1 && byte == kReady;
  ::close(ready[0]);
  ::close(ready[1]);
  return started ? child : -1;
}

Cost link_all_bare(const std::filesystem::path& root, const std::vector<std::string>& directories,
                   const std::filesystem::path& links) {
  const auto before = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    const int root_fd = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    const int link_fd = ::open(links.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int number = 0;
    for (const std::string& each : directories) {
      link_directory(root_fd, link_fd, root, each, number++);
    }
    ::_exit(0);
  }
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - before;
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return {wall.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

}  // namespace loglink::bench
