// An API server that cannot be reached, or says no: both programs say so once, in the log and in
// /readyz, go on trying, and heal without a restart when the cause is gone.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/support/world.h"
#include "tests/fakes/embedded_server.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::size_t count_of(const std::string& text, const std::string& word) {
  std::size_t count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
    ++count;
  }
  return count;
}

class Trouble : public ::testing::Test {
 protected:
  static std::unique_ptr<fakes::EmbeddedServer> start_server(fakes::EmbeddedServerOptions options) {
    auto server = fakes::EmbeddedServer::start(std::move(options));
    if (!server) throw std::runtime_error(server.error().message);
    return std::move(*server);
  }

  void set_up(fakes::EmbeddedServerOptions options = {}) {
    server = start_server(std::move(options));
    std::string pattern = (fs::temp_directory_path() / "loglink-trouble-XXXXXX").string();
    files = ::mkdtemp(pattern.data());
    write_file(files / "kubeconfig", server->kubeconfig("admin-token"));
    world = std::make_unique<World>((files / "kubeconfig").string());
  }
  ~Trouble() override {
    world.reset();
    server.reset();
    if (!files.empty()) fs::remove_all(files);
  }

  // A kubeconfig whose CA and token are files that the test changes.
  std::string kubeconfig_of_files(const std::string& url) {
    write_file(
        files / "by-file",
        "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: " + url +
            "\n    certificate-authority: ca.crt\nusers:\n- name: u\n  user: {tokenFile: " +
            (files / "token").string() +
            "}\ncontexts:\n- name: x\n  context: {cluster: c, user: u}\n"
            "current-context: x\n");
    return (files / "by-file").string();
  }

  void start_programs(const std::string& kubeconfig = "") {
    world->start_controller(kubeconfig);
    world->start_agent(kubeconfig);
  }

  // Both say it in /readyz and live; the log has the word, and not again and again. Programs that
  // had worked before stay ready: they keep what they have.
  void expect_trouble(const std::string& word, const std::string& status = "503") {
    for (const std::string program : {"controller", "agent"}) {
      std::string answer;
      EXPECT_TRUE(eventually([&] {
        answer = world->readyz(program);
        return answer.substr(0, 3) == status && answer.find(word) != std::string::npos;
      })) << program
          << " says: " << answer;
    }
    EXPECT_FALSE(world->controller().wait(std::chrono::milliseconds(0)).has_value());
    EXPECT_FALSE(world->agent().wait(std::chrono::milliseconds(0)).has_value());
    for (Program* program : {&world->controller(), &world->agent()}) {
      const std::size_t said = count_of(program->output(), word);
      EXPECT_GE(said, 1U) << program->output();
      // One line for each of the streams and the lease; the same line is not repeated.
      EXPECT_LE(said, 6U) << program->output();
    }
  }

  void expect_healed() {
    for (const std::string program : {"controller", "agent"}) {
      std::string answer;
      EXPECT_TRUE(eventually(
          [&] {
            answer = world->readyz(program);
            return answer.substr(0, 3) == "200";
          },
          std::chrono::seconds(90)))
          << program << " says: " << answer;
    }
    const std::string pod = world->unique("healed");
    const std::string uid =
        world->create_pod(pod, world->node(), {{"loglink/watch-dir", "/var/log/app"}},
                          Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}}),
                          Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}}));
    write_file(world->empty_dir(uid, "logs") / "app.log", "x\n");
    EXPECT_TRUE(eventually([&] { return world->annotation(pod, "loglink/status") == "Linked"; },
                           std::chrono::seconds(90)));
  }

  void fail_everything_with(int status) {
    fakes::Fault fault;
    fault.status = status;
    fault.count = 1'000'000;
    server->add_fault(fault);
  }

  std::unique_ptr<fakes::EmbeddedServer> server;
  fs::path files;
  std::unique_ptr<World> world;
};

TEST_F(Trouble, AWrongCertificateAuthorityHealsWhenTheFileIsCorrected) {
  set_up();
  const auto other = start_server({});
  write_file(files / "token", "admin-token");
  write_file(files / "ca.crt", other->ca_pem());
  start_programs(kubeconfig_of_files(server->url()));
  expect_trouble("certificate");
  write_file(files / "ca.crt", server->ca_pem());
  expect_healed();
}

TEST_F(Trouble, AServerThatIsNotThereYetIsWaitedFor) {
  set_up();
  // Plain HTTP: a new server has a new CA, which a running program could not guess.
  fakes::EmbeddedServerOptions options;
  options.tls = false;
  auto first = start_server(options);
  options.port = first->port();
  const std::string url = first->url();
  first.reset();
  write_file(files / "token", "admin-token");
  write_file(files / "ca.crt", server->ca_pem());
  start_programs(kubeconfig_of_files(url));
  expect_trouble("refused");

  const auto late = start_server(options);
  write_file(files / "late", late->kubeconfig("admin-token"));
  ApiClient api((files / "late").string());
  api.create(
      "/api/v1/namespaces",
      {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "loglink-system"}}}});
  for (const std::string program : {"controller", "agent"}) {
    EXPECT_TRUE(eventually([&] { return world->readyz(program).substr(0, 3) == "200"; },
                           std::chrono::seconds(90)))
        << program << " says: " << world->readyz(program);
  }
  world->stop_programs();
}

TEST_F(Trouble, AWrongTokenHealsWhenItIsRotated) {
  set_up();
  write_file(files / "ca.crt", server->ca_pem());
  write_file(files / "token", "expired-token");
  start_programs(kubeconfig_of_files(server->url()));
  expect_trouble("Unauthorized");
  write_file(files / "token", "admin-token");
  expect_healed();
}

TEST_F(Trouble, MissingPermissionsHealWhenTheyAreGranted) {
  set_up();
  server->with_kube([](fakes::FakeKube& kube, Now) { kube.set_user("weak", "weak-user", {}); });
  write_file(files / "ca.crt", server->ca_pem());
  write_file(files / "token", "weak");
  start_programs(kubeconfig_of_files(server->url()));
  expect_trouble("forbidden");
  server->with_kube([](fakes::FakeKube& kube, Now) {
    kube.set_user("weak", "weak-user", {{{"*"}, {"*"}, {}, {}}});
  });
  expect_healed();
}

TEST_F(Trouble, AMissingCrdHealsWhenItIsInstalled) {
  fakes::EmbeddedServerOptions options;
  options.kube.install_crd = false;
  set_up(std::move(options));
  start_programs();
  expect_trouble("CustomResourceDefinition");
  server->with_kube([](fakes::FakeKube& kube, Now now) { kube.install_crd(now); });
  expect_healed();
}

TEST_F(Trouble, AnOutageInTheMiddleKeepsTheLinksAndHeals) {
  set_up();
  start_programs();
  expect_healed();
  const std::vector<std::string> before = world->link_names();
  ASSERT_FALSE(before.empty());
  fail_everything_with(503);
  server->with_kube([](fakes::FakeKube& kube, Now) { kube.drop_watches(); });
  expect_trouble("unable to handle the request", "200");
  EXPECT_EQ(world->link_names(), before);
  server->clear_faults();
  expect_healed();
}

}  // namespace
}  // namespace loglink::testing
