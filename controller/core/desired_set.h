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

// A source that does not fit: which pod, which source, which limit.
struct LeftOut {
  ObjectKey pod;
  std::string uid;
  std::string watch_dir;
  Reason reason = Reason::kNodeLimitReached;
  std::string message;

  auto operator<=>(const LeftOut&) const = default;
};

struct DesiredSet {
  NodeLinkSetSpec spec;           // sorted, within every bound of docs/reference/nodelinkset.md
  std::vector<LeftOut> left_out;  // sorted by pod
};

// Identity of a source across versions of a spec: everything but since, finished, removeAfter.
struct SourceIdentity {
  std::string namespace_name, pod, uid, container, root, path;

  auto operator<=>(const SourceIdentity&) const = default;
};
SourceIdentity identity(const Source& source);

// REQUIRES: all pods are bound to the node. `rejected`: sources that a 422 of the server named.
// A source of `previous` that no pod asks for any more is withdrawn: removeAfter = now + linger
// (policyLinger when its pod is still there and asks for it, but the configuration now refuses),
// and leaves the spec at removeAfter + linger; a removeAfter that only a wrong clock can have
// written, further ahead than any, is set anew. A newcomer never displaces what is published.
DesiredSet desired_set(const std::vector<ResolvedPod>& pods, const NodeLinkSetSpec& previous,
                       const std::set<SourceIdentity>& rejected, const ControllerConfig& config,
                       WallTime now);

// When desired_set would next differ with the same inputs: the earliest removal of a withdrawn
// source; nullopt when there is none.
std::optional<WallTime> next_change(const NodeLinkSetSpec& spec, const ControllerConfig& config);

}  // namespace loglink
