#include "agent/core/target.h"

#include <algorithm>

#include "lib/model/path.h"

namespace loglink {
namespace {

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

std::string with_slash(std::string path) {
  if (path.empty() || path.back() != '/') path += '/';
  return path;
}

}  // namespace

std::string_view parent_path(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return {};
  return path.substr(0, slash);
}

std::string_view base_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return path;
  return path.substr(slash + 1);
}

int path_depth(std::string_view path) {
  if (path.empty()) return 0;
  return 1 + static_cast<int>(std::count(path.begin(), path.end(), '/'));
}

TargetSpelling::TargetSpelling(const AgentConfig& config, const FilePort& port)
    : owned_(port.owned_prefixes()), roots_dir_(with_slash(config.roots_dir)) {
  for (const Root& root : config.roots) {
    const std::string current = with_slash(port.target_prefix(root.name));
    current_[root.name] = current;
    prefixes_.push_back({current, root.name});
    // The other mode's spelling too: a change of mode re-points our links instead of orphaning
    // them.
    prefixes_.push_back({with_slash(roots_dir_ + root.name), root.name});
    prefixes_.push_back({with_slash(root.path), root.name});
  }
  std::stable_sort(prefixes_.begin(), prefixes_.end(),
                   [](const Prefix& a, const Prefix& b) { return a.text.size() > b.text.size(); });
}

std::string TargetSpelling::text(const Target& target) const {
  const auto found = current_.find(target.root);
  if (found == current_.end()) return roots_dir_ + join_path(target.root, target.path);
  return found->second + target.path;
}

std::optional<Target> TargetSpelling::parse(std::string_view text) const {
  const bool owned = std::any_of(owned_.begin(), owned_.end(), [text](const std::string& prefix) {
    return starts_with(text, prefix);
  });
  if (!owned || has_dot_dot(text)) return std::nullopt;
  for (const Prefix& prefix : prefixes_) {
    if (starts_with(text, prefix.text)) {
      return Target{prefix.root, std::string(text.substr(prefix.text.size()))};
    }
  }
  // A root that the configuration no longer has: its links keep their root's name.
  if (starts_with(text, roots_dir_)) {
    const std::string_view rest = text.substr(roots_dir_.size());
    const std::size_t slash = rest.find('/');
    if (slash != std::string_view::npos && slash > 0) {
      return Target{std::string(rest.substr(0, slash)), std::string(rest.substr(slash + 1))};
    }
  }
  return Target{"", std::string(text)};
}

}  // namespace loglink
