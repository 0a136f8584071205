// `loglink-controller explain`: what would be linked and what refused, without a cluster.
#pragma once

#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/model/config.h"

namespace loglink {

enum class ExplainFormat { kText, kYaml, kJson };

// `manifest` is the text of `file_name` ("-" for stdin), which only errors name. Returns what goes
// to standard output.
Expected<std::string> explain_manifest(const std::string& manifest, const std::string& file_name,
                                       const ControllerConfig& config, ExplainFormat format,
                                       WallTime now);

}  // namespace loglink
