// Time as a parameter. Code that decides takes a Now, which its loop reads once per step.
#pragma once

#include <chrono>

namespace loglink {

using Duration = std::chrono::nanoseconds;

// Nanoseconds of CLOCK_MONOTONIC. Only differences mean anything; never written to disk or API.
struct MonotonicTime {
  Duration since_epoch{0};

  auto operator<=>(const MonotonicTime&) const = default;
  friend MonotonicTime operator+(MonotonicTime t, Duration d) { return {t.since_epoch + d}; }
  friend MonotonicTime operator-(MonotonicTime t, Duration d) { return {t.since_epoch - d}; }
  friend Duration operator-(MonotonicTime a, MonotonicTime b) {
    return a.since_epoch - b.since_epoch;
  }
  static constexpr MonotonicTime never() { return {Duration::max()}; }
};

// UTC. May jump; used for what is exchanged with others (creationTimestamp, removeAfter, Lease).
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;

struct Now {
  MonotonicTime monotonic;
  WallTime wall;
};

class Clock {
 public:
  virtual ~Clock() = default;
  [[nodiscard]] virtual Now now() const = 0;
};

// The machine's clocks. Thread-safe.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override;
};

}  // namespace loglink
