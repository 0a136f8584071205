// The real program against an API server on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/integration/controller/program.h"
#include "tests/integration/controller/program_world.h"

namespace loglink {
namespace {

using nlohmann::json;
using std::chrono::seconds;
using testing::HasSubstr;

// The pods come in protobuf, but from a server (or through a proxy) that does not speak it in JSON.
class ControllerEncodingTest : public ControllerProgramTest,
                               public testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    fakes::EmbeddedServerOptions options;
    options.kube.protobuf = GetParam();
    start_server(std::move(options));
  }
};

INSTANTIATE_TEST_SUITE_P(Encodings, ControllerEncodingTest, testing::Bool(),
                         [](const testing::TestParamInfo<bool>& each) {
                           return std::string(each.param ? "Protobuf" : "Json");
                         });

TEST_P(ControllerEncodingTest, PublishesAnswersAndReleasesTheLease) {
  Program program(run_arguments());
  ASSERT_TRUE(eventually([&] { return http_get(port_, "/readyz").status == 200; }))
      << program.err();
  create_pod();
  ASSERT_TRUE(eventually([&] { return annotation("loglink/status") == "Pending"; }))
      << program.err();
  ASSERT_TRUE(eventually([&] { return !object(kObject).is_null(); })) << program.err();
  const json set = object(kObject);
  EXPECT_EQ(set["spec"]["sources"][0]["pod"], "web-0");
  EXPECT_EQ(set["metadata"]["ownerReferences"][0]["uid"],
            object("/api/v1/nodes/node-a")["metadata"]["uid"]);
  answer(3);
  ASSERT_TRUE(eventually([&] { return annotation("loglink/status") == "Linked"; }))
      << program.err();
  EXPECT_EQ(annotation("loglink/links"), "3");

  const std::string metrics = http_get(port_, "/metrics").body;
  EXPECT_THAT(metrics, HasSubstr("loglink_leader 1"));
  EXPECT_THAT(metrics, HasSubstr("loglink_pods_annotated 1"));
  EXPECT_THAT(metrics, HasSubstr("loglink_sources{root=\"kubelet-pods\"} 1"));
  EXPECT_EQ(http_get(port_, "/healthz").status, 200);
  EXPECT_EQ(http_get(port_, "/nothing").status, 404);

  const std::size_t writes = server_->counts().writes;
  EXPECT_GT(writes, 0U);
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(seconds(5)).exit_code, 0);
  EXPECT_EQ(object(kLease)["spec"].value("holderIdentity", ""), "");
}

TEST_F(ControllerProgramTest, ABrokenPodIsToldAndMakesAnEvent) {
  create_pod("/data");
  Program program(run_arguments());
  ASSERT_TRUE(eventually([&] { return annotation("loglink/status") == "Invalid"; }))
      << program.err();
  EXPECT_THAT(annotation("loglink/message"), HasSubstr("NotOnAVolume"));
  EXPECT_TRUE(eventually([&] {
    std::size_t events = 0;
    server_->with_kube([&](fakes::FakeKube& kube, Now) {
      events = kube.objects("/apis/events.k8s.io/v1/namespaces/prod/events").size();
    });
    return events == 1;
  }));
}

TEST_F(ControllerProgramTest, WithoutTheCrdItIsNotReadySaysWhyAndHeals) {
  server_->with_kube([](fakes::FakeKube& kube, Now now) { kube.remove_crd(now); });
  create_pod();
  Program program(run_arguments());
  ASSERT_TRUE(eventually([&] {
    const HttpAnswer ready = http_get(port_, "/readyz");
    return ready.status == 503 && ready.body.find("CustomResourceDefinition") != std::string::npos;
  })) << program.err();
  server_->with_kube([](fakes::FakeKube& kube, Now now) { kube.install_crd(now); });
  EXPECT_TRUE(eventually([&] { return annotation("loglink/status") == "Pending"; }))
      << program.err();
  const std::string log = program.err();
  const std::string trouble = "trouble with the API server, trying again about=nodelinksets";
  const std::size_t said = log.find(trouble);
  ASSERT_NE(said, std::string::npos) << log;
  EXPECT_EQ(log.find(trouble, said + 1), std::string::npos) << log;
  EXPECT_THAT(log, HasSubstr("the API server answers again"));
}

TEST_F(ControllerProgramTest, ASecondControllerTakesOverWhenTheFirstIsKilled) {
  Program first(run_arguments());
  ASSERT_TRUE(eventually([&] { return !object(kLease).is_null(); })) << first.err();
  const std::string leader = object(kLease)["spec"]["holderIdentity"];
  std::vector<std::string> arguments = run_arguments();
  write_file(directory_ + "/second.yaml",
             "metricsAddress: \"\"\n"
             "leaderElection: {leaseDuration: 3s, renewDeadline: 2s, retryPeriod: 500ms}\n");
  arguments.back() = directory_ + "/second.yaml";
  Program second(arguments);
  first.signal(SIGKILL);
  first.wait();
  create_pod();
  EXPECT_TRUE(eventually([&] { return annotation("loglink/status") == "Pending"; }))
      << second.err();
  EXPECT_NE(object(kLease)["spec"]["holderIdentity"], leader);
}

