// The agent's metrics, brought up to date when they are asked for.
#pragma once

#include <string>

#include "agent/core/agent.h"
#include "agent/shell/node_link_set_session.h"
#include "lib/io/metrics.h"

namespace loglink {

class AgentMetrics {
 public:
  explicit AgentMetrics(LinkMode mode);

  // Takes the durations that the engine has gathered; to be called often, they are bounded there.
  void observe_durations(Agent& agent);
  // `session` is nullptr where the set comes from a file.
  std::string text(Agent& agent, const NodeLinkSetSession* session, const Now& now);

 private:
  void raise(const std::string& name, const Metrics::Labels& labels, std::uint64_t to);

  Metrics metrics_;
  std::map<std::pair<std::string, Metrics::Labels>, std::uint64_t> raised_;
};

}  // namespace loglink
