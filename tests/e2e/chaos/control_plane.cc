#include "tests/e2e/chaos/control_plane.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

// Of scripts/chaos: all programs under test.
constexpr char kProgramsGroup[] = "loglink-chaos";
constexpr char kSparedFlow[] = "loglink-chaos-leases";
constexpr char kPods[] = "/api/v1/namespaces/default/pods";
constexpr char kPriorityLevels[] =
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations";
constexpr char kFlowSchemas[] = "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas";

std::string line_of(const std::filesystem::path& path) {
  std::string line;
  std::ifstream file(path);
  if (!std::getline(file, line)) throw std::runtime_error("cannot read " + path.string());
  return line;
}

std::vector<std::string> command_line_of(const std::string& pid) {
  std::ifstream file("/proc/" + pid + "/cmdline");
  std::vector<std::string> argv;
  for (std::string word; std::getline(file, word, '\0');) argv.push_back(word);
  if (argv.empty()) throw std::runtime_error("there is no process " + pid);
  return argv;
}

// A process that nobody has waited for yet is gone too.
bool is_running(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  std::getline(file, stat);
  const std::size_t name_end = stat.rfind(") ");
  return name_end != std::string::npos && stat[name_end + 2] != 'Z';
}

std::string kubeconfig_text(const std::string& server, const std::string& token) {
  return "apiVersion: v1\nkind: Config\nclusters:\n- {name: c, cluster: {" + server +
         "}}\nusers:\n- {name: u, user: {token: " + token +
         "}}\ncontexts:\n- {name: x, context: {cluster: c, user: u}}\ncurrent-context: x\n";
}

Json flow_schema(const char* name, const char* level, const char* group, const char* resource,
                 int precedence) {
  const Json everything = Json::array({"*"});
  const Json subject = {{"kind", "Group"}, {"group", {{"name", kProgramsGroup}}}};
  const Json resources = {{"verbs", everything},
                          {"apiGroups", Json::array({group})},
                          {"resources", Json::array({resource})},
                          {"namespaces", everything},
                          {"clusterScope", true}};
  const Json rule = {{"subjects", Json::array({subject})},
                     {"resourceRules", Json::array({resources})}};
  const Json spec = {{"priorityLevelConfiguration", {{"name", level}}},
                     {"matchingPrecedence", precedence},
                     {"rules", Json::array({rule})}};
  return {{"apiVersion", "flowcontrol.apiserver.k8s.io/v1"},
          {"kind", "FlowSchema"},
          {"metadata", {{"name", name}}},
          {"spec", spec}};
}

}  // namespace

ControlPlane::ControlPlane(std::filesystem::path directory)
    : directory_(std::move(directory)),
      argv_(command_line_of(line_of(directory_ / "apiserver.pid"))),
      etcd_argv_(command_line_of(line_of(directory_ / "etcd.pid"))) {
  const std::string etcd = line_of(directory_ / "etcd.url");
  write_file(directory_ / "etcd.kubeconfig", kubeconfig_text("server: \"" + etcd + "\"", "none"));
}

int ControlPlane::port() const {
  const std::string admin = read_file(kubeconfig());
  return std::stoi(admin.substr(admin.find("127.0.0.1:") + 10));
}

std::string ControlPlane::next_token(std::string* user) {
  std::ifstream tokens(directory_ / "tokens.csv");
  std::string line;
  for (int i = 0; i <= users_; ++i) {
    if (!std::getline(tokens, line)) throw std::runtime_error("no more tokens");
  }
  ++users_;
  // token,user,uid,"groups"
  const std::size_t comma = line.find(',');
  if (user != nullptr) *user = line.substr(comma + 1, line.find(',', comma + 1) - comma - 1);
  return line.substr(0, comma);
}

std::string ControlPlane::next_kubeconfig(std::string& user, int port) {
  const std::string token = next_token(&user);
  const std::string admin = read_file(kubeconfig());
  const std::size_t server = admin.find("server: ");
  std::string cluster = admin.substr(server, admin.find("}}", server) - server);
  if (port != 0) {
    const std::size_t digits = cluster.find("127.0.0.1:") + 10;
    cluster.replace(digits, cluster.find('"', digits) - digits, std::to_string(port));
  }
  const std::filesystem::path path = directory_ / (user + ".kubeconfig");
  write_file(path, kubeconfig_text(cluster, token));
  return path;
}

void ControlPlane::stop_api_server(int signal) {
  const int pid = std::stoi(line_of(directory_ / "apiserver.pid"));
  ::kill(pid, signal);
  if (api_server_) {
    ASSERT_TRUE(api_server_->wait(std::chrono::seconds(90)).has_value());
    return;
  }
  ASSERT_TRUE(eventually([&] { return !is_running(pid); }));
}

void ControlPlane::start_api_server() {
  const std::string log = directory_ / ("apiserver-" + std::to_string(++starts_) + ".log");
  const auto start = [&] {
    api_server_ = std::make_unique<Program>(argv_, log);
    // For scripts/control-plane down.
    write_file(directory_ / "apiserver.pid", std::to_string(api_server_->pid()) + "\n");
  };
  start();
  ApiClient api(kubeconfig());
  ASSERT_TRUE(eventually([&] {
    // Threads of the one before may hold the port for a moment after it is dead.
    if (api_server_->wait(std::chrono::milliseconds(0))) start();
    return api.send(Method::kGet, "/readyz").has_value();
  })) << read_file(log);
}

