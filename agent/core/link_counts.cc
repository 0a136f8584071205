// Of LinkCounts: how many links there are, and whether there may be one more.
#include <string>

#include "agent/core/plan.h"

namespace loglink {

void LinkCounts::add(const SourceIndex& sources, SourceId id, int links) {
  const Source& source = sources.at(id).source;
  per_source[id] += links;
  per_pod[source.uid] += links;
  per_namespace[source.namespace_name] += links;
  per_node += links;
}

bool LinkCounts::admits(const SourceIndex& sources, SourceId id, const AgentLimits& limits) const {
  const Source& source = sources.at(id).source;
  const auto count_of = [](const auto& counts, const std::string& key) {
    const auto found = counts.find(key);
    return found == counts.end() ? 0 : found->second;
  };
  if (per_source[id] >= limits.links_per_source) return false;
  if (per_source[id] < kGuaranteedLinks) return true;
  return count_of(per_pod, source.uid) < limits.links_per_pod &&
         count_of(per_namespace, source.namespace_name) < limits.links_per_namespace &&
         per_node < limits.links_per_node;
}

}  // namespace loglink
