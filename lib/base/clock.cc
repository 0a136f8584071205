#include "lib/base/clock.h"

namespace loglink {

Now SystemClock::now() const {
  const auto monotonic = std::chrono::steady_clock::now().time_since_epoch();
  return {MonotonicTime{std::chrono::duration_cast<Duration>(monotonic)},
          std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now())};
}

}  // namespace loglink
