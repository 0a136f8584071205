#include "tests/sim/world.h"

#include <algorithm>

namespace loglink::sim {
namespace {

using nlohmann::json;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t kLastActions = 30;
constexpr std::size_t kOrphans = 8;

fakes::FakeKubeOptions kube_options(std::uint64_t seed, const Now& now) {
  fakes::FakeKubeOptions options;
  options.seed = seed;
  options.pod_deletion = fakes::PodDeletion::kWhenFinished;
  options.watch_list = seed % 4 != 0;
  // A schedule depends on how many bytes there are to split: the seeds that found something would
  // say nothing any more.
  options.protobuf = false;
  options.start = now;
  return options;
}

std::vector<Root> roots() {
  return {Root{kPodsRoot, "/var/lib/kubelet/pods", {"*"}, false},
          Root{kAppsRoot, "/data/apps", {"*"}, false}};
}

// Short, so that a schedule sees a life's end.
void set_times(SharedConfig& config) {
  config.roots = roots();
  config.linger = seconds(30);
}

ControllerConfig controller_config() {
  ControllerConfig config;
  set_times(config);
  config.leader_election.lease_duration = seconds(45);
  config.leader_election.renew_deadline = seconds(30);
  config.leader_election.retry_period = seconds(6);
  return config;
}

// What the chart grants, no more.
std::vector<fakes::AllowRule> controller_rules() {
  return {
      {{"get", "list", "watch"}, {"pods"}, {}, {}},
      {{"patch"}, {"pods/status"}, {}, {}},
      {{"get"}, {"nodes"}, {}, {}},
      {{"get", "list", "watch", "create", "update", "patch", "delete"}, {"nodelinksets"}, {}, {}},
      {{"create", "patch"}, {"events"}, {}, {}},
      {{"get", "update"}, {"leases"}, {"loglink-controller"}, {"loglink-system"}},
      {{"create"}, {"leases"}, {}, {"loglink-system"}}};
}

std::vector<fakes::AllowRule> agent_rules() {
  return {{{"get", "list", "watch"}, {"nodelinksets"}, {}, {}},
          {{"update"}, {"nodelinksets/status"}, {}, {}}};
}

}  // namespace

World::World(std::uint64_t seed, bool traced)
    : dice(seed),
      traced_(traced),
      now_{MonotonicTime{hours(1)}, WallTime(seconds(1'790'000'000))},
      kube_(std::make_unique<fakes::SimKube>(kube_options(seed, now_), seed)) {
  for (const char* name : {"prod", "dev", "loglink-system"}) {
    request("POST", "/api/v1/namespaces", {{"metadata", {{"name", name}}}});
  }
  kube_->step(now_);  // tells it the time
  kube_->set_after_request(
      [this](const std::string& token, const UnaryRequest& asked,
             const fakes::FakeResponse& response) { check_request(token, asked, response); });
  const std::uint64_t node_count = 1 + dice.below(3);
  for (std::uint64_t i = 0; i < node_count; ++i) {
    const std::string name = "node-" + std::to_string(i);
    auto node = std::make_unique<Node>(now_, static_cast<int>(900 + dice.below(201)), name);
    make_node(name);
    kube_->server().set_user("agent-" + name, "system:serviceaccount:loglink-system:agent",
                             agent_rules());
    for (const char* root : {kPodsRoot, kAppsRoot}) node->files.add_root(root);
    node->files.set_time(node->clock.now().wall);
    node->config.node_name = name;
    set_times(node->config);
    node->config.missing_target_grace = seconds(90);
    if (dice.below(4) == 0) node->config.limits.links_per_source = 3;
    if (dice.below(8) == 0) node->config.limits.links_per_node = 4;
    node->checker = std::make_unique<NodeChecker>(
        node->files, node->clock, node->config, registry,
        [this, name](const std::string& what) { complain(name + ": " + what); });
    nodes.push_back(std::move(node));
  }
  for (const char* name : {"controller-a", "controller-b"}) {
    controllers.push_back(
        std::make_unique<ControllerProcess>(now_, static_cast<int>(900 + dice.below(201)), name));
  }
}

World::~World() {
  for (auto& node : nodes) kill(*node);
  for (auto& controller : controllers) kill(*controller);
  orphans_.clear();
}

void World::note(const std::string& action) {
  const auto passed =
      std::chrono::duration_cast<std::chrono::milliseconds>(now_.monotonic.since_epoch - hours(1));
  history_.push_back(std::to_string(passed.count()) + " ms: " + action);
}

namespace {

std::string to_text(const std::vector<std::string>& lines, std::size_t from) {
  std::string text;
  for (std::size_t i = from; i < lines.size(); ++i) text += "  " + lines[i] + "\n";
  return text;
}

}  // namespace

std::string World::history() const { return to_text(history_, 0); }

std::string World::last_actions() const {
  return to_text(history_, history_.size() - std::min(history_.size(), kLastActions));
}

std::string World::state() {
  std::string text = "lease " + object(kLeasePath).dump() + "\n";
  for (const auto& node : nodes) {
    text += node->name + (node->agent ? "\n" : ", without an agent\n");
    const std::string path = std::string(kSetsPath) + "/" + node->name;
    text += "  object " + object(path).dump() + "\n";
    if (node->agent && node->agent->agent().desired()) {
      const NodeLinkSet& desired = *node->agent->agent().desired();
      text +=
          "  observed " + desired.uid + " generation " + std::to_string(desired.generation) + "\n";
    }
    for (const auto& [name, entry] : node->files.link_directory()) {
      text += "  has " + name + " -> " + entry.target + "\n";
    }
    if (!node->agent) continue;
    for (const std::string& line : node->agent->agent().explain()) text += "  " + line + "\n";
  }
  return text;
}

namespace {

std::string describe(const LinkChange& change) {
  switch (change.kind) {
    case LinkChange::Kind::kMake:
      return "links " + change.name + " -> " + change.new_target;
    case LinkChange::Kind::kReplace:
      return "re-points " + change.name + " -> " + change.new_target + ", was " + change.old_target;
    case LinkChange::Kind::kRemove:
      return "removes " + change.name + " -> " + change.old_target;
  }
  __builtin_unreachable();
}

// What a program logs.
template <class Line>
std::string described(const Line& line) {
  std::string text = line.message;
  for (const auto& [key, value] : line.fields) text += " " + key + "=" + value;
  return text;
}

}  // namespace

// --- processes ----------------------------------------------------------------------------------

void World::start(Node& node) {
  if (node.agent) return;
  node.files.restart();
  node.port = std::make_unique<SimFiles>(node.files, dice);
  node.port->set_failures(file_failures);
  node.port->set_observer(
      [this, &node](const LinkChange& change) {
        node.checker->observe(node.agent->agent().desired());
        trace_set(node);
        trace([&] { return node.name + " " + describe(change); });
        node.checker->before_change(change);
      },
      [&node](const LinkChange& change) { node.checker->after_change(change); });
  node.api = std::make_unique<SimApi>(kube_->connect("agent-" + node.name, node.clock), dice);
  node.api->set_observer([this, &node](const UnaryRequest& asked) { check_status(node, asked); });
  AgentLoopOptions options;
  options.config = node.config;
  options.wake = [&node] { node.awake = true; };
  node.agent = std::make_unique<AgentLoop>(std::move(options), *node.api, *node.api, *node.port,
                                           node.clock, dice);
  node.agent->start();
  node.awake = true;
  node.checker->agent_starts();
}

void World::start(ControllerProcess& controller) {
  if (controller.loop) return;
  const std::string instance = controller.name + "-" + std::to_string(++controller.starts);
  kube_->server().set_user(instance, "system:serviceaccount:loglink-system:controller",
                           controller_rules());
  controller.api = std::make_unique<SimApi>(kube_->connect(instance, controller.clock), dice);
  controller.loop = std::make_unique<ControllerLoop>(
      controller_config(), instance,
      ControllerPorts{*controller.api, *controller.api, *controller.api, controller.clock, dice},
      [this, instance](const Remark& said) {
        trace([&] { return instance + ": " + described(said); });
      },
      [&controller] { controller.awake = true; });
  controller.loop->start();
}

void World::kill(Node& node) {
  node.agent.reset();
  node.port.reset();
  bury(node);
}

void World::kill(ControllerProcess& controller) {
  controller.loop.reset();
  bury(controller);
}

void World::bury(Process& process) {
  process.frozen_until.reset();
  process.cut_off_until.reset();
  if (process.api) {
    process.api->client().set_dead();
    orphans_.push_back(std::move(process.api));
  }
  if (orphans_.size() > kOrphans) orphans_.erase(orphans_.begin());
}

void World::crashed(const Crash& crash) {
  for (auto& node : nodes) {
    if (crash.port != node->port.get() && crash.port != node->api.get()) continue;
    note("the agent of " + node->name + " dies");
    return kill(*node);
  }
  for (auto& controller : controllers) {
    if (crash.port != controller->api.get()) continue;
    note(controller->name + " dies");
    return kill(*controller);
  }
}

std::vector<Process*> World::processes() {
  std::vector<Process*> all;
  for (const auto& node : nodes) all.push_back(node.get());
  for (const auto& controller : controllers) all.push_back(controller.get());
  return all;
}

void World::freeze(Process& process, Duration time) {
  note(process.name + " freezes");
  process.frozen_until = now_.monotonic + time;
  process.api->client().set_frozen(true);
}

void World::thaw(Process& process) {
  note(process.name + " goes on");
  process.frozen_until.reset();
  process.awake = true;
  process.api->client().set_frozen(false);
  for (const auto& node : nodes) {
    if (node.get() == &process) node->checker->agent_was_frozen();
  }
}

void World::cut_off(Process& process, fakes::SimLink link, Duration time) {
  note(process.name + " is cut off, kind " + std::to_string(static_cast<int>(link)));
  process.cut_off_until = now_.monotonic + time;
  process.api->client().set_link(link);
}

void World::reconnect(Process& process) {
  note(process.name + " is connected again");
  process.cut_off_until.reset();
  process.api->client().set_link(fakes::SimLink::kUp);
}

void World::end_faults_that_are_over() {
  for (Process* process : processes()) {
    if (process->frozen_until && *process->frozen_until <= now_.monotonic) thaw(*process);
    if (process->cut_off_until && *process->cut_off_until <= now_.monotonic) reconnect(*process);
  }
}

void World::heal() {
  for (Process* process : processes()) {
    if (process->api) process->api->freeze_at_write(0, {});
    if (process->frozen_until) thaw(*process);
    if (process->cut_off_until) reconnect(*process);
  }
}

// --- work ---------------------------------------------------------------------------------------

bool World::is_due(const Node& node) const {
  if (node.frozen_until) return false;
  return node.agent && (node.awake || node.port->has_notices() ||
                        node.agent->next_wakeup() <= node.clock.now().monotonic);
}

bool World::is_due(const ControllerProcess& controller) const {
  if (controller.frozen_until) return false;
  return controller.loop &&
         (controller.awake || controller.loop->next_wakeup() <= controller.clock.now().monotonic);
}

void World::observe() {
  for (auto& node : nodes) {
    if (!node->agent) continue;
    node->checker->observe(node->agent->agent().desired());
    trace_set(*node);
  }
}

void World::trace_set(Node& node) {
  const std::optional<NodeLinkSet>& set = node.agent->agent().desired();
  if (!traced_ || !set) return;
  std::string text = set->uid + " generation " + std::to_string(set->generation);
  for (const Source& source : set->spec.sources) {
    text += " [" + source.pod + " " + source.container + " " + source.root + ":" + source.path +
            (source.withdrawn() ? " withdrawn" : "") + (source.finished ? " finished]" : "]");
  }
  if (text == std::exchange(node.traced_set, text)) return;
  trace([&] { return node.name + " goes by " + text; });
}

void World::step(Node& node) {
  node.checker->begin_step();
  if (node.port->fails_at_times()) node.checker->disturb();
  node.awake = false;
  if (node.agent->step()) node.awake = true;
  node.checker->end_step();
  for (const LogNote& said : node.agent->take_notes()) {
    trace([&] { return node.name + ": " + described(said); });
  }
}

void World::step(ControllerProcess& controller) {
  controller.awake = false;
  controller.loop->step();
  if (controller.loop->finished()) kill(controller);
}

bool World::work() {
  const std::size_t count = nodes.size() + controllers.size() + 1;
  const std::size_t first = dice.below(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t one = (first + i) % count;
    try {
      if (one < nodes.size()) {
        if (!is_due(*nodes[one])) continue;
        step(*nodes[one]);
      } else if (one < count - 1) {
        ControllerProcess& controller = *controllers[one - nodes.size()];
        if (!is_due(controller)) continue;
        step(controller);
      } else {
        if (!kube_->step(now_)) continue;
      }
    } catch (const Crash& crash) {
      crashed(crash);
    }
    observe();
    return true;
  }
  return false;
}

void World::wait(Duration most) {
  MonotonicTime next = std::min(kube_->next_due(), now_.monotonic + most);
  for (const auto& node : nodes) {
    if (!node->agent || node->frozen_until) continue;
    next = std::min(next, node->clock.world_time(node->agent->next_wakeup()));
  }
  for (const auto& controller : controllers) {
    if (!controller->loop || controller->frozen_until) continue;
    next = std::min(next, controller->clock.world_time(controller->loop->next_wakeup()));
  }
  for (const Process* process : processes()) {
    if (process->frozen_until) next = std::min(next, *process->frozen_until);
    if (process->cut_off_until) next = std::min(next, *process->cut_off_until);
  }
  const Duration passed = std::max(next - now_.monotonic, Duration(1000));
  now_.monotonic = now_.monotonic + passed;
  now_.wall += passed;
  for (const auto& node : nodes) node->files.set_time(node->clock.now().wall);
  end_faults_that_are_over();
}

void World::run(Duration time) {
  const MonotonicTime end = now_.monotonic + time;
  for (int round = 0; now_.monotonic < end; ++round) {
    if (round > 200'000) complain("the system never rests");
    if (!work()) wait(end - now_.monotonic);
  }
}

// --- the API ------------------------------------------------------------------------------------

fakes::FakeResponse World::request(const std::string& method, const std::string& target,
                                   const json& body, const std::string& type) {
  fakes::FakeRequest http;
  http.method = method;
  http.target = target;
  http.accept = "application/json";
  http.content_type = type;
  http.authorization = "Bearer admin-token";
  if (!body.is_null()) http.body = body.dump();
  return kube_->server().handle(http, now_);
}

json World::object(const std::string& path) {
  const std::string text = kube_->server().object(path);
  return text.empty() ? json() : json::parse(text);
}

bool World::has_object(const Node& node) {
  return !kube_->server().object(std::string(kSetsPath) + "/" + node.name).empty();
}

void World::make_node(const std::string& name) {
  request("POST", "/api/v1/nodes", {{"metadata", {{"name", name}}}});
}

// Who may write what, and when.
void World::check_request(const std::string& token, const UnaryRequest& asked,
                          const fakes::FakeResponse& response) {
  const std::string what = token + " " + std::string(to_string(asked.method)) + " " + asked.target;
  trace([&] { return what + ": " + std::to_string(response.status); });
  if (response.status == 403) complain("asks for more than it is granted: " + what);
  if (asked.method == Method::kGet) return;
  if (token.rfind("agent-", 0) == 0) {
    const std::string own = std::string(kSetsPath) + "/" + token.substr(6) + "/status";
    if (asked.target.rfind(own, 0) != 0) complain("S7 an agent writes elsewhere: " + what);
    ++writes_asked;
    return;
  }
  if (asked.target.find("/leases") != std::string::npos) return;
  ++writes_asked;
  if (response.status >= 300) return;
  const json lease = object(kLeasePath);
  std::string holder;
  if (!lease.is_null()) holder = lease["spec"].value("holderIdentity", "");
  if (holder != token) complain("a write by " + token + " while " + holder + " leads: " + what);
  if (asked.method == Method::kPut && asked.target.find("nodelinksets") != std::string::npos) {
    const json body = json::parse(asked.body);
    const std::string version = body["metadata"].value("resourceVersion", "");
    if (version.empty()) complain("a PUT without resourceVersion: " + what);
  }
  if (asked.method == Method::kPatch && asked.target.find("/pods/") != std::string::npos) {
    const json metadata = json::parse(asked.body)["metadata"];
    if (metadata.value("uid", "").empty()) complain("a patch that is not for one pod: " + what);
  }
}

void World::check_status(Node& node, const UnaryRequest& asked) {
  const json status = json::parse(asked.body).value("status", json::object());
  int links = 0;
  for (const json& pod : status.value("pods", json::array())) links += pod.value("links", 0);
  node.checker->check_status(status.value("links", 0), links);
}

void World::check_foreign() {
  for (const auto& node : nodes) node->checker->check_foreign();
}

}  // namespace loglink::sim
