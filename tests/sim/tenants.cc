#include "tests/sim/tenants.h"

#include <algorithm>

namespace loglink::sim {
namespace {

using nlohmann::json;

const std::vector<std::string> kFiles = {"a.log",   "b.log", "app.log", "app-2026-01-01.log",
                                         "c d.log", ".log",  "err.txt", "app.log.1"};

std::string path_of(const PodFact& pod) {
  return "/api/v1/namespaces/" + pod.namespace_name + "/pods/" + pod.name;
}

json manifest(const PodFact& pod, const json& annotations) {
  json result = json::parse(R"({
    "spec": {
      "containers": [
        {"name": "app", "image": "app:1",
         "volumeMounts": [{"name": "logs", "mountPath": "/logs"},
                          {"name": "host", "mountPath": "/data"}]},
        {"name": "side", "image": "side:1",
         "volumeMounts": [{"name": "aux", "mountPath": "/aux"}]}],
      "volumes": [{"name": "logs", "emptyDir": {}}, {"name": "aux", "emptyDir": {}},
                  {"name": "host", "hostPath": {"path": ""}}]}})");
  result["metadata"] = {{"name", pod.name}, {"annotations", annotations}};
  result["spec"]["nodeName"] = pod.node;
  result["spec"]["volumes"][2]["hostPath"]["path"] = "/data/apps/" + pod.host_directory;
  return result;
}

}  // namespace

Node& Tenants::node_of(const PodFact& pod) {
  for (const auto& node : world_.nodes) {
    if (node->name == pod.node) return *node;
  }
  throw std::logic_error("a pod on no node");
}

// --- pods ---------------------------------------------------------------------------------------

void Tenants::ask(PodFact& pod) {
  static const std::vector<std::vector<std::string>> kItems = {{},
                                                               {"/logs"},
                                                               {"/logs"},
                                                               {"/data"},
                                                               {"/logs", "/data"},
                                                               {"/opt"},
                                                               {"/data/sub", "/data"},
                                                               {"/data", "side:/aux"},
                                                               {"/logs", "/opt"}};
  pod.items = kItems[world_.dice.below(kItems.size())];
  pod.include = world_.dice.below(5) == 0 ? "*.txt" : "*.log";
  pod.max_depth = static_cast<int>(1 + world_.dice.below(2));
}

json Tenants::annotations_of(const PodFact& pod) {
  json result = {
      {"loglink/watch-dir", nullptr}, {"loglink/include", nullptr}, {"loglink/max-depth", nullptr}};
  if (!pod.annotated()) return result;
  std::string items;
  for (const std::string& item : pod.items) items += (items.empty() ? "" : ",") + item;
  result["loglink/watch-dir"] = items;
  if (pod.include != "*.log") result["loglink/include"] = pod.include;
  if (pod.max_depth != 1) result["loglink/max-depth"] = std::to_string(pod.max_depth);
  return result;
}

void Tenants::create_pod() {
  PodFact pod;
  pod.namespace_name = world_.dice.below(3) == 0 ? "dev" : "prod";
  pod.name = "web-" + std::to_string(world_.dice.below(3));
  for (const PodFact& other : pods_) {
    if (other.name == pod.name && other.namespace_name == pod.namespace_name) return;
  }
  pod.node = world_.nodes[world_.dice.below(world_.nodes.size())]->name;
  pod.host_directory = world_.dice.below(2) == 0 ? "shared" : pod.namespace_name + "-" + pod.name;
  ask(pod);
  json annotations = json::object();
  const json all = annotations_of(pod);
  for (const auto& [key, value] : all.items()) {
    if (!value.is_null()) annotations[key] = value;
  }
  const auto answer = world_.request("POST", "/api/v1/namespaces/" + pod.namespace_name + "/pods",
                                     manifest(pod, annotations));
  if (answer.status != 201) throw std::logic_error(answer.body);
  pod.uid = json::parse(answer.body)["metadata"]["uid"].get<std::string>();
  world_.registry[pod.uid] = {pod.namespace_name, pod.name};
  world_.note("pod " + pod.namespace_name + "/" + pod.name + " on " + pod.node + " asks " +
              annotations.dump() + " uid " + pod.uid + " host " + pod.host_directory);
  pods_.push_back(std::move(pod));
}

