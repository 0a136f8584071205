#include "agent/core/status.h"

#include <algorithm>
#include <array>
#include <set>
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
      {Reason::kNotARegularFile, "only regular files are linked; log to a regular file"},
      {Reason::kNameTaken,
       "something that is not loglink's has the link's name; ask the administrator to remove it"},
      {Reason::kNameCollision,
       "another file has the link's name; rename one of them, or wait if it is no longer asked "
       "for"},
      {Reason::kNameTooLong,
       "the link's name or the path that it leads to would be too long; shorten the pod's or the "
       "container's name, or the names of the directories"},
      {Reason::kAlreadyLinked,
       "another link has the file, so that no line is lost; loglink/exclude it here"},
      {Reason::kLinkLimitReached,
       "a limit on links is reached; remove old files or narrow loglink/include"},
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
      // The kubelet's directory is on each node; another root may be of other nodes only.
      if (input.safe_mode && source.root == names::kKubeletPodsRoot) {
        found.push_back({Reason::kUnsafeRoot, 0,
                         "root " + source.root +
                             " has no safe mount on this node; ask the administrator to run "
                             "`loglink-agent mount`"});
        return;
      }
      found.push_back(
          {Reason::kDirectoryNotFound, 0,
           "root " + source.root + " is not there on this node; ask the administrator"});
      return;
    case RootState::kUnsafe:
      found.push_back(
          {Reason::kUnsafeRoot, 0,
           "root " + source.root + " is not mounted safely on this node; ask the administrator"});
      return;
    case RootState::kRemote:
      found.push_back(
          {Reason::kUnsupportedFileSystem, 1,
           "root " + source.root +
               " is on a network or user-space file system; ask the administrator for another"});
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
  std::set<PodKey> unread;
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
    // Nobody asks for it any more: its links are told as long as they are there, not its troubles.
    if (source.withdrawn()) continue;
    if (input.is_unread(id)) unread.insert(key);
    for (SourceTrouble& trouble : troubles_of(input, id)) {
      pod.refused += trouble.refused;
      troubles[key].push_back(std::move(trouble));
    }
  }
  std::erase_if(pods, [&](const auto& each) { return unread.contains(each.first); });
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

// Whose namespace takes most gives most, one piece at a time: messages, then untroubled pods, then
// the others, the last of each first. So one tenant's pods never cost others their answers.
void bound_status(NodeLinkSetStatus& status) {
  struct Namespace {
    std::size_t bytes = 0;
    std::vector<std::size_t> messages, untroubled, troubled;  // places in status.pods
  };
  std::map<std::string, Namespace> namespaces;
  for (std::size_t i = 0; i < status.pods.size(); ++i) {
    const PodLinks& pod = status.pods[i];
    Namespace& space = namespaces[pod.namespace_name];
    space.bytes += entry_bytes(pod);
    if (!pod.message.empty()) space.messages.push_back(i);
    (pod.reason.empty() ? space.untroubled : space.troubled).push_back(i);
  }
  std::size_t bytes = estimated_bytes(status);
  std::size_t pods = status.pods.size();
  std::vector<bool> dropped(status.pods.size(), false);
  while (bytes > limits::kStatusBytes || pods > limits::kStatusPods) {
    const auto greediest = std::max_element(
        namespaces.begin(), namespaces.end(),
        [](const auto& a, const auto& b) { return a.second.bytes < b.second.bytes; });
    Namespace& space = greediest->second;
    std::size_t freed = 0;
    if (bytes > limits::kStatusBytes && !space.messages.empty()) {
      std::string& message = status.pods[space.messages.back()].message;
      freed = json_bytes(message);
      message.clear();
      space.messages.pop_back();
    } else {
      std::vector<std::size_t>& from = space.untroubled.empty() ? space.troubled : space.untroubled;
      if (from.empty()) return;  // cannot be: a namespace without pods has no bytes
      freed = entry_bytes(status.pods[from.back()]);
      dropped[from.back()] = true;
      from.pop_back();
      --pods;
    }
    bytes -= freed;
    space.bytes -= freed;
  }
  std::size_t place = 0;
  std::erase_if(status.pods, [&](const PodLinks&) { return dropped[place++]; });
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
