// NodeLinkSet (loglink.io/v1alpha1): what one node has to link, and what became of it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"
#include "lib/model/pod_view.h"

namespace loglink {

// One watch dir resolved to the host. Fields as in the CRD; times in whole seconds.
struct Source {
  std::string namespace_name;
  std::string pod;
  std::string uid;  // the kubelet's id of the pod, its directory's name
  std::string container;
  std::string root;  // a root's name, never a host path
  std::string path;  // relative to the root; "" is the root itself
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  int max_depth = 1;
  std::string naming = "logfile";
  bool plain_names = false;
  bool finished = false;
  std::vector<std::string> required_features;  // `requires` in the API
  std::optional<WallTime> since;
  std::optional<WallTime> remove_after;  // only when withdrawn

  auto operator<=>(const Source&) const = default;
  // Live sources may get new links for ever; withdrawn ones until remove_after.
  [[nodiscard]] bool withdrawn() const { return remove_after.has_value(); }
  [[nodiscard]] bool needs(std::string_view feature) const {
    return std::find(required_features.begin(), required_features.end(), feature) !=
           required_features.end();
  }
};

struct NodeLinkSetSpec {
  std::vector<Source> sources;
  // Sources of the stored object that cannot be read (a time out of range). They are not in
  // `sources`, and never written.
  std::size_t unreadable = 0;

  auto operator<=>(const NodeLinkSetSpec&) const = default;
};

// The agent's answer for one pod of the spec.
struct PodLinks {
  std::string namespace_name;
  std::string pod;
  std::string uid;
  int links = 0;
  int refused = 0;
  std::string reason;   // "" or a word of reason.h; the most severe trouble
  std::string message;  // sanitized, at most limits::kMessageBytes

  auto operator<=>(const PodLinks&) const = default;
};

struct Condition {
  std::string type;
  std::string status;  // "True", "False", "Unknown"
  std::string reason;
  std::string message;
  std::int64_t observed_generation = 0;
  WallTime last_transition{};

  auto operator<=>(const Condition&) const = default;
};

struct NodeLinkSetStatus {
  std::int64_t observed_generation = 0;
  int pod_count = 0;
  int links = 0;
  int refused = 0;
  std::vector<PodLinks> pods;
  std::vector<Condition> conditions;

  auto operator<=>(const NodeLinkSetStatus&) const = default;
};

struct NodeLinkSet {
  std::string name;  // the node's
  std::string uid;
  std::string resource_version;
  std::int64_t generation = 0;
  std::vector<OwnerReference> owners;
  // Labels, annotations and finalizers that others have put there, as JSON; "" without any. A write
  // replaces the whole object, so they go back as they came.
  std::string foreign_metadata;
  NodeLinkSetSpec spec;
  NodeLinkSetStatus status;

  auto operator<=>(const NodeLinkSet&) const = default;
};

}  // namespace loglink
