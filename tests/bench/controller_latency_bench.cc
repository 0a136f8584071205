// From an annotation to its link, on a real kube-apiserver, held against another pair of
// controller and agent on a control plane of its own in the same run.
//
//   scripts/bench controller latency
//
// One pod after the other gets its annotation; when its link is there it loses it again, and the
// link goes (linger 0). The pairs take turns. Prints Markdown table rows: what, ratio with the
// interval in which 90 of 100 such runs would have it, loglink, pair. They want control planes in
// the directories LOGLINK_BENCH_CLUSTER and, for LOGLINK_BENCH_PAIR, LOGLINK_BENCH_PAIR_CLUSTER.
// LOGLINK_BENCH_LOAD=idle or busy leaves the other one out.
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/measured_process.h"
#include "tests/bench/real_cluster.h"
#include "tests/e2e/support/api_client.h"

namespace loglink::bench {
namespace {

namespace fs = std::filesystem;
using testing::Json;
using Clock = std::chrono::steady_clock;
using Millis = std::chrono::duration<double, std::milli>;

constexpr int kPods = 20'000;
constexpr int kNode = 1;  // none of whose pods asks for links
constexpr int kPodsOfNode = kPods / kNodes;
// The slowest one in a hundred are those that meet the API server's garbage collection, which comes
// every minute: few samples see it too seldom.
constexpr int kSamples = 2400;
constexpr int kTurn = 20;  // samples of one pair before the other one's turn
constexpr int kResamples = 1000;
constexpr int kBusyWritesPerSecond = 100;
constexpr std::chrono::seconds kAgentSilence(65);

void pause(std::chrono::milliseconds time) { ::poll(nullptr, 0, static_cast<int>(time.count())); }

std::string path_of(int serial) {
  return "/api/v1/namespaces/" + namespace_text(serial) + "/pods/" + pod_name(serial);
}

int serial_on_node(int index) { return kNode + index * kNodes; }

// Sees names come and go in a directory.
class Observer {
 public:
  explicit Observer(const fs::path& directory) : notify_(::inotify_init1(IN_CLOEXEC)) {
    ::inotify_add_watch(notify_, directory.c_str(), IN_CREATE | IN_MOVED_TO | IN_DELETE);
  }
  ~Observer() { ::close(notify_); }
  Observer(const Observer&) = delete;
  Observer& operator=(const Observer&) = delete;

