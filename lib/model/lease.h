// The fields of coordination.k8s.io/v1 Lease that leader election reads and writes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "lib/base/clock.h"

namespace loglink {

struct Lease {
  std::string namespace_name;
  std::string name;
  std::string resource_version;  // "" for one that is to be created
  std::string holder;            // "" when released
  int duration_seconds = 0;
  int transitions = 0;
  std::optional<WallTime> acquired;  // MicroTime
  std::optional<WallTime> renewed;   // MicroTime; never compared with the own clock

  auto operator<=>(const Lease&) const = default;
};

}  // namespace loglink
