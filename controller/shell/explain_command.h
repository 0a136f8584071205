// `loglink-controller explain`: what would be linked and what refused, without a cluster.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/model/config.h"

namespace loglink {

enum class ExplainFormat { kText, kYaml, kJson };

struct ManifestText {
  std::string text;
  std::string file_name;  // for errors and notes
};

// The pods of all manifests together, as one cluster would have them; objects without a namespace
// are in `default_namespace`. Returns what goes to standard output.
Expected<std::string> explain_manifests(const std::vector<ManifestText>& manifests,
                                        const std::string& default_namespace,
                                        const ControllerConfig& config, ExplainFormat format,
                                        WallTime now);

}  // namespace loglink
