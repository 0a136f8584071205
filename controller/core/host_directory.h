// Where a directory of one container is on the node: mount, volume, subPath, root.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "lib/model/config.h"
#include "lib/model/pod_view.h"
#include "lib/model/reason.h"

namespace loglink {

struct HostDirectory {
  std::string root;  // a root's name
  std::string path;  // relative to the root
  std::string absolute;

  auto operator<=>(const HostDirectory&) const = default;
};

struct LocateError {
  Reason reason = Reason::kNotOnAVolume;
  std::string message;   // for the pod's owner; never names the admin's roots
  std::string absolute;  // the host directory, where it is known; "" otherwise

  auto operator<=>(const LocateError&) const = default;
};

// The mount that holds `directory`: the longest mountPath that is the directory or a parent of it
// on a path boundary. nullptr: the container's own root file system.
const VolumeMount* find_mount(const ContainerView& container, const std::string& directory);

// The mountPath of a mount as the runtime uses it: absolute, without ".", ".." and "//".
std::string effective_mount_path(const VolumeMount& mount);

// Mount paths strictly below `directory`: what they hide is not followed. Sorted, without doubles.
std::vector<std::string> mounts_below(const ContainerView& container, const std::string& directory);

// REQUIRES: `mount` is find_mount(container, directory) and not nullptr. `pod_id`: the kubelet's
// id of the pod. Each part of the path is checked before they are joined.
tl::expected<HostDirectory, LocateError> locate(const PodView& pod, const std::string& pod_id,
                                                const ContainerView& container,
                                                const VolumeMount& mount,
                                                const std::string& directory,
                                                const ControllerConfig& config);

// "*" or the namespace itself is in the list.
bool admits(const std::vector<std::string>& namespaces, const std::string& namespace_name);

}  // namespace loglink
