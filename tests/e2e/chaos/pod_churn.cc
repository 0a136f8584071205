#include "tests/e2e/chaos/pod_churn.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <random>
#include <set>

namespace loglink::testing {
namespace {

constexpr char kPods[] = "/api/v1/namespaces/default/pods";
constexpr char kObjects[] = "/apis/loglink.io/v1alpha1/nodelinksets";
constexpr int kPodsAtOnce = 60;
constexpr auto kBetweenChanges = std::chrono::milliseconds(70);

// What a pod asks for: links, nonsense, nothing.
const std::vector<Json>& requests() {
  static const std::vector<Json> kRequests = {"/var/log/app", "/var/log/app", "not/absolute",
                                              nullptr};
  return kRequests;
}

std::string annotation_of(const Json& pod, const std::string& key) {
  return pod.at("metadata").value("annotations", Json::object()).value(key, "");
}

std::string uid_of(const Json& object) {
  return object.at("metadata").at("uid").get<std::string>();
}
std::string name_of(const Json& object) {
  return object.at("metadata").at("name").get<std::string>();
}

bool is_valid(const Json& pod) { return annotation_of(pod, "loglink/watch-dir") == "/var/log/app"; }

}  // namespace

PodChurn::PodChurn(World& world) : world_(world), nodes_({world.node()}) {
  for (const char* name : {"bare-a", "bare-b", "bare-c"}) {
    nodes_.push_back(world.unique(name));
    world.api().create(
        "/api/v1/nodes",
        {{"apiVersion", "v1"}, {"kind", "Node"}, {"metadata", {{"name", nodes_.back()}}}});
  }
  thread_ = std::thread([this]() noexcept { run(); });
}

PodChurn::~PodChurn() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void PodChurn::run() {
  ApiClient api(world_.kubeconfig());
  std::mt19937 random(1);
  while (!eventually([&] { return stopping_.load(); }, kBetweenChanges)) {
    change(api, static_cast<unsigned>(random()));
  }
}

// Whether the server took it is not asked: what counts is what it has in the end.
void PodChurn::change(ApiClient& api, unsigned random) {
  const Json& request = requests()[random / 16 % requests().size()];
  Json annotations = Json::object();
  if (!request.is_null()) annotations["loglink/watch-dir"] = request;
  const auto name = [&](int serial) { return world_.unique("churn-" + std::to_string(serial)); };
  const auto some_pod = [&] {
    const int first = std::max(0, created_ - kPodsAtOnce);
    return name(first + static_cast<int>(random / 256) % std::max(1, created_ - first));
  };
  ++changes_;
  if (random % 4 == 0 && created_ > 0) {
    if (request.is_null()) annotations["loglink/watch-dir"] = nullptr;
    const Json patch = {{"metadata", {{"annotations", annotations}}}};
    api.send(Method::kPatch, kPods + ("/" + some_pod()), "application/merge-patch+json",
             patch.dump());
    return;
  }
  if (random % 4 == 1 && created_ > 0) {
    remove(api, some_pod());
    return;
  }
  const Json pod = {
      {"apiVersion", "v1"},
      {"kind", "Pod"},
      {"metadata", {{"name", name(created_)}, {"annotations", annotations}}},
      {"spec",
       {{"nodeName", nodes_[random / 4 % nodes_.size()]},
        {"volumes", Json::array({{{"name", "logs"}, {"emptyDir", Json::object()}}})},
        {"containers",
         Json::array({{{"name", "app"},
                       {"image", "app:1"},
                       {"volumeMounts",
                        Json::array({{{"name", "logs"}, {"mountPath", "/var/log/app"}}})}}})}}}};
  ++created_;
  const UnaryResult made = api.send(Method::kPost, kPods, "application/json", pod.dump());
  if (made && pod.at("spec").at("nodeName") == world_.node()) {
    const Json object = Json::parse(made->body);
    uids_[name_of(object)] = uid_of(object);
    make_log_file(uid_of(object));
  }
  if (created_ > kPodsAtOnce) remove(api, name(created_ - kPodsAtOnce - 1));
}

void PodChurn::remove(ApiClient& api, const std::string& name) {
  const UnaryResult gone =
      api.send(Method::kDelete, kPods + ("/" + name) + "?gracePeriodSeconds=0");
  const auto uid = uids_.find(name);
  if (!gone || uid == uids_.end()) return;
  std::filesystem::remove_all(world_.path("kubelet/pods/" + uid->second));
  uids_.erase(uid);
}

void PodChurn::make_log_file(const std::string& uid) const {
  const auto file = world_.empty_dir(uid, "logs") / "app.log";
  if (!std::filesystem::exists(file)) write_file(file, "line\n");
}

bool PodChurn::stop() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
  std::optional<Json> pods;
  if (!eventually([&] { return (pods = world_.api().peek(kPods)).has_value(); })) return false;
  std::set<std::string> uids;
  for (const Json& pod : pods->at("items")) {
    uids.insert(uid_of(pod));
    if (pod.at("spec").value("nodeName", "") == world_.node()) make_log_file(uid_of(pod));
  }
  std::vector<std::filesystem::path> orphans;
  for (const auto& entry : std::filesystem::directory_iterator(world_.path("kubelet/pods"))) {
    if (!uids.contains(entry.path().filename())) orphans.push_back(entry.path());
  }
  for (const auto& orphan : orphans) std::filesystem::remove_all(orphan);
  return true;
}

