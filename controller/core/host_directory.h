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

// The mountPaths of a container as the runtime uses them, in the order of its mounts: absolute,
// without ".", ".." and "//". How many they are is for tenants to choose, so that they are made
// once for all that is asked about them.
std::vector<std::string> effective_mount_paths(const ContainerView& container);

// Which of the paths holds `directory`: the longest that is the directory or a parent of it on a
// path boundary. nullopt: the container's own root file system.
std::optional<std::size_t> find_mount(const std::vector<std::string>& mount_paths,
                                      const std::string& directory);

// Mount paths strictly below `directory`: what they hide is not followed. Sorted, without doubles.
std::vector<std::string> mounts_below(const std::vector<std::string>& mount_paths,
                                      const std::string& directory);

// REQUIRES: `mount_path` is that of `mount`, and holds `directory`. `pod_id`: the kubelet's id of
// the pod. Each part of the path is checked before they are joined.
tl::expected<HostDirectory, LocateError> locate(const PodView& pod, const std::string& pod_id,
                                                const ContainerView& container,
                                                const VolumeMount& mount,
                                                const std::string& mount_path,
                                                const std::string& directory,
                                                const ControllerConfig& config);

// "*" or the namespace itself is in the list.
bool admits(const std::vector<std::string>& namespaces, const std::string& namespace_name);

}  // namespace loglink