void Tenants::annotate(PodFact& pod) {
  ask(pod);
  const json annotations = annotations_of(pod);
  world_.note("pod " + pod.namespace_name + "/" + pod.name + " asks " + annotations.dump());
  world_.request("PATCH", path_of(pod), {{"metadata", {{"annotations", annotations}}}},
                 "application/merge-patch+json");
}

void Tenants::delete_pod(PodFact& pod) {
  if (world_.dice.below(2) == 0) {
    pod.terminating = true;
    world_.note("pod " + pod.namespace_name + "/" + pod.name + " terminates");
    world_.request("DELETE", path_of(pod));
    return;
  }
  world_.note("pod " + pod.namespace_name + "/" + pod.name + " is deleted");
  world_.request("DELETE", path_of(pod), {{"gracePeriodSeconds", 0}});
  forget(pod);
}

void Tenants::end_deletion(PodFact& pod) {
  world_.note("pod " + pod.namespace_name + "/" + pod.name + " has terminated");
  world_.kube().server().finish_pod_deletion(pod.namespace_name, pod.name, world_.now());
  forget(pod);
}

void Tenants::finish_pod(PodFact& pod) {
  pod.finished = true;
  world_.note("pod " + pod.namespace_name + "/" + pod.name + " succeeds");
  world_.request("PATCH", path_of(pod) + "/status", {{"status", {{"phase", "Succeeded"}}}},
                 "application/merge-patch+json");
}

void Tenants::forget(const PodFact& pod) {
  const std::string uid = pod.uid;
  std::erase_if(pods_, [&](const PodFact& each) { return each.uid == uid; });
}

// The kubelet removes the directories of pods that are gone.
void Tenants::clean_up(Node& node) {
  for (const auto& [uid, name] : world_.registry) {
    const std::string& id = uid;
    const bool lives = std::any_of(pods_.begin(), pods_.end(), [&](const PodFact& pod) {
      return pod.uid == id && pod.node == node.name;
    });
    if (lives || !node.files.exists(kPodsRoot, uid)) continue;
    world_.note(node.name + " removes the directory of " + uid);
    world_.change_files(node, [&](FakeFiles& files) { files.remove(kPodsRoot, id); });
  }
}

void Tenants::change_a_pod() {
  if (pods_.empty()) return create_pod();
  PodFact& pod = pods_[world_.dice.below(pods_.size())];
  switch (world_.dice.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return create_pod();
    case 4:
    case 5:
      return annotate(pod);
    case 6:
      if (pod.terminating) return end_deletion(pod);
      return delete_pod(pod);
    case 7:
      if (pod.terminating) return end_deletion(pod);
      return;
    case 8:
      return clean_up(*world_.nodes[world_.dice.below(world_.nodes.size())]);
    default:
      if (world_.dice.below(3) == 0) finish_pod(pod);
      return;
  }
}

void Tenants::finish() {
  while (true) {
    const auto one = std::find_if(pods_.begin(), pods_.end(),
                                  [](const PodFact& pod) { return pod.terminating; });
    if (one == pods_.end()) break;
    end_deletion(*one);
  }
  for (const auto& node : world_.nodes) clean_up(*node);
}

// --- files --------------------------------------------------------------------------------------

