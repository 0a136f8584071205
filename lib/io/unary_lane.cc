#include "lib/io/unary_lane.h"

namespace loglink {

UnaryLane unary_lane(std::string_view target) {
  const auto names = [target](std::string_view part) {
    return target.find(part) != std::string_view::npos;
  };
  if (names("/leases/")) return UnaryLane::kLease;
  if (names("/pods/") || names("/events")) return UnaryLane::kAnswer;
  return UnaryLane::kOther;
}

}  // namespace loglink