TEST_F(ControllerProgramTest, RidesOutAServerThatIsNotThereAtTheStart) {
  write_file(directory_ + "/kubeconfig", [&] {
    std::string text = server_->kubeconfig("admin-token");
    const std::string here = std::to_string(server_->port());
    text.replace(text.find(here), here.size(), std::to_string(free_port()));
    return text;
  }());
  Program program(run_arguments());
  EXPECT_TRUE(eventually([&] {
    const HttpAnswer ready = http_get(port_, "/readyz");
    return ready.status == 503 && ready.body.find("Refused") != std::string::npos;
  })) << program.err();
  EXPECT_TRUE(program.running());
  program.signal(SIGTERM);
  EXPECT_EQ(program.wait(seconds(5)).exit_code, 0);
}

TEST_F(ControllerProgramTest, DrainEmptiesAndWaitsForTheAgents) {
  create_pod();
  {
    Program program(run_arguments());
    ASSERT_TRUE(eventually([&] { return !object(kObject).is_null(); })) << program.err();
    answer(2);
    Program drain({"drain", "--kubeconfig", kubeconfig(), "--config", config()});
    ASSERT_TRUE(eventually([&] {
      return object(kObject)["spec"]["sources"][0].value("requires", json()) ==
             json({"remove-now"});
    })) << drain.err();
    EXPECT_TRUE(drain.running()) << "an agent still holds links";
    answer(0);
    ASSERT_TRUE(eventually([&] { return object(kObject)["spec"]["sources"].empty(); }))
        << drain.err();
    // An agent answers each generation, whichever is the last one.
    EXPECT_TRUE(eventually([&] {
      answer(0);
      return !drain.running();
    })) << drain.err();
    const Finished finished = drain.wait();
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_EQ(object(kLease)["spec"]["holderIdentity"], "drained");
    // The controller that is still there links nothing again, and says so.
    EXPECT_TRUE(eventually([&] {
      const HttpAnswer ready = http_get(port_, "/readyz");
      return ready.status == 503 && ready.body.find("drained") != std::string::npos;
    })) << program.err();
    EXPECT_THAT(http_get(port_, "/metrics").body, HasSubstr("loglink_drained 1"));
  }
  EXPECT_TRUE(object(kObject)["spec"]["sources"].empty());
}

TEST_F(ControllerProgramTest, DrainNamesNodesThatDoNotAnswer) {
  create_pod();
  {
    Program program(run_arguments());
    ASSERT_TRUE(eventually([&] { return !object(kObject).is_null(); })) << program.err();
    program.signal(SIGTERM);
    program.wait();
  }
  Program drain({"drain", "--kubeconfig", kubeconfig(), "--config", config(), "--timeout", "2s"});
  const Finished finished = drain.wait();
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("node-a (no answer)"));
}

struct Usage {
  std::vector<std::string> arguments;
  int exit_code;
  std::string says;  // on stderr, or on stdout when the code is 0
};

class ControllerUsageTest : public testing::TestWithParam<Usage> {};

TEST_P(ControllerUsageTest, ExitsAndSays) {
  Program program(GetParam().arguments, "kind: Pod\nmetadata: {name: web}\n");
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, GetParam().exit_code) << finished.err;
  EXPECT_THAT(GetParam().exit_code == 0 ? finished.out : finished.err, HasSubstr(GetParam().says));
  if (GetParam().exit_code == 1) {
    EXPECT_EQ(std::count(finished.err.begin(), finished.err.end(), '\n'), 1) << finished.err;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Commands, ControllerUsageTest,
    testing::Values(
        Usage{{"--version"}, 0, "loglink-controller"}, Usage{{"--help"}, 0, "Examples:"},
        Usage{{"run", "--help"}, 0, "--kubeconfig"}, Usage{{"run", "--help"}, 0, "--log-format"},
        Usage{{"explain", "--log-level", "loud"}, 2, "loud"}, Usage{{}, 2, "subcommand"},
        Usage{{"runn"}, 2, "runn"}, Usage{{"run", "--conf", "x"}, 2, "--conf"},
        Usage{{"--log-level", "loud", "run"}, 2, "loud"},
        Usage{{"drain", "--timeout", "soon"}, 2, "soon"}, Usage{{"explain"}, 2, "-f FILE"},
        Usage{{"explain", "-f", "-", "-o", "xml"}, 2, "xml"},
        Usage{{"run", "--kubeconfig", "/nowhere/config"}, 1, "/nowhere/config"},
        Usage{{"run", "--config", "/nowhere/controller.yaml"},
              1,
              "/nowhere/controller.yaml: No such file"},
        Usage{{"explain", "-f", "/nowhere/pods.yaml"}, 1, "/nowhere/pods.yaml: No such file"},
        Usage{{"explain", "-f", "/dev/zero"}, 1, "/dev/zero is larger than 16 MiB"},
        Usage{{"run", "--config", "/dev/zero"}, 1, "/dev/zero is larger than 16 MiB"},
        Usage{{"--config", "/nowhere/c.yaml", "explain", "-f", "-"}, 1, "/nowhere/c.yaml"},
        Usage{{"explain", "-f", "-", "-o", "json"}, 0, "\"nodeLinkSets\""},
        Usage{{"explain", "-f", "-", "--log-level", "debug"}, 0, "loglink"}));

}  // namespace
}  // namespace loglink