void Tenants::file_appears(Node& node, const std::string& root, const std::string& path) {
  if (node.files.exists(root, path)) {
    const auto info = node.files.inspect(root, path);
    if (!info || info->kind != FileKind::kRegular) return;
    if (world_.dice.below(2) == 0) {
      world_.note(node.name + " append " + path);
      world_.change_files(node, [&](FakeFiles& files) { files.append(root, path, 10); });
    } else {
      world_.note(node.name + " truncate " + path);
      world_.change_files(node, [&](FakeFiles& files) { files.write_file(root, path, 0); });
    }
    return;
  }
  world_.note(node.name + " create " + path);
  world_.change_files(node, [&](FakeFiles& files) { files.write_file(root, path, 1); });
}

void Tenants::file_is_replaced(Node& node, const std::string& root, const std::string& path) {
  const bool there = node.files.exists(root, path);
  const auto info = node.files.inspect(root, path);
  const std::uint64_t kind = world_.dice.below(6);
  world_.note(node.name + " replace " + path + " by kind " + std::to_string(kind));
  world_.change_files(node, [&](FakeFiles& files) {
    if (there) files.remove(root, path);
    switch (kind) {
      case 0:
        return files.make_symlink(root, path);
      case 1:
        return files.make_special(root, path, FileKind::kFifo);
      case 2:
        return files.make_directory(root, path);
      case 3: {
        // A new file on the old one's inode, unless another name keeps that.
        if (!info || files.has(info->id)) return;
        const std::uint64_t next = files.next_inode();
        files.set_next_inode(info->id.inode);
        files.write_file(root, path, 5);
        return files.set_next_inode(next);
      }
      default:
        return;  // it is gone
    }
  });
}

void Tenants::file_is_rotated(Node& node, const std::string& root, const std::string& path) {
  const auto info = node.files.inspect(root, path);
  if (!info || info->kind != FileKind::kRegular) return;
  const std::string directory = path.substr(0, path.rfind('/') + 1);
  const std::string to = directory + kFiles[world_.dice.below(kFiles.size())];
  if (to == path ||
      node.files.inspect(root, to).value_or(FileInfo{}).kind == FileKind::kDirectory) {
    return;
  }
  const std::uint64_t kind = world_.dice.below(4);
  world_.note(node.name + " rotate " + path + " to " + to + " kind " + std::to_string(kind));
  world_.change_files(node, [&](FakeFiles& files) {
    if (kind == 3) {
      if (!files.exists(root, to)) files.make_hard_link(root, to, path);
      return;
    }
    if (files.exists(root, to)) files.remove(root, to);
    files.rename(root, path, to);
    if (kind == 0) files.write_file(root, path, 1);
  });
}

void Tenants::change_a_file() {
  if (pods_.empty()) return;
  PodFact pod = pods_[world_.dice.below(pods_.size())];
  if (!pod.annotated()) pod.items = {"/logs"};
  const std::vector<Asked> asked = asked_by(pod);
  const Asked& one = asked[world_.dice.below(asked.size())];
  Node& node = node_of(pod);
  std::string directory = one.path;
  if (world_.dice.below(4) == 0) directory += "/sub";
  const std::string path = directory + "/" + kFiles[world_.dice.below(kFiles.size())];
  // A parent that is no directory is in the way of everything.
  const auto parent = node.files.inspect(one.root, directory);
  if (!parent && parent.error().kind != FileErrorKind::kNotFound) return;
  if (parent && parent->kind != FileKind::kDirectory) return;
  switch (world_.dice.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
      return file_appears(node, one.root, path);
    case 5:
      return file_is_replaced(node, one.root, path);
    case 6:
    case 7:
      return file_is_rotated(node, one.root, path);
    case 8:
      world_.note(node.name + " directory " + directory);
      return world_.change_files(
          node, [&](FakeFiles& files) { files.make_directory(one.root, directory); });
    default:
      if (!parent || world_.dice.below(3) > 0) return;
      world_.note(node.name + " remove directory " + directory);
      return world_.change_files(node,
                                 [&](FakeFiles& files) { files.remove(one.root, directory); });
  }
}

}  // namespace loglink::sim