std::string PodChurn::wrong_pod(const Json& pod) const {
  const std::string status = annotation_of(pod, "loglink/status");
  const std::string wanted = annotation_of(pod, "loglink/watch-dir");
  const bool has_agent = pod.at("spec").value("nodeName", "") == world_.node();
  std::string right;
  if (is_valid(pod)) right = has_agent ? "Linked" : "Pending";
  if (!is_valid(pod) && !wanted.empty()) right = "Invalid";
  if (status != right) {
    return name_of(pod) + " asks for \"" + wanted + "\" and has the status \"" + status +
           "\" instead of \"" + right + "\" (" + annotation_of(pod, "loglink/message") + ")";
  }
  if (right == "Linked" && annotation_of(pod, "loglink/links") != "1") {
    return name_of(pod) + " has not one link";
  }
  if (right == "Invalid" &&
      annotation_of(pod, "loglink/message").find("InvalidDirectory") == std::string::npos) {
    return name_of(pod) + " is not told why: " + annotation_of(pod, "loglink/message");
  }
  if (right.empty() && !annotation_of(pod, "loglink/message").empty()) {
    return name_of(pod) + " asks for nothing and has a message";
  }
  return "";
}

std::string PodChurn::wrong_links(const std::vector<std::string>& pods) const {
  for (const std::string& pod : pods) {
    const auto link = world_.links() / (pod + "_default_app-app.log");
    if (read_file(link) != "line\n") return link.string() + " does not lead to the pod's file";
  }
  const std::size_t links = world_.link_names().size();
  if (links == pods.size()) return "";
  return std::to_string(links) + " links for " + std::to_string(pods.size()) + " pods";
}

std::string PodChurn::wrong() {
  const auto pods = world_.api().peek(kPods);
  const auto objects = world_.api().peek(kObjects);
  if (!pods || !objects) return "the server does not answer";
  std::map<std::string, std::set<std::string>> right;
  std::vector<std::string> linked;
  for (const Json& pod : pods->at("items")) {
    if (std::string found = wrong_pod(pod); !found.empty()) return found;
    if (!is_valid(pod)) continue;
    const std::string node = pod.at("spec").value("nodeName", "");
    right[node].insert(uid_of(pod));
    if (node == world_.node()) linked.push_back(name_of(pod));
  }
  for (const std::string& node : nodes_) {
    std::set<std::string> published;
    for (const Json& object : objects->at("items")) {
      if (name_of(object) != node) continue;
      for (const Json& source : object.at("spec").value("sources", Json::array())) {
        if (!source.contains("removeAfter")) published.insert(source.at("uid").get<std::string>());
      }
    }
    if (published != right[node]) {
      return node + " has " + std::to_string(published.size()) + " sources, not the " +
             std::to_string(right[node].size()) + " of its pods";
    }
  }
  return wrong_links(linked);
}

void PodChurn::remove_everything() {
  const auto pods = world_.api().peek(kPods);
  if (!pods) return;
  for (const Json& pod : pods->at("items")) {
    world_.api().remove(kPods + ("/" + name_of(pod)));
  }
  for (const std::string& node : nodes_) {
    world_.api().remove(kObjects + ("/" + node));
    world_.api().remove("/api/v1/nodes/" + node);
  }
}

}  // namespace loglink::testing
