// Credentials from files, environment and plugins.
#include "lib/io/credentials.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

#include "lib/io/process.h"
#include "tests/integration/lib_io/client_harness.h"
#include "tests/integration/lib_io/test_certificates.h"

namespace loglink::testing {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

class CredentialsTest : public ::testing::Test {
 protected:
  CredentialsTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "loglink-io-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    environment_.service_account_dir = directory_;
    environment_.variable = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }
  ~CredentialsTest() override { std::filesystem::remove_all(directory_); }

  std::string write(const std::string& name, const std::string& text) {
    const std::string path = directory_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << text;
    return path;
  }
  std::string kubeconfig(const std::string& cluster, const std::string& user) {
    return "current-context: c\nclusters: [{name: k, cluster: {server: 'https://h:6443', " +
           cluster + "}}]\nusers: [{name: u, user: {" + user +
           "}}]\ncontexts: [{name: c, context: {cluster: k, user: u, namespace: ns}}]\n";
  }
  Expected<ClusterAccess> load(const std::string& flag = "") {
    return load_cluster_access(flag, environment_);
  }
  void set_in_cluster() {
    variables_ = {{"KUBERNETES_SERVICE_HOST", "10.96.0.1"}, {"KUBERNETES_SERVICE_PORT", "443"}};
    write("token", "one\n");
    write("ca.crt", authority_.ca_pem());
    write("namespace", "loglink-system");
  }

  const TestAuthority authority_;
  std::string directory_;
  std::map<std::string, std::string> variables_;
  AccessEnvironment environment_;
  const MonotonicTime start_ = SystemClock().now().monotonic;
};

TEST_F(CredentialsTest, FindsTheServiceAccount) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->endpoint.host, "10.96.0.1");
  EXPECT_EQ(access->endpoint.port, 443);
  EXPECT_EQ(access->default_namespace, "loglink-system");
  EXPECT_EQ(access->credentials->authorization(start_), "Bearer one");
  EXPECT_EQ(access->credentials->tls(start_)->ca_pem, authority_.ca_pem());
}

TEST_F(CredentialsTest, TakesAnIpv6ServiceAddressWithoutBrackets) {
  set_in_cluster();
  variables_["KUBERNETES_SERVICE_HOST"] = "fd00::1";
  const auto access = load();
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->endpoint.host, "fd00::1");
}

TEST_F(CredentialsTest, ReadsARotatedTokenAfterAMinute) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access);
  CredentialSource& credentials = *access->credentials;
  const MonotonicTime now = SystemClock().now().monotonic;
  write("token", "two");
  EXPECT_EQ(credentials.authorization(now + seconds(50)), "Bearer one");
  EXPECT_EQ(credentials.authorization(now + seconds(61)), "Bearer two");
}

TEST_F(CredentialsTest, ReadsAheadWhenNoRequestWaits) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access);
  CredentialSource& credentials = *access->credentials;
  const MonotonicTime now = SystemClock().now().monotonic;
  const TestAuthority next;
  write("token", "two");
  write("ca.crt", next.ca_pem());
  credentials.refresh(now + seconds(40));
  EXPECT_EQ(credentials.authorization(now + seconds(41)), "Bearer one");
  credentials.refresh(now + seconds(50));
  write("token", "three");
  EXPECT_EQ(credentials.authorization(now + seconds(100)), "Bearer two");
  EXPECT_EQ(credentials.tls(now + seconds(100))->ca_pem, next.ca_pem());
  EXPECT_EQ(credentials.authorization(now + seconds(111)), "Bearer three");
}

TEST_F(CredentialsTest, ReadingAheadKeepsWhatIsGoodAndBringsNothingBack) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access);
  CredentialSource& credentials = *access->credentials;
  const MonotonicTime now = SystemClock().now().monotonic;
  write("token", "");
  write("ca.crt", "");
  credentials.refresh(now + seconds(50));
  EXPECT_EQ(credentials.authorization(now + seconds(51)), "Bearer one");
  EXPECT_EQ(credentials.tls(now + seconds(51))->ca_pem, authority_.ca_pem());
  credentials.invalidate();
  credentials.refresh(now + seconds(52));
  EXPECT_FALSE(credentials.authorization(now + seconds(52)));
}

