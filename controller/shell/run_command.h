// `loglink-controller run`: the controller on the real network until it is told to stop.
#pragma once

#include "lib/base/error.h"
#include "lib/io/credentials.h"
#include "lib/model/config.h"

namespace loglink {

// Returns after SIGTERM or SIGINT, with the lease given up. REQUIRES: initialize_cpprest() was
// called, no other thread runs.
void run_controller(const ControllerConfig& config, const ClusterAccess& access);

// Who this process is among all that ever ran: host name and eight random hex digits.
std::string unique_instance_name();

}  // namespace loglink
