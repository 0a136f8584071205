// Figures of the real controller, each with its floor from the same run. Whole processes.
//
//   scripts/bench controller [SECTION...]
//
// Sections: sync generator (load is controller_load_bench). Prints Markdown table rows: what,
// ratio, controller, floor. They want a control plane in the directory LOGLINK_BENCH_CLUSTER.
#include <poll.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <sstream>

#include "tests/bench/measured_process.h"
#include "tests/bench/pod_stream_server.h"
#include "tests/bench/real_cluster.h"

namespace loglink::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kCurlEnd[] = "initial-events-end";
constexpr char kControllerEnd[] = "pods and NodeLinkSets are listed";
constexpr char kPeerEnd[] = "SYNCED";

int number_of(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

// Reaches its end: a way of getting to know all pods.
struct Contender {
  std::string name;
  std::function<Reading()> run;
};

struct Result {
  std::vector<double> wall_s;
  std::vector<double> cpu_s;
  std::vector<double> rss_mb;
};

// Rounds in turn, so that whatever else the machine does hits all of them; the first is the floor.
std::vector<Result> run_rounds(const std::vector<Contender>& contenders, int rounds) {
  std::vector<Result> results(contenders.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const std::size_t at = (i + static_cast<std::size_t>(round)) % contenders.size();
      // The server cleans up after the last one.
      ::poll(nullptr, 0, 1000);
      const Reading reading = contenders[at].run();
      results[at].wall_s.push_back(reading.wall_s);
      results[at].cpu_s.push_back(reading.cpu_s);
      results[at].rss_mb.push_back(reading.rss_mb);
      std::fprintf(stderr, "  %-28s %6.2f s %6.3f s CPU %7.1f MB\n", contenders[at].name.c_str(),
                   reading.wall_s, reading.cpu_s, reading.rss_mb);
    }
  }
  return results;
}

// The median of the rounds' ratios, not the ratio of medians.
double ratio(const std::vector<double>& values, const std::vector<double>& floor) {
  std::vector<double> ratios;
  for (std::size_t i = 0; i < values.size(); ++i) ratios.push_back(values[i] / floor[i]);
  return median(std::move(ratios));
}

void print_results(const std::string& what, const std::vector<Contender>& contenders,
                   const std::vector<Result>& results) {
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    std::printf("| %s | %s | %.2f | %.2f s | %.2f | %.3f s | %.1f MB |\n", what.c_str(),
                contenders[i].name.c_str(), ratio(results[i].wall_s, results[0].wall_s),
                median(results[i].wall_s), ratio(results[i].cpu_s, results[0].cpu_s),
                median(results[i].cpu_s), median(results[i].rss_mb));
  }
  std::fflush(stdout);
}

// A controller that is no leader and serves nothing.
std::vector<std::string> controller(const std::string& kubeconfig, const fs::path& directory) {
  const std::string config = (directory / "bench-controller.yaml").string();
  std::ofstream(config) << "metricsAddress: \"\"\n"
                           "leaderElection: {leaseDuration: 300s, renewDeadline: 10s}\n";
  return {std::string(LOGLINK_BINARY_DIR) + "/bin/loglink-controller",
          "run",
          "--config",
          config,
          "--kubeconfig",
          kubeconfig};
}

Contender contender(std::string name, std::vector<std::string> argv, std::string end) {
  const bool with_stderr = end == kControllerEnd;
  return {std::move(name), [argv = std::move(argv), end = std::move(end), with_stderr] {
            MeasuredProcess process(argv, with_stderr);
            return process.run_until(end);
          }};
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream words(text);
  return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
}

fs::path cluster_directory() {
  const char* directory = std::getenv("LOGLINK_BENCH_CLUSTER");
  if (directory == nullptr) give_up("LOGLINK_BENCH_CLUSTER is not set: use scripts/bench");
  return directory;
}

void sync_section() {
  const fs::path directory = cluster_directory();
  RealCluster cluster(directory.string());
  std::vector<Contender> contenders = {
      contender("curl (floor)", cluster.curl_watch_list(), kCurlEnd),
      contender("loglink-controller", controller(cluster.kubeconfig(), directory), kControllerEnd),
  };
  // For example a client-go informer that prints SYNCED.
  if (const char* peer = std::getenv("LOGLINK_BENCH_PEER")) {
    ::setenv("KUBECONFIG", cluster.kubeconfig().c_str(), 1);
    contenders.push_back(contender("peer", words_of(peer), kPeerEnd));
  }
  for (const std::string& count : words_of(
           std::getenv("LOGLINK_BENCH_PODS") ? std::getenv("LOGLINK_BENCH_PODS") : "20000 50000")) {
    cluster.fill(std::stoi(count));
    // The server's cache has them all when a first client has seen them.
    contenders.front().run();
    std::vector<Contender> all = contenders;
    // What a client of metadata only would have to fetch, before it does anything with it.
    all.push_back(contender("curl, metadata only", cluster.curl_metadata_watch_list(), kCurlEnd));
    all.push_back(contender("curl, and a GET of each annotated pod",
                            cluster.curl_gets_of_annotated(), RealCluster::kCurlGetsEnd));
    const auto results = run_rounds(all, number_of("LOGLINK_BENCH_ROUNDS", 7));
    print_results(count + " pods, kube-apiserver", all, results);
  }
}

void generator_section() {
  const fs::path directory = cluster_directory();
  constexpr int kPods = 150'000;
  const std::string pki = (directory / "pki").string();
  const PodStreamServer server(RealCluster(directory.string()).frames(), kPods, pki);
  const std::string ca = pki + "/ca.crt";
  const std::string kubeconfig = (directory / "generator.kubeconfig").string();
  std::ofstream(kubeconfig)
      << "apiVersion: v1\nkind: Config\nclusters:\n- {name: g, cluster: {server: \"" +
             server.url() + "\", certificate-authority: " + ca +
             "}}\nusers:\n- {name: g, user: {token: none}}\ncontexts:\n- {name: g, context: "
             "{cluster: g, user: g}}\ncurrent-context: g\n";
  const std::vector<Contender> contenders = {
      contender("curl (floor)",
                {"curl", "-sS", "-N", "-A", "floor/1", "--cacert", ca,
                 server.url() + "/api/v1/pods?watch=true"},
                kCurlEnd),
      contender("loglink-controller", controller(kubeconfig, directory), kControllerEnd),
  };
  const auto results = run_rounds(contenders, number_of("LOGLINK_BENCH_ROUNDS", 7));
  print_results(std::to_string(kPods) + " pods, generator", contenders, results);
}

int run(const std::vector<std::string>& wanted) {
  const std::vector<std::pair<std::string, std::function<void()>>> sections = {
      {"sync", sync_section},
      {"generator", generator_section},
  };
  for (const std::string& name : wanted) {
    const auto is_it = [&](const auto& section) { return section.first == name; };
    if (std::none_of(sections.begin(), sections.end(), is_it)) {
      give_up("there is no section \"" + name + "\"");
    }
  }
  for (const auto& [name, section] : sections) {
    if (!wanted.empty() && std::count(wanted.begin(), wanted.end(), name) == 0) continue;
    section();
  }
  return 0;
}

}  // namespace
}  // namespace loglink::bench

int main(int argc, char** argv) {
  return loglink::bench::run(std::vector<std::string>(argv + 1, argv + argc));
}
