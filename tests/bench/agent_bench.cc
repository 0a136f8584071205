// Figures of the real agent, each with its floor from the same run. Whole processes, real files.
//
//   scripts/bench agent [SECTION...]
//
// Sections: idle cold quiet memory storm steady neighbour. Prints Markdown table rows: what, ratio,
// agent, floor.
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <set>
#include <sstream>
#include <thread>

#include "lib/base/unique_fd.h"
#include "tests/bench/floor.h"
#include "tests/integration/agent/test_node.h"

namespace loglink::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Micros = std::chrono::duration<double, std::micro>;

const std::string kRaisedLimits =
    "limits: {linksPerSource: 100000, linksPerPod: 100000, linksPerNamespace: 100000, "
    "linksPerNode: 100000, entriesPerScan: 100000, eventsPerSecond: 100000, eventBurst: 100000}\n";

void print_row(const std::string& what, double ratio, const std::string& agent,
               const std::string& floor) {
  char text[16] = "";
  if (ratio > 0) std::snprintf(text, sizeof text, "%.2f", ratio);
  std::printf("| %s | %s | %s | %s |\n", what.c_str(), text, agent.c_str(), floor.c_str());
  std::fflush(stdout);
}

std::string number(double value, const char* unit, int decimals = 1) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f %s", decimals, value, unit);
  return text;
}

double quantile(std::vector<double> values, double q) {
  std::sort(values.begin(), values.end());
  const auto at = static_cast<std::size_t>(q * static_cast<double>(values.size()));
  return values[std::min(at, values.size() - 1)];
}

void create_file(const fs::path& path) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) {
    std::perror(path.c_str());
    std::exit(1);
  }
}

// Sees links appear.
class LinkObserver {
 public:
  explicit LinkObserver(const fs::path& links) : notify_(::inotify_init1(IN_CLOEXEC)) {
    ::inotify_add_watch(notify_.get(), links.c_str(), IN_CREATE | IN_MOVED_TO);
  }
  // Names until `last` returns true for one; false when none comes for 30 s.
  bool read_until(const std::function<bool(const std::string&)>& last) {
    for (;;) {
      while (next_ < names_.size()) {
        if (last(names_[next_++])) return true;
      }
      if (!read_more()) return false;
    }
  }
  bool wait_for(const std::string& name) {
    return read_until([&](const std::string& seen) { return seen == name; });
  }
  bool wait_for_count(int count) {
    return read_until([&](const std::string& seen) {
      count -= seen[0] == '.' ? 0 : 1;
      return count <= 0;
    });
  }