TEST_F(CredentialsTest, KeepsTheOldTokenWhileTheFileIsBroken) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access);
  CredentialSource& credentials = *access->credentials;
  const MonotonicTime now = SystemClock().now().monotonic;
  for (const std::string broken : {"", "\n", "a b", "x\ny"}) {
    write("token", broken);
    EXPECT_EQ(credentials.authorization(now + seconds(61)), "Bearer one") << broken;
  }
  std::filesystem::remove(directory_ + "/token");
  EXPECT_EQ(credentials.authorization(now + seconds(120)), "Bearer one");
  write("token", "three");
  EXPECT_EQ(credentials.authorization(now + seconds(121)), "Bearer three");
}

TEST_F(CredentialsTest, NeverUsesAnInvalidatedTokenFromItsCache) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access);
  write("token", "two");
  EXPECT_EQ(access->credentials->authorization(start_ + seconds(1)), "Bearer one");
  access->credentials->invalidate();
  EXPECT_EQ(access->credentials->authorization(start_ + seconds(1)), "Bearer two");
  std::filesystem::remove(directory_ + "/token");
  access->credentials->invalidate();
  EXPECT_FALSE(access->credentials->authorization(start_ + seconds(1)));
}

TEST_F(CredentialsTest, TakesARotatedCaAndIgnoresABrokenOne) {
  set_in_cluster();
  const auto access = load();
  ASSERT_TRUE(access);
  CredentialSource& credentials = *access->credentials;
  const MonotonicTime now = SystemClock().now().monotonic;
  write("ca.crt", "");
  EXPECT_EQ(credentials.tls(now + seconds(61))->ca_pem, authority_.ca_pem());
  write("ca.crt", "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n");
  EXPECT_EQ(credentials.tls(now + seconds(61))->ca_pem, authority_.ca_pem());
  const TestAuthority next;
  write("ca.crt", next.ca_pem());
  EXPECT_EQ(credentials.tls(now + seconds(61))->ca_pem, next.ca_pem());
}

TEST_F(CredentialsTest, KeepsACertificateAndKeyThatFitEachOther) {
  const KeyPair first = authority_.issue("first", "");
  const KeyPair second = authority_.issue("second", "");
  write("c.crt", first.certificate_pem);
  write("c.key", first.key_pem);
  const auto access =
      load(write("config", kubeconfig("x: y", "client-certificate: c.crt, client-key: c.key")));
  ASSERT_TRUE(access) << access.error().message;
  CredentialSource& credentials = *access->credentials;
  const MonotonicTime now = SystemClock().now().monotonic;
  write("c.crt", second.certificate_pem);  // the key is still the old one
  EXPECT_EQ(credentials.tls(now + seconds(61))->certificate_pem, first.certificate_pem);
  write("c.key", second.key_pem);
  EXPECT_EQ(credentials.tls(now + seconds(61))->certificate_pem, second.certificate_pem);
  EXPECT_EQ(credentials.authorization(now), "");
}

TEST_F(CredentialsTest, ChoosesFlagThenVariableThenClusterThenHome) {
  const std::string flag = write("flag", kubeconfig("x: y", "token: flag"));
  const std::string listed = write("listed", kubeconfig("x: y", "token: listed"));
  write("home/.kube/config", kubeconfig("x: y", "username: home, password: 'p:w'"));
  const auto authorization = [&](const std::string& chosen) {
    const auto access = load(chosen);
    return access ? access->credentials->authorization(start_).value() : access.error().message;
  };
  set_in_cluster();
  variables_["KUBECONFIG"] = "/nowhere::" + listed;
  variables_["HOME"] = directory_ + "/home";
  EXPECT_EQ(authorization(flag), "Bearer flag");
  EXPECT_EQ(authorization(""), "Bearer listed");
  variables_.erase("KUBECONFIG");
  EXPECT_EQ(authorization(""), "Bearer one");
  variables_.erase("KUBERNETES_SERVICE_HOST");
  EXPECT_EQ(authorization(""), "Basic aG9tZTpwOnc=");
  variables_.clear();
  EXPECT_THAT(authorization(""), HasSubstr("KUBERNETES_SERVICE_HOST"));
}

