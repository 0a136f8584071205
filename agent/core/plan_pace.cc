#include "agent/core/plan_pace.h"

#include <algorithm>

namespace loglink {

void PlanPace::step(MonotonicTime now) {
  if (!is_measuring_) return;
  is_measuring_ = false;
  ended_at_ = now;
  // A machine that slept through it says nothing about the plan.
  const Duration cost = std::clamp(now - began_at_, Duration(0), kPlanGapMost);
  paid_at_ = std::min(std::max(paid_at_, now) + cost * kPlanRest, now + kPlanCredit + kPlanGapMost);
  const MonotonicTime ready = paid_at_ - kPlanCredit;
  ready_at_ = ready - now < kPlanGapLeast ? now : ready;
}

void PlanPace::planned(MonotonicTime now) {
  is_measuring_ = true;
  began_at_ = now;
  ended_at_ = now;
  ready_at_ = now;
}

MonotonicTime PlanPace::ready_at(bool is_looking) const {
  if (!is_looking) return ready_at_;
  return std::max(ready_at_, ended_at_ + kPlanWhileLooking);
}

}  // namespace loglink
