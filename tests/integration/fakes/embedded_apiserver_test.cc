// loglink-embedded-apiserver from the outside: as a program, and by kubectl where there is one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

extern char** environ;

namespace loglink {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::StartsWith;

class EmbeddedApiserver : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "loglink-apiserver-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    std::array<int, 2> pipe{};
    ASSERT_EQ(::pipe(pipe.data()), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, pipe[0]);
    std::string program = LOGLINK_BINARY_DIR "/bin/loglink-embedded-apiserver";
    std::string flag = "--dir";
    std::array<char*, 4> arguments = {program.data(), flag.data(), name.data(), nullptr};
    ASSERT_EQ(::posix_spawn(&child_, program.c_str(), &actions, nullptr, arguments.data(), environ),
              0);
    posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);
    char byte = 0;
    while (::read(pipe[0], &byte, 1) == 1 && byte != '\n') line_ += byte;
    ::close(pipe[0]);
  }

  void TearDown() override {
    if (child_ > 0) stop();
    fs::remove_all(directory_);
  }

  // The exit code after SIGTERM.
  int stop() {
    ::kill(child_, SIGTERM);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  // Standard output and error of a kubectl command.
  std::string kubectl(const std::string& arguments) {
    const std::string command = "timeout 30 kubectl --kubeconfig " +
                                (directory_ / "kubeconfig").string() + " " + arguments + " 2>&1";
    std::string output;
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) return "cannot run kubectl";
    std::array<char, 4096> buffer{};
    while (const std::size_t count = ::fread(buffer.data(), 1, buffer.size(), pipe)) {
      output.append(buffer.data(), count);
    }
    ::pclose(pipe);
    return output;
  }

  fs::path directory_;
  std::string line_;
  pid_t child_ = 0;
};

TEST_F(EmbeddedApiserver, SaysWhereItListensAndStopsOnSigterm) {
  EXPECT_THAT(line_, StartsWith("listening on https://127.0.0.1:"));
  EXPECT_THAT(line_, HasSubstr(" kubeconfig " + (directory_ / "kubeconfig").string()));
  for (const char* file : {"kubeconfig", "token", "ca.crt"}) {
    EXPECT_GT(fs::file_size(directory_ / file), 0U) << file;
  }
  EXPECT_EQ(stop(), 0);
}

TEST_F(EmbeddedApiserver, IsUnderstoodByKubectl) {
  if (std::system("command -v kubectl > /dev/null") != 0) GTEST_SKIP() << "there is no kubectl";
  std::ofstream(directory_ / "objects.yaml") << R"(
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  nodeName: node-a
  containers: [{name: app, image: "app:1"}]
---
apiVersion: loglink.io/v1alpha1
kind: NodeLinkSet
metadata: {name: node-a}
spec: {sources: []}
)";
  const std::string objects = (directory_ / "objects.yaml").string();
  EXPECT_THAT(kubectl("apply -f " + objects), HasSubstr("nodelinkset.loglink.io/node-a created"));
  EXPECT_THAT(kubectl("apply -f " + objects), HasSubstr("pod/web unchanged"));
  EXPECT_THAT(kubectl("create namespace office"), HasSubstr("namespace/office created"));
  EXPECT_THAT(kubectl("get namespace office"), HasSubstr("Active"));
  EXPECT_THAT(kubectl("-n shop annotate pod web loglink/watch-dir=/var/log/app"),
              HasSubstr("pod/web annotated"));
  EXPECT_THAT(kubectl("-n shop label pod web tier=front"), HasSubstr("pod/web labeled"));
  EXPECT_THAT(kubectl("patch nls node-a --subresource=status --type=merge -p "
                      "'{\"status\":{\"links\":3,\"podCount\":1}}'"),
              HasSubstr("node-a patched"));
  EXPECT_THAT(kubectl("get nls"), testing::ContainsRegex("node-a +1 +3 "));
  EXPECT_THAT(kubectl("get pods -A -l tier=front -o wide"),
              testing::ContainsRegex("shop +web +0/1 +Pending"));
  EXPECT_THAT(kubectl("-n shop describe pod web"), HasSubstr("loglink/watch-dir: /var/log/app"));
  EXPECT_THAT(kubectl("create -f " + objects), HasSubstr("already exists"));
  EXPECT_THAT(kubectl("-n shop delete pod web"), HasSubstr("pod \"web\" deleted"));
  EXPECT_THAT(kubectl("-n shop get pods"), HasSubstr("No resources found"));
}

}  // namespace
}  // namespace loglink
