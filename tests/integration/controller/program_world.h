// An API server in the test's process, with one node and one namespace, and a directory for the
// program's files.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/fakes/embedded_server.h"
#include "tests/integration/controller/program.h"

namespace loglink {

inline const std::string kObject = "/apis/loglink.io/v1alpha1/nodelinksets/node-a";
inline const std::string kPod = "/api/v1/namespaces/prod/pods/web-0";
inline const std::string kLease =
    "/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases/loglink-controller";

class ControllerProgramTest : public testing::Test {
 protected:
  void SetUp() override { start_server({}); }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void start_server(fakes::EmbeddedServerOptions options) {
    server_.reset();
    auto server = fakes::EmbeddedServer::start(std::move(options));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
    ASSERT_TRUE(fakes::write_access_files(*server_, "admin-token", directory_));
    create("/api/v1/namespaces", {{"metadata", {{"name", "prod"}}}});
    create("/api/v1/namespaces", {{"metadata", {{"name", "loglink-system"}}}});
    create("/api/v1/nodes", {{"metadata", {{"name", "node-a"}}}});
  }

  [[nodiscard]] std::string kubeconfig() const { return directory_ + "/kubeconfig"; }
  std::string config(const std::string& more = "") {
    const std::string name = directory_ + "/controller.yaml";
    write_file(name, "metricsAddress: 127.0.0.1:" + std::to_string(port_) +
                         "\nlogLevel: debug\n"
                         "leaderElection: {leaseDuration: 3s, renewDeadline: 2s, "
                         "retryPeriod: 500ms}\n" +
                         more);
    return name;
  }
  std::vector<std::string> run_arguments() {
    return {"run", "--kubeconfig", kubeconfig(), "--config", config()};
  }

  int request(const std::string& method, const std::string& target, const nlohmann::json& body,
              const std::string& type = "application/json") {
    int status = 0;
    server_->with_kube([&](fakes::FakeKube& kube, Now now) {
      fakes::FakeRequest http;
      http.method = method;
      http.target = target;
      http.content_type = type;
      http.accept = "application/json";
      http.authorization = "Bearer admin-token";
      http.body = body.dump();
      status = kube.handle(http, now).status;
    });
    return status;
  }
  void create(const std::string& collection, const nlohmann::json& body) {
    ASSERT_EQ(request("POST", collection, body), 201) << body;
  }
  void create_pod(const std::string& watch_dir = "/var/log/app") {
    create("/api/v1/namespaces/prod/pods",
           nlohmann::json::parse(R"({"metadata": {"name": "web-0", "annotations": {}},
             "spec": {"nodeName": "node-a",
               "containers": [{"name": "app", "image": "x",
                 "volumeMounts": [{"name": "logs", "mountPath": "/var/log/app"}]}],
               "volumes": [{"name": "logs", "emptyDir": {}}]}})")
               .patch(nlohmann::json::parse(
                   R"([{"op": "add", "path": "/metadata/annotations/loglink~1watch-dir",
                                       "value": ")" +
                   watch_dir + R"("}])")));
  }
  nlohmann::json object(const std::string& path) {
    std::string text;
    server_->with_kube([&](fakes::FakeKube& kube, Now) { text = kube.object(path); });
    return text.empty() ? nlohmann::json() : nlohmann::json::parse(text);
  }
  std::string annotation(const std::string& key) {
    const nlohmann::json pod = object(kPod);
    return pod.is_null()
               ? ""
               : pod["metadata"].value("annotations", nlohmann::json::object()).value(key, "");
  }
  // The agent's answer, by the test's hand.
  void answer(int links) {
    const nlohmann::json set = object(kObject);
    nlohmann::json status = {{"observedGeneration", set["metadata"]["generation"]},
                             {"links", links}};
    status["pods"] = nlohmann::json::array();
    for (const nlohmann::json& source : set["spec"]["sources"]) {
      status["pods"].push_back({{"namespace", source["namespace"]},
                                {"pod", source["pod"]},
                                {"uid", source["uid"]},
                                {"links", links}});
    }
    ASSERT_EQ(
        request("PATCH", kObject + "/status", {{"status", status}}, "application/merge-patch+json"),
        200);
  }

  const std::string directory_ = make_directory();
  const int port_ = free_port();
  std::unique_ptr<fakes::EmbeddedServer> server_;
};

}  // namespace loglink
