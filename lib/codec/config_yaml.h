// Configuration files, read strictly: an unknown key, a wrong type or a value out of range is an
// error that names file, line and key, and says what is allowed.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/model/config.h"

namespace loglink {

// An empty text is the defaults. validate() has been called on what is returned.
Expected<ControllerConfig> parse_controller_config(std::string_view yaml,
                                                   const std::string& file_name);
Expected<AgentConfig> parse_agent_config(std::string_view yaml, const std::string& file_name);

}  // namespace loglink
