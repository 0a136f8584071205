#include "lib/base/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace loglink {
namespace {

constexpr double kNanosPerSecond = 1e9;
// Sums of fractions miss whole numbers by a little: what ready_at() promised must be taken.
constexpr double kRounding = 1e-6;

}  // namespace

bool TokenBucket::try_take(MonotonicTime now, double count) {
  refill(now);
  if (tokens_ + kRounding < count) return false;
  tokens_ -= count;
  return true;
}

MonotonicTime TokenBucket::ready_at(MonotonicTime now, double count) const {
  if (count > burst_) return MonotonicTime::never();
  TokenBucket later = *this;
  later.refill(now);
  if (later.tokens_ + kRounding >= count) return now;
  if (per_second_ <= 0) return MonotonicTime::never();
  const double nanos = std::ceil((count - later.tokens_) / per_second_ * kNanosPerSecond);
  const auto most = static_cast<double>((MonotonicTime::never() - now).count());
  if (nanos >= most) return MonotonicTime::never();
  return now + Duration(static_cast<Duration::rep>(nanos));
}

void TokenBucket::take(MonotonicTime now, double count) {
  refill(now);
  tokens_ -= count;
}

void TokenBucket::give_back(double count) { tokens_ = std::min(burst_, tokens_ + count); }

void TokenBucket::refill(MonotonicTime now) {
  if (started_ && now > refilled_) {
    const auto nanos = static_cast<double>((now - refilled_).count());
    tokens_ = std::min(burst_, tokens_ + nanos / kNanosPerSecond * per_second_);
  }
  if (!started_ || now > refilled_) refilled_ = now;
  started_ = true;
}

}  // namespace loglink