TEST_F(CredentialsTest, NamesTheFileThatIsMissingOrWrong) {
  EXPECT_THAT(load("/nowhere/config").error().message, HasSubstr("/nowhere/config: No such file"));
  variables_["KUBECONFIG"] = "/nowhere/a:/nowhere/b";
  EXPECT_THAT(load().error().message, HasSubstr("KUBECONFIG names no file that exists"));
  variables_.clear();
  EXPECT_THAT(load(write("c1", kubeconfig("certificate-authority: absent.crt", "token: t")))
                  .error()
                  .message,
              HasSubstr(directory_ + "/c1 (line 2): certificate-authority: cannot read " +
                        directory_ + "/absent.crt: No such file"));
  write("empty.crt", "");
  EXPECT_THAT(
      load(write("c2", kubeconfig("certificate-authority: empty.crt", "token: t"))).error().message,
      HasSubstr("empty.crt is empty"));
  write("bad.crt", "not pem");
  EXPECT_THAT(
      load(write("c3", kubeconfig("certificate-authority: bad.crt", "token: t"))).error().message,
      HasSubstr("certificate-authority holds no PEM certificate; give the cluster's CA (" +
                directory_ + "/bad.crt)"));
  set_in_cluster();
  std::filesystem::remove(directory_ + "/token");
  EXPECT_THAT(load().error().message, HasSubstr("automountServiceAccountToken"));
}

class ExecPluginTest : public CredentialsTest {
 protected:
  // A kubeconfig whose plugin is this shell script.
  std::string with_plugin(const std::string& script) {
    const std::string path = write("plugin", "#!/bin/sh\n" + script);
    chmod(path.c_str(), 0755);
    return write("config",
                 kubeconfig("x: y",
                            "exec: {apiVersion: client.authentication.k8s.io/v1, command: "
                            "./plugin, args: [arg], env: [{name: EXTRA, value: extra}], "
                            "installHint: see the manual}"));
  }
  // What requests are given at `now`, once the plugin has answered.
  static Expected<std::string> given(CredentialSource& credentials, MonotonicTime now) {
    EXPECT_TRUE(eventually([&] { return credentials.ready(now); }));
    return credentials.authorization(now);
  }
  static std::string credential(const std::string& status) {
    return R"(echo "{\"kind\":\"ExecCredential\",\"apiVersion\":)"
           R"(\"client.authentication.k8s.io/v1\",\"status\":{)" +
           status + "}}\"\n";
  }
};

TEST_F(ExecPluginTest, GivesArgumentsEnvironmentAndInfo) {
  const auto access =
      load(with_plugin("case $KUBERNETES_EXEC_INFO in *ExecCredential*) i=info;; esac\n" +
                       credential(R"(\"token\":\"$1-$EXTRA-$i\")")));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(given(*access->credentials, start_).value(), "Bearer arg-extra-info");
}

TEST_F(ExecPluginTest, IsRunAgainOnlyAfterExpiryOr401) {
  const std::string count = directory_ + "/count";
  const std::string script = "echo x >> " + count + "\nn=$(wc -l < " + count + ")\n";
  const auto access = load(with_plugin(script + credential(R"(\"token\":\"t$n\")")));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(given(*access->credentials, start_).value(), "Bearer t1");
  EXPECT_EQ(given(*access->credentials, start_ + seconds(3600)).value(), "Bearer t1");
  access->credentials->invalidate();
  EXPECT_EQ(given(*access->credentials, start_ + seconds(3600)).value(), "Bearer t2");

  const auto expired = load(with_plugin(
      script +
      credential(R"(\"token\":\"t$n\",\"expirationTimestamp\":\"2020-01-01T00:00:00Z\")")));
  ASSERT_TRUE(expired);
  EXPECT_EQ(given(*expired->credentials, start_).value(), "Bearer t3");
  EXPECT_FALSE(expired->credentials->ready(start_ + seconds(3600)));
}

TEST_F(ExecPluginTest, SaysWhatFailedAndHowToGetIt) {
  const auto failing = load(with_plugin("echo please log in >&2\nexit 3\n"));
  ASSERT_TRUE(failing) << "a plugin that fails now does not end the program";
  const std::string message = given(*failing->credentials, start_).error().message;
  EXPECT_THAT(message, HasSubstr("exit code 3: please log in"));
  EXPECT_THAT(message, HasSubstr("see the manual"));
  EXPECT_EQ(message.find('\n'), std::string::npos);
  std::filesystem::remove(directory_ + "/plugin");
  // The failure is told until a later run has ended.
  EXPECT_TRUE(eventually([&] {
    const MonotonicTime now = SystemClock().now().monotonic + seconds(61);
    const std::string next = given(*failing->credentials, now).error().message;
    return next.find("No such file") != std::string::npos;
  }));
}

TEST_F(ExecPluginTest, OneThatHangsIsKilledWithItsChildrenWhenWeEnd) {
  const std::string pids = directory_ + "/pids";
  auto access = load(with_plugin("sleep 600 &\necho $! $$ > " + pids + ".new\nmv " + pids +
                                 ".new " + pids + "\nsleep 600\n"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_FALSE(access->credentials->ready(start_));
  EXPECT_THAT(access->credentials->authorization(start_).error().message,
              HasSubstr("has not answered yet"));
  EXPECT_THAT(access->credentials->tls(start_).error().message, HasSubstr("has not answered yet"));
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(pids); }));
  pid_t child = 0;
  pid_t plugin = 0;
  std::ifstream(pids) >> child >> plugin;
  ASSERT_GT(child, 1);
  const auto start = std::chrono::steady_clock::now();
  access->credentials.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10)) << "it was waited for";
  EXPECT_EQ(kill(plugin, 0), -1);
  // Nobody here is its parent: it may be a zombie for a moment.
  EXPECT_TRUE(eventually([&] {
    std::string pid, name, state;
    std::ifstream("/proc/" + std::to_string(child) + "/stat") >> pid >> name >> state;
    return state.empty() || state == "Z";
  }));
}

