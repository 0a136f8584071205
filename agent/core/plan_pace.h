// When the next plan may be made. A plan looks at everything, so that plans may take only a small
// part of the time, however often something changes; what one costs is told by the clock of the
// steps. Reads no clock itself.
#pragma once

#include "lib/base/clock.h"

namespace loglink {

class PlanPace {
 public:
  // The agent starts: nothing has been read yet.
  void start(MonotonicTime now) { ended_at_ = now; }
  // A step begins. It ends the plan of the step before.
  void step(MonotonicTime now);
  // The step that began at `now` makes a plan; the next one should follow at once.
  void planned(MonotonicTime now);
  [[nodiscard]] bool is_measuring() const { return is_measuring_; }

  // While directories are being read, or targets looked at, a plan knows only a part, and is soon
  // made again.
  [[nodiscard]] MonotonicTime ready_at(bool is_looking) const;
  // The end of the last plan, or the start.
  [[nodiscard]] MonotonicTime last_end() const { return ended_at_; }

 private:
  bool is_measuring_ = false;
  MonotonicTime began_at_{};
  MonotonicTime ended_at_{};
  MonotonicTime ready_at_{};
  MonotonicTime paid_at_{};  // when the time that plans have taken is a small enough part
};

// Plans take at most one part in so many of the time…
inline constexpr int kPlanRest = 10;
// …but for those of a change that takes a few of them, which are paid for within that time.
inline constexpr Duration kPlanCredit = std::chrono::seconds(3);
// However slow the machine, what needs a plan waits no longer than this, and for the plan itself.
inline constexpr Duration kPlanGapMost = std::chrono::seconds(1);
// Less is no wait.
inline constexpr Duration kPlanGapLeast = std::chrono::milliseconds(1);
// While it still looks at directories or targets, what is known already is linked this often.
inline constexpr Duration kPlanWhileLooking = std::chrono::milliseconds(200);

}  // namespace loglink
