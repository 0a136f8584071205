// The clocks of one machine, derived from the simulator's time.
#pragma once

#include <algorithm>

#include "lib/base/clock.h"

namespace loglink::sim {

// Runs at its own rate, and its wall clock is off and may jump.
class ProcessClock final : public Clock {
 public:
  // `world` is the simulator's time; outlives this. A rate of 1000 is exact.
  ProcessClock(const Now& world, int rate_per_mille)
      : world_(world), start_(world.monotonic), rate_per_mille_(rate_per_mille) {}

  [[nodiscard]] Now now() const override {
    const Duration passed = (world_.monotonic - start_) / 1000 * rate_per_mille_;
    return Now{start_ + passed, world_.wall + wall_offset_};
  }
  // A world time at which now() has reached `own`, as early as whole microseconds allow.
  [[nodiscard]] MonotonicTime world_time(MonotonicTime own) const {
    if (own == MonotonicTime::never()) return own;
    const Duration passed = std::max(own - start_, Duration(0));
    return start_ + (passed / rate_per_mille_ + Duration(1)) * 1000;
  }
  void set_wall_offset(Duration offset) { wall_offset_ = offset; }

 private:
  const Now& world_;
  const MonotonicTime start_;
  const int rate_per_mille_;
  Duration wall_offset_{0};
};

}  // namespace loglink::sim
