// Step 4: everything one node has to link. (resolved pods, previous spec, now) -> spec + limits.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/core/resolve.h"

namespace loglink {

struct ResolvedPod {
  PodView pod;
  Resolution resolution;
};

// A source that does not fit.
struct LeftOut {
  std::string watch_dir;
  Reason reason = Reason::kNodeLimitReached;

  auto operator<=>(const LeftOut&) const = default;
};
// What its pod's owner is told.
std::string left_out_message(Reason reason, const std::string& namespace_name);

// Of one pod; a node may have thousands of pods without a place.
struct PodLeftOut {
  ObjectKey pod;
  std::string uid;               // the kubelet's id of it
  std::vector<LeftOut> sources;  // in the order of the annotation

  auto operator<=>(const PodLeftOut&) const = default;
};

struct DesiredSet {
  NodeLinkSetSpec spec;              // sorted, within every bound of docs/reference/nodelinkset.md
  std::vector<PodLeftOut> left_out;  // sorted by pod
};

// Identity of a source across versions of a spec: everything but since, finished, removeAfter.
struct SourceIdentity {
  std::string namespace_name, pod, uid, container, root, path;

  auto operator<=>(const SourceIdentity&) const = default;
};
SourceIdentity identity(const Source& source);

// REQUIRES: all pods are bound to the node. O(n log n) in the pods, and linear in their sources:
// tenants can bind ten thousand pods to a node that has room for none of them. `rejected`: sources
// that a 422 of the server named. A source of `previous` that no pod asks for any more is
// withdrawn: removeAfter = now + linger (policyLinger when its pod is still there and asks for it,
// but the configuration now refuses), and leaves the spec at removeAfter + linger; a removeAfter
// that only a wrong clock can have written, further ahead than any, is set anew. A newcomer never
// displaces what is published.
DesiredSet desired_set(const std::vector<ResolvedPod>& pods, const NodeLinkSetSpec& previous,
                       const std::set<SourceIdentity>& rejected, const ControllerConfig& config,
                       WallTime now);

// When desired_set would next differ with the same inputs: the earliest removal of a withdrawn
// source; nullopt when there is none.
std::optional<WallTime> next_change(const NodeLinkSetSpec& spec, const ControllerConfig& config);

}  // namespace loglink