  // Until a name that does not begin with a dot came, or went.
  void wait_for(bool gone) {
    for (;;) {
      pollfd poll{notify_, POLLIN, 0};
      if (::poll(&poll, 1, 20'000) != 1) give_up("a link did not come or go within 20 s");
      alignas(inotify_event) char buffer[4096];
      const ssize_t bytes = ::read(notify_, buffer, sizeof buffer);
      bool seen = false;
      for (ssize_t at = 0; at < bytes;) {
        inotify_event event{};
        std::memcpy(&event, buffer + at, sizeof event);
        const char* name = buffer + at + sizeof event;
        const bool is_gone = (event.mask & IN_DELETE) != 0;
        if (event.len > 0 && name[0] != '.' && is_gone == gone) seen = true;
        at += static_cast<ssize_t>(sizeof event + event.len);
      }
      if (seen) return;
    }
  }

 private:
  int notify_;
};

// Other pods that change all the time.
class BusyCluster {
 public:
  explicit BusyCluster(const std::string& kubeconfig)
      : api_(kubeconfig), thread_([this] { run(); }) {}
  ~BusyCluster() {
    stop_ = true;
    thread_.join();
  }
  BusyCluster(const BusyCluster&) = delete;
  BusyCluster& operator=(const BusyCluster&) = delete;

 private:
  void run() {
    std::mt19937 random(7);
    auto due = Clock::now();
    for (int i = 0; !stop_; ++i) {
      due += std::chrono::milliseconds(1000 / kBusyWritesPerSecond);
      std::this_thread::sleep_until(due);
      // Of another node, and no pod that asks for links.
      const int serial = static_cast<int>(random() % kPodsOfNode) * kNodes + 2;
      api_.merge_patch(path_of(serial),
                       {{"metadata", {{"annotations", {{"touched", std::to_string(i)}}}}}});
    }
  }

  std::atomic<bool> stop_{false};
  testing::ApiClient api_;
  std::thread thread_;
};

// A controller and the agent of one node, on a control plane that is filled.
class Pair {
 public:
  Pair(std::string name, const fs::path& cluster, const fs::path& links)
      : name_(std::move(name)),
        cluster_(cluster.string()),
        api_(cluster_.kubeconfig()),
        links_(links) {
    fs::create_directories(links);
    cluster_.fill(kPods);
    for (int node = 0; node < kNodes; ++node) {
      api_.create(
          "/api/v1/nodes",
          {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", node_name(node)}}}});
    }
    observer_.emplace(links_);
    ::setenv("KUBECONFIG", cluster_.kubeconfig().c_str(), 1);
    ::setenv("NODE_NAME", node_name(kNode).c_str(), 1);
    ::setenv("LINK_DIR", links_.c_str(), 1);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string kubeconfig() const { return cluster_.kubeconfig(); }
  testing::ApiClient& api() { return api_; }

  void start(const std::vector<std::string>& argv) {
    programs_.push_back(std::make_unique<MeasuredProcess>(argv));
  }
  [[nodiscard]] double cpu_s() const {
    double total = 0;
    for (const auto& program : programs_) total += program->cpu_s();
    return total;
  }

  // It has told all pods what it has to.
  void settle() {
    for (int quiet_s = 0; quiet_s < 5; ++quiet_s) {
      const double before = cpu_s();
      pause(std::chrono::seconds(1));
      for (const auto& program : programs_) program->discard_output();
      if (cpu_s() - before > 0.01) quiet_s = -1;
    }
  }
  void measure(int count, std::vector<double>& made_ms, std::vector<double>& gone_ms) {
    for (int i = 0; i < count; ++i) {
      const int serial = serial_on_node(next_++ % kPodsOfNode);
      made_ms.push_back(change(serial, "/var/log/app", false));
      gone_ms.push_back(change(serial, nullptr, true));
    }
  }

 private:
  double change(int serial, const Json& watch_dir, bool gone) {
    for (const auto& program : programs_) program->discard_output();
    pause(std::chrono::milliseconds(50 + static_cast<int>(random_() % 100)));
    const auto before = Clock::now();
    api_.merge_patch(path_of(serial),
                     {{"metadata", {{"annotations", {{"loglink/watch-dir", watch_dir}}}}}});
    observer_->wait_for(gone);
    return Millis(Clock::now() - before).count();
  }

  std::string name_;
  RealCluster cluster_;
  testing::ApiClient api_;
  fs::path links_;
  std::optional<Observer> observer_;
  std::vector<std::unique_ptr<MeasuredProcess>> programs_;
  std::mt19937 random_{1};
  int next_ = 0;
};

std::unique_ptr<Pair> start_loglink(const fs::path& base) {
  const char* cluster = std::getenv("LOGLINK_BENCH_CLUSTER");
  if (cluster == nullptr) give_up("LOGLINK_BENCH_CLUSTER is not set: use scripts/bench");
  auto pair = std::make_unique<Pair>("loglink", cluster, base / "links");
  const fs::path pods = base / "pods";
  for (int i = 0; i < kPodsOfNode; ++i) {
    const std::optional<Json> pod = pair->api().get(path_of(serial_on_node(i)));
    if (!pod) give_up("there is no pod " + path_of(serial_on_node(i)));
    const fs::path logs = pods / pod->at("metadata").at("uid").get<std::string>() /
                          "volumes/kubernetes.io~empty-dir/logs";
    fs::create_directories(logs);
    std::ofstream(logs / "app.log") << "line\n";
  }
  const std::string shared =
      "linkDir: " + (base / "links").string() + "\nrootsDir: " + (base / "roots").string() +
      "\nstateDir: " + (base / "state").string() + "\nlinger: 0s\nmetricsAddress: \"\"\n";
  const std::string bin = std::string(LOGLINK_BINARY_DIR) + "/bin/";
  std::ofstream(base / "controller.yaml") << shared << "leaderElection: {enabled: false}\n";
  std::ofstream(base / "agent.yaml") << shared << "linkMode: direct\nroots: [{name: kubelet-pods, "
                                     << "path: " << pods.string() << "}]\n";
  pair->start({bin + "loglink-controller", "run", "--config", base / "controller.yaml"});
  pair->start({bin + "loglink-agent", "run", "--config", base / "agent.yaml"});
  return pair;
}

std::unique_ptr<Pair> start_peer(const fs::path& base) {
  const char* command = std::getenv("LOGLINK_BENCH_PAIR");
  const char* cluster = std::getenv("LOGLINK_BENCH_PAIR_CLUSTER");
  if (command == nullptr || cluster == nullptr) return nullptr;
  auto pair = std::make_unique<Pair>("pair", cluster, base / "pair-links");
  pair->start({command});
  return pair;
}

// Milliseconds of one turn; the samples of a turn are not independent of each other.
using Turn = std::vector<double>;
using Turns = std::vector<Turn>;

double quantile(const Turns& turns, double q) {
  std::vector<double> values;
  for (const Turn& turn : turns) values.insert(values.end(), turn.begin(), turn.end());
  const auto at =
      std::min(static_cast<std::size_t>(q * static_cast<double>(values.size())), values.size() - 1);
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values.at(at);
}

// Bounds of the ratio of the quantiles, by drawing turns again and again (bootstrap).
std::pair<double, double> interval(const Turns& ours, const Turns& others, double q) {
  std::mt19937 random(1);
  const auto draw = [&random](const Turns& turns) {
    Turns drawn;
    for (std::size_t i = 0; i < turns.size(); ++i) drawn.push_back(turns[random() % turns.size()]);
    return drawn;
  };
  std::vector<double> ratios;
  for (int i = 0; i < kResamples; ++i) {
    ratios.push_back(quantile(draw(ours), q) / quantile(draw(others), q));
  }
  std::sort(ratios.begin(), ratios.end());
  return {ratios[kResamples / 20], ratios[kResamples - kResamples / 20]};
}

void print_rows(const std::string& what, const std::vector<Turns>& pairs) {
  for (const auto& [name, q] : {std::pair{"p50", 0.5}, {"p95", 0.95}, {"p99", 0.99}}) {
    const double ours = quantile(pairs[0], q);
    std::printf("| %s, %s |", what.c_str(), name);
    if (pairs.size() == 1) {
      std::printf(" | %.1f ms | |\n", ours);
    } else {
      const double other = quantile(pairs[1], q);
      const auto [low, high] = interval(pairs[0], pairs[1], q);
      std::printf(" %.2f (%.2f to %.2f) | %.1f ms | %.1f ms |\n", ours / other, low, high, ours,
                  other);
    }
  }
  std::fflush(stdout);
}

void run_load(const std::string& load, int samples, std::vector<std::unique_ptr<Pair>>& pairs,
              bool busy) {
  std::vector<Turns> made(pairs.size());
  std::vector<Turns> gone(pairs.size());
  for (int turn = 0; turn < samples / kTurn; ++turn) {
    for (std::size_t i = 0; i < pairs.size(); ++i) {
      std::optional<BusyCluster> others;
      if (busy) others.emplace(pairs[i]->kubeconfig());
      pairs[i]->measure(kTurn, made[i].emplace_back(), gone[i].emplace_back());
    }
  }
  print_rows("annotate → link, " + std::to_string(kPods) + " pods, " + load, made);
  print_rows("annotation taken away → link gone, " + load, gone);
}

void run() {
  std::string base = (fs::temp_directory_path() / "loglink-bench-XXXXXX").string();
  if (::mkdtemp(base.data()) == nullptr) give_up("no temporary directory");
  std::vector<std::unique_ptr<Pair>> pairs;
  pairs.push_back(start_loglink(base));
  if (auto peer = start_peer(base)) pairs.push_back(std::move(peer));
  for (auto& pair : pairs) pair->settle();
  // Pods of nodes without an agent are told so after a minute: hundreds of writes of their own.
  pause(kAgentSilence);
  for (auto& pair : pairs) pair->settle();
  // Their connections are open.
  std::vector<double> ignored;
  for (auto& pair : pairs) pair->measure(3, ignored, ignored);
  const double cpu_before = pairs[0]->cpu_s();
  const char* const load = std::getenv("LOGLINK_BENCH_LOAD");
  const std::string only = load == nullptr ? "" : load;
  if (only != "busy") {
    run_load("idle", kSamples, pairs, false);
    std::printf("| CPU of both programs for a link that comes and goes | | %.2f ms | |\n",
                (pairs[0]->cpu_s() - cpu_before) * 1000 / kSamples);
  }
  if (only != "idle") {
    run_load(std::to_string(kBusyWritesPerSecond) + " writes/s", kSamples, pairs, true);
  }
  pairs.clear();
  fs::remove_all(base);
}

}  // namespace
}  // namespace loglink::bench

int main() {
  loglink::bench::run();
  return 0;
}