void ControlPlane::forget_history() {
  ApiClient etcd(directory_ / "etcd.kubeconfig");
  const auto ask = [&](const std::string& what, const Json& body) {
    const auto answer = etcd.send(Method::kPost, "/v3/kv/" + what, "application/json", body.dump());
    if (!answer) throw std::runtime_error("etcd refused a " + what + ": " + answer.error().message);
    return Json::parse(answer->body);
  };
  // "/chaos", whose writes move the version on: the cache of the next start begins behind them.
  const Json write = {{"key", "L2NoYW9z"}, {"value", "AA=="}};
  ask("put", write);
  const Json revision = ask("put", write).at("header").at("revision");
  ask("compaction", {{"revision", revision}, {"physical", true}});
}

void ControlPlane::stop_etcd() {
  const int pid = std::stoi(line_of(directory_ / "etcd.pid"));
  ::kill(pid, SIGTERM);
  if (etcd_) {
    ASSERT_TRUE(etcd_->wait(std::chrono::seconds(90)).has_value());
    return;
  }
  ASSERT_TRUE(eventually([&] { return !is_running(pid); }));
}

void ControlPlane::start_etcd() {
  etcd_ = std::make_unique<Program>(etcd_argv_,
                                    directory_ / ("etcd-" + std::to_string(++starts_) + ".log"));
  write_file(directory_ / "etcd.pid", std::to_string(etcd_->pid()) + "\n");
}

void ControlPlane::back_up() {
  stop_api_server(SIGKILL);
  stop_etcd();
  std::filesystem::copy(directory_ / "etcd", directory_ / "backup",
                        std::filesystem::copy_options::recursive);
  start_etcd();
  start_api_server();
}

void ControlPlane::restore() {
  stop_api_server(SIGKILL);
  stop_etcd();
  std::filesystem::remove_all(directory_ / "etcd");
  std::filesystem::rename(directory_ / "backup", directory_ / "etcd");
  start_etcd();
  start_api_server();
}

void ControlPlane::limit_programs(bool spare_leases) {
  ApiClient api(kubeconfig());
  // Without a share one request at a time is let in still.
  const Json limited = {{"nominalConcurrencyShares", 0},
                        {"lendablePercent", 0},
                        {"borrowingLimitPercent", 0},
                        {"limitResponse", {{"type", "Reject"}}}};
  api.create(kPriorityLevels, {{"apiVersion", "flowcontrol.apiserver.k8s.io/v1"},
                               {"kind", "PriorityLevelConfiguration"},
                               {"metadata", {{"name", kProgramsGroup}}},
                               {"spec", {{"type", "Limited"}, {"limited", limited}}}});
  api.create(kFlowSchemas, flow_schema(kProgramsGroup, kProgramsGroup, "*", "*", 20));
  if (spare_leases) {
    api.create(kFlowSchemas,
               flow_schema(kSparedFlow, "exempt", "coordination.k8s.io", "leases", 10));
  }
  // A request has its turn for as long as its body takes to come.
  const std::string request =
      "sleep 3 | curl -s -o /dev/null --cacert '" + (directory_ / "pki/ca.crt").string() +
      "' -H 'Authorization: Bearer " + next_token() +
      "' -H 'Content-Type: application/json' -X POST -T - 'https://127.0.0.1:" +
      std::to_string(port()) + kPods + "?dryRun=All'";
  crowd_ = std::make_unique<Program>(
      std::vector<std::string>{"/bin/sh", "-c", "while :; do (" + request + ") & sleep 0.2; done"},
      directory_ / "crowd.log");
}

std::chrono::seconds ControlPlane::asked_to_wait() {
  const std::vector<std::string> argv = {
      "/usr/bin/curl",
      "-s",
      "-o",
      "/dev/null",
      "-w",
      "%{http_code} %header{retry-after}",
      "--cacert",
      (directory_ / "pki/ca.crt").string(),
      "-H",
      "Authorization: Bearer " + next_token(),
      "https://127.0.0.1:" + std::to_string(port()) + "/api/v1/namespaces/default"};
  const std::filesystem::path log = directory_ / "asked.log";
  std::string answer;
  // One at a time is let in.
  EXPECT_TRUE(eventually([&] {
    std::filesystem::remove(log);
    Program(argv, log).wait(std::chrono::seconds(10));
    answer = read_file(log);
    return answer.rfind("429 ", 0) == 0;
  })) << answer;
  return std::chrono::seconds(std::atoi(answer.c_str() + 4));
}

void ControlPlane::stop_limiting_programs() {
  crowd_.reset();
  ApiClient api(kubeconfig());
  api.remove(std::string(kFlowSchemas) + "/" + kProgramsGroup);
  api.remove(std::string(kFlowSchemas) + "/" + kSparedFlow);
  api.remove(std::string(kPriorityLevels) + "/" + kProgramsGroup);
}

}  // namespace loglink::testing