 private:
  bool read_more() {
    pollfd poll{notify_.get(), POLLIN, 0};
    if (::poll(&poll, 1, 30'000) != 1) return false;
    alignas(inotify_event) static char buffer[256 * 1024];
    const ssize_t bytes = ::read(notify_.get(), buffer, sizeof buffer);
    names_.clear();
    next_ = 0;
    for (ssize_t at = 0; at < bytes;) {
      inotify_event event{};
      std::memcpy(&event, buffer + at, sizeof event);
      if (event.len > 0) names_.emplace_back(buffer + at + sizeof event);
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
    return bytes > 0;
  }

  UniqueFd notify_;
  std::vector<std::string> names_;
  std::size_t next_ = 0;
};

// All threads; nanoseconds of the scheduler, not ticks.
double cpu_seconds(pid_t process) {
  double total = 0;
  std::error_code error;
  const fs::path tasks = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : fs::directory_iterator(tasks, error)) {
    std::istringstream text(read_text(task.path() / "schedstat"));
    double nanoseconds = 0;
    text >> nanoseconds;
    total += nanoseconds / 1e9;
  }
  return total;
}

double status_mb(pid_t process, const std::string& key) {
  std::istringstream lines(read_text("/proc/" + std::to_string(process) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(key + ":", 0) == 0) return std::stod(line.substr(key.size() + 1)) / 1024;
  }
  return 0;
}

std::vector<TestPod> make_pods(const TestNode& node, int count, int files_each) {
  std::vector<TestPod> pods;
  for (int i = 0; i < count; ++i) {
    pods.push_back({"web-" + std::to_string(i), "uid-" + std::to_string(i)});
    fs::create_directories(node.logs(pods.back()));
    for (int j = 0; j < files_each; ++j) {
      create_file(node.logs(pods.back()) / (std::to_string(j) + ".log"));
    }
  }
  node.set_pods(pods);
  return pods;
}

// Where links appear, however they are made.
struct Lane {
  fs::path directory;
  fs::path links;
  std::string prefix;  // of a link's name
  std::vector<double> micros;
};

void measure(Lane& lane, LinkObserver& observer, int from, int count, int pause_ms) {
  for (int i = from; i < from + count; ++i) {
    const std::string file = std::to_string(i) + ".log";
    ::poll(nullptr, 0, pause_ms);
    const auto before = Clock::now();
    create_file(lane.directory / file);
    if (!observer.wait_for(lane.prefix + file)) std::exit(1);
    lane.micros.push_back(Micros(Clock::now() - before).count());
  }
}

void print_latency(const std::string& what, const Lane& agent, const Lane& floor) {
  for (const auto& [name, q] : {std::pair{"p50", 0.5}, {"p99", 0.99}}) {
    const double a = quantile(agent.micros, q);
    const double f = quantile(floor.micros, q);
    print_row(what + ", " + name, a / f, number(a, "µs"), number(f, "µs"));
  }
}

void wait_for_marker(const TestNode& node) {
  wait_until([&] { return fs::exists(node.links() / ".loglink"); });
}

// The agent and the bare loop take turns, so that the machine is the same for both.
void bench_idle() {
  TestNode node("direct", kRaisedLimits);
  const auto pods = make_pods(node, 1, 1);
  fs::create_directory(node.links());
  auto agent = node.start("run");
  LinkObserver agent_links(node.links());
  if (!agent_links.wait_for("web-0_prod_app-0.log")) std::exit(1);
  Lane lane{node.logs(pods[0]), node.links(), "web-0_prod_app-", {}};
  Lane floor{node.base() / "bare", node.base() / "bare-links", "", {}};
  for (const fs::path& path : {floor.directory, floor.links}) fs::create_directory(path);
  const pid_t bare = start_bare_loop(floor.directory, floor.links);
  LinkObserver floor_links(floor.links);
  for (int i = 1; i <= 2000; i += 100) {
    measure(floor, floor_links, i, 100, 2);
    measure(lane, agent_links, i, 100, 2);
  }
  ::kill(bare, SIGKILL);
  ::waitpid(bare, nullptr, 0);
  print_latency("new file → link, idle, 2,000 samples", lane, floor);
}

void bench_cold() {
  std::vector<double> agent_wall, agent_cpu, floor_wall, floor_cpu;
  for (int round = 0; round < 5; ++round) {
    TestNode node("direct", kRaisedLimits);
    const auto pods = make_pods(node, 20, 500);
    fs::create_directory(node.links());
    fs::create_directory(node.base() / "bare-links");
    std::vector<std::string> directories;
    for (const TestPod& pod : pods) directories.push_back(TestNode::path_in_root(pod));
    const Cost floor =
        link_all_bare(node.pods_directory(), directories, node.base() / "bare-links");
    floor_wall.push_back(floor.wall_s);
    floor_cpu.push_back(floor.cpu_s);
    LinkObserver links(node.links());
    const auto before = Clock::now();
    auto agent = node.start("run");
    if (!links.wait_for_count(10'000)) std::exit(1);
    agent_wall.push_back(std::chrono::duration<double>(Clock::now() - before).count());
    agent_cpu.push_back(cpu_seconds(agent->id()));
  }
  const auto row = [](const char* what, const std::vector<double>& a,
                      const std::vector<double>& f) {
    const double agent = quantile(a, 0.5) * 1000;
    const double floor = quantile(f, 0.5) * 1000;
    print_row(what, agent / floor, number(agent, "ms"), number(floor, "ms"));
  };
  row("10,000 files, program start → all linked", agent_wall, floor_wall);
  row("the same, CPU time", agent_cpu, floor_cpu);
}

void bench_quiet() {
  TestNode node("direct", kRaisedLimits + "rescanInterval: 1s\n");
  make_pods(node, 20, 500);
  fs::create_directory(node.links());
  LinkObserver links(node.links());
  auto agent = node.start("run");
  if (!links.wait_for_count(10'000)) std::exit(1);
  ::poll(nullptr, 0, 6000);     // what was just made is looked at once more
  constexpr int kSeconds = 60;  // as many rescans, jittered
  std::vector<double> costs;
  for (int i = 0; i < kSeconds; ++i) {
    const double before = cpu_seconds(agent->id());
    ::poll(nullptr, 0, 1000);
    costs.push_back((cpu_seconds(agent->id()) - before) * 1000);
  }
  const double usual = quantile(costs, 0.5);
  print_row("rescan of 10,000 quiet links, CPU, median", usual / 1.0, number(usual, "ms", 2),
            "target 1 ms");
  print_row("each 20th reads the whole link directory: the dearest, CPU", 0,
            number(quantile(costs, 1), "ms"), "");
}

void bench_memory() {
  for (const int files : {1, 100}) {
    TestNode node("direct", kRaisedLimits);
    make_pods(node, 100, files);
    fs::create_directory(node.links());
    LinkObserver links(node.links());
    auto agent = node.start("run");
    if (!links.wait_for_count(100 * files)) std::exit(1);
    const bool small = files == 1;
    const double target = small ? 13 : 18;
    const double resident = status_mb(agent->id(), "VmRSS");
    print_row(small ? "memory (RSS), 100 pods, 100 links" : "memory (RSS), 100 pods, 10,000 links",
              resident / target,
              number(resident, "MB") + " (anonymous " +
                  number(status_mb(agent->id(), "RssAnon"), "MB") + ")",
              number(target, "MB target"));
  }
}

void bench_storm() {
  constexpr int kFiles = 20'000;
  TestNode node("direct", kRaisedLimits);
  const auto pods = make_pods(node, 1, 0);
  fs::create_directory(node.links());
  auto agent = node.start("run");
  wait_for_marker(node);
  const fs::path logs = node.logs(pods[0]);
  LinkObserver links(node.links());
  Clock::time_point last_created;
  std::thread creator([&] {
    for (int i = 0; i < kFiles; ++i) create_file(logs / (std::to_string(i) + ".log"));
    last_created = Clock::now();
  });
  const bool all = links.wait_for_count(kFiles);
  const auto linked = Clock::now();
  creator.join();
  const double late = std::chrono::duration<double>(linked - last_created).count();
  print_row("20,000 files at once: last file → last link" + std::string(all ? "" : " (MISSING)"),
            late / 2, number(late, "s", 2), "target 2 s");
  print_row("the same, CPU time per link", 0, number(cpu_seconds(agent->id()) / kFiles * 1e6, "µs"),
            "");
}

// One file each millisecond, seen by a thread of its own.
void paced(Lane& lane, int from, int count) {
  LinkObserver observer(lane.links);
  std::vector<Clock::time_point> created(static_cast<std::size_t>(count));
  std::vector<double> micros(static_cast<std::size_t>(count), -1);
  std::thread reader([&] {
    int left = count;
    observer.read_until([&](const std::string& name) {
      if (name.rfind(lane.prefix, 0) != 0) return false;
      const int index = std::atoi(name.c_str() + lane.prefix.size()) - from;
      const auto at = static_cast<std::size_t>(index);
      if (index < 0 || index >= count) return false;
      micros[at] = Micros(Clock::now() - created[at]).count();
      return --left == 0;
    });
  });
  const auto start = Clock::now();
  for (int i = 0; i < count; ++i) {
    std::this_thread::sleep_until(start + std::chrono::milliseconds(i));
    created[static_cast<std::size_t>(i)] = Clock::now();
    create_file(lane.directory / (std::to_string(from + i) + ".log"));
  }
  reader.join();
  lane.micros.insert(lane.micros.end(), micros.begin(), micros.end());
}

void bench_steady() {
  const int seconds = number_from_environment("LOGLINK_BENCH_SECONDS", 60);
  TestNode node("direct", kRaisedLimits);
  const auto pods = make_pods(node, 1, 0);
  fs::create_directory(node.links());
  auto agent = node.start("run");
  wait_for_marker(node);
  Lane lane{node.logs(pods[0]), node.links(), "web-0_prod_app-", {}};
  Lane floor{node.base() / "bare", node.base() / "bare-links", "", {}};
  for (const fs::path& path : {floor.directory, floor.links}) fs::create_directory(path);
  const pid_t bare = start_bare_loop(floor.directory, floor.links);
  for (int i = 0; i < seconds; i += 10) {
    paced(floor, i * 1000, 10'000);
    paced(lane, i * 1000, 10'000);
  }
  ::kill(bare, SIGKILL);
  ::waitpid(bare, nullptr, 0);
  const auto missing = std::count(lane.micros.begin(), lane.micros.end(), -1.0);
  print_latency("1,000 files/s for " + std::to_string(seconds) + " s (" + std::to_string(missing) +
                    " links missing)",
                lane, floor);
}

// Default limits: one source of a tenant has 20,000 files and goes on making some; another's file?
void bench_neighbour() {
  TestNode node("direct");
  const auto pods = make_pods(node, 2, 0);
  fs::create_directory(node.links());
  auto agent = node.start("run");
  wait_for_marker(node);
  Lane quiet{node.logs(pods[0]), node.links(), "web-0_prod_app-", {}};
  LinkObserver links(node.links());
  measure(quiet, links, 0, 400, 10);
  Lane loud = quiet;
  loud.micros.clear();
  std::atomic<bool> stop{false};
  const fs::path noisy = node.logs(pods[1]);
  for (int i = 0; i < 20'000; ++i) create_file(noisy / (std::to_string(i) + ".log"));
  std::thread tenant([&] {
    for (int i = 20'000; !stop; ++i) {
      create_file(noisy / (std::to_string(i) + ".log"));
      std::error_code ignored;
      fs::remove(noisy / (std::to_string(i) + ".log"), ignored);
      ::poll(nullptr, 0, 1);
    }
  });
  measure(loud, links, 400, 500, 10);
  stop = true;
  tenant.join();
  print_latency("a file of another pod while one source has 20,000 (floor: before it had)", loud,
                quiet);
}

int run(const std::vector<std::string>& wanted) {
  const std::vector<std::pair<std::string, void (*)()>> sections = {
      {"idle", bench_idle},          {"cold", bench_cold},   {"quiet", bench_quiet},
      {"memory", bench_memory},      {"storm", bench_storm}, {"steady", bench_steady},
      {"neighbour", bench_neighbour}};
  std::printf("| figure | ratio | agent | floor |\n|---|---|---|---|\n");
  for (const auto& [name, section] : sections) {
    const bool is_wanted =
        wanted.empty() || std::find(wanted.begin(), wanted.end(), name) != wanted.end();
    if (is_wanted) section();
  }
  return 0;
}

}  // namespace
}  // namespace loglink::bench

int main(int argc, char** argv) { return loglink::bench::run({argv + 1, argv + argc}); }
