// The controller at work, on the embedded API server: what leading costs.
//
//   scripts/bench controller load
//
// One annotated pod on each of 5,000 nodes: from the start to the last NodeLinkSet. When all
// answers are written too, 500 pod events each second for a minute. Prints Markdown table rows:
// what, ratio to the target, controller, target.
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "tests/bench/measured_process.h"
#include "tests/bench/pod_mold.h"
#include "tests/fakes/embedded_server.h"

namespace loglink::bench {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kLoadNodes = 5000;
constexpr int kEventsPerSecond = 500;
constexpr int kTicksPerSecond = 50;
constexpr int kChurnSeconds = 60;
constexpr char kObjects[] = "/apis/loglink.io/v1alpha1/nodelinksets";

void pause(milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

std::string read_text(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Nodes and pods of a cluster, written as their owners would.
class Load {
 public:
  Load() {
    auto started = fakes::EmbeddedServer::start({});
    if (!started) give_up(started.error().message);
    server_ = std::move(*started);
    mold_ =
        PodMold(read_text(fs::path(LOGLINK_SOURCE_DIR) / "tests/bench/pod.json"), "no uid yet", 0);
    server_->with_kube([&](fakes::FakeKube& kube, Now now) {
      for (const std::string name : {"loglink-system", "team-00"}) {
        write(kube, now, "POST", "/api/v1/namespaces",
              {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}});
      }
      for (int node = 0; node < kLoadNodes; ++node) {
        write(kube, now, "POST", "/api/v1/nodes",
              {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", node_name(node)}}}});
      }
    });
  }

  fakes::EmbeddedServer& server() { return *server_; }

  void create(fakes::FakeKube& kube, Now now, int serial, bool annotated) {
    Json pod = Json::parse(mold_.cast(serial));
    pod["metadata"]["namespace"] = "team-00";
    pod["spec"]["nodeName"] = node_name(serial % kLoadNodes);
    if (annotated) pod["metadata"]["annotations"]["loglink/watch-dir"] = "/var/log/app";
    write(kube, now, "POST", kPods, pod);
  }
  void patch(fakes::FakeKube& kube, Now now, int serial, const Json& patch) {
    write(kube, now, "PATCH", path(serial), patch);
  }
  void remove(fakes::FakeKube& kube, Now now, int serial) {
    write(kube, now, "DELETE", path(serial) + "?gracePeriodSeconds=0", nullptr);
  }

 private:
  static constexpr char kPods[] = "/api/v1/namespaces/team-00/pods";
  static std::string path(int serial) { return std::string(kPods) + "/" + pod_name(serial); }

  static void write(fakes::FakeKube& kube, Now now, const std::string& method,
                    const std::string& target, const Json& body) {
    fakes::FakeRequest request;
    request.method = method;
    request.target = target;
    request.content_type = method == "PATCH" ? "application/merge-patch+json" : "application/json";
    request.authorization = "Bearer admin-token";
    if (!body.is_null()) request.body = body.dump();
    const fakes::FakeResponse response = kube.handle(request, now);
    if (response.status >= 300) give_up(method + " " + target + ": " + response.body);
  }

  std::unique_ptr<fakes::EmbeddedServer> server_;
  PodMold mold_;
};

// Four kinds of events in turn: a pod comes, gets its status, is touched, and goes.
class Churn {
 public:
  explicit Churn(Load& load) : load_(load) {}

  void tick() {
    load_.server().with_kube([&](fakes::FakeKube& kube, Now now) {
      for (int i = 0; i < kEventsPerSecond / kTicksPerSecond; ++i) one(kube, now);
    });
  }

 private:
  void one(fakes::FakeKube& kube, Now now) {
    const int pod = kLoadNodes + events_ / 4;
    switch (events_++ % 4) {
      case 0:
        load_.create(kube, now, pod, is_annotated(pod));
        break;
      case 1:
        load_.patch(kube, now, pod, {{"status", {{"message", "started"}}}});
        break;
      case 2:
        load_.patch(kube, now, pod, {{"metadata", {{"annotations", {{"touched", "yes"}}}}}});
        break;
      case 3:
        // A thousand live at a time.
        if (pod >= kLoadNodes + kAlive) load_.remove(kube, now, pod - kAlive);
        break;
    }
  }

  static constexpr int kAlive = 1000;
  Load& load_;
  int events_ = 0;
};

std::size_t objects(Load& load) {
  std::size_t count = 0;
  load.server().with_kube(
      [&](fakes::FakeKube& kube, Now) { count = kube.objects(kObjects).size(); });
  return count;
}

void wait_until_quiet(Load& load, MeasuredProcess& controller) {
  std::size_t before = 0;
  for (int quiet_s = 0; quiet_s < 10; ++quiet_s) {
    pause(seconds(1));
    controller.discard_output();
    const std::size_t writes = load.server().counts().writes;
    // A lease is renewed every two seconds.
    if (writes > before + 2) quiet_s = 0;
    before = writes;
  }
}

void run() {
  Load load;
  load.server().with_kube([&](fakes::FakeKube& kube, Now now) {
    for (int serial = 0; serial < kLoadNodes; ++serial) load.create(kube, now, serial, true);
  });
  std::string directory = (fs::temp_directory_path() / "loglink-bench-XXXXXX").string();
  if (::mkdtemp(directory.data()) == nullptr) give_up("no temporary directory");
  std::ofstream(directory + "/kubeconfig") << load.server().kubeconfig("admin-token");
  std::ofstream(directory + "/config.yaml") << "metricsAddress: \"\"\n";
  std::optional<MeasuredProcess> controller(
      std::in_place,
      std::vector<std::string>{std::string(LOGLINK_BINARY_DIR) + "/bin/loglink-controller", "run",
                               "--config", directory + "/config.yaml", "--kubeconfig",
                               directory + "/kubeconfig"},
      true);

  const auto started = Clock::now();
  while (objects(load) < kLoadNodes) {
    pause(milliseconds(500));
    controller->discard_output();
    if (Clock::now() - started > seconds(600)) give_up("not all NodeLinkSets are published");
  }
  const std::chrono::duration<double> taken = Clock::now() - started;
  std::printf("| %d nodes published from cold | %.2f | %.1f s, %.2f s CPU, %.1f MB | 120 s |\n",
              kLoadNodes, taken.count() / 120, taken.count(), controller->cpu_s(),
              controller->status_mb("VmHWM"));
  std::fflush(stdout);

  wait_until_quiet(load, *controller);
  Churn churn(load);
  const double cpu_before = controller->cpu_s();
  const double rss_before = controller->status_mb("VmRSS");
  const auto begun = Clock::now();
  for (int tick = 1; tick <= kChurnSeconds * kTicksPerSecond; ++tick) {
    churn.tick();
    controller->discard_output();
    const auto due = begun + milliseconds(1000 / kTicksPerSecond) * tick;
    const auto left = std::chrono::duration_cast<milliseconds>(due - Clock::now());
    if (left.count() > 0) pause(left);
  }
  const std::chrono::duration<double> wall = Clock::now() - begun;
  const double share = (controller->cpu_s() - cpu_before) / wall.count();
  std::printf("| %.0f pod events/s for %.0f s, CPU | %.2f | %.1f %% of a core | 30 %% |\n",
              kEventsPerSecond * kChurnSeconds / wall.count(), wall.count(), share / 0.3,
              share * 100);
  std::printf("| the same, memory (RSS) before and after | %.2f | %.1f MB | %.1f MB |\n",
              controller->status_mb("VmRSS") / rss_before, controller->status_mb("VmRSS"),
              rss_before);
  std::fflush(stdout);
  controller.reset();
  fs::remove_all(directory);
}

}  // namespace
}  // namespace loglink::bench

int main() {
  loglink::bench::run();
  return 0;
}
