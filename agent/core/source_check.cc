#include "agent/core/source_check.h"

#include <algorithm>
#include <array>

#include "lib/base/text.h"
#include "lib/model/link_name.h"
#include "lib/model/names.h"
#include "lib/model/path.h"
#include "lib/model/source_bounds.h"

namespace loglink {
namespace {

bool is_empty_dir_of_pod(const Source& source) {
  const std::string prefix = source.uid + "/" + std::string(names::kEmptyDirSegment);
  return source.path.size() > prefix.size() && source.path.compare(0, prefix.size(), prefix) == 0;
}

bool admits_namespace(const Root& root, const Source& source) {
  return std::any_of(root.namespaces.begin(), root.namespaces.end(),
                     [&source](const std::string& allowed) {
                       return allowed == "*" || allowed == source.namespace_name;
                     });
}

std::string_view first_component(std::string_view path) { return path.substr(0, path.find('/')); }

SourceRefusal refuse(Reason reason, std::string message, bool keeps_links) {
  return SourceRefusal{reason, sanitize(message), keeps_links};
}

}  // namespace

bool is_reserved_directory(const AgentConfig& config, std::string_view host_path) {
  static constexpr std::array<std::string_view, 2> kLogDirectories = {"/var/log/pods",
                                                                      "/var/log/containers"};
  return std::any_of(
             kLogDirectories.begin(), kLogDirectories.end(),
             [host_path](std::string_view each) { return path_contains(each, host_path); }) ||
         path_contains(config.roots_dir, host_path) || path_contains(config.state_dir, host_path) ||
         host_path == config.link_dir;
}

bool is_in_inner_root(const AgentConfig& config, const Root& root, std::string_view host_path) {
  return std::any_of(config.roots.begin(), config.roots.end(), [&](const Root& other) {
    return other.path != root.path && path_contains(root.path, other.path) &&
           path_contains(other.path, host_path);
  });
}

std::optional<SourceRefusal> check_source(const Source& source, const AgentConfig& config) {
  if (!is_known_naming(source.naming)) {
    return refuse(
        Reason::kAgentTooOld,
        "naming \"" + source.naming +
            "\" is not known to this node's agent; ask the administrator to upgrade loglink-agent",
        true);
  }
  for (const std::string& feature : source.required_features) {
    if (feature == names::kFeatureRemoveNow) continue;
    return refuse(
        Reason::kAgentTooOld,
        "feature \"" + feature +
            "\" is not known to this node's agent; ask the administrator to upgrade loglink-agent",
        true);
  }
  const Expected<void> bounds = check_source_bounds(source);
  if (!bounds) return refuse(Reason::kPathNotSupported, bounds.error().message, false);
  const Root* root = find_root(config, source.root);
  if (root == nullptr) {
    return refuse(Reason::kUnknownRoot,
                  "root \"" + source.root +
                      "\" is not in the configuration of this node's agent; ask the administrator",
                  true);
  }
  if (source.root == names::kKubeletPodsRoot && !is_empty_dir_of_pod(source)) {
    return refuse(Reason::kPathNotSupported,
                  "the path is not an emptyDir volume of the pod with that uid", false);
  }
  const bool own_part =
      !root->per_namespace || first_component(source.path) == source.namespace_name;
  if (!own_part || !admits_namespace(*root, source)) {
    return refuse(Reason::kUnknownRoot,
                  "root \"" + source.root +
                      "\" does not admit this namespace on this node; ask the administrator",
                  false);
  }
  const std::string host_path = join_path(root->path, source.path);
  if (is_reserved_directory(config, host_path)) {
    return refuse(Reason::kDirectoryReserved,
                  "the directory belongs to the kubelet or to loglink itself; write the log files "
                  "to another one",
                  false);
  }
  if (is_in_inner_root(config, *root, host_path)) {
    return refuse(
        Reason::kUnknownRoot,
        "the directory belongs to another root than \"" + source.root +
            "\" on this node; ask the administrator to give controller and agents the same roots",
        false);
  }
  return std::nullopt;
}

}  // namespace loglink
