// What a person gets for a wrong file: one line that names the thing and the cure, exit code 1.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/support/program.h"
#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class BadInput : public ::testing::Test {
 protected:
  BadInput() {
    std::string pattern = (fs::temp_directory_path() / "loglink-bad-XXXXXX").string();
    base = ::mkdtemp(pattern.data());
    fs::create_directories(base / "pods");
    fs::create_directories(base / "state");
    write_file(base / "kubeconfig",
               "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: "
               "'https://127.0.0.1:1'}\nusers:\n- {name: u, user: {token: t}}\ncontexts:\n- name: "
               "x\n  context: {cluster: c, user: u}\ncurrent-context: x\n");
  }
  ~BadInput() override { fs::remove_all(base); }

  std::string shared() const {
    return "linkDir: " + (base / "links").string() + "\nrootsDir: " + (base / "roots").string() +
           "\nstateDir: " + (base / "state").string() + "\nmetricsAddress: ''\nroots: [{name: " +
           "kubelet-pods, path: " + (base / "pods").string() + "}]\n";
  }

  // Runs to its end; the single line that it wrote.
  std::string message(const std::vector<std::string>& arguments, int exit_code,
                      const std::map<std::string, std::string>& environment = {}) {
    Program program(arguments, (base / "output").string(), environment);
    EXPECT_EQ(program.wait(std::chrono::seconds(10)), exit_code);
    std::string text = program.output();
    fs::remove(base / "output");
    EXPECT_FALSE(text.empty());
    if (!text.empty() && text.back() == '\n') text.pop_back();
    EXPECT_EQ(text.find('\n'), std::string::npos) << "more than one line:\n" << text;
    return text;
  }

  std::string agent_message(const std::string& config) {
    write_file(base / "agent.yaml", config);
    return message({program_path("loglink-agent"), "run", "--config",
                    (base / "agent.yaml").string(), "--kubeconfig", (base / "kubeconfig").string()},
                   1);
  }

  fs::path base;
};

TEST_F(BadInput, AnAbsentKubeconfigIsNamed) {
  const std::string file = (base / "nothing-here").string();
  EXPECT_THAT(message({program_path("loglink-controller"), "run", "--kubeconfig", file}, 1),
              AllOf(HasSubstr(file), HasSubstr("No such file")));
  EXPECT_THAT(message({program_path("loglink-agent"), "run", "--kubeconfig", file}, 1,
                      {{"NODE_NAME", "node-a"}}),
              HasSubstr(file));
}

TEST_F(BadInput, AnUnknownKeyIsNamedWithFileAndLine) {
  write_file(base / "controller.yaml", "linger: 5m\nlinkDirectory: /x\n");
  EXPECT_THAT(
      message({program_path("loglink-controller"), "run", "--config",
               (base / "controller.yaml").string(), "--kubeconfig", (base / "kubeconfig").string()},
              1),
      AllOf(HasSubstr("controller.yaml:2"), HasSubstr("linkDirectory"), HasSubstr("linkDir")));
}

TEST_F(BadInput, ALinkDirThatIsAFileIsRefused) {
  write_file(base / "links", "I am a file\n");
  EXPECT_THAT(agent_message(shared() + "nodeName: node-a\nlinkMode: direct\n"),
              AllOf(HasSubstr("linkDir"), HasSubstr((base / "links").string())));
}

TEST_F(BadInput, ALinkDirWithForeignEntriesAndNoMarkerIsRefusedAndUntouched) {
  write_file(base / "links/precious.txt", "not loglink's\n");
  EXPECT_THAT(agent_message(shared() + "nodeName: node-a\nlinkMode: direct\n"),
              AllOf(HasSubstr("linkDir"), HasSubstr((base / "links").string())));
  EXPECT_EQ(read_file(base / "links/precious.txt"), "not loglink's\n");
  EXPECT_FALSE(fs::exists(base / "links/.loglink"));
}

TEST_F(BadInput, AnAgentWithoutANodeNameSaysHowToGiveOne) {
  EXPECT_THAT(agent_message(shared() + "linkMode: direct\n"), HasSubstr("NODE_NAME"));
}

