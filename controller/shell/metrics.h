// The text of /metrics.
#pragma once

#include <string>

#include "controller/shell/controller_loop.h"

namespace loglink {

std::string controller_metrics(const ControllerLoop& loop);

}  // namespace loglink
