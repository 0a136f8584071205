// `loglink-controller run`: the controller on the real network until it is told to stop.
#pragma once

#include <string>

#include "lib/io/credentials.h"
#include "lib/model/config.h"

namespace loglink {

// Returns after SIGTERM or SIGINT, with the lease given up. `host` becomes part of the name of this
// process. REQUIRES: initialize_cpprest() was called, no other thread runs.
void run_controller(const ControllerConfig& config, const ClusterAccess& access,
                    const std::string& host);

}  // namespace loglink
