// What users are promised whatever tenants do, held by the real controller against a whole API
// server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <sstream>
#include <variant>

#include "controller/core/cluster_state.h"
#include "tests/integration/controller/program_world.h"

namespace loglink {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

const std::string kPods = "/api/v1/namespaces/prod/pods";

class ControllerPromises : public ControllerProgramTest {
 protected:
  void create_pod_of(const std::string& name, const json& annotations,
                     const json& owners = json::array()) {
    create(
        kPods,
        {{"metadata", {{"name", name}, {"annotations", annotations}, {"ownerReferences", owners}}},
         {"spec",
          {{"nodeName", "node-a"},
           {"volumes", json::array({{{"name", "logs"}, {"emptyDir", json::object()}}})},
           {"containers",
            json::array({{{"name", "app"},
                          {"image", "x"},
                          {"volumeMounts", json::array({{{"name", "logs"},
                                                         {"mountPath", "/var/log/app"}}})}}})}}}});
  }
  std::string uid_of(const std::string& name) {
    return object(kPods + "/" + name)["metadata"]["uid"];
  }
  std::string answer_of(const std::string& name, const std::string& key) {
    const json pod = object(kPods + "/" + name);
    return pod["metadata"].value("annotations", json::object()).value(key, "");
  }
  void ask(const std::string& name, const std::string& watch_dir) {
    ASSERT_EQ(request("PATCH", kPods + "/" + name,
                      {{"metadata", {{"annotations", {{"loglink/watch-dir", watch_dir}}}}}},
                      "application/merge-patch+json"),
              200);
  }
  // "<pod>:<path behind the volume's name>" of each live source.
  std::set<std::string> live_sources() {
    std::set<std::string> live;
    const json set = object(kObject);
    if (set.is_null()) return live;
    for (const json& source : set["spec"]["sources"]) {
      if (source.contains("removeAfter")) continue;
      const std::string path = source["path"];
      const std::size_t at = path.find("/logs");
      live.insert(source["pod"].get<std::string>() + ":" + path.substr(at + 5));
    }
    return live;
  }
  // Versions of a pod that differ in what the controller has written, by a watch from `version` on.
  std::size_t answers_written(const std::string& pod, const std::string& version) {
    std::string lines;
    server_->with_kube([&](fakes::FakeKube& kube, Now now) {
      fakes::FakeRequest watch;
      watch.method = "GET";
      watch.target = kPods + "?watch=1&resourceVersion=" + version;
      watch.accept = "application/json";
      watch.authorization = "Bearer admin-token";
      auto opened = kube.open_watch(watch, now);
      ASSERT_TRUE(std::holds_alternative<fakes::FakeWatch>(opened));
      lines = kube.pull(std::get<fakes::FakeWatch>(opened), now).bytes;
    });
    std::size_t changes = 0;
    json before = json::object();
    std::istringstream text(lines);
    for (std::string line; std::getline(text, line);) {
      const json metadata = json::parse(line)["object"]["metadata"];
      if (metadata["name"] != pod) continue;
      json answers = json::object();
      for (const char* key : {"loglink/status", "loglink/links", "loglink/message"}) {
        answers[key] = metadata["annotations"].value(key, "");
      }
      if (!before.empty() && answers != before) ++changes;
      before = answers;
    }
    return changes;
  }
  std::size_t events() {
    std::size_t found = 0;
    server_->with_kube([&](fakes::FakeKube& kube, Now) {
      found = kube.objects("/apis/events.k8s.io/v1/namespaces/prod/events").size();
    });
    return found;
  }
};

TEST_F(ControllerPromises, AnAnnotationThatChangesAThousandTimesCostsNoMoreThanTheRates) {
  create_pod_of("web-0", {{"loglink/watch-dir", "/var/log/app/first"}});
  Program program(run_arguments());
  ASSERT_TRUE(eventually([&] { return answer_of("web-0", "loglink/status") == "Pending"; }))
      << program.err();
  ASSERT_TRUE(eventually([&] { return live_sources().size() == 1; })) << program.err();
  const std::string version = object(kPods + "/web-0")["metadata"]["resourceVersion"];
  const std::int64_t generation = object(kObject)["metadata"]["generation"];
  const std::size_t writes_before = server_->counts().writes;

  const auto start = std::chrono::steady_clock::now();
  for (int change = 1; change <= 1000; ++change) {
    // Now good, now refused: each moves spec and answer.
    const std::string directory =
        change % 2 == 0 ? "/var/log/app/d" + std::to_string(change) : "/nowhere";
    ask("web-0", directory);
    // As fast as what is asked for is published, fifty changes at a time.
    if (change % 50 != 0) continue;
    ASSERT_TRUE(eventually([&] {
      return live_sources() == std::set<std::string>{"web-0:/d" + std::to_string(change)};
    })) << change
        << program.err();
  }
  ASSERT_TRUE(eventually([&] {
    return answer_of("web-0", "loglink/status") == "Pending" &&
           answer_of("web-0", "loglink/message") == "waiting for the agent on node node-a";
  })) << answer_of("web-0", "loglink/message");
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();

  const json set = object(kObject);
  EXPECT_EQ(live_sources(), std::set<std::string>{"web-0:/d1000"});
  EXPECT_LE(set["spec"]["sources"].size(), 16U) << "the pod's own part of the list";
  const double specs =
      set["metadata"]["generation"].get<double>() - static_cast<double>(generation);
  EXPECT_LE(specs, kNodeWriteBurst + kNodeWritesPerSecond * seconds + 1);
  const auto patches = static_cast<double>(answers_written("web-0", version));
  EXPECT_GE(patches, 1) << "the counting works";
  EXPECT_LE(patches, kPodChangeBurst + kPodChangesPerSecond * seconds + 1);
  EXPECT_LE(static_cast<double>(events()), patches) << "one Event a told change at most";
  // Lease renewals are four a second here at most.
  EXPECT_LE(static_cast<double>(server_->counts().writes - writes_before),
            specs + 2 * patches + 4 * seconds + 10);
}

// No admission policy stands before this server: the controller alone refuses.
TEST_F(ControllerPromises, ATenantCannotGetAnotherPodsLogsByClaimingItsId) {
  create_pod_of("victim", {{"loglink/watch-dir", "/var/log/app"}});
  const std::string victim = uid_of("victim");
  const std::string hash = "0123456789abcdef0123456789abcdef";
  // The node's own static pod, which asks for nothing and never says loglink.
  const json owner =
      json::array({{{"apiVersion", "v1"}, {"kind", "Node"}, {"name", "node-a"}, {"uid", "n"}}});
  create_pod_of("etcd-node-a",
                {{"kubernetes.io/config.mirror", hash}, {"kubernetes.io/config.hash", hash}},
                owner);
  const auto thief = [&](const std::string& name, const std::string& id, const json& owners) {
    create_pod_of(name,
                  {{"loglink/watch-dir", "/var/log/app"},
                   {"kubernetes.io/config.mirror", id},
                   {"kubernetes.io/config.hash", id}},
                  owners);
  };
  thief("uid-node-a", victim, owner);
  thief("hash-node-a", hash, owner);
  thief("owner-node-a", "fedcba9876543210fedcba9876543210", json::array());
  thief("name", "aaaabbbbccccddddaaaabbbbccccdddd", owner);

  for (const bool static_pods : {false, true}) {
    SCOPED_TRACE(static_pods);
    Program program({"run", "--kubeconfig", kubeconfig(), "--config",
                     config(static_pods ? "staticPods: true\n" : "")});
    for (const char* name : {"uid-node-a", "hash-node-a", "owner-node-a", "name"}) {
      EXPECT_TRUE(eventually([&] {
        return answer_of(name, "loglink/status") == "Invalid" &&
               answer_of(name, "loglink/message").find("StaticPod") != std::string::npos;
      })) << name
          << ": " << answer_of(name, "loglink/message") << program.err();
    }
    EXPECT_TRUE(eventually([&] { return live_sources() == std::set<std::string>{"victim:"}; }));
    if (static_pods) {
      EXPECT_TRUE(eventually([&] {
        return answer_of("hash-node-a", "loglink/message").find("another pod of the node") !=
               std::string::npos;
      })) << answer_of("hash-node-a", "loglink/message");
    }
    const json set = object(kObject);
    for (const json& source : set["spec"]["sources"]) EXPECT_EQ(source["uid"], victim);
    program.signal(SIGTERM);
    program.wait();
  }
}

TEST_F(ControllerPromises, WhatOthersPutOnANodesObjectStaysThere) {
  create_pod_of("web-0", {{"loglink/watch-dir", "/var/log/app"}});
  Program program(run_arguments());
  ASSERT_TRUE(eventually([&] { return live_sources().size() == 1; })) << program.err();
  const json owners = json::array({object(kObject)["metadata"]["ownerReferences"][0],
                                   {{"apiVersion", "v1"},
                                    {"kind", "ConfigMap"},
                                    {"name", "c"},
                                    {"uid", "u"},
                                    {"controller", true},
                                    {"blockOwnerDeletion", true}}});
  const json metadata = {{"labels", {{"team", "red"}}},
                         {"annotations", {{"note", "keep me"}}},
                         {"ownerReferences", owners}};
  ASSERT_EQ(request("PATCH", kObject, {{"metadata", metadata}}, "application/merge-patch+json"),
            200);
  create_pod_of("web-1", {{"loglink/watch-dir", "/var/log/app"}});
  ASSERT_TRUE(eventually([&] { return live_sources().size() == 2; })) << program.err();
  const json after = object(kObject)["metadata"];
  for (const auto& [key, value] : metadata.items()) EXPECT_EQ(after[key], value) << key;
}

// Somebody with kubectl, or a version that is newer than this one.
TEST_F(ControllerPromises, ASourceWithATimeOutOfRangeDisturbsNobody) {
  create_pod_of("web-0", {{"loglink/watch-dir", "/var/log/app"}});
  Program program(run_arguments());
  ASSERT_TRUE(eventually([&] { return live_sources().size() == 1; })) << program.err();
  json sources = object(kObject)["spec"]["sources"];
  json odd = sources[0];
  odd["pod"] = "ghost";
  odd["removeAfter"] = "9999-12-31T23:59:59Z";
  sources.push_back(odd);
  ASSERT_EQ(
      request("PATCH", kObject, {{"spec", {{"sources", sources}}}}, "application/merge-patch+json"),
      200);
  create_pod_of("web-1", {{"loglink/watch-dir", "/var/log/app"}});
  EXPECT_TRUE(eventually([&] {
    return live_sources() == std::set<std::string>{"web-0:", "web-1:"} &&
           object(kObject)["spec"]["sources"].size() == 2;
  })) << object(kObject)["spec"].dump(1)
      << program.err();
}

}  // namespace
}  // namespace loglink
