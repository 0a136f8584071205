// A cluster on the simulated API, and controllers in it: for the tests of the controller's loops.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controller/shell/controller_loop.h"
#include "lib/base/time_text.h"
#include "tests/fakes/sim_kube.h"

namespace loglink {

using nlohmann::json;

inline const std::string kPods = "/api/v1/namespaces/prod/pods";
inline const std::string kObjects = "/apis/loglink.io/v1alpha1/nodelinksets";
inline const std::string kLease =
    "/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases/loglink-controller";

class HandClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override { return now_; }
  void advance_to(MonotonicTime time) {
    if (time <= now_.monotonic) return;
    now_.wall += time - now_.monotonic;
    now_.monotonic = time;
  }

 private:
  Now now_{MonotonicTime{std::chrono::hours(1)}, parse_time("2026-01-02T04:00:00Z").value()};
};

// One process: crash() leaves nothing of it but what the server has.
class Process {
 public:
  Process(fakes::SimKube& kube, const HandClock& clock, std::uint64_t seed, std::string name,
          ControllerConfig config = default_config())
      : kube_(kube),
        clock_(clock),
        random_(seed),
        name_(std::move(name)),
        config_(std::move(config)) {
    start();
  }
  void start() {
    client_ = kube_.connect("admin-token", clock_);
    loop_ = std::make_unique<ControllerLoop>(
        config_, name_ + std::to_string(++starts_),
        ControllerPorts{*client_, *client_, *client_, clock_, random_},
        [this](const Remark& remark) {
          log += remark.message + "\n";
          for (const auto& [key, value] : remark.fields) log += "  " + key + "=" + value + "\n";
        },
        [this] { awake_ = true; });
    loop_->start();
  }
  void crash() {
    loop_.reset();
    client_.reset();
  }
  [[nodiscard]] bool running() const { return loop_ != nullptr; }
  // True when there was something to do.
  bool step() {
    if (!loop_ || (!awake_ && loop_->next_wakeup() > clock_.now().monotonic)) return false;
    awake_ = false;
    loop_->step();
    return true;
  }
  [[nodiscard]] MonotonicTime next_wakeup() const {
    return loop_ ? loop_->next_wakeup() : MonotonicTime::never();
  }
  ControllerLoop& loop() { return *loop_; }
  fakes::SimKubeClient& client() { return *client_; }
  static ControllerConfig default_config() {
    ControllerConfig config;
    config.linger = std::chrono::seconds(20);
    return config;
  }
  std::string log;

 private:
  fakes::SimKube& kube_;
  const HandClock& clock_;
  SeededRandom random_;
  const std::string name_;
  const ControllerConfig config_;
  int starts_ = 0;
  bool awake_ = false;
  std::unique_ptr<fakes::SimKubeClient> client_;
  std::unique_ptr<ControllerLoop> loop_;
};

class World {
 public:
  explicit World(std::uint64_t seed, fakes::FakeKubeOptions options = {})
      : kube({options}, seed), random(seed) {
    create("/api/v1/namespaces", {{"metadata", {{"name", "prod"}}}});
    create("/api/v1/namespaces", {{"metadata", {{"name", "loglink-system"}}}});
    for (const std::string node : {"node-0", "node-1"}) {
      create("/api/v1/nodes", {{"metadata", {{"name", node}}}});
    }
    kube.step(clock.now());  // tells it the time, before anyone sets a deadline by it
  }

  fakes::FakeResponse request(const std::string& method, const std::string& target,
                              const json& body = nullptr,
                              const std::string& type = "application/json") {
    fakes::FakeRequest http;
    http.method = method;
    http.target = target;
    http.accept = "application/json";
    http.content_type = type;
    http.authorization = "Bearer admin-token";
    if (!body.is_null()) http.body = body.dump();
    return kube.server().handle(http, clock.now());
  }
  void create(const std::string& collection, const json& body) {
    const fakes::FakeResponse response = request("POST", collection, body);
    ASSERT_EQ(response.status, 201) << response.body;
  }
  void create_pod(const std::string& name, const std::string& node, const std::string& watch_dir) {
    request("POST", kPods,
            {{"metadata", {{"name", name}, {"annotations", {{"loglink/watch-dir", watch_dir}}}}},
             {"spec",
              {{"nodeName", node},
               {"containers",
                {{{"name", "app"},
                  {"image", "x"},
                  {"volumeMounts", {{{"name", "logs"}, {"mountPath", "/var/log/app"}}}}}}},
               {"volumes", {{{"name", "logs"}, {"emptyDir", json::object()}}}}}}});
  }
  void annotate(const std::string& name, const json& watch_dir) {
    request("PATCH", kPods + "/" + name,
            {{"metadata", {{"annotations", {{"loglink/watch-dir", watch_dir}}}}}},
            "application/merge-patch+json");
  }
  json object(const std::string& path) {
    const std::string text = kube.server().object(path);
    return text.empty() ? json() : json::parse(text);
  }
  std::string annotation(const std::string& pod, const std::string& key) {
    const json found = object(kPods + "/" + pod);
    if (found.is_null()) return "";
    return found["metadata"].value("annotations", json::object()).value(key, "");
  }
  void agents_answer(int links = 1) {
    for (const std::string& text : kube.server().objects(kObjects)) {
      const json set = json::parse(text);
      json pods = json::object();
      for (const json& source : set["spec"]["sources"]) {
        json& entry = pods[source["uid"].get<std::string>()];
        entry = {{"namespace", source["namespace"]},
                 {"pod", source["pod"]},
                 {"uid", source["uid"]},
                 {"links", links},
                 {"refused", 0}};
      }
      json status = {{"observedGeneration", set["metadata"]["generation"]},
                     {"links", links * static_cast<int>(pods.size())},
                     {"pods", json::array()}};
      for (const auto& [uid, entry] : pods.items()) status["pods"].push_back(entry);
      request("PATCH", kObjects + "/" + set["metadata"]["name"].get<std::string>() + "/status",
              {{"status", status}}, "application/merge-patch+json");
    }
  }

  void run(Duration time, const std::vector<Process*>& processes) {
    const MonotonicTime end = clock.now().monotonic + time;
    for (int round = 0; round < 2'000'000; ++round) {
      bool busy = kube.step(clock.now());
      for (Process* process : processes) busy = process->step() || busy;
      if (busy) continue;
      MonotonicTime next = kube.next_due();
      for (const Process* process : processes) next = std::min(next, process->next_wakeup());
      if (next >= end) {
        clock.advance_to(end);
        return;
      }
      clock.advance_to(next);
    }
    FAIL() << "it never comes to rest";
  }

  HandClock clock;
  fakes::SimKube kube;
  SeededRandom random;
};

}  // namespace loglink
