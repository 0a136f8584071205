#include "tests/sim/schedule.h"

#include <algorithm>

#include "tests/sim/oracle.h"
#include "tests/sim/tenants.h"
#include "tests/sim/world.h"

namespace loglink::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// In peace the system has this long to come to what is expected.
constexpr Duration kConvergeWithin = minutes(15);
// After that, counts and withdrawn sources are still tidied up; then nothing is written.
constexpr Duration kTidyWithin = minutes(3);
// An agent goes by the last set that it knew until its object has been away for 5 minutes; then
// its links linger.
constexpr Duration kForgetWithin = minutes(8);
constexpr Duration kStillFor = minutes(1);

class Schedule {
 public:
  Schedule(std::uint64_t seed, Detail detail)
      : world_(seed, detail == Detail::kTrace), tenants_(world_) {
    rough_ = world_.dice.below(4) > 0;
    if (rough_) set_network();
    for (auto& node : world_.nodes) world_.start(*node);
    for (auto& controller : world_.controllers) world_.start(*controller);
  }

  void run(int steps, int& done) {
    for (done = 0; done < steps; ++done) {
      try {
        act();
      } catch (const Crash& crash) {
        world_.crashed(crash);
      }
      const std::uint64_t events = world_.dice.below(16);
      for (std::uint64_t i = 0; i < events; ++i) {
        if (!world_.work()) world_.wait(milliseconds(1500));
      }
      world_.check_foreign();
    }
    make_peace();
    converge();
    be_still();
  }

  [[nodiscard]] std::string history() const { return world_.history(); }
  [[nodiscard]] std::string last_actions() const { return world_.last_actions(); }
  std::string state() { return world_.state(); }
  std::uint64_t fingerprint() {
    return world_.dice.next() ^
           static_cast<std::uint64_t>(world_.now().monotonic.since_epoch.count()) ^
           world_.kube().server().resource_version();
  }

 private:
  Node& some_node() { return *world_.nodes[world_.dice.below(world_.nodes.size())]; }
  ControllerProcess& some_controller() {
    return *world_.controllers[world_.dice.below(world_.controllers.size())];
  }

  void act() {
    const std::uint64_t what = world_.dice.below(100);
    if (what < 16) return tenants_.change_a_pod();
    if (what < 56) return tenants_.change_a_file();
    if (what < 64) return disturb_a_process();
    if (what < 72) return restart_what_is_down();
    if (what < 78) return disturb_the_api();
    if (what < 90) return disturb_a_node();
    if (what < 96) return pass_time();
    if (rough_) set_network();
  }

