#include "lib/base/backoff.h"

#include <algorithm>
#include <cmath>

namespace loglink {
namespace {

constexpr Duration kAskedSpread = std::chrono::milliseconds(2500);

}  // namespace

Duration Backoff::next(Random& random) {
  const auto max = static_cast<double>(policy_.max.count());
  const double grown = static_cast<double>(policy_.first.count()) *
                       std::pow(policy_.factor, static_cast<double>(failures_));
  // Stops counting where the delay stops growing: an outage of weeks must not overflow the count.
  if (grown < max) ++failures_;
  const Duration delay{static_cast<Duration::rep>(std::min(grown, max))};
  const Duration jitter{
      static_cast<Duration::rep>(static_cast<double>(delay.count()) * policy_.jitter)};
  if (jitter <= Duration(0)) return delay;
  return delay + random.between(Duration(0), jitter);
}

Duration wait_as_asked(Duration backoff, std::optional<Duration> asked, Random& random) {
  if (!asked || backoff >= *asked) return backoff;
  return *asked + random.between(Duration(0), std::clamp(backoff, Duration(1), kAskedSpread));
}

}  // namespace loglink
