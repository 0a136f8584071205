#include "lib/io/process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>

#include "lib/base/time_text.h"
#include "lib/base/unique_fd.h"
#include "lib/io/system_trust.h"

namespace loglink {
namespace {

constexpr std::size_t kErrorBytes = 4096;
// A child may close its output long before it ends; its end is looked for this often.
constexpr int kPollMilliseconds = 10;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Expected<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno(errno, "pipe");
  Pipe made{UniqueFd(ends[0]), UniqueFd(ends[1])};
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return made;
}

std::vector<std::string> environment_of(const ProcessRequest& request) {
  std::map<std::string, std::optional<std::string>> changes;  // nullopt: not in its environment
  for (const auto& [name, value] : hidden_variables()) changes[name] = value;
  for (const auto& [name, value] : request.environment) changes[name] = value;
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (changes.count(text.substr(0, text.find('='))) == 0) all.push_back(text);
  }
  for (const auto& [name, value] : changes) {
    if (value) all.push_back(std::string(name).append("=").append(*value));
  }
  return all;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

Expected<pid_t> spawn(const ProcessRequest& request, int output, int errors) {
  std::vector<std::string> arguments{request.command};
  arguments.insert(arguments.end(), request.arguments.begin(), request.arguments.end());
  std::vector<std::string> environment = environment_of(request);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  // Sockets are not its business, and a listening one that a grandchild keeps is taken for ever.
  posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;  // what we ignore, the child must not
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t child = -1;
  const int error = posix_spawnp(&child, request.command.c_str(), &actions, &attributes,
                                 pointers(arguments).data(), pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(error, request.command);
  return child;
}

// Reads what is there; false at the end of the file.
bool drain(int fd, std::string& into, std::size_t keep_bytes_max) {
  std::array<char, 16384> buffer{};
  while (true) {
    const ssize_t count = read(fd, buffer.data(), buffer.size());
    if (count == 0) return false;
    if (count < 0) return errno == EAGAIN || errno == EINTR;
    const std::size_t room = keep_bytes_max > into.size() ? keep_bytes_max - into.size() : 0;
    into.append(buffer.data(), std::min(room, static_cast<std::size_t>(count)));
  }
}

std::optional<int> ended(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, WNOHANG) != child) return std::nullopt;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void kill_and_reap(pid_t child) {
  kill(-child, SIGKILL);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

}  // namespace

Expected<ProcessResult> run_process(const ProcessRequest& request) {
  const SystemClock clock;
  LOGLINK_ASSIGN_OR_RETURN(Pipe output, make_pipe());
  LOGLINK_ASSIGN_OR_RETURN(Pipe errors, make_pipe());
  LOGLINK_ASSIGN_OR_RETURN(const pid_t child,
                           spawn(request, output.write_end.get(), errors.write_end.get()));
  output.write_end.reset();
  errors.write_end.reset();

  const MonotonicTime deadline = clock.now().monotonic + request.timeout;
  ProcessResult result;
  std::optional<int> code;
  // When the program has ended, what it left in the pipes is read once more; a grandchild that
  // still holds them is not waited for.
  for (bool last = false; !last;) {
    code = ended(child);
    last = code.has_value();
    std::array<pollfd, 2> waits{pollfd{output.read_end.get(), POLLIN, 0},
                                pollfd{errors.read_end.get(), POLLIN, 0}};
    if (!last) poll(waits.data(), waits.size(), kPollMilliseconds);
    if (output.read_end.valid() &&
        !drain(output.read_end.get(), result.output, request.output_bytes_max + 1)) {
      output.read_end.reset();
    }
    if (errors.read_end.valid() && !drain(errors.read_end.get(), result.errors, kErrorBytes)) {
      errors.read_end.reset();
    }
    if (result.output.size() > request.output_bytes_max) {
      if (!last) kill_and_reap(child);
      return fail(ErrorCode::kResourceExhausted, request.command + " wrote more than " +
                                                     std::to_string(request.output_bytes_max) +
                                                     " bytes");
    }
    if (!last && request.stop.stop_requested()) {
      kill_and_reap(child);
      return fail(ErrorCode::kFailedPrecondition, request.command + " was killed: we are to end");
    }
    if (!last && clock.now().monotonic > deadline) {
      kill_and_reap(child);
      return fail(ErrorCode::kIo, request.command + " did not end within " +
                                      format_duration(request.timeout) + " and was killed");
    }
  }
  result.exit_code = *code;
  return result;
}

}  // namespace loglink