TEST_F(BadInput, AWrongWordOrFlagIsAUsageErrorThatNamesIt) {
  struct Case {
    std::vector<std::string> arguments;
    std::string says;
  };
  const Case cases[] = {
      {{"loglink-agent", "run", "--no-such-flag"},
       "loglink-agent: The following argument was not "
       "expected: --no-such-flag\n"},
      {{"loglink-agent", "drain"}, "not expected: drain\n"},
      {{"loglink-agent", "--no-such-flag"}, "not expected: --no-such-flag\n"},
      {{"loglink-agent"}, "loglink-agent: a subcommand is required\n"},
      {{"loglink-controller", "rnu"},
       "loglink-controller: The following argument was not expected: "
       "rnu\n"},
      {{"loglink-controller", "explain", "--flename", "x"}, "--flename\n"},
      {{"loglink-controller", "explain"}, "loglink-controller: explain needs -f FILE"},
      {{"loglink-controller", "explain", "-f", "a.yaml", "-n", "My Shop"},
       "\"My Shop\" is not the name of a namespace\n"},
      {{"loglink-embedded-apiserver"}, "loglink-embedded-apiserver: --dir is required"},
      {{"loglink-embedded-apiserver", "--prot", "1"},
       "loglink-embedded-apiserver: --dir is required"},
  };
  for (const Case& each : cases) {
    std::vector<std::string> arguments = each.arguments;
    arguments[0] = program_path(arguments[0]);
    Program program(arguments, (base / "output").string());
    EXPECT_EQ(program.wait(std::chrono::seconds(10)), 2) << each.says;
    EXPECT_THAT(program.output(), HasSubstr(each.says));
  }
}

TEST_F(BadInput, AnAbsentFileOfAKubeconfigIsNamedWithTheKeyThatNamesIt) {
  write_file(base / "kubeconfig",
             "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster: {server: "
             "'https://127.0.0.1:1', certificate-authority: absent.crt}\nusers:\n- {name: u, user: "
             "{token: t}}\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\n"
             "current-context: x\n");
  EXPECT_THAT(message({program_path("loglink-controller"), "run", "--kubeconfig",
                       (base / "kubeconfig").string()},
                      1),
              AllOf(HasSubstr("kubeconfig (line 5): certificate-authority: "),
                    HasSubstr("absent.crt: No such file")));
}

TEST_F(BadInput, AnAbsentSetIsAllThatAnAgentSays) {
  write_file(base / "agent.yaml", shared() + "linkMode: direct\n");
  EXPECT_THAT(message({program_path("loglink-agent"), "run", "--config",
                       (base / "agent.yaml").string(), "--from-file", "/nowhere/set.yaml"},
                      1),
              HasSubstr("/nowhere/set.yaml: No such file"));
}

TEST_F(BadInput, AHelpShowsTheExamplesOfItsOwnCommandOnly) {
  struct Case {
    std::vector<std::string> arguments;
    std::string shows;
    std::vector<std::string> others;
  };
  const Case cases[] = {
      {{"loglink-controller", "run"}, "controller run --config", {"explain -f", "drain --timeout"}},
      {{"loglink-controller", "explain"}, "explain -f pods.yaml", {"run --config", "drain -"}},
      {{"loglink-controller", "drain"}, "drain --timeout", {"run --config", "explain -f"}},
      {{"loglink-controller"}, "drain --timeout", {}},
      {{"loglink-agent", "run"}, "agent run --from-file", {"apply -f", "mount --ready"}},
      {{"loglink-agent", "apply"}, "apply --last", {"run --from-file", "mount --ready"}},
      {{"loglink-agent", "status"}, "agent status", {"run --from-file", "mount --ready"}},
      {{"loglink-agent", "mount"}, "mount --ready", {"run --from-file", "apply -f"}},
      {{"loglink-agent", "verify"}, "verify --wait", {"run --from-file", "apply -f"}},
      {{"loglink-agent"}, "verify --wait", {}},
      {{"loglink-embedded-apiserver"}, "not for production", {}},
  };
  for (const Case& each : cases) {
    std::vector<std::string> arguments = each.arguments;
    arguments[0] = program_path(arguments[0]);
    arguments.emplace_back("--help");
    const std::string output = "output of " + std::to_string(&each - cases);  // a file of its own
    Program program(arguments, (base / output).string());
    EXPECT_EQ(program.wait(std::chrono::seconds(10)), 0);
    EXPECT_THAT(program.output(), HasSubstr(each.shows));
    for (const std::string& other : each.others) {
      EXPECT_THAT(program.output(), ::testing::Not(HasSubstr(other))) << each.arguments.back();
    }
  }
}

}  // namespace
}  // namespace loglink::testing
