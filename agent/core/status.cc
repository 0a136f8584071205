#include "agent/core/status.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "lib/base/text.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

struct PodKey {
  std::string namespace_name;
  std::string pod;
  std::string uid;

  auto operator<=>(const PodKey&) const = default;
};

// A tenant knows its volumes, not the kubelet's directories.
std::string shown(const Source& source, std::string text) {
  const std::string prefix = source.uid + "/" + std::string(names::kEmptyDirSegment);
  if (source.root == names::kKubeletPodsRoot && text.compare(0, prefix.size(), prefix) == 0) {
    return text.substr(prefix.size());
  }
  return text;
}

std::string_view cure(Reason reason) {
  static constexpr std::array<std::pair<Reason, std::string_view>, 6> kCures = {{
      {Reason::kNotARegularFile, "only regular files are linked"},
      {Reason::kNameTaken, "something else has the link's name"},
      {Reason::kNameCollision, "another file has the link's name"},
      {Reason::kNameTooLong, "the link's name would be too long"},
      {Reason::kAlreadyLinked, "another link has the file"},
      {Reason::kLinkLimitReached, "a limit on links is reached"},
  }};
  for (const auto& [known, text] : kCures) {
    if (known == reason) return text;
  }
  return "";
}

std::string about_files(const Source& source, Reason reason, const FileTrouble& trouble) {
  std::string text(cure(reason));
  if (!text.empty()) text += ": ";
  for (std::size_t i = 0; i < trouble.examples.size(); ++i) {
    if (i > 0) text += ", ";
    text += shown(source, trouble.examples[i]);
  }
  const int more = trouble.files - static_cast<int>(trouble.examples.size());
  if (more > 0) text += " and " + std::to_string(more) + " more";
  return text;
}

bool is_refused_directory(Reason reason) {
  switch (severity(reason)) {
    case Severity::kSource:
      return true;
    case Severity::kLimit:
    case Severity::kMissing:
    case Severity::kFile:
    case Severity::kSkip:
    case Severity::kTold:
    case Severity::kCondition:
      return false;
  }
  __builtin_unreachable();
}

void add_root_trouble(const StatusInput& input, const Source& source,
                      std::vector<SourceTrouble>& found) {
  const auto root = input.roots.find(source.root);
  const RootState state = root == input.roots.end() ? RootState::kAbsent : root->second;
  switch (state) {
    case RootState::kUsable:
      return;
    case RootState::kAbsent:
      found.push_back(
          {Reason::kDirectoryNotFound, 0, "root " + source.root + " is not there on this node"});
      return;
    case RootState::kUnsafe:
      found.push_back(
          {Reason::kUnsafeRoot, 0, "root " + source.root + " is not mounted safely on this node"});
      return;
    case RootState::kRemote:
      found.push_back({Reason::kUnsupportedFileSystem, 1,
                       "root " + source.root + " is on a network or user-space file system"});
      return;
  }
}

std::size_t json_bytes(std::string_view text) {
  return text.size() + static_cast<std::size_t>(std::count_if(
                           text.begin(), text.end(), [](char c) { return c == '"' || c == '\\'; }));
}

std::size_t entry_bytes(const PodLinks& pod) {
  // Keys, quotes, commas and two numbers.
  constexpr std::size_t kFrame = 112;
  return kFrame + pod.namespace_name.size() + pod.pod.size() + pod.uid.size() + pod.reason.size() +
         json_bytes(pod.message);
}

}  // namespace

std::vector<SourceTrouble> troubles_of(const StatusInput& input, SourceId id) {
  const IndexedSource& each = input.sources.at(id);
  std::vector<SourceTrouble> found;
  if (each.refusal) {
    found.push_back({each.refusal->reason, 1, each.refusal->message});
    return found;
  }
  add_root_trouble(input, each.source, found);
  if (found.empty()) {
    for (const DirectoryTrouble& trouble : input.troubles(id)) {
      found.push_back({trouble.reason, is_refused_directory(trouble.reason) ? 1 : 0,
                       shown(each.source, trouble.example)});
    }
  }
  if (id < input.outcomes.size()) {
    for (const auto& [reason, trouble] : input.outcomes[id].refusals) {
      found.push_back({reason, trouble.files, about_files(each.source, reason, trouble)});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return severity(a.reason) < severity(b.reason);
  });
  return found;
}

NodeLinkSetStatus build_status(const StatusInput& input) {
  NodeLinkSetStatus status;
  status.observed_generation = input.generation;
  status.links = input.links;
  std::map<PodKey, PodLinks> pods;
  std::map<PodKey, std::vector<SourceTrouble>> troubles;
  for (SourceId id = 0; id < input.sources.sources().size(); ++id) {
    const Source& source = input.sources.at(id).source;
    const PodKey key{source.namespace_name, source.pod, source.uid};
    PodLinks& pod = pods[key];
    pod.namespace_name = key.namespace_name;
    pod.pod = key.pod;
    pod.uid = key.uid;
    if (id < input.outcomes.size()) pod.links += input.outcomes[id].links;
    for (SourceTrouble& trouble : troubles_of(input, id)) {
      pod.refused += trouble.refused;
      troubles[key].push_back(std::move(trouble));
    }
  }
  for (auto& [key, pod] : pods) {
    status.refused += pod.refused;
    std::vector<SourceTrouble>& found = troubles[key];
    if (!found.empty()) {
      const auto worst = std::min_element(
          found.begin(), found.end(),
          [](const auto& a, const auto& b) { return severity(a.reason) < severity(b.reason); });
      pod.reason = std::string(to_string(worst->reason));
      std::string text = worst->text;
      const std::size_t others = found.size() - 1;
      if (others > 0) text += "; and " + std::to_string(others) + " more";
      pod.message = sanitize(text, limits::kMessageBytes);
    }
    status.pods.push_back(std::move(pod));
  }
  status.pod_count = static_cast<int>(status.pods.size());
  bound_status(status);
  return status;
}

std::size_t estimated_bytes(const NodeLinkSetStatus& status) {
  std::size_t bytes = 2048;  // counts, and a few conditions at their longest
  for (const PodLinks& pod : status.pods) bytes += entry_bytes(pod);
  return bytes;
}

void bound_status(NodeLinkSetStatus& status) {
  std::size_t bytes = estimated_bytes(status);
  const auto fits = [&] { return bytes <= limits::kStatusBytes; };
  for (auto pod = status.pods.rbegin(); pod != status.pods.rend() && !fits(); ++pod) {
    bytes -= json_bytes(pod->message);
    pod->message.clear();
  }
  for (const bool troubled_too : {false, true}) {
    for (std::size_t i = status.pods.size(); i > 0; --i) {
      if (fits() && status.pods.size() <= limits::kStatusPods) return;
      const PodLinks& pod = status.pods[i - 1];
      if (!pod.reason.empty() && !troubled_too) continue;
      bytes -= entry_bytes(pod);
      status.pods.erase(status.pods.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  }
}

void set_condition(std::vector<Condition>& conditions, Condition condition, WallTime now) {
  condition.last_transition = now;
  condition.message = sanitize(condition.message, limits::kMessageBytes);
  for (Condition& known : conditions) {
    if (known.type != condition.type) continue;
    if (known.status == condition.status) condition.last_transition = known.last_transition;
    known = std::move(condition);
    return;
  }
  conditions.push_back(std::move(condition));
}

void clear_condition(std::vector<Condition>& conditions, const std::string& type) {
  std::erase_if(conditions, [&type](const Condition& each) { return each.type == type; });
}

}  // namespace loglink
