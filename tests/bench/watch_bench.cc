// What the agents' watches cost the API server: as many as a large cluster has nodes, each with the
// agent's own client, a connection of its own and the one object that is its node's.
//
//   scripts/bench controller watches
//
// Prints Markdown table rows: what, and the figure. It wants a control plane in the directory
// LOGLINK_BENCH_CLUSTER.
#include <poll.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/codec/kube_json.h"
#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/io/http_clients.h"
#include "lib/kube/list_watch.h"
#include "tests/bench/measured_process.h"
#include "tests/e2e/support/api_client.h"

namespace loglink::bench {
namespace {

using std::chrono::seconds;
using testing::Json;

constexpr char kObjects[] = "/apis/loglink.io/v1alpha1/nodelinksets";
constexpr int kOpenedAtOnce = 32;
constexpr int kWrites = 500;
constexpr int kQuietSeconds = 60;

int watches() {
  const char* text = std::getenv("LOGLINK_BENCH_WATCHES");
  return text == nullptr ? 5000 : std::atoi(text);
}

std::string object_name(int node) { return "bench-node-" + std::to_string(node); }

// The server's process, as the kernel counts it.
class Server {
 public:
  explicit Server(const std::string& directory) {
    std::ifstream(directory + "/apiserver.pid") >> pid_;
    if (pid_ <= 0) give_up("there is no " + directory + "/apiserver.pid");
  }
  [[nodiscard]] double cpu_s() const {
    clockid_t clock{};
    timespec time{};
    if (::clock_getcpuclockid(pid_, &clock) != 0) give_up("the API server is gone");
    ::clock_gettime(clock, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  }
  [[nodiscard]] double resident_kb() const {
    std::ifstream lines("/proc/" + std::to_string(pid_) + "/status");
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind("VmRSS:", 0) == 0) return std::stod(line.substr(6));
    }
    return 0;
  }

 private:
  pid_t pid_ = -1;
};

// One agent's watch. Loop thread only.
class Agent final : private ListWatchListener<NodeLinkSet> {
 public:
  // `told`: it has its object, for the first time or anew.
  Agent(const std::string& name, StreamTransport& transport, const Clock& clock, Random& random,
        std::function<void(bool first)> told)
      : told_(std::move(told)),
        watch_(options(name), node_link_set_codec(), transport, clock, random, *this) {}

  void start(Now now) { watch_.start(now); }
  void tick(Now now) {
    if (now.monotonic >= watch_.next_wakeup()) watch_.tick(now);
  }

 private:
  static ListWatchOptions options(const std::string& name) {
    ListWatchOptions options;
    options.reflector.path = kObjects;
    options.reflector.field_selector = "metadata.name=" + name;
    return options;
  }
  void on_replaced(std::vector<Decoded<NodeLinkSet>> objects, const std::string&) override {
    if (objects.size() != 1)
      give_up("a watch shows " + std::to_string(objects.size()) + " objects");
    told_(true);
  }
  void on_upserted(Decoded<NodeLinkSet>) override { told_(false); }
  void on_deleted(const ObjectKey&, const std::string&) override {}
  void on_trouble(const std::optional<KubeError>& error) override {
    if (error) give_up("a watch has trouble: " + error->message);
  }

