#include "tests/e2e/support/world.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include "lib/base/unique_fd.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;

fs::path make_temporary_directory() {
  std::string pattern = (fs::temp_directory_path() / "loglink-e2e-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  return pattern;
}

std::string random_word() {
  std::random_device device;
  static constexpr char kLetters[] = "abcdefghijkmnpqrstuvwxyz";
  std::string word;
  for (int i = 0; i < 6; ++i) word += kLetters[device() % (sizeof(kLetters) - 1)];
  return word;
}

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

int free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  // The casts are those that the sockets API asks for.
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("no free port");
  }
  return ntohs(address.sin_port);
}

std::string http_get(int port, const std::string& path) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return "";
  }
  const std::string request = "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0) return "";
  std::string answer;
  char buffer[4096];
  for (ssize_t count = 1; (count = ::recv(socket.get(), buffer, sizeof(buffer), 0)) > 0;) {
    answer.append(buffer, static_cast<std::size_t>(count));
  }
  return answer;
}

World::World() : base_(make_temporary_directory()), run_(random_word()), node_(unique("node")) {
  if (const char* real = std::getenv("LOGLINK_TEST_KUBECONFIG")) {
    kubeconfig_ = real;
  } else {
    kubeconfig_ = (base_ / "cluster/kubeconfig").string();
    fs::create_directories(base_ / "logs");
    embedded_ = std::make_unique<Program>(
        std::vector<std::string>{program_path("loglink-embedded-apiserver"), "--dir",
                                 (base_ / "cluster").string()},
        (base_ / "logs/apiserver").string());
    if (!eventually(
            [&] { return embedded_->output().find("listening on") != std::string::npos; })) {
      throw std::runtime_error("the embedded API server did not start: " + embedded_->output());
    }
  }
  set_up();
}

World::World(std::string kubeconfig)
    : base_(make_temporary_directory()),
      run_(random_word()),
      node_(unique("node")),
      kubeconfig_(std::move(kubeconfig)) {
  set_up();
}