// A grandchild that kept our listening socket kept its port, too.
TEST(RunProcessTest, AProgramGetsNoDescriptorOfOurs) {
  const int inheritable = ::open("/dev/null", O_RDONLY);
  ASSERT_GE(inheritable, 3);
  ProcessRequest request;
  request.command = "sh";
  request.timeout = seconds(20);
  request.output_bytes_max = 1000;
  request.arguments = {"-c", "[ -e /proc/self/fd/" + std::to_string(inheritable) +
                                 " ] && echo inherited || echo none"};
  EXPECT_EQ(run_process(request)->output, "none\n");
  ::close(inheritable);
}

TEST(RunProcessTest, KillsWhatRunsOrWritesTooLong) {
  ProcessRequest request;
  request.command = "sh";
  request.timeout = std::chrono::milliseconds(200);
  request.output_bytes_max = 1000;
  request.arguments = {"-c", "sleep 600 & sleep 600"};
  EXPECT_THAT(run_process(request).error().message, HasSubstr("did not end within"));
  // The same where it is not wanted any more.
  std::stop_source stop;
  stop.request_stop();
  request.timeout = seconds(600);
  request.stop = stop.get_token();
  EXPECT_THAT(run_process(request).error().message, HasSubstr("was killed: we are to end"));
  request.stop = {};
  request.timeout = seconds(20);
  request.arguments = {"-c", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"};
  EXPECT_THAT(run_process(request).error().message, HasSubstr("more than 1000 bytes"));
  // A grandchild that keeps the pipe open is not waited for.
  request.arguments = {"-c", "sleep 5 & echo done"};
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(run_process(request)->output, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(4));
  request.arguments = {"-c", "kill -9 $$"};
  EXPECT_EQ(run_process(request)->exit_code, 128 + 9);
}

}  // namespace
}  // namespace loglink::testing