  void pass_time() {
    const Duration time = milliseconds(1 + world_.dice.below(20'000));
    world_.note("time passes");
    world_.run(time);
  }

  void set_network() {
    fakes::SimNetwork network;
    // Longer than a process that shuts down waits for its writes, and shorter than what lies
    // between the end of a right to write and that of its lease, by the clocks that differ most.
    const std::uint64_t slowest = world_.dice.below(6) == 0 ? 4000 : 800;
    network.delay_max = milliseconds(1 + world_.dice.below(slowest));
    const unsigned most = static_cast<unsigned>(1 + world_.dice.below(60));
    const auto some = [&] { return static_cast<unsigned>(world_.dice.below(most)); };
    network.refuse = some();
    network.too_many = some();
    network.server_error = some();
    network.lose_answer = some();
    network.send_twice = some();
    network.split = 3 * some();
    network.cut = some();
    network.stall = some() / 4;
    if (world_.dice.below(12) == 0) network.refuse = 1000;  // an outage
    world_.note("the network changes");
    world_.kube().set_network(network);
  }

  void disturb_a_process() {
    const int nth = static_cast<int>(1 + world_.dice.below(3));
    if (world_.dice.below(3) == 0) return disturb_a_controller(nth);
    disturb_an_agent(nth);
  }

  // Often longer than a lease lasts.
  Duration long_or_short() {
    const std::uint64_t seconds_max = world_.dice.below(2) == 0 ? 20 : 180;
    return milliseconds(500 + 1000 * world_.dice.below(seconds_max));
  }

  void cut_off(Process& process) {
    static constexpr fakes::SimLink kBroken[] = {fakes::SimLink::kRefused, fakes::SimLink::kSilent,
                                                 fakes::SimLink::kDeaf};
    const fakes::SimLink link = kBroken[world_.dice.below(3)];
    world_.cut_off(process, link, long_or_short());
  }

  void disturb_a_controller(int nth) {
    ControllerProcess& controller = some_controller();
    if (!controller.loop) return;
    switch (world_.dice.below(6)) {
      case 0:
        world_.note(controller.name + " is killed");
        return world_.kill(controller);
      case 1:
        world_.note(controller.name + " will die at a write");
        return controller.api->crash_at_write(nth);
      case 2:
        if (controller.frozen_until) return;
        world_.note(controller.name + " shuts down");
        controller.loop->shut_down();
        if (world_.dice.below(4) == 0) world_.freeze(controller, long_or_short());
        return;
      case 3:
        return world_.freeze(controller, long_or_short());
      case 4: {
        world_.note(controller.name + " will freeze at a write");
        const Duration time = long_or_short();
        return controller.api->freeze_at_write(
            nth, [this, &controller, time] { world_.freeze(controller, time); });
      }
      default:
        return cut_off(controller);
    }
  }

  void disturb_an_agent(int nth) {
    Node& node = some_node();
    if (!node.agent) return;
    switch (world_.dice.below(6)) {
      case 0:
        world_.note("the agent of " + node.name + " is killed");
        return world_.kill(node);
      case 1:
        world_.note("the agent of " + node.name + " will die at a write");
        return node.api->crash_at_write(nth);
      case 2:
        world_.note("the agent of " + node.name + " will die at a change");
        return node.port->crash_at_change(nth);
      case 3:
        if (node.frozen_until) return;
        world_.note("the agent of " + node.name + " stops");
        node.agent->stop();
        return world_.kill(node);
      case 4:
        if (world_.dice.below(2) == 0) return freeze_while_a_file_is_away(node);
        return world_.freeze(node, long_or_short());
      default:
        return cut_off(node);
    }
  }

  // The agent has seen a linked file go, and stands still, often beyond the time that it would keep
  // the link; the file may be back before it goes on.
  void freeze_while_a_file_is_away(Node& node) {
    const auto& links = node.files.link_directory();
    const auto link = std::find_if(links.begin(), links.end(), [&](const auto& each) {
      return node.checker->foreign().count(each.first) == 0 && world_.dice.below(3) == 0;
    });
    TargetText target;
    if (link == links.end() || !parse_target(link->second.target, target)) return;
    if (!node.files.exists(target.root, target.path)) return;
    world_.note(target.path + " of " + node.name + " is away for some time");
    world_.change_files(node, [&](FakeFiles& files) { files.remove(target.root, target.path); });
    world_.run(seconds(5 + world_.dice.below(90)));
    if (!node.agent || node.frozen_until) return;
    world_.freeze(node, seconds(20 + world_.dice.below(150)));
    world_.run(seconds(world_.dice.below(90)));
    if (node.files.exists(target.root, target.path)) return;
    world_.note(target.path + " of " + node.name + " is back");
    world_.change_files(node,
                        [&](FakeFiles& files) { files.write_file(target.root, target.path, 1); });
    if (node.port && world_.dice.below(2) == 0) node.port->lose_notices();
  }

  void restart_what_is_down() {
    for (auto& node : world_.nodes) {
      if (!node->agent) world_.note("the agent of " + node->name + " starts");
      world_.start(*node);
    }
    for (auto& controller : world_.controllers) {
      if (!controller->loop) world_.note(controller->name + " starts");
      world_.start(*controller);
    }
  }

  void disturb_the_api() {
    fakes::FakeKube& server = world_.kube().server();
    switch (world_.dice.below(8)) {
      case 0:
        world_.note("the API forgets its history and drops watches");
        server.compact();
        return server.drop_watches();
      case 1:
        world_.note("the API drops watches");
        return server.drop_watches();
      case 2:
        world_.note("continue tokens expire");
        return server.expire_continue_tokens();
      case 3:
        return server.send_bookmarks();
      case 4:
        world_.note("garbage is collected");
        server.collect_garbage(world_.now());
        return;
      case 5: {
        Node& node = some_node();
        world_.note("node " + node.name + " is re-created");
        world_.request("DELETE", "/api/v1/nodes/" + node.name);
        return world_.make_node(node.name);
      }
      case 6: {
        Node& node = some_node();
        world_.note("somebody deletes the object of " + node.name);
        world_.request("DELETE", std::string(kSetsPath) + "/" + node.name);
        return;
      }
      default: {
        ControllerProcess& controller = some_controller();
        world_.note("the wall clock of " + controller.name + " jumps");
        return controller.clock.set_wall_offset(seconds(world_.dice.below(40)) - seconds(20));
      }
    }
  }

  void disturb_a_node() {
    Node& node = some_node();
    switch (world_.dice.below(8)) {
      case 0:
        if (!node.port) return;
        world_.note("notices of " + node.name + " overflow");
        return node.port->overflow();
      case 1:
        if (!node.port) return;
        world_.note("notices of " + node.name + " are lost");
        return node.port->lose_notices();
      case 2:
        if (!node.port) return;
        world_.note("file calls of " + node.name + " fail at times");
        return node.port->set_failures(static_cast<unsigned>(world_.dice.below(200)));
      case 3:
        if (node.port) node.port->set_failures(0);
        return;
      case 4:
        return change_foreign(node);
      case 5:
        return remove_a_link(node);
      case 6: {
        const bool absent = node.files.root_state(kAppsRoot) == RootState::kUsable;
        world_.note("root apps of " + node.name + (absent ? " vanishes" : " is back"));
        const RootState state = absent ? RootState::kAbsent : RootState::kUsable;
        node.checker->disturb();
        return world_.change_files(
            node, [&](FakeFiles& files) { files.set_root_state(kAppsRoot, state); });
      }
      default:
        return node.clock.set_wall_offset(seconds(world_.dice.below(40)) - seconds(20));
    }
  }

  void change_foreign(Node& node) {
    const std::string name = "web-" + std::to_string(world_.dice.below(3)) + "_prod_app-" +
                             (world_.dice.below(2) == 0 ? "a" : "app") + ".log";
    if (node.checker->foreign().count(name) > 0) {
      world_.note("a stranger removes its " + name + " on " + node.name);
      node.checker->forget_foreign(name);
      return node.files.remove_entry(name);
    }
    if (node.files.link_directory().count(name) > 0) return;
    LinkEntry entry{name, world_.dice.below(2) == 0, ""};
    if (entry.is_link) entry.target = "/etc/shadow";
    world_.note("a stranger puts " + name + " on " + node.name);
    node.checker->add_foreign(entry);
    node.files.put_entry(entry);
  }

  void remove_a_link(Node& node) {
    for (const auto& [name, entry] : node.files.link_directory()) {
      if (node.checker->foreign().count(name) > 0 || world_.dice.below(3) > 0) continue;
      const std::string removed = name;
      world_.note("a stranger removes our " + removed + " on " + node.name);
      node.checker->stranger_removed(removed);
      return node.files.remove_entry(removed);
    }
  }

  void make_peace() {
    world_.note("peace");
    world_.kube().set_network({milliseconds(20), 0, 0, 0, 0, 0, 0, 0, 0});
    world_.heal();
    tenants_.finish();
    restart_what_is_down();
    for (auto& node : world_.nodes) {
      node->port->set_failures(0);
      node->port->crash_at_change(0);
      node->api->crash_at_write(0);
      world_.change_files(
          *node, [&](FakeFiles& files) { files.set_root_state(kAppsRoot, RootState::kUsable); });
    }
    for (auto& controller : world_.controllers) controller->api->crash_at_write(0);
  }

  void converge() {
    const MonotonicTime end = world_.now().monotonic + kConvergeWithin;
    std::string last = mismatch(world_, tenants_.pods());
    while (!last.empty()) {
      if (world_.now().monotonic > end) world_.complain("no convergence: " + last);
      world_.run(seconds(5));
      // What was shutting down, or about to die, when peace came.
      restart_what_is_down();
      last = mismatch(world_, tenants_.pods());
    }
    world_.check_foreign();
  }

  void be_still() {
    // Who was to die at the answer to a write that was under way when peace came.
    world_.run(seconds(10));
    restart_what_is_down();
    const bool all_have_objects =
        std::all_of(world_.nodes.begin(), world_.nodes.end(),
                    [&](const auto& node) { return world_.has_object(*node); });
    world_.run(all_have_objects ? kTidyWithin : kForgetWithin);
    restart_what_is_down();
    const std::uint64_t asked = world_.writes_asked;
    std::uint64_t changes = 0;
    for (const auto& node : world_.nodes) changes += node->files.link_changes();
    world_.run(kStillFor);
    for (const auto& node : world_.nodes) changes -= node->files.link_changes();
    if (world_.writes_asked != asked) world_.complain("still writing to the API in peace");
    if (changes != 0) world_.complain("still changing links in peace");
    const std::string found = mismatch(world_, tenants_.pods());
    if (!found.empty()) world_.complain("no rest: " + found);
  }

  World world_;
  Tenants tenants_;
  bool rough_ = false;
};

}  // namespace

ScheduleResult run_schedule(std::uint64_t seed, int steps, Detail detail) {
  ScheduleResult result;
  result.seed = seed;
  Schedule schedule(seed, detail);
  try {
    schedule.run(steps, result.steps);
  } catch (const Violation& violation) {
    result.violation = violation.what;
    result.history = schedule.history();
    result.last_actions = schedule.last_actions();
    result.state = schedule.state();
  }
  result.fingerprint = schedule.fingerprint();
  return result;
}

std::string describe(const ScheduleResult& result, int steps) {
  return "seed " + std::to_string(result.seed) + ", after " + std::to_string(result.steps) +
         " steps: " + result.violation + "\n" + result.history + result.state +
         "run again: loglink-sim --seed " + std::to_string(result.seed) + " --steps " +
         std::to_string(steps) + "\n";
}

}  // namespace loglink::sim
