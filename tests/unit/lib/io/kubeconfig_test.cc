#include "lib/io/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/io/exec_credential.h"

namespace loglink {
namespace {

using ::testing::HasSubstr;

// A whole kubeconfig around the fields of cluster, user and context; each line ends in \n.
std::string config(const std::string& cluster, const std::string& user,
                   const std::string& context = "") {
  const auto indented = [](const std::string& text) {
    std::string out;
    std::size_t begin = 0;
    while (begin < text.size()) {
      const std::size_t end = text.find('\n', begin);
      out += "    " + text.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
    return out;
  };
  return "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: k\n  cluster:\n" +
         indented(cluster) + "users:\n- name: u\n  user:\n" + indented(user) +
         "contexts:\n- name: c\n  context:\n    cluster: k\n    user: u\n" + indented(context);
}
const std::string kServer = "server: https://10.0.0.1:6443\n";

Expected<KubeconfigAccess> resolve(const std::string& text) {
  return resolve_kubeconfig({{"/etc/kube/config", text}});
}
std::string error_of(const std::string& text) {
  const Expected<KubeconfigAccess> access = resolve(text);
  return access ? "accepted" : access.error().message;
}

TEST(KubeconfigTest, ReadsClusterUserAndNamespace) {
  const auto access = resolve(config(kServer + "tls-server-name: api.example.com\n"
                                               "certificate-authority-data: Zm9v\n",
                                     "token: abc\n", "namespace: prod\n"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->endpoint.host, "10.0.0.1");
  EXPECT_EQ(access->endpoint.port, 6443);
  EXPECT_EQ(access->endpoint.server_name, "api.example.com");
  EXPECT_EQ(access->namespace_name, "prod");
  EXPECT_EQ(access->ca, (PemSource{"", "foo"}));
  EXPECT_EQ(access->token, "abc");
}

TEST(KubeconfigTest, CountsRelativePathsFromTheFile) {
  const auto access =
      resolve(config(kServer + "certificate-authority: pki/ca.crt\n",
                     "client-certificate: ../a.crt\nclient-key: /abs/a.key\ntokenFile: t\n"));
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->ca.path, "/etc/kube/pki/ca.crt");
  EXPECT_EQ(access->certificate.path, "/etc/kube/../a.crt");
  EXPECT_EQ(access->key.path, "/abs/a.key");
  EXPECT_EQ(access->token_file, "/etc/kube/t");
  EXPECT_EQ(access->namespace_name, "default");
}

TEST(KubeconfigTest, PrefersDataToAFile) {
  const auto access = resolve(config(
      kServer + "certificate-authority: ca.crt\ncertificate-authority-data: Zm9v\n", "token: a\n"));
  ASSERT_TRUE(access);
  EXPECT_EQ(access->ca, (PemSource{"", "foo"}));
}

TEST(KubeconfigTest, MergesFilesSoThatTheFirstWins) {
  const KubeconfigFile contexts{"/a/config",
                                "current-context: two\ncontexts:\n- name: two\n"
                                "  context: {cluster: k, user: u}\n"};
  const KubeconfigFile first{"/b/config",
                             "current-context: ignored\nclusters:\n- name: k\n"
                             "  cluster: {server: 'https://first', certificate-authority: ca}\n"};
  const KubeconfigFile second{"/c/config",
                              "clusters:\n- name: k\n  cluster: {server: 'https://second'}\n"
                              "users:\n- name: u\n  user: {tokenFile: t}\n"};
  const KubeconfigFile empty{"/d/config", ""};
  const auto access = resolve_kubeconfig({empty, contexts, first, second});
  ASSERT_TRUE(access) << access.error().message;
  EXPECT_EQ(access->endpoint.host, "first");
  EXPECT_EQ(access->ca.path, "/b/ca");
  EXPECT_EQ(access->token_file, "/c/t");
}

TEST(KubeconfigTest, AcceptsPlainServersAndAnonymousUsers) {
  const auto plain =
      resolve(config("server: http://127.0.0.1:8001\n", "username: a\npassword: b\n"));
  ASSERT_TRUE(plain) << plain.error().message;
  EXPECT_FALSE(plain->endpoint.tls);
  EXPECT_EQ(plain->username, "a");
  const auto anonymous = resolve(
      "current-context: c\nclusters: [{name: k, cluster: {server: 'https://h', "
      "insecure-skip-tls-verify: true}}]\ncontexts: [{name: c, context: {cluster: k}}]\n");
  ASSERT_TRUE(anonymous) << anonymous.error().message;
  EXPECT_TRUE(anonymous->endpoint.insecure_skip_verify);
}

TEST(KubeconfigTest, ReadsAnExecPlugin) {
  const auto access = resolve(
      config(kServer,
             "exec:\n  apiVersion: client.authentication.k8s.io/v1\n  command: ./bin/login\n"
             "  args: [--cluster, 7]\n  env:\n  - name: A\n    value: b\n  interactiveMode: Never\n"
             "  provideClusterInfo: true\n  installHint: get it\n"));
  ASSERT_TRUE(access) << access.error().message;
  ASSERT_TRUE(access->exec);
  EXPECT_EQ(access->exec->command, "/etc/kube/./bin/login");
  EXPECT_EQ(access->exec->arguments, (std::vector<std::string>{"--cluster", "7"}));
  EXPECT_EQ(access->exec->environment,
            (std::vector<std::pair<std::string, std::string>>{{"A", "b"}}));
  EXPECT_TRUE(access->exec->provide_cluster_info);
  EXPECT_EQ(access->exec->install_hint, "get it");
}

TEST(KubeconfigTest, NamesFileLineWhatAndCure) {
  const std::string file = "/etc/kube/config";
  struct Case {
    std::string text;
    std::string message;
  };
  const std::vector<Case> cases = {
      {"a: [", file + " (line 1): not YAML"},
      {"- a\n", "not a kubeconfig"},
      {"clusters: []\n", file + ": no current-context; set one with `kubectl config use-context"},
      {"current-context: x\n",
       file + " (line 1): current-context \"x\" is not in contexts; set another"},
      {"current-context: x\ncontexts: [{name: x, context: {cluster: k}}]\n",
       file + " (line 2): cluster \"k\" is not in clusters"},
      {"clusters: 3\n", file + " (line 1): clusters must be a list"},
      {"clusters:\n- 3\n", file + " (line 2): an item of clusters must be a map"},
      {"clusters:\n- cluster: {}\n", file + " (line 2): an item of clusters has no name"},
      {config("server: ftp://x\n", "token: a\n"),
       file + " (line 7): server \"ftp://x\" is neither"},
      {config("server: [a]\n", "token: a\n"), file + " (line 7): server must be a string"},
      {config("certificate-authority: x\n", "token: a\n"), "the cluster has no server"},
      {config(kServer + "proxy-url: http://p\n", "token: a\n"),
       file + " (line 8): proxy-url is not supported; use a server that is reached directly"},
      {config(kServer + "insecure-skip-tls-verify: maybe\n", "token: a\n"),
       "(line 8): insecure-skip-tls-verify must be true or false"},
      {config(kServer + "insecure-skip-tls-verify: true\ncertificate-authority: c\n", "token: a\n"),
       "exclude each other"},
      {config(kServer + "certificate-authority-data: '!'\n", "token: a\n"),
       "(line 8): certificate-authority-data is not base64"},
      {config(kServer, "client-certificate: a\n"),
       "client-certificate and client-key must be given together"},
      {config(kServer, "token: a\nusername: b\n"), "token and username exclude each other"},
      {config(kServer, "auth-provider: {name: gcp}\n"), "auth-provider is not supported; use"},
      {config(kServer, "as: admin\n"), "as is not supported"},
      {config(kServer, "exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}\n"),
       "use client.authentication.k8s.io/v1 or v1beta1"},
      {config(kServer, "exec: {apiVersion: client.authentication.k8s.io/v1}\n"),
       "exec has no command"},
      {config(kServer,
              "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
              "interactiveMode: Always}\n"),
       "there is no terminal"},
      {config(kServer,
              "exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
              "args: [[a]]}\n"),
       "exec.args must be strings"},
  };
  for (const Case& one : cases) {
    const std::string message = error_of(one.text);
    EXPECT_THAT(message, HasSubstr(one.message)) << one.text;
    EXPECT_EQ(message.find('\n'), std::string::npos);
  }
}

TEST(ExecCredentialTest, TellsThePluginOnlyWhatTheKubeconfigAllows) {
  KubeconfigAccess access = resolve(config(kServer, "token: a\n")).value();
  ExecPlugin plugin;
  plugin.api_version = "client.authentication.k8s.io/v1";
  EXPECT_EQ(encode_exec_info(plugin, access, "ca"),
            R"({"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential",)"
            R"("spec":{"interactive":false}})");
  plugin.provide_cluster_info = true;
  EXPECT_THAT(encode_exec_info(plugin, access, "foo"),
              HasSubstr(R"("cluster":{"certificate-authority-data":"Zm9v",)"
                        R"("server":"https://10.0.0.1:6443"})"));
}

TEST(ExecCredentialTest, ReadsTokenCertificateAndExpiry) {
  const std::string version = "client.authentication.k8s.io/v1";
  const auto credential = decode_exec_credential(
      R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{)"
      R"("token":"t","clientCertificateData":"c","clientKeyData":"k",)"
      R"("expirationTimestamp":"2026-01-02T03:04:05Z"}})",
      version);
  ASSERT_TRUE(credential) << credential.error().message;
  EXPECT_EQ(credential->token, "t");
  EXPECT_EQ(credential->certificate_pem, "c");
  EXPECT_EQ(credential->key_pem, "k");
  EXPECT_TRUE(credential->expires);
  // Far beyond what nanoseconds in 64 bits hold: it is valid until then, so it does not expire.
  const auto lasting = decode_exec_credential(
      R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{)"
      R"("token":"t","expirationTimestamp":"9999-12-31T23:59:59Z"}})",
      version);
  ASSERT_TRUE(lasting) << lasting.error().message;
  EXPECT_GT(*lasting->expires, *credential->expires + std::chrono::hours(24 * 365 * 200));
  const std::string head =
      R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1")";
  for (const std::string& bad :
       {std::string("no"), std::string("[]"), head + "}", head + R"(,"status":{}})",
        head + R"(,"status":{"clientKeyData":"k"}})", head + R"(,"status":{"token":7}})",
        head + R"(,"status":{"token":"t","expirationTimestamp":"soon"}})",
        std::string(R"({"kind":"X","apiVersion":"client.authentication.k8s.io/v1",)"
                    R"("status":{"token":"t"}})"),
        std::string(
            R"({"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1")"
            R"(,"status":{"token":"t"}})")}) {
    EXPECT_FALSE(decode_exec_credential(bad, version)) << bad;
  }
}

}  // namespace
}  // namespace loglink
