// A rate: `burst` at once, then `per_second`. Time comes in; nothing here reads a clock.
#pragma once

#include "lib/base/clock.h"

namespace loglink {

class TokenBucket {
 public:
  TokenBucket(double per_second, double burst)
      : per_second_(per_second), burst_(burst), tokens_(burst) {}

  // Takes `count` tokens if they are there.
  bool try_take(MonotonicTime now, double count = 1);
  // When try_take(count) will succeed; `now` if it would already. never() if count > burst.
  [[nodiscard]] MonotonicTime ready_at(MonotonicTime now, double count = 1) const;
  // Takes them whatever is there; the debt delays what comes next.
  void take(MonotonicTime now, double count = 1);
  // Puts back what was taken for nothing.
  void give_back(double count = 1);

 private:
  void refill(MonotonicTime now);

  double per_second_;
  double burst_;
  double tokens_;
  MonotonicTime refilled_{};
  bool started_ = false;
};

}  // namespace loglink