void World::set_up() {
  for (const char* folder : {"kubelet/pods", "apps", "run", "state", "logs"}) {
    fs::create_directories(base_ / folder);
  }
  api_ = std::make_unique<ApiClient>(kubeconfig_);
  for (const std::string& name : {node_, unique("other-node")}) {
    api_->create("/api/v1/nodes",
                 {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", name}}}});
  }
  for (const std::string name : {"default", "loglink-system"}) {
    api_->create("/api/v1/namespaces",
                 {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", name}}}});
  }
  controller_port_ = free_port();
  agent_port_ = free_port();
  write_configurations();
}

World::~World() {
  stop_programs();
  for (const std::string& name : pods_) api_->remove("/api/v1/namespaces/default/pods/" + name);
  for (const std::string& name : {node_, unique("other-node")}) {
    api_->remove("/apis/loglink.io/v1alpha1/nodelinksets/" + name);
    api_->remove("/api/v1/nodes/" + name);
  }
  if (::testing::Test::HasFailure()) {
    for (const char* log : {"apiserver", "controller", "agent"}) {
      std::fprintf(stderr, "--- output of the %s:\n%s\n", log,
                   read_file(base_ / "logs" / log).c_str());
    }
  }
  std::error_code ignored;
  fs::remove_all(base_, ignored);
}

void World::write_configurations() {
  const std::string shared =
      "linkDir: " + links().string() + "\nrootsDir: " + (base_ / "run/roots").string() +
      "\nstateDir: " + (base_ / "state").string() +
      "\nlinger: 1s\nroots:\n- {name: kubelet-pods, path: " + (base_ / "kubelet/pods").string() +
      "}\n- {name: apps, path: " + (base_ / "apps").string() + "}\n";
  // A Lease of our own: another test's controller may still hold one.
  write_file(
      base_ / "controller.yaml",
      shared + "metricsAddress: 127.0.0.1:" + std::to_string(controller_port_) +
          "\nleaderElection: {leaseNamespace: loglink-system, leaseName: " + unique("controller") +
          ", leaseDuration: 3s, renewDeadline: 2s, retryPeriod: 500ms}\n");
  write_file(base_ / "agent.yaml",
             shared + "metricsAddress: 127.0.0.1:" + std::to_string(agent_port_) +
                 "\nnodeName: " + node_ + "\nlinkMode: direct\nrescanInterval: 5s\n");
}

std::string World::create_pod(const std::string& name, const std::string& node,
                              const Json& annotations, const Json& volumes, const Json& mounts) {
  api_->create(
      "/api/v1/namespaces/default/pods",
      {{"apiVersion", "v1"},
       {"kind", "Pod"},
       {"metadata", {{"name", name}, {"annotations", annotations}}},
       {"spec",
        {{"nodeName", node},
         {"volumes", volumes},
         {"containers",
          Json::array({{{"name", "app"}, {"image", "app:1"}, {"volumeMounts", mounts}}})}}}});
  pods_.push_back(name);
  const std::optional<Json> made = pod(name);
  return made ? made->at("metadata").at("uid").get<std::string>() : "";
}

void World::delete_pod(const std::string& name) {
  api_->remove("/api/v1/namespaces/default/pods/" + name);
}

std::optional<Json> World::pod(const std::string& name) {
  return api_->get("/api/v1/namespaces/default/pods/" + name);
}

std::string World::annotation(const std::string& name, const std::string& key) {
  const std::optional<Json> object = pod(name);
  if (!object) return "";
  const Json annotations = object->at("metadata").value("annotations", Json::object());
  return annotations.value(key, "");
}

std::optional<Json> World::node_link_set() {
  return api_->get("/apis/loglink.io/v1alpha1/nodelinksets/" + node_);
}

fs::path World::empty_dir(const std::string& uid, const std::string& volume) const {
  return base_ / "kubelet/pods" / uid / "volumes/kubernetes.io~empty-dir" / volume;
}

void World::start_controller(const std::string& use_kubeconfig) {
  controller_ = std::make_unique<Program>(
      std::vector<std::string>{program_path("loglink-controller"), "run", "--config",
                               (base_ / "controller.yaml").string(), "--kubeconfig",
                               use_kubeconfig.empty() ? kubeconfig_ : use_kubeconfig},
      (base_ / "logs/controller").string());
}

void World::start_agent(const std::string& use_kubeconfig) {
  agent_ = std::make_unique<Program>(
      std::vector<std::string>{program_path("loglink-agent"), "run", "--config",
                               (base_ / "agent.yaml").string(), "--kubeconfig",
                               use_kubeconfig.empty() ? kubeconfig_ : use_kubeconfig},
      (base_ / "logs/agent").string());
}

void World::stop_programs() {
  for (std::unique_ptr<Program>* program : {&controller_, &agent_}) {
    if (!*program) continue;
    (*program)->signal(SIGTERM);
    (*program)->wait(std::chrono::seconds(10));
    program->reset();
  }
}

std::string World::readyz(const std::string& program) const {
  const std::string answer =
      http_get(program == "controller" ? controller_port_ : agent_port_, "/readyz");
  const std::size_t status = answer.find(' ');
  const std::size_t body = answer.find("\r\n\r\n");
  if (status == std::string::npos || body == std::string::npos) return "";
  return answer.substr(status + 1, 3) + " " + answer.substr(body + 4);
}

std::vector<std::string> World::link_names() const {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(links(), error)) {
    if (entry.is_symlink()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

void write_file(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

void append_file(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::app) << text;
}

std::string read_file(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::uint64_t link_inode(const fs::path& link) {
  struct stat status {};
  return ::lstat(link.c_str(), &status) == 0 ? status.st_ino : 0;
}

}  // namespace loglink::testing
