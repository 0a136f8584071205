// The program loglink-agent from the outside: commands, exit codes, signals, a real API server's
// protocol, and the safe mode in a mount namespace of its own.
#include "tests/integration/agent/program.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "lib/codec/kube_json.h"
#include "lib/model/names.h"
#include "tests/fakes/embedded_server.h"
#include "tests/integration/agent/own_mounts.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

const std::string kAgent = LOGLINK_BINARY_DIR "/bin/loglink-agent";
const std::string kSourceDirectory = "3f0c/volumes/kubernetes.io~empty-dir/logs";
const std::string kObject =
    R"({"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet","metadata":{"name":"node-a"},)"
    R"("spec":{"sources":[{"namespace":"prod","pod":"web-0","uid":"3f0c","container":"app",)"
    R"("root":"kubelet-pods","path":"3f0c/volumes/kubernetes.io~empty-dir/logs",)"
    R"("include":["*.log"],"plainNames":true}]}})";
const std::string kPath = "/apis/loglink.io/v1alpha1/nodelinksets";

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  void* const raw = &address;
  ::bind(fd, static_cast<sockaddr*>(raw), size);
  ::getsockname(fd, static_cast<sockaddr*>(raw), &size);
  ::close(fd);
  return ntohs(address.sin_port);
}

class ProgramTest : public testing::Test {
 protected:
  ProgramTest() {
    fs::create_directories(logs());
    write_text(base_ / "set.yaml", kObject);
    configure("direct");
    write_text(logs() / "a.log", "x");
  }

  void configure(const std::string& mode) {
    write_text(
        base_ / "agent.yaml",
        "linkDir: " + (base_ / "run/links").string() + "\nrootsDir: " +
            (base_ / "run/roots").string() + "\nstateDir: " + (base_ / "state").string() +
            "\nlinkMode: " + mode + "\nmetricsAddress: \"127.0.0.1:" + std::to_string(port_) +
            "\"\nroots: [{name: kubelet-pods, path: " + (base_ / "host/pods").string() + "}]\n");
  }
  fs::path logs() const { return base_ / "host/pods" / kSourceDirectory; }
  fs::path link(const std::string& file) const {
    return base_ / "run/links" / ("web-0_prod_app-" + file);
  }
  bool is_linked(const std::string& file) const { return fs::is_symlink(link(file)); }

  std::unique_ptr<Program> start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), kAgent);
    const std::string config = (base_ / "agent.yaml").string();
    arguments.insert(arguments.end(), {"--config", config});
    return std::make_unique<Program>(arguments, base_.path(), std::to_string(++programs_),
                                     std::vector<std::string>{"NODE_NAME=node-a"});
  }
  int run(std::vector<std::string> arguments) {
    last_ = start(std::move(arguments));
    return last_->wait();
  }
  std::string set_file() const { return (base_ / "set.yaml").string(); }
  std::string kubeconfig(const fakes::EmbeddedServer& server) const {
    write_text(base_ / "kubeconfig", server.kubeconfig("admin-token"));
    return (base_ / "kubeconfig").string();
  }
  static void create_object(fakes::EmbeddedServer& server) {
    fakes::FakeResponse response;
    server.with_kube([&](fakes::FakeKube& kube, Now now) {
      response = kube.handle(
          {"POST", kPath, "application/json", "application/json", "Bearer admin-token", kObject},
          now);
    });
    ASSERT_EQ(response.status, 201) << response.body;
  }
  static NodeLinkSetStatus status_of(fakes::EmbeddedServer& server) {
    std::string object;
    server.with_kube([&](fakes::FakeKube& kube, Now) { object = kube.object(kPath + "/node-a"); });
    const auto decoded = decode_node_link_set(object);
    return decoded ? decoded->status : NodeLinkSetStatus{};
  }

  TemporaryDirectory base_;
  int port_ = free_port();
  int programs_ = 0;
  std::unique_ptr<Program> last_;
};

