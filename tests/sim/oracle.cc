#include "tests/sim/oracle.h"

#include <algorithm>

namespace loglink::sim {
namespace {

using nlohmann::json;

// Who wants a file, and where the file is.
struct Wanted {
  FileInfo info;
  std::vector<std::pair<const PodFact*, Asked>> by;
};
using WantedFiles = std::map<std::string, Wanted>;  // by target

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void collect(FakeFiles& files, const PodFact& pod, const Asked& asked, const std::string& directory,
             int level, WantedFiles& wanted) {
  const auto listing = files.entries(asked.root, directory);
  if (!listing) return;
  for (const DirectoryEntry& entry : *listing) {
    const std::string path = directory + "/" + entry.name;
    if (entry.info.kind == FileKind::kDirectory && level < pod.max_depth) {
      collect(files, pod, asked, path, level + 1, wanted);
    }
    if (entry.info.kind != FileKind::kRegular || !matches(pod.include, entry.name)) continue;
    Wanted& one = wanted[kTargetPrefix + asked.root + "/" + path];
    one.info = entry.info;
    one.by.emplace_back(&pod, asked);
  }
}

WantedFiles wanted_on(Node& node, const std::vector<PodFact>& pods) {
  WantedFiles wanted;
  for (const PodFact& pod : pods) {
    if (pod.node != node.name) continue;
    for (const Asked& asked : asked_by(pod)) {
      if (!asked.refused) collect(node.files, pod, asked, asked.path, 1, wanted);
    }
  }
  return wanted;
}

bool is_right_name(const std::string& name, const std::string& target, const Wanted& wanted) {
  const std::string file = base_of(target);
  return std::any_of(wanted.by.begin(), wanted.by.end(), [&](const auto& each) {
    const auto& [pod, asked] = each;
    const NameForm form = name_form(name, pod->name, pod->namespace_name, asked.container, file);
    if (form == NameForm::kNone) return false;
    const bool direct = target == kTargetPrefix + asked.root + "/" + asked.path + "/" + file;
    const bool plain = direct && asked.first && may_be_plain(file);
    return form == (plain ? NameForm::kPlain : NameForm::kHashed);
  });
}

bool is_limited(const Node& node) {
  const AgentLimits defaults;
  return node.config.limits.links_per_source != defaults.links_per_source ||
         node.config.limits.links_per_node != defaults.links_per_node;
}

// The names that a wanted file may have are taken by strangers.
bool name_is_taken(const Node& node, const std::string& target, const Wanted& wanted) {
  return std::any_of(node.checker->foreign().begin(), node.checker->foreign().end(),
                     [&](const auto& each) { return is_right_name(each.first, target, wanted); });
}

std::string check_links(Node& node, const std::vector<PodFact>& pods) {
  const WantedFiles wanted = wanted_on(node, pods);
  std::set<FileId> linked;
  for (const auto& [name, entry] : node.files.link_directory()) {
    if (node.checker->foreign().count(name) > 0) continue;
    const auto found = wanted.find(entry.target);
    if (found == wanted.end()) return node.name + ": unwanted link " + name + " -> " + entry.target;
    if (!is_right_name(name, entry.target, found->second)) {
      return node.name + ": wrong name " + name + " -> " + entry.target;
    }
    linked.insert(found->second.info.id);
  }
  for (const auto& [target, one] : wanted) {
    if (linked.count(one.info.id) > 0) continue;
    if (is_limited(node) || name_is_taken(node, target, one)) continue;
    if (node.checker->was_linked_elsewhere(one.info, target)) continue;
    return node.name + ": no link to " + target;
  }
  return "";
}

int links_of(const Node& node, const PodFact& pod) {
  const std::string prefix = pod.name + "_" + pod.namespace_name + "_";
  int links = 0;
  for (const auto& [name, entry] : node.files.link_directory()) {
    if (node.checker->foreign().count(name) > 0) continue;
    if (name.compare(0, prefix.size(), prefix) == 0) ++links;
  }
  return links;
}

std::string expected_word(Node& node, const PodFact& pod) {
  bool refused = false;
  bool accepted = false;
  bool there = false;
  for (const Asked& asked : asked_by(pod)) {
    refused = refused || asked.refused;
    if (asked.refused) continue;
    accepted = true;
    there = there || node.files.entries(asked.root, asked.path).has_value();
  }
  if (!accepted) return "Invalid";
  if (refused) return "Degraded";
  return there ? "Linked" : "Pending";
}

std::string check_answers(World& world, Node& node, const PodFact& pod) {
  const std::string where = pod.namespace_name + "/" + pod.name;
  const json stored =
      world.object("/api/v1/namespaces/" + pod.namespace_name + "/pods/" + pod.name);
  if (stored.is_null()) return where + " is not there";
  const json annotations = stored["metadata"].value("annotations", json::object());
  const std::string word = annotations.value("loglink/status", "");
  const std::string links = annotations.value("loglink/links", "");
  if (!pod.annotated()) {
    if (word.empty() && links.empty()) return "";
    return where + " has answers without asking: " + word + " " + links;
  }
  const std::string expected = expected_word(node, pod);
  const bool may_be_limited = is_limited(node) && word == "Degraded" && expected == "Linked";
  if (word != expected && !may_be_limited && !(pod.finished && !word.empty())) {
    return where + " says " + word + " (" + annotations.value("loglink/message", "") + "), it is " +
           expected;
  }
  if (links != std::to_string(links_of(node, pod))) {
    return where + " says " + links + " links, there are " + std::to_string(links_of(node, pod));
  }
  return "";
}

std::string check_report(World& world, Node& node) {
  const json set = world.object(std::string(kSetsPath) + "/" + node.name);
  if (set.is_null()) return node.checker->own_links() == 0 ? "" : node.name + " has no object";
  const json status = set.value("status", json::object());
  if (status.value("links", 0) != static_cast<int>(node.checker->own_links())) {
    return node.name + " reports " + std::to_string(status.value("links", 0)) + " links of " +
           std::to_string(node.checker->own_links());
  }
  if (status.value("observedGeneration", 0) != set["metadata"].value("generation", 0)) {
    return node.name + " has not observed the last generation";
  }
  return "";
}

}  // namespace

std::string mismatch(World& world, const std::vector<PodFact>& pods) {
  for (const auto& node : world.nodes) {
    std::string found = check_links(*node, pods);
    if (found.empty()) found = check_report(world, *node);
    for (const PodFact& pod : pods) {
      if (found.empty() && pod.node == node->name) found = check_answers(world, *node, pod);
    }
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace loglink::sim
