// The controller at work, on the embedded API server: what leading costs.
//
//   scripts/bench controller load crowd
//
// load: one annotated pod on each of 5,000 nodes: from the start to the last NodeLinkSet. When all
// answers are written too, 500 pod events each second for a minute. Prints Markdown table rows:
// what, ratio to the target, controller, target.
//
// crowd: a tenant has bound 10,000 pods with 16 directories each to one node, and changes one of
// them 20 times a second: what that costs, and how long pods of other nodes wait for theirs.
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

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
constexpr int kCrowd = 10'000;
constexpr int kCrowdDirectories = 16;
constexpr milliseconds kCrowdChange(50);  // from one to the next
constexpr int kNeighbours = 40;           // pods of other nodes
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
  // On node 0; with a volume for each of its directories.
  void create_crowded(fakes::FakeKube& kube, Now now, int serial) {
    Json pod = Json::parse(mold_.cast(serial));
    pod["metadata"]["namespace"] = "team-00";
    pod["spec"]["nodeName"] = node_name(0);
    pod["metadata"]["annotations"]["loglink/watch-dir"] = crowd_directories(kCrowdDirectories);
    Json& mounts = pod["spec"]["containers"][0]["volumeMounts"] = Json::array();
    Json& volumes = pod["spec"]["volumes"] = Json::array();
    for (int i = 0; i < kCrowdDirectories; ++i) {
      const std::string name = "logs-" + std::to_string(i);
      mounts.push_back({{"name", name}, {"mountPath", crowd_directory(i)}});
      volumes.push_back({{"name", name}, {"emptyDir", Json::object()}});
    }
    write(kube, now, "POST", kPods, pod);
  }
  // It asks for one directory less, or for all again.
  void change_crowded(fakes::FakeKube& kube, Now now, int serial, bool all) {
    const std::string watch_dir = crowd_directories(kCrowdDirectories - (all ? 0 : 1));
    patch(kube, now, serial, {{"metadata", {{"annotations", {{"loglink/watch-dir", watch_dir}}}}}});
  }
  void patch(fakes::FakeKube& kube, Now now, int serial, const Json& patch) {
    write(kube, now, "PATCH", path(serial), patch);
  }
  void remove(fakes::FakeKube& kube, Now now, int serial) {
    write(kube, now, "DELETE", path(serial) + "?gracePeriodSeconds=0", nullptr);
  }

 private:
  static constexpr char kPods[] = "/api/v1/namespaces/team-00/pods";
  static std::string crowd_directory(int number) {
    return "/var/log/application-" + std::to_string(number);
  }
  static std::string crowd_directories(int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += (i == 0 ? "" : ",") + crowd_directory(i);
    return all;
  }
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

// The release build's controller, against the load's server.
class LoadedController {
 public:
  explicit LoadedController(Load& load)
      : directory_((fs::temp_directory_path() / "loglink-bench-XXXXXX").string()) {
    if (::mkdtemp(directory_.data()) == nullptr) give_up("no temporary directory");
    std::ofstream(directory_ + "/kubeconfig") << load.server().kubeconfig("admin-token");
    std::ofstream(directory_ + "/config.yaml") << "metricsAddress: \"\"\n";
    process_.emplace(
        std::vector<std::string>{std::string(LOGLINK_BINARY_DIR) + "/bin/loglink-controller", "run",
                                 "--config", directory_ + "/config.yaml", "--kubeconfig",
                                 directory_ + "/kubeconfig"},
        true);
  }
  ~LoadedController() {
    process_.reset();
    fs::remove_all(directory_);
  }
  LoadedController(const LoadedController&) = delete;
  LoadedController& operator=(const LoadedController&) = delete;

  MeasuredProcess* operator->() { return &*process_; }
  MeasuredProcess& operator*() { return *process_; }

 private:
  std::string directory_;
  std::optional<MeasuredProcess> process_;
};

void run_load() {
  Load load;
  load.server().with_kube([&](fakes::FakeKube& kube, Now now) {
    for (int serial = 0; serial < kLoadNodes; ++serial) load.create(kube, now, serial, true);
  });
  LoadedController controller(load);
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
  const double rss_after = controller->status_mb("VmRSS");
  std::printf("| the same, memory (RSS) after, before | %.2f | %.1f MB | %.1f MB |\n",
              rss_after / rss_before, rss_after, rss_before);
  std::fflush(stdout);
}

// A pod comes to a node of its own: until the NodeLinkSet is there. Meanwhile the crowd changes.
double wait_of_neighbour(Load& load, LoadedController& controller, int serial, bool changes) {
  const auto started = Clock::now();
  const std::size_t before = objects(load);
  load.server().with_kube(
      [&](fakes::FakeKube& kube, Now now) { load.create(kube, now, serial, true); });
  auto due = started;
  std::optional<Clock::time_point> seen;
  // And a while longer, so that it does not always meet the same moment.
  for (int i = 0; !seen || Clock::now() - *seen < milliseconds(200 + serial % 50); ++i) {
    if (Clock::now() - started > seconds(60)) give_up("a pod of another node waits for a minute");
    controller->discard_output();
    if (!seen && objects(load) != before) seen = Clock::now();
    if (changes && Clock::now() >= due) {
      due += kCrowdChange;
      load.server().with_kube([&](fakes::FakeKube& kube, Now now) {
        load.change_crowded(kube, now, (serial + i) % kCrowd, i % 2 == 0);
      });
    }
    pause(milliseconds(1));
  }
  return std::chrono::duration<double, std::milli>(*seen - started).count();
}

void run_crowd() {
  Load load;
  load.server().with_kube([&](fakes::FakeKube& kube, Now now) {
    for (int i = 0; i < kCrowd; ++i) load.create_crowded(kube, now, i);
  });
  LoadedController controller(load);
  while (objects(load) == 0) {
    pause(milliseconds(10));
    controller->discard_output();
  }
  for (const bool changes : {false, true}) {
    const double cpu_before = controller->cpu_s();
    const auto begun = Clock::now();
    std::vector<double> waits;
    for (int i = 0; i < kNeighbours; ++i) {
      const int serial = kCrowd + (changes ? kNeighbours : 0) + 1 + i;
      waits.push_back(wait_of_neighbour(load, controller, serial, changes));
    }
    std::sort(waits.begin(), waits.end());
    const std::chrono::duration<double> wall = Clock::now() - begun;
    std::printf(
        "| crowd of %d pods%s: CPU; a pod of another node, median and slowest of %d | | "
        "%.0f %% of a core; %.0f ms, %.0f ms | |\n",
        kCrowd, changes ? ", 20 changes/s" : "", kNeighbours,
        (controller->cpu_s() - cpu_before) / wall.count() * 100, waits[waits.size() / 2],
        waits.back());
  }
  std::printf("| the same, memory | %.2f | %.0f MB | 256 MB |\n",
              controller->status_mb("VmHWM") / 256, controller->status_mb("VmHWM"));
}

}  // namespace
}  // namespace loglink::bench

int main(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string section = argv[i];
    if (section == "load") loglink::bench::run_load();
    if (section == "crowd") loglink::bench::run_crowd();
  }
  return 0;
}
