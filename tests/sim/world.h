// A cluster in one thread: the API server, two controllers, the agents of up to three nodes with
// their file systems, and the clocks of each machine. Programs run the code that production runs;
// who runs next, what fails and what is lost comes from the seed.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/shell/agent_loop.h"
#include "controller/shell/controller_loop.h"
#include "tests/fakes/sim_kube.h"
#include "tests/sim/node_checker.h"
#include "tests/sim/process_clock.h"
#include "tests/sim/sim_api.h"

namespace loglink::sim {

// Thrown at the first violation.
struct Violation {
  std::string what;
};

// What agents and controllers have in common.
struct Process {
  Process(const Now& world, int rate_per_mille, std::string process_name)
      : name(std::move(process_name)), clock(world, rate_per_mille) {}

  const std::string name;
  ProcessClock clock;
  std::unique_ptr<SimApi> api;
  bool awake = false;
  // World times. A frozen process does nothing; then it goes on with what it knew, and its clock
  // has moved.
  std::optional<MonotonicTime> frozen_until;
  std::optional<MonotonicTime> cut_off_until;
};

struct Node : Process {
  Node(const Now& world, int rate_per_mille, std::string node_name)
      : Process(world, rate_per_mille, std::move(node_name)) {}

  FakeFiles files;
  AgentConfig config;
  std::unique_ptr<NodeChecker> checker;
  // The agent's process, or nothing.
  std::unique_ptr<SimFiles> port;
  std::unique_ptr<AgentLoop> agent;
  std::string traced_set;  // the set that the history told of last
};

struct ControllerProcess : Process {
  ControllerProcess(const Now& world, int rate_per_mille, std::string slot_name)
      : Process(world, rate_per_mille, std::move(slot_name)) {}

  int starts = 0;
  std::unique_ptr<ControllerLoop> loop;
};

class World {
 public:
  // `traced`: the history tells what the system does, too.
  explicit World(std::uint64_t seed, bool traced = false);
  ~World();

  // --- time and work ---
  // Does one thing that is due, if any.
  bool work();
  // Turns the clock to when something is due, at most by `most`.
  void wait(Duration most);
  // Works and waits until that much time has passed.
  void run(Duration time);
  [[nodiscard]] const Now& now() const { return now_; }

  // --- processes ---
  void start(Node& node);
  void start(ControllerProcess& controller);
  // kill -9. What was sent may still arrive.
  void kill(Node& node);
  void kill(ControllerProcess& controller);
  // The process that threw it is killed.
  void crashed(const Crash& crash);
  // Of a process that runs. A node's name is its agent's.
  void freeze(Process& process, Duration time);
  void cut_off(Process& process, fakes::SimLink link, Duration time);
  // All that is frozen or cut off is so no more.
  void heal();

  // --- the API by the hand of an administrator ---
  fakes::FakeResponse request(const std::string& method, const std::string& target,
                              const nlohmann::json& body = nullptr,
                              const std::string& type = "application/json");
  nlohmann::json object(const std::string& path);
  bool has_object(const Node& node);
  void make_node(const std::string& name);

  // --- files of a node by others than its agent; tells the checker ---
  template <class Change>
  void change_files(Node& node, const Change& change) {
    node.checker->note_files();
    change(node.files);
    node.checker->note_files();
  }

  void check_foreign();
  void complain(const std::string& what) { throw Violation{what}; }
  void note(const std::string& action);
  // Where the history is traced: what a part of the system does.
  template <class Text>
  void trace(const Text& text) {
    if (traced_) note("    " + text());
  }
  // All actions so far, or the last 30.
  [[nodiscard]] std::string history() const;
  [[nodiscard]] std::string last_actions() const;
  // Of the nodes, for a person who looks for a bug.
  [[nodiscard]] std::string state();

  SeededRandom dice;
  fakes::SimKube& kube() { return *kube_; }
  std::vector<std::unique_ptr<Node>> nodes;
  std::vector<std::unique_ptr<ControllerProcess>> controllers;
  PodRegistry registry;
  unsigned file_failures = 0;  // out of 1,000, of agents that start from now on
  // Requests that write, without those about the Lease.
  std::uint64_t writes_asked = 0;

 private:
  void trace_set(Node& node);
  void check_request(const std::string& token, const UnaryRequest& request,
                     const fakes::FakeResponse& response);
  void check_status(Node& node, const UnaryRequest& request);
  void observe();
  bool step_kube();
  void step(Node& node);
  void step(ControllerProcess& controller);
  std::vector<Process*> processes();
  void thaw(Process& process);
  void reconnect(Process& process);
  void end_faults_that_are_over();
  void bury(Process& process);
  [[nodiscard]] bool is_due(const Node& node) const;
  [[nodiscard]] bool is_due(const ControllerProcess& controller) const;

  const bool traced_;
  Now now_;
  std::unique_ptr<fakes::SimKube> kube_;
  // Of processes that died: their requests are still on the way.
  std::vector<std::unique_ptr<SimApi>> orphans_;
  std::vector<std::string> history_;
};

inline constexpr const char* kSetsPath = "/apis/loglink.io/v1alpha1/nodelinksets";
inline constexpr const char* kLeasePath =
    "/apis/coordination.k8s.io/v1/namespaces/loglink-system/leases/loglink-controller";

}  // namespace loglink::sim