TEST_F(ProgramTest, UsageErrorsAreTwoFailuresOneAndHelpNone) {
  struct Case {
    std::vector<std::string> arguments;
    int code;
    std::string text;
  };
  const std::vector<Case> cases = {
      {{"--help"}, 0, "Examples:"},
      {{"--version"}, 0, "loglink-agent "},
      {{"nonsense"}, 2, ""},
      {{}, 2, "subcommand"},
      {{"apply"}, 2, "apply needs -f FILE or --last"},
      {{"apply", "--last", "-f", "x"}, 2, ""},
      {{"verify", "--wait", "soon"}, 2, "--wait"},
      {{"run", "--log-level", "loud"}, 2, ""},
      {{"mount", "--ready", "--unmount"}, 2, ""},
      {{"apply", "-f", "/nowhere.yaml"}, 1, "/nowhere.yaml"},
      {{"run", "--from-file", "/nowhere.yaml"}, 1, "/nowhere.yaml"},
      {{"run", "--kubeconfig", "/nowhere"}, 1, "/nowhere"},
      {{"apply", "-f", "/etc"}, 1, "/etc: Is a directory"},
      {{"apply", "-f", "/dev/zero"}, 1, "/dev/zero is larger than 16 MiB"},
      {{"status", "--help"}, 0, "--config FILE"},
      {{"run", "--help"}, 0, "--log-level"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(run(each.arguments), each.code) << testing::PrintToString(each.arguments);
    EXPECT_THAT(last_->output() + last_->errors(), HasSubstr(each.text));
  }
  write_text(base_ / "agent.yaml", "linkDirs: /x\n");
  EXPECT_EQ(run({"status"}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("agent.yaml:1"));
  fs::remove(base_ / "agent.yaml");
  fs::create_symlink("/dev/zero", base_ / "agent.yaml");
  EXPECT_EQ(run({"status"}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("agent.yaml is larger than 16 MiB"));
}

TEST_F(ProgramTest, TheLastSetIsNotSoughtInAStateDirectoryThatIsAFile) {
  EXPECT_EQ(run({"apply", "--last"}), 0);
  EXPECT_THAT(last_->output(), HasSubstr("no set of links is known yet"));
  fs::remove_all(base_ / "state");
  write_text(base_ / "state", "not a directory");
  EXPECT_EQ(run({"apply", "--last"}), 1);
  EXPECT_THAT(last_->errors(),
              HasSubstr("stateDir " + (base_ / "state").string() + " is not a directory"));
}

TEST_F(ProgramTest, InDirectModeThereIsNothingToVerify) {
  EXPECT_EQ(run({"verify"}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("linkMode is direct"));
  configure("safe");
  EXPECT_EQ(run({"verify"}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("cannot be seen here"));
}

TEST_F(ProgramTest, ADryRunSaysWhatApplyThenDoes) {
  ASSERT_EQ(::mkfifo((logs() / "pipe.log").c_str(), 0644), 0);
  EXPECT_EQ(run({"apply", "-f", set_file(), "--dry-run"}), 0);
  EXPECT_THAT(last_->output(),
              HasSubstr("make web-0_prod_app-a.log -> " + logs().string() + "/a.log (NewFile)"));
  EXPECT_THAT(last_->output(), HasSubstr("NotARegularFile"));
  EXPECT_FALSE(fs::exists(base_ / "run/links"));
  EXPECT_FALSE(fs::exists(base_ / "state"));
  EXPECT_EQ(run({"apply", "-f", set_file()}), 0);
  EXPECT_THAT(last_->output(),
              HasSubstr("web-0_prod_app-a.log -> " + logs().string() + "/a.log (NewFile)"));
  EXPECT_THAT(last_->output(), HasSubstr("NotARegularFile"));
  EXPECT_TRUE(is_linked("a.log"));
  EXPECT_EQ(run({"apply", "-f", set_file()}), 0);
  EXPECT_THAT(last_->output(), Not(HasSubstr("NewFile")));
  EXPECT_TRUE(fs::exists(base_ / "state" / std::string(names::kInodesFile)));
  EXPECT_FALSE(fs::exists(base_ / "state/desired.json"));
}

TEST_F(ProgramTest, FollowsTheApiServerAndKeepsLinksAcrossItsOwnEndAndTheServers) {
  auto server = fakes::EmbeddedServer::start({});
  ASSERT_TRUE(server.has_value()) << server.error().message;
  create_object(**server);
  auto agent = start({"run", "--kubeconfig", kubeconfig(**server)});
  ASSERT_TRUE(wait_until([&] { return is_linked("a.log"); })) << agent->errors();
  EXPECT_TRUE(wait_until([&] { return status_of(**server).links == 1; })) << agent->errors();
  EXPECT_EQ(status_of(**server).observed_generation, 1);
  write_text(logs() / "b.log", "x");
  EXPECT_TRUE(wait_until([&] { return is_linked("b.log"); })) << agent->errors();
  ASSERT_TRUE(wait_until([&] { return fs::exists(base_ / "state/desired.json"); }));

  const auto before = std::chrono::steady_clock::now();
  agent->signal(SIGTERM);
  EXPECT_EQ(agent->wait(), 0) << agent->errors();
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(5));
  EXPECT_TRUE(is_linked("a.log") && is_linked("b.log"));

  server->reset();
  write_text(logs() / "c.log", "x");
  EXPECT_EQ(run({"apply", "--last"}), 0) << last_->errors();
  EXPECT_TRUE(is_linked("c.log"));
  // Collectors and the agent itself wait for it: a disk that takes no state must not hold them up.
  const fs::path memory = base_ / "state" / std::string(names::kInodesFile);
  fs::remove(memory);
  fs::create_directory(memory);
  write_text(logs() / "e.log", "x");
  EXPECT_EQ(run({"apply", "--last"}), 0) << last_->errors();
  EXPECT_THAT(last_->output(), HasSubstr("the inode memory cannot be written"));
  EXPECT_TRUE(is_linked("e.log"));
  fs::remove(memory);
  agent = start({"run", "--kubeconfig", (base_ / "kubeconfig").string()});
  write_text(logs() / "d.log", "x");
  EXPECT_TRUE(wait_until([&] { return is_linked("d.log"); })) << agent->errors();
  EXPECT_TRUE(wait_until([&] { return agent->errors().find("API server") != std::string::npos; }));
  EXPECT_EQ(agent->exit_code(), std::nullopt);
  EXPECT_EQ(run({"status"}), 0);
  EXPECT_THAT(last_->output(), HasSubstr("a.log: web-0_prod_app-a.log -> "));
}

TEST_F(ProgramTest, AFileThatChangesIsReadAgainAndABrokenOneIsNot) {
  std::string narrow = kObject;
  narrow.replace(narrow.find("*.log"), 5, "a.log");
  write_text(base_ / "set.yaml", narrow);
  write_text(logs() / "b.log", "x");
  auto agent = start({"run", "--from-file", set_file()});
  ASSERT_TRUE(wait_until([&] { return is_linked("a.log"); })) << agent->errors();
  write_text(base_ / "set.yaml", "spec: [");
  EXPECT_TRUE(wait_until([&] {
    return agent->errors().find("cannot be used") != std::string::npos;
  })) << agent->errors();
  EXPECT_TRUE(is_linked("a.log") && !is_linked("b.log"));
  write_text(base_ / "set.yaml", kObject);
  EXPECT_TRUE(wait_until([&] { return is_linked("b.log"); })) << agent->errors();
  agent->signal(SIGINT);
  EXPECT_EQ(agent->wait(), 0);
}

TEST_F(ProgramTest, ASecondAgentWaitsAndApplyRefuses) {
  auto first = start({"run", "--from-file", set_file()});
  ASSERT_TRUE(wait_until([&] { return is_linked("a.log"); })) << first->errors();
  auto second = start({"run", "--from-file", set_file()});
  EXPECT_TRUE(
      wait_until([&] { return second->errors().find("AnotherAgent") != std::string::npos; }));
  EXPECT_EQ(run({"apply", "-f", set_file()}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("AnotherAgent"));
  EXPECT_EQ(run({"apply", "-f", set_file(), "--dry-run"}), 0);
  first->signal(SIGTERM);
  EXPECT_EQ(first->wait(), 0);
  write_text(logs() / "b.log", "x");
  EXPECT_TRUE(wait_until([&] { return is_linked("b.log"); })) << second->errors();
}

TEST_F(ProgramTest, ALinkDirectoryOfSomebodyElseEndsTheProgram) {
  fs::create_directories(base_ / "run/links");
  write_text(base_ / "run/links/precious", "x");
  EXPECT_EQ(run({"run", "--from-file", set_file()}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("belongs to somebody else"));
}

TEST_F(ProgramTest, SafeModeWithoutSafeRootsLinksNothingAndSaysWhy) {
  configure("safe");
  EXPECT_EQ(run({"apply", "-f", set_file()}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("UnsafeRoot"));
  EXPECT_FALSE(is_linked("a.log"));
}

TEST_F(ProgramTest, SafeModeFromMountToUnmount) {
  const std::string no_mounts = take_own_mounts();
  if (!no_mounts.empty()) GTEST_SKIP() << no_mounts;
  configure("safe");
  fs::create_directories(base_ / "run");
  EXPECT_EQ(run({"mount", "--ready"}), 1);
  EXPECT_EQ(run({"mount"}), 0) << last_->errors();
  EXPECT_THAT(last_->output(), HasSubstr("a clone of"));
  EXPECT_EQ(run({"verify"}), 0) << last_->errors();
  EXPECT_EQ(run({"apply", "-f", set_file()}), 0) << last_->errors();
  EXPECT_EQ(fs::read_symlink(link("a.log")),
            base_ / "run/roots/kubelet-pods" / kSourceDirectory / "a.log");
  EXPECT_EQ(read_text(link("a.log")), "x");
  EXPECT_EQ(run({"mount", "--ready"}), 0) << last_->errors();
  EXPECT_TRUE(fs::is_regular_file(base_ / "run/roots/.ready"));
  // The tenant's swap leads nowhere.
  fs::remove(logs() / "a.log");
  fs::create_symlink("/etc/hostname", logs() / "a.log");
  EXPECT_EQ(::open(link("a.log").c_str(), O_RDONLY), -1);
  EXPECT_EQ(errno, ELOOP);
  EXPECT_EQ(run({"mount", "--unmount"}), 0) << last_->errors();
  EXPECT_EQ(run({"verify"}), 1);
  EXPECT_THAT(last_->errors(), HasSubstr("HostToContainer"));
}

}  // namespace
}  // namespace loglink
