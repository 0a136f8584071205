#include "lib/model/config.h"
namespace loglink {
Expected<void> validate(const ControllerConfig&) { return {}; }
Expected<void> validate(const AgentConfig&) { return {}; }
const Root* find_root(const SharedConfig& config, const std::string& name) {
  for (const Root& root : config.roots) {
    if (root.name == name) return &root;
  }
  return nullptr;
}
}  // namespace loglink
