// What the cluster must look like when nothing has failed or changed for long enough.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace loglink::sim {

// "" or the first thing that is not as it must be: links, reports and answers on pods.
std::string mismatch(World& world, const std::vector<PodFact>& pods);

}  // namespace loglink::sim
