#include "controller/core/host_directory.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "controller/core/sub_path_expr.h"
#include "lib/base/text.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/path.h"
#include "lib/model/source_bounds.h"

namespace loglink {
namespace {

using Located = tl::expected<HostDirectory, LocateError>;

constexpr std::string_view kUseAnotherVolume = "mount an emptyDir or an allowed hostPath";

// Directories that the kubelet fills with links of its own.
constexpr std::array<std::string_view, 2> kKubeletLogDirectories = {"/var/log/pods",
                                                                    "/var/log/containers"};

tl::unexpected<LocateError> refuse(Reason reason, std::string message, std::string absolute = "") {
  return tl::unexpected(LocateError{reason, std::move(message), std::move(absolute)});
}

std::string quoted(std::string_view text) { return '"' + sanitize(text, 128) + '"'; }

// What is wrong with one part of a host path, or "". ".." is never collapsed: with hostPath
// /var/log/apps/a an expansion of ../victim would reach the neighbour.
std::string part_trouble(const std::string& name, const std::string& part) {
  if (has_dot_dot(part)) return name + " " + quoted(part) + " has a .. component";
  if (has_control_character(part)) return name + " " + quoted(part) + " has a control character";
  if (!is_utf8(part)) return name + " " + quoted(part) + " is not UTF-8 text";
  return {};
}

Located path_not_supported(const std::string& trouble) {
  return refuse(Reason::kPathNotSupported, trouble + "; use a plain path in the pod's spec");
}

const VolumeView* find_volume(const PodView& pod, const std::string& name) {
  const auto found = std::find_if(pod.volumes.begin(), pod.volumes.end(),
                                  [&](const VolumeView& volume) { return volume.name == name; });
  if (found == pod.volumes.end()) return nullptr;
  return &*found;
}

bool is_on_disk(const VolumeView& volume) {
  return volume.kind == "emptyDir" && volume.medium.empty();
}

LocateError unsupported_kind(const VolumeMount& mount, const VolumeView* volume) {
  if (volume == nullptr) {
    return {Reason::kVolumeKindNotSupported,
            "volume " + quoted(mount.volume) +
                " is not among the pod's volumes; correct the name in volumeMounts or in volumes",
            ""};
  }
  if (volume->kind == "emptyDir") {
    return {Reason::kVolumeKindNotSupported,
            "volume " + quoted(mount.volume) + " is an emptyDir with medium " +
                sanitize(volume->medium, 32) +
                ", which the node cannot see; leave medium out, or mount an allowed hostPath",
            ""};
  }
  std::string what;
  if (volume->kind.empty() || volume->kind == "unknown") {
    what = " is of a kind that loglink does not know";
  } else {
    const bool vowel = std::string_view("aeiou").find(volume->kind.front()) != std::string::npos;
    what = (vowel ? " is an " : " is a ") + sanitize(volume->kind, 64);
  }
  return {Reason::kVolumeKindNotSupported,
          "volume " + quoted(mount.volume) + what + "; " + std::string(kUseAnotherVolume), ""};
}

// subPath, or subPathExpr expanded; relative, checked, normalised.
tl::expected<std::string, LocateError> sub_path(const PodView& pod, const std::string& pod_id,
                                                const ContainerView& container,
                                                const VolumeMount& mount) {
  std::string name = "subPath";
  std::string path = mount.sub_path;
  if (!mount.sub_path_expr.empty()) {
    name = "subPathExpr";
    Expected<std::string> expanded =
        expand_sub_path_expr(mount.sub_path_expr, container, pod, pod_id);
    if (!expanded) return refuse(Reason::kUnresolvedSubPathExpr, expanded.error().message);
    path = std::move(*expanded);
  }
  std::string trouble = part_trouble(name, path);
  if (trouble.empty() && !path.empty() && path.front() == '/') {
    trouble = name + " " + quoted(path) + " is absolute";
  }
  if (!trouble.empty()) return refuse(Reason::kPathNotSupported, trouble + "; use a relative path");
  return normalize_path(path);
}

bool is_reserved(const std::string& absolute, const ControllerConfig& config) {
  if (absolute == config.link_dir) return true;
  return path_contains(config.roots_dir, absolute) || path_contains(config.state_dir, absolute) ||
         std::any_of(kKubeletLogDirectories.begin(), kKubeletLogDirectories.end(),
                     [&](std::string_view reserved) { return path_contains(reserved, absolute); });
}

// The root that holds a host path: the longest match decides, also where it refuses, so that a root
// inside another one can be kept for some namespaces. Of equal paths the first that admits.
const Root* find_host_root(const std::string& absolute, const std::string& namespace_name,
                           const ControllerConfig& config) {
  const Root* best = nullptr;
  for (const Root& root : config.roots) {
    if (root.name == names::kKubeletPodsRoot || !path_contains(root.path, absolute)) continue;
    if (best == nullptr || root.path.size() > best->path.size() ||
        (root.path == best->path && !admits(best->namespaces, namespace_name))) {
      best = &root;
    }
  }
  return best;
}

bool is_own_directory(const Root& root, const std::string& below,
                      const std::string& namespace_name) {
  return !root.per_namespace || path_contains(namespace_name, below);
}

Located not_allowed(const std::string& absolute, const std::string& namespace_name) {
  return refuse(Reason::kHostPathNotAllowed,
                "the administrator has not allowed the host directory " + quoted(absolute) +
                    " for namespace " + namespace_name +
                    "; mount an emptyDir, or ask the administrator to allow that directory",
                absolute);
}

// The administrator did allow the root, so asking again is not the cure. Tells of the root only
// what the pod's own path says already.
Located not_own_directory(const Root& root, const std::string& absolute,
                          const std::string& namespace_name) {
  return refuse(Reason::kHostPathNotAllowed,
                "in the host directory " + quoted(root.path) + " namespace " + namespace_name +
                    " may use " + quoted(join_path(root.path, namespace_name)) +
                    " only, and this is " + quoted(absolute) +
                    "; let the path begin with the namespace, as with subPathExpr: "
                    "$(NAMESPACE)/$(POD_NAME)",
                absolute);
}

Located locate_host_path(const PodView& pod, const VolumeView& volume,
                         const std::string& below_volume, const ControllerConfig& config) {
  if (std::string trouble = part_trouble("hostPath", volume.host_path); !trouble.empty()) {
    return path_not_supported(trouble);
  }
  if (volume.host_path.empty() || volume.host_path.front() != '/') {
    return path_not_supported("hostPath " + quoted(volume.host_path) + " is not absolute");
  }
  const std::string& type = volume.host_path_type;
  if (type == "File" || type == "FileOrCreate" || type == "Socket" || type == "CharDevice" ||
      type == "BlockDevice") {
    return refuse(Reason::kNotADirectory, "volume " + quoted(volume.name) +
                                              " is a hostPath of type " + type +
                                              "; mount the directory that holds the log files");
  }
  const std::string absolute = join_path(normalize_path(volume.host_path), below_volume);
  if (is_reserved(absolute, config)) {
    return refuse(Reason::kDirectoryReserved,
                  "the host directory " + quoted(absolute) +
                      " belongs to the kubelet or to loglink itself; write the log files to "
                      "another one",
                  absolute);
  }
  const Root* root = find_host_root(absolute, pod.namespace_name, config);
  if (root == nullptr || !admits(root->namespaces, pod.namespace_name)) {
    return not_allowed(absolute, pod.namespace_name);
  }
  if (!is_own_directory(*root, path_below(root->path, absolute), pod.namespace_name)) {
    return not_own_directory(*root, absolute, pod.namespace_name);
  }
  return HostDirectory{root->name, path_below(root->path, absolute), absolute};
}

Located locate_empty_dir(const PodView& pod, const std::string& pod_id, const VolumeView& volume,
                         const std::string& below_volume, const ControllerConfig& config) {
  const std::string below_root =
      join_path(pod_id + '/' + std::string(names::kEmptyDirSegment) + volume.name, below_volume);
  const Root* root = find_root(config, std::string(names::kKubeletPodsRoot));
  if (root == nullptr) {
    return refuse(Reason::kNamespaceNotAllowed,
                  "the configuration's roots leave kubelet-pods out, where emptyDir volumes are; "
                  "mount an allowed hostPath, or ask the administrator to add that root",
                  {});
  }
  if (!admits(root->namespaces, pod.namespace_name)) {
    return refuse(Reason::kNamespaceNotAllowed,
                  "the administrator has not allowed emptyDir volumes for namespace " +
                      pod.namespace_name +
                      "; mount an allowed hostPath, or ask the administrator to allow them",
                  join_path(root->path, below_root));
  }
  return HostDirectory{root->name, below_root, join_path(root->path, below_root)};
}

std::string effective_mount_path(const VolumeMount& mount) {
  std::vector<std::string> kept;
  for (std::string& part : split(mount.mount_path, '/')) {
    if (part == "..") {
      if (!kept.empty()) kept.pop_back();
    } else if (!part.empty() && part != ".") {
      kept.push_back(std::move(part));
    }
  }
  // The kubelet makes a relative mountPath absolute.
  return "/" + join(kept, "/");
}

}  // namespace

std::vector<std::string> effective_mount_paths(const ContainerView& container) {
  std::vector<std::string> paths;
  paths.reserve(container.mounts.size());
  for (const VolumeMount& mount : container.mounts) {
    paths.push_back(effective_mount_path(mount));
  }
  return paths;
}

std::optional<std::size_t> find_mount(const std::vector<std::string>& mount_paths,
                                      const std::string& directory) {
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < mount_paths.size(); ++i) {
    if (!path_contains(mount_paths[i], directory)) continue;
    // Of two mounts on one path the later one covers the earlier.
    if (!best || mount_paths[i].size() >= mount_paths[*best].size()) best = i;
  }
  return best;
}

