// The agent's commands that do one thing and end. Texts go to `out`; errors are returned.
#pragma once

#include <iosfwd>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/model/config.h"
#include "lib/model/node_link_set.h"

namespace loglink {

// A NodeLinkSet document.
Expected<NodeLinkSet> read_set_file(const std::string& path);

struct ApplyOptions {
  std::string file;      // a NodeLinkSet document; "" for the last known set
  bool dry_run = false;  // says what would be done, changes nothing
};

// One pass. Prints each operation and refusal with its reason. Refused files are no failure; a link
// directory that is not ours, or locked, a missing safe root or a failed operation is.
Expected<void> apply_once(const AgentConfig& config, const ApplyOptions& options,
                          std::ostream& out);

// Source, file, link and target as they are now, and why not.
Expected<void> print_status(const AgentConfig& config, std::ostream& out);

enum class MountAction { kMount, kOpenGate, kUnmount };
Expected<void> mount_roots(const AgentConfig& config, MountAction action, std::ostream& out);

// `only_configured`: the configuration's roots; otherwise every safe root that is there.
Expected<void> verify_roots(const AgentConfig& config, bool only_configured, Duration wait,
                            std::ostream& out);

}  // namespace loglink
