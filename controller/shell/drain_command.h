// `loglink-controller drain` on the real network.
#pragma once

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/io/credentials.h"
#include "lib/model/config.h"

namespace loglink {

// The error names the nodes whose agents hold links or did not answer. REQUIRES: as
// run_controller().
Expected<void> drain_cluster(const ControllerConfig& config, const ClusterAccess& access,
                             Duration timeout);

}  // namespace loglink
