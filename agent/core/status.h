// The agent's answer for its node: NodeLinkSet.status from what a plan and the scanner have found.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/directory_scanner.h"
#include "agent/core/plan.h"
#include "agent/core/source_index.h"
#include "lib/base/clock.h"
#include "lib/model/node_link_set.h"
#include "lib/model/reason.h"

namespace loglink {

struct StatusInput {
  const SourceIndex& sources;
  const std::vector<SourceOutcome>& outcomes;  // by SourceId
  std::function<std::vector<DirectoryTrouble>(SourceId)> troubles;
  std::function<bool(SourceId)> is_unread;  // nothing is known of its directory yet
  const std::map<std::string, RootState>& roots;
  int links = 0;
  std::int64_t generation = 0;
  bool safe_mode = true;  // roots are mounts that `loglink-agent mount` makes
};

// One trouble of a source, ready to be shown.
struct SourceTrouble {
  Reason reason = Reason::kReadError;
  int refused = 0;  // files or directories that it keeps from being linked
  std::string text;

  auto operator<=>(const SourceTrouble&) const = default;
};

// The most severe first.
std::vector<SourceTrouble> troubles_of(const StatusInput& input, SourceId id);

// Without conditions. A pod with a directory that waits to be read has no entry: nobody knows yet
// whether there are files. Bounded: messages go first, then pods without trouble.
NodeLinkSetStatus build_status(const StatusInput& input);

// The API server's view of the size, a little more rather than less.
std::size_t estimated_bytes(const NodeLinkSetStatus& status);
// Fits limits::kStatusBytes and limits::kStatusPods afterwards.
void bound_status(NodeLinkSetStatus& status);

// Sets one condition; the transition time moves only with the status.
void set_condition(std::vector<Condition>& conditions, Condition condition, WallTime now);
void clear_condition(std::vector<Condition>& conditions, const std::string& type);

}  // namespace loglink