  std::function<void(bool)> told_;
  ListWatch<NodeLinkSet> watch_;
};

// All agents, on one thread of their own.
class Fleet {
 public:
  explicit Fleet(const std::string& kubeconfig) {
    auto access = load_cluster_access(kubeconfig);
    if (!access) give_up(access.error().message);
    transport_ = make_beast_stream_transport(loop_, *access, "loglink-bench");
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~Fleet() {
    std::promise<void> gone;
    loop_.post([&] {
      agents_.clear();
      gone.set_value();
    });
    gone.get_future().wait();
    loop_.stop();
    thread_.join();
  }
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Opens as many, a few at a time, and returns when each knows its object.
  void open(int count) {
    wanted_ = count;
    loop_.post([this] {
      tick();
      open_more();
    });
    all_known_.get_future().wait();
  }
  [[nodiscard]] int events() const { return events_; }

 private:
  void open_more() {
    const int allowed = std::min(wanted_, known_ + kOpenedAtOnce);
    while (static_cast<int>(agents_.size()) < allowed) {
      const std::string name = object_name(static_cast<int>(agents_.size()));
      agents_.push_back(std::make_unique<Agent>(name, *transport_, clock_, random_,
                                                [this](bool first) { told(first); }));
      agents_.back()->start(clock_.now());
    }
  }
  void told(bool first) {
    if (!first) {
      ++events_;
      return;
    }
    if (++known_ == wanted_) all_known_.set_value();
    if (known_ < wanted_) loop_.post([this] { open_more(); });
  }
  void tick() {
    const Now now = clock_.now();
    for (const auto& agent : agents_) agent->tick(now);
    loop_.set_alarm(now.monotonic + seconds(1), [this] { tick(); });
  }

  EventLoop loop_;
  SystemClock clock_;
  SeededRandom random_{1};
  std::unique_ptr<StreamTransport> transport_;
  std::vector<std::unique_ptr<Agent>> agents_;
  int wanted_ = 0;
  int known_ = 0;
  std::atomic<int> events_{0};
  std::promise<void> all_known_;
  std::thread thread_;
};

void print_row(const std::string& what, double figure, const char* unit) {
  std::printf("| %s | %.1f %s |\n", what.c_str(), figure, unit);
  std::fflush(stdout);
}

void create_objects(testing::ApiClient& api, int count) {
  for (int node = 0; node < count; ++node) {
    api.create(kObjects, {{"apiVersion", "loglink.io/v1alpha1"},
                          {"kind", "NodeLinkSet"},
                          {"metadata", {{"name", object_name(node)}}},
                          {"spec", {{"sources", Json::array()}}}});
  }
}

// CPU of the server for one write, in milliseconds.
double cost_of_a_write(testing::ApiClient& api, const Server& server, const std::string& mark) {
  const double before = server.cpu_s();
  for (int i = 0; i < kWrites; ++i) {
    api.merge_patch(std::string(kObjects) + "/" + object_name(i),
                    {{"metadata", {{"annotations", {{"bench", mark}}}}}});
  }
  return (server.cpu_s() - before) * 1000 / kWrites;
}

double cpu_per_second(const Server& server) {
  const double before = server.cpu_s();
  ::poll(nullptr, 0, kQuietSeconds * 1000);
  return (server.cpu_s() - before) * 1000 / kQuietSeconds;
}

void run() {
  const char* directory = std::getenv("LOGLINK_BENCH_CLUSTER");
  if (directory == nullptr) give_up("LOGLINK_BENCH_CLUSTER is not set: use scripts/bench");
  rlimit descriptors{};
  ::getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_cur = descriptors.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &descriptors);

  const int count = watches();
  const Server server(directory);
  const std::string kubeconfig = std::string(directory) + "/admin.kubeconfig";
  testing::ApiClient api(kubeconfig);
  create_objects(api, count);
  const double idle_before = cpu_per_second(server);
  const double write_before = cost_of_a_write(api, server, "before");

  const double cpu = server.cpu_s();
  const double resident = server.resident_kb();
  const auto started = std::chrono::steady_clock::now();
  Fleet fleet(kubeconfig);
  fleet.open(count);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - started;
  const std::string all = std::to_string(count);
  print_row(all + " watches opened in", taken.count(), "s");
  print_row("server: CPU for opening one", (server.cpu_s() - cpu) * 1000 / count, "ms");
  print_row("server: memory (RSS) for each", (server.resident_kb() - resident) / count, "kB");

  print_row("server: CPU while nothing changes, without watches", idle_before, "ms/s");
  print_row("the same, with " + all, cpu_per_second(server), "ms/s");
  print_row("server: CPU for a write of a NodeLinkSet, without watches", write_before, "ms");
  const int events = fleet.events();
  print_row("the same, with " + all, cost_of_a_write(api, server, "after"), "ms");
  for (int tries = 0; fleet.events() - events < kWrites && tries < 100; ++tries) {
    ::poll(nullptr, 0, 100);
  }
  print_row("of " + std::to_string(kWrites) + " writes, seen by their watch",
            fleet.events() - events, "");
}

}  // namespace
}  // namespace loglink::bench

int main() {
  loglink::bench::run();
  return 0;
}
