#include "tests/sim/pod_fact.h"

#include <algorithm>
#include <set>

namespace loglink::sim {
namespace {

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool ends_with_digest(std::string_view text) {
  if (text.size() < 9 || text[text.size() - 9] != '-') return false;
  return std::all_of(text.end() - 8, text.end(), is_hex);
}

}  // namespace

std::vector<Asked> asked_by(const PodFact& pod) {
  std::vector<Asked> result;
  std::set<std::string> containers;
  const std::string volumes = pod.uid + "/volumes/kubernetes.io~empty-dir/";
  for (const std::string& item : pod.items) {
    Asked asked{"app", kPodsRoot, volumes + "logs", false, false};
    if (item == "/data") asked = {"app", kAppsRoot, pod.host_directory, false, false};
    if (item == "/data/sub") asked = {"app", kAppsRoot, pod.host_directory + "/sub", false, false};
    if (item == "side:/aux") asked = {"side", kPodsRoot, volumes + "aux", false, false};
    if (item == "/opt") asked.refused = true;
    if (!asked.refused) asked.first = containers.insert(asked.container).second;
    result.push_back(std::move(asked));
  }
  return result;
}

bool matches(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    if (matches(pattern.substr(1), text)) return true;
    return !text.empty() && matches(pattern, text.substr(1));
  }
  if (text.empty()) return false;
  if (pattern.front() != '?' && pattern.front() != text.front()) return false;
  return matches(pattern.substr(1), text.substr(1));
}

bool parse_target(std::string_view target, TargetText& parsed) {
  for (const char* root : {kPodsRoot, kAppsRoot}) {
    const std::string prefix = kTargetPrefix + std::string(root) + "/";
    if (target.substr(0, prefix.size()) != prefix) continue;
    parsed = {root, std::string(target.substr(prefix.size()))};
    const std::string fenced = "/" + parsed.path + "/";
    return fenced.find("//") == std::string::npos && fenced.find("/../") == std::string::npos &&
           fenced.find("/./") == std::string::npos;
  }
  return false;
}

int level_below(std::string_view directory, std::string_view path) {
  if (path.size() <= directory.size() + 1 || path.substr(0, directory.size()) != directory ||
      path[directory.size()] != '/') {
    return 0;
  }
  const std::string_view rest = path.substr(directory.size() + 1);
  return 1 + static_cast<int>(std::count(rest.begin(), rest.end(), '/'));
}

bool may_be_plain(std::string_view file) {
  if (file.size() < 5 || file.substr(file.size() - 4) != ".log") return false;
  const std::string_view stem = file.substr(0, file.size() - 4);
  if (stem.front() == '-' || stem.front() == '.' || ends_with_digest("-" + std::string(stem))) {
    return false;
  }
  return std::all_of(stem.begin(), stem.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' ||
           c == '_' || c == '-';
  });
}

NameForm name_form(std::string_view name, std::string_view pod, std::string_view namespace_name,
                   std::string_view container, std::string_view file) {
  const std::string prefix =
      std::string(pod) + "_" + std::string(namespace_name) + "_" + std::string(container) + "-";
  if (name.substr(0, prefix.size()) != prefix) return NameForm::kNone;
  const std::string_view rest = name.substr(prefix.size());
  if (rest == file && may_be_plain(file)) return NameForm::kPlain;
  if (rest.size() < 5 || rest.substr(rest.size() - 4) != ".log") return NameForm::kNone;
  const bool hashed = ends_with_digest("-" + std::string(rest.substr(0, rest.size() - 4)));
  return hashed ? NameForm::kHashed : NameForm::kNone;
}

}  // namespace loglink::sim
