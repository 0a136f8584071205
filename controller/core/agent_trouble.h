// The agent's word on a pod, in the words of the pod's owner.
#pragma once

#include <cstddef>
#include <optional>

#include "controller/core/resolve.h"
#include "controller/core/trouble.h"
#include "lib/model/node_link_set.h"

namespace loglink {

struct AgentTrouble {
  Trouble trouble;         // the most severe one
  std::size_t others = 0;  // that the agent counts and does not tell
};

// nullopt: the agent has no trouble with the pod. Names of directories of the node become watch
// dirs; a reason that this version does not know is told, and ranks as a note.
std::optional<AgentTrouble> agent_trouble(const PodLinks& entry, const Resolution& resolution);

}  // namespace loglink
