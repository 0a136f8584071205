// Of LinkCounts: how many links there are, and whether there may be one more.
#include <string>

#include "agent/core/plan.h"

namespace loglink {

namespace {

// No name of a pod or a namespace has an underscore.
struct LinkOwner {
  std::string pod;  // "<pod>_<namespace>"
  std::string namespace_name;
};

LinkOwner owner_in(const std::string& name) {
  const std::size_t first = name.find('_');
  const std::size_t second = first == std::string::npos ? first : name.find('_', first + 1);
  if (second == std::string::npos) return {name, {}};
  return {name.substr(0, second), name.substr(first + 1, second - first - 1)};
}

}  // namespace

void LinkCounts::add_orphan(const std::string& name, int links) {
  const LinkOwner owner = owner_in(name);
  orphans_per_pod[owner.pod] += links;
  per_namespace[owner.namespace_name] += links;
  per_node += links;
}

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
  const int orphans = count_of(orphans_per_pod, source.pod + "_" + source.namespace_name);
  if (per_source[id] + orphans < kGuaranteedLinks) return true;
  return count_of(per_pod, source.uid) + orphans < limits.links_per_pod &&
         count_of(per_namespace, source.namespace_name) < limits.links_per_namespace &&
         per_node < limits.links_per_node;
}

}  // namespace loglink