std::vector<std::string> mounts_below(const std::vector<std::string>& mount_paths,
                                      const std::string& directory) {
  std::vector<std::string> below;
  for (const std::string& path : mount_paths) {
    if (path != directory && path_contains(directory, path)) below.push_back(path);
  }
  std::sort(below.begin(), below.end());
  below.erase(std::unique(below.begin(), below.end()), below.end());
  return below;
}

tl::expected<HostDirectory, LocateError> locate(const PodView& pod, const std::string& pod_id,
                                                const ContainerView& container,
                                                const VolumeMount& mount,
                                                const std::string& mount_path,
                                                const std::string& directory,
                                                const ControllerConfig& config) {
  const VolumeView* volume = find_volume(pod, mount.volume);
  if (volume == nullptr || (volume->kind != "hostPath" && !is_on_disk(*volume))) {
    return tl::unexpected(unsupported_kind(mount, volume));
  }
  if (std::string trouble = part_trouble("mountPath", mount.mount_path); !trouble.empty()) {
    return path_not_supported(trouble);
  }
  const tl::expected<std::string, LocateError> sub = sub_path(pod, pod_id, container, mount);
  if (!sub) return tl::unexpected(sub.error());
  const std::string rest = path_below(mount_path, directory);
  if (std::string trouble = part_trouble("the directory", rest); !trouble.empty()) {
    return path_not_supported(trouble);
  }
  const std::string below_volume = join_path(*sub, rest);
  Located located = volume->kind == "hostPath"
                        ? locate_host_path(pod, *volume, below_volume, config)
                        : locate_empty_dir(pod, pod_id, *volume, below_volume, config);
  if (located && located->path.size() > limits::kPathBytes) {
    return path_not_supported("the host path would be longer than " +
                              std::to_string(limits::kPathBytes) + " bytes");
  }
  return located;
}

bool admits(const std::vector<std::string>& namespaces, const std::string& namespace_name) {
  return std::any_of(namespaces.begin(), namespaces.end(), [&](const std::string& each) {
    return each == "*" || each == namespace_name;
  });
}

}  // namespace loglink
