// Exponential backoff with jitter.
#pragma once

#include <optional>

#include "lib/base/clock.h"
#include "lib/base/random.h"

namespace loglink {

struct BackoffPolicy {
  Duration first = std::chrono::milliseconds(800);
  double factor = 2;
  Duration max = std::chrono::seconds(10);
  double jitter = 0.5;  // the delay is uniform in [d, d * (1 + jitter))
};

class Backoff {
 public:
  explicit Backoff(BackoffPolicy policy) : policy_(policy) {}
  // The next delay; grows with each call until reset().
  Duration next(Random& random);
  void reset() { failures_ = 0; }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  BackoffPolicy policy_;
  int failures_ = 0;
};

// `backoff`, or what the server has asked for (Retry-After) where that is longer, and up to 2.5 s
// more: not all who were told the same number at the same moment are to come back at the same
// moment.
Duration wait_as_asked(Duration backoff, std::optional<Duration> asked, Random& random);

}  // namespace loglink
