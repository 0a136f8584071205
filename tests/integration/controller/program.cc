#include "tests/integration/controller/program.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

extern char** environ;

namespace loglink {
namespace {

constexpr int kLookEveryMs = 10;

std::string read_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* as_sockaddr(const sockaddr_in& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

}  // namespace

std::string make_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "loglink-XXXXXX").string();
  EXPECT_NE(mkdtemp(name.data()), nullptr);
  return name;
}

void write_file(const std::string& name, const std::string& text) {
  std::ofstream(name, std::ios::binary) << text;
}

Program::Program(std::vector<std::string> arguments, const std::string& input)
    : directory_(make_directory()) {
  write_file(directory_ + "/in", input);
  arguments.insert(arguments.begin(), LOGLINK_BINARY_DIR "/bin/loglink-controller");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, (directory_ + "/in").c_str(), O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, (directory_ + "/out").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_addopen(&files, 2, (directory_ + "/err").c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  EXPECT_EQ(posix_spawn(&pid_, argv[0], &files, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&files);
}

Program::~Program() {
  if (running()) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  std::filesystem::remove_all(directory_);
}

bool Program::running() {
  if (pid_ <= 0) return false;
  if (waitpid(pid_, &status_, WNOHANG) == 0) return true;
  pid_ = -1;
  return false;
}

void Program::signal(int number) {
  if (pid_ > 0) kill(pid_, number);
}

Finished Program::wait(std::chrono::seconds longest) {
  if (!eventually([this] { return !running(); }, longest)) {
    ADD_FAILURE() << "the program does not end; its log:\n" << err();
    return {-1, read_file(directory_ + "/out"), err()};
  }
  const int code = WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  return {code, read_file(directory_ + "/out"), err()};
}

std::string Program::err() const { return read_file(directory_ + "/err"); }

bool eventually(const std::function<bool()>& is_true, std::chrono::seconds longest) {
  const auto deadline = std::chrono::steady_clock::now() + longest;
  while (!is_true()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    poll(nullptr, 0, kLookEveryMs);
  }
  return true;
}

HttpAnswer http_get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const timeval timeout{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  const sockaddr_in address = loopback(port);
  std::string answer;
  if (connect(fd, as_sockaddr(address), sizeof address) == 0) {
    const std::string request =
        "GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    if (write(fd, request.data(), request.size()) > 0) {
      std::array<char, 4096> piece{};
      for (ssize_t count = 0; (count = read(fd, piece.data(), piece.size())) > 0;) {
        answer.append(piece.data(), static_cast<std::size_t>(count));
      }
    }
  }
  close(fd);
  if (!answer.starts_with("HTTP/1.1 ")) return {};
  const std::size_t body = answer.find("\r\n\r\n");
  return {std::atoi(answer.c_str() + 9),
          body == std::string::npos ? std::string() : answer.substr(body + 4)};
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  EXPECT_EQ(bind(fd, as_sockaddr(address), sizeof address), 0);
  socklen_t size = sizeof address;
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace loglink
