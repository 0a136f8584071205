// What loglink reads of a Pod, parsed once at the edge. Everything else of the object is dropped.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"

namespace loglink {

// namespace/name of a namespaced object; namespace is empty for a cluster-scoped one.
struct ObjectKey {
  std::string namespace_name;
  std::string name;

  auto operator<=>(const ObjectKey&) const = default;
};

struct OwnerReference {
  std::string api_version;
  std::string kind;
  std::string name;
  std::string uid;
  // Absent where the reference does not say.
  std::optional<bool> controller = std::nullopt;
  std::optional<bool> block_owner_deletion = std::nullopt;

  auto operator<=>(const OwnerReference&) const = default;
};

enum class ContainerKind { kContainer, kInit, kSidecar };  // sidecar: init, restartPolicy Always

struct EnvironmentVariable {
  enum class Kind {
    kLiteral,  // value is the text as written, with $(VAR) not yet expanded
    kField,    // value is the fieldRef's fieldPath
    kOther,    // resourceFieldRef, configMapKeyRef, secretKeyRef, fileKeyRef: cannot be known
  };
  std::string name;
  Kind kind = Kind::kLiteral;
  std::string value;

  auto operator<=>(const EnvironmentVariable&) const = default;
};

struct VolumeMount {
  std::string volume;
  std::string mount_path;
  std::string sub_path;
  std::string sub_path_expr;

  auto operator<=>(const VolumeMount&) const = default;
};

struct ContainerView {
  std::string name;
  ContainerKind kind = ContainerKind::kContainer;
  // Both are kept only where a mount has a sub_path_expr that may name a variable.
  bool has_env_from = false;
  std::vector<EnvironmentVariable> env;  // in spec order
  std::vector<VolumeMount> mounts;       // in spec order

  auto operator<=>(const ContainerView&) const = default;
};

struct VolumeView {
  // The key of the volume's source in the Pod object: "hostPath", "emptyDir",
  // "persistentVolumeClaim", …; "unknown" when there is none that we know the shape of.
  std::string name;
  std::string kind;
  std::string host_path;
  std::string host_path_type;  // "", "Directory", "DirectoryOrCreate", "File", "Socket", …
  std::string medium;          // of an emptyDir: "", "Memory", "HugePages", "HugePages-2Mi", …

  auto operator<=>(const VolumeView&) const = default;
};

struct PodView {
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::string resource_version;
  std::string node_name;  // "" until bound
  std::string service_account;
  std::string phase;  // "Pending", "Running", "Succeeded", "Failed", "Unknown", ""
  WallTime created{};
  bool deleting = false;  // has a deletionTimestamp
  // Only keys that start with "loglink/" or "kubernetes.io/config.".
  std::map<std::string, std::string> annotations;
  std::size_t annotation_count = 0;  // of all keys
  std::vector<OwnerReference> owners;
  // Init containers and sidecars come after the containers; ephemeral containers are left out.
  std::vector<ContainerView> containers;
  std::vector<VolumeView> volumes;

  auto operator<=>(const PodView&) const = default;
  [[nodiscard]] ObjectKey key() const { return {namespace_name, name}; }
  [[nodiscard]] bool finished() const { return phase == "Succeeded" || phase == "Failed"; }
};

}  // namespace loglink
