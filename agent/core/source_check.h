// What the agent refuses before it looks at any file: the controller is checked, not trusted.
#pragma once

#include <optional>
#include <string>

#include "lib/model/config.h"
#include "lib/model/node_link_set.h"
#include "lib/model/reason.h"

namespace loglink {

struct SourceRefusal {
  Reason reason = Reason::kAgentTooOld;
  std::string message;
  // This version merely does not understand the source: the links that it has stay. A source that
  // may not be (outside its pod's volumes, a root that its namespace may not use) holds no link.
  bool keeps_links = false;

  auto operator<=>(const SourceRefusal&) const = default;
};

// nullopt: the source may be walked. Every bound of the CRD, the shape of paths below the kubelet's
// pods directory, the root's namespaces, reserved directories, roots inside roots, and words of
// newer versions.
std::optional<SourceRefusal> check_source(const Source& source, const AgentConfig& config);

// True for directories of `root` that are, or lie below, another root inside it: that root's own
// rules hold there, and no walk of this one goes in. REQUIRES: `host_path` lies in `root`.
bool is_in_inner_root(const AgentConfig& config, const Root& root, std::string_view host_path);

// True for directories that no watch dir and no walk may enter: the kubelet's and the runtime's log
// directories, loglink's own, and the link directory itself (not what lies below it).
bool is_reserved_directory(const AgentConfig& config, std::string_view host_path);

}  // namespace loglink
