// An Agent over FakeFiles with a hand-turned clock, for tests of what the agent does.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/agent.h"
#include "lib/model/names.h"
#include "tests/fakes/fake_files.h"

namespace loglink {

inline constexpr const char* kPods = "kubelet-pods";
inline constexpr const char* kApps = "apps";  // a hostPath root

// A live source in an emptyDir of pod `pod` in namespace prod; uid "uid-<pod>".
inline Source empty_dir_source(const std::string& pod, const std::string& volume = "logs") {
  Source source;
  source.namespace_name = "prod";
  source.pod = pod;
  source.uid = "uid-" + pod;
  source.container = "app";
  source.root = kPods;
  source.path = source.uid + "/volumes/kubernetes.io~empty-dir/" + volume;
  source.include = {"*.log"};
  source.plain_names = true;
  source.since = WallTime(std::chrono::seconds(1'700'000'000));
  return source;
}

// A live source in a directory of the hostPath root.
inline Source host_source(const std::string& pod, const std::string& path) {
  Source source = empty_dir_source(pod);
  source.root = kApps;
  source.path = path;
  return source;
}

inline Source withdrawn(Source source, WallTime remove_after) {
  source.remove_after = remove_after;
  return source;
}

class AgentWorld {
 public:
  AgentWorld() {
    for (const char* root : {kPods, kApps}) files.add_root(root);
    options.config.roots = {Root{kPods, "/var/lib/kubelet/pods", {"*"}, false},
                            Root{kApps, "/data/apps", {"*"}, false}};
    // Enough to tell two sets apart.
    options.encode_desired = [this](const NodeLinkSet& set) {
      stored_sets.push_back(set);
      return "set " + std::to_string(stored_sets.size() - 1);
    };
    options.decode_desired = [this](std::string_view text) -> Expected<NodeLinkSet> {
      if (text.substr(0, 4) != "set ") return fail(ErrorCode::kInvalidArgument, "unknown version");
      return stored_sets.at(std::stoul(std::string(text.substr(4))));
    };
  }

  Agent& agent() {
    if (!agent_) start();
    return *agent_;
  }

  void start() {
    agent_ = std::make_unique<Agent>(files, random, options);
    agent_->start(now);
  }

  // kill -9 and a new process.
  void restart() {
    agent_.reset();
    files.restart();
    start();
  }

  void desire(std::vector<Source> sources) {
    NodeLinkSet set;
    set.name = "node-1";
    set.generation = ++generation;
    set.spec.sources = std::move(sources);
    agent().set_desired(std::move(set), now);
  }

  // Until nothing is left to do at once.
  void settle() {
    for (int steps = 0; agent().step(now); ++steps) {
      if (steps > 100'000) throw std::runtime_error("the agent never rests");
    }
  }

  // Time passes; the agent wakes whenever it asked to.
  void pass(Duration duration) {
    const MonotonicTime end = now.monotonic + duration;
    settle();
    for (int wakes = 0; agent().next_wakeup() <= end; ++wakes) {
      if (wakes > 2000) throw std::runtime_error("the agent wakes too often");
      turn_clock(std::max(agent().next_wakeup() - now.monotonic, Duration(1'000'000)));
      settle();
      if (now.monotonic >= end) return;
    }
    turn_clock(end - now.monotonic);
    settle();
  }

  // Time passes without the agent.
  void turn_clock(Duration duration) {
    now.monotonic = now.monotonic + duration;
    now.wall += duration;
    files.set_time(now.wall);
  }

  std::set<std::string> link_names() const {
    std::set<std::string> names;
    for (const auto& [name, entry] : files.link_directory()) names.insert(name);
    return names;
  }

  // How many links lead to that file of the kubelet's directory.
  int links_to(const std::string& path) const {
    int count = 0;
    for (const auto& [name, entry] : files.link_directory()) {
      if (entry.target == "/run/loglink/roots/kubelet-pods/" + path) ++count;
    }
    return count;
  }

  std::string target(const std::string& name) const {
    const auto found = files.link_directory().find(name);
    if (found == files.link_directory().end()) return "";
    return found->second.target;
  }

  // The reason of that pod in the status, "" if it has none; "absent" without an entry.
  std::string reason(const std::string& pod) {
    for (const PodLinks& each : agent().status(now).pods) {
      if (each.pod == pod) return each.reason;
    }
    return "absent";
  }

  std::string ready_reason() {
    for (const Condition& each : agent().status(now).conditions) {
      if (each.type == "Ready") return each.status == "True" ? "" : each.reason;
    }
    return "absent";
  }

  FakeFiles files;
  SeededRandom random{1};
  AgentOptions options;
  std::vector<NodeLinkSet> stored_sets;
  Now now{MonotonicTime{std::chrono::hours(1)}, WallTime(std::chrono::seconds(1'700'000'000))};
  std::int64_t generation = 0;

 private:
  std::unique_ptr<Agent> agent_;
};

// Where the files of empty_dir_source(pod) are.
inline std::string in_empty_dir(const std::string& pod, const std::string& file,
                                const std::string& volume = "logs") {
  return "uid-" + pod + "/volumes/kubernetes.io~empty-dir/" + volume + "/" + file;
}

inline std::string pods_target(const std::string& path) {
  return "/run/loglink/roots/kubelet-pods/" + path;
}
inline std::string apps_target(const std::string& path) {
  return "/run/loglink/roots/apps/" + path;
}

// Pod web-0 with one directory, which a test fills and asks for.
class OneWebPod : public testing::Test {
 protected:
  void write(const std::string& file) {
    world.files.write_file(kPods, in_empty_dir("web-0", file));
  }
  void remove(const std::string& file) { world.files.remove(kPods, in_empty_dir("web-0", file)); }
  void rename(const std::string& from, const std::string& to) {
    world.files.rename(kPods, in_empty_dir("web-0", from), in_empty_dir("web-0", to));
  }
  void desire_web() {
    world.desire({empty_dir_source("web-0")});
    world.settle();
  }

  const std::string a_link = "web-0_prod_app-a.log";
  AgentWorld world;
};

}  // namespace loglink
