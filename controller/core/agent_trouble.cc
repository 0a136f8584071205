#include "controller/core/agent_trouble.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/model/names.h"

namespace loglink {
namespace {

// The rest of an agent's sentence that only names a directory.
std::string_view explanation(Reason reason) {
  static constexpr std::array<std::pair<Reason, std::string_view>, 8> kExplanations = {{
      {Reason::kDirectoryNotFound,
       "the directory does not exist yet; check its spelling, or wait until the application makes "
       "it"},
      {Reason::kPermissionDenied,
       "the node's agent may not read the directory; let others read it (mode 0755)"},
      {Reason::kReadError,
       "the directory cannot be read; ask the administrator to look at the node's disk"},
      {Reason::kUnsupportedFileSystem,
       "the directory is on a file system that is not read; mount an emptyDir or an allowed "
       "hostPath"},
      {Reason::kMountBelowRoot,
       "another file system is mounted there, which is not entered; mount an emptyDir or an "
       "allowed hostPath"},
      {Reason::kTooManySubdirectories,
       "it has too many subdirectories, and not all are searched; lower loglink/max-depth or name "
       "them one by one"},
      {Reason::kTooManyFiles, "it has too many files, and not all are looked at; remove old ones"},
      {Reason::kWatchLimitReached,
       "too many directories are watched on the node, so new files are found with a delay; lower "
       "loglink/max-depth"},
  }};
  for (const auto& [known, text] : kExplanations) {
    if (known == reason) return text;
  }
  return "";
}

// What the agent calls a source's directory: the volume and what is below it, or what is below the
// root of a hostPath.
std::string_view agents_name(const Source& source) {
  std::string_view path = source.path;
  const std::string volumes = source.uid + "/" + std::string(names::kEmptyDirSegment);
  if (source.root == names::kKubeletPodsRoot && path.substr(0, volumes.size()) == volumes) {
    path.remove_prefix(volumes.size());
  }
  return path;
}

// Replaces `from` where it stands as a path, or as the parent in one.
void replace_path(std::string& text, std::string_view from, std::string_view to) {
  std::size_t at = 0;
  while ((at = text.find(from, at)) != std::string::npos) {
    const std::size_t end = at + from.size();
    const bool begins = at == 0 || text[at - 1] == ' ';
    const bool ends =
        end == text.size() || std::string_view("/,;:").find(text[end]) != std::string_view::npos;
    if (begins && ends) {
      text.replace(at, from.size(), to);
      at += to.size();
    } else {
      at = end;
    }
  }
}

// The agent knows directories of the node; the pod's owner knows watch dirs.
std::string in_words_of_the_owner(std::string message, const Resolution& resolution) {
  std::vector<std::pair<std::string_view, std::string_view>> words;
  for (std::size_t i = 0; i < resolution.sources.size(); ++i) {
    const std::string_view name = agents_name(resolution.sources[i]);
    if (!name.empty()) words.emplace_back(name, resolution.watch_dirs[i]);
  }
  // The longest first: one watch dir may lie in another.
  std::stable_sort(words.begin(), words.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  for (const auto& [name, watch_dir] : words) replace_path(message, name, watch_dir);
  return message;
}

// Takes "; and 2 more" from the end of an agent's message: its other troubles with the pod.
std::size_t take_count_of_others(std::string& message) {
  static constexpr std::string_view kBegin = "; and ";
  static constexpr std::string_view kEnd = " more";
  const std::size_t begin = message.rfind(kBegin);
  if (begin == std::string::npos || message.size() < begin + kBegin.size() + kEnd.size() + 1) {
    return 0;
  }
  const std::string digits =
      message.substr(begin + kBegin.size(), message.size() - begin - kBegin.size() - kEnd.size());
  if (message.compare(message.size() - kEnd.size(), kEnd.size(), kEnd) != 0 || digits.size() > 6 ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return 0;
  }
  message.resize(begin);
  return std::stoul(digits);
}

}  // namespace

std::optional<AgentTrouble> agent_trouble(const PodLinks& entry, const Resolution& resolution) {
  if (entry.reason.empty() && entry.message.empty()) return std::nullopt;
  AgentTrouble result;
  Trouble& trouble = result.trouble;
  std::string message = entry.message;
  result.others = take_count_of_others(message);
  trouble.reason = reason_from_string(entry.reason);
  trouble.message = in_words_of_the_owner(std::move(message), resolution);
  if (!trouble.reason) {
    // A word of a newer agent: told, but it moves nothing.
    if (!entry.reason.empty()) trouble.message = entry.reason + ": " + trouble.message;
    return result;
  }
  trouble.rank = rank_of(*trouble.reason);
  const std::string why(explanation(*trouble.reason));
  const std::vector<std::string>& watch_dirs = resolution.watch_dirs;
  if (trouble.message.empty() && watch_dirs.size() == 1) trouble.message = watch_dirs.front();
  if (!trouble.message.empty() && trouble.message.front() == '/' && !why.empty()) {
    // "/var/log/app: what is wrong; what to do"
    const std::size_t colon = trouble.message.find(": ");
    trouble.watch_dir = trouble.message.substr(0, colon);
    trouble.message.erase(0, colon == std::string::npos ? colon : colon + 2);
  } else if (watch_dirs.size() == 1 && trouble.message == watch_dirs.front()) {
    trouble.watch_dir = std::exchange(trouble.message, "");
  }
  if (trouble.message.empty()) trouble.message = why;
  return result;
}

}  // namespace loglink
