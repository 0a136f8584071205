#include "agent/core/status_pacer.h"

#include <algorithm>

namespace loglink {
namespace {

constexpr Duration kApart = std::chrono::seconds(1);
constexpr Duration kCountsEarliest = std::chrono::seconds(25);
constexpr Duration kCountsLatest = std::chrono::seconds(35);

bool same_state(const PodLinks& a, const PodLinks& b) {
  return a.namespace_name == b.namespace_name && a.pod == b.pod && a.uid == b.uid &&
         a.reason == b.reason && (a.links == 0) == (b.links == 0);
}

bool same_condition(const Condition& a, const Condition& b) {
  return a.type == b.type && a.status == b.status && a.reason == b.reason;
}

}  // namespace

bool differs_in_state(const NodeLinkSetStatus& a, const NodeLinkSetStatus& b) {
  return a.observed_generation != b.observed_generation || a.pod_count != b.pod_count ||
         !std::equal(a.pods.begin(), a.pods.end(), b.pods.begin(), b.pods.end(), same_state) ||
         !std::equal(a.conditions.begin(), a.conditions.end(), b.conditions.begin(),
                     b.conditions.end(), same_condition);
}

MonotonicTime StatusPacer::due(const NodeLinkSetStatus& current, const Now& now) const {
  if (written_ && *written_ == current) return MonotonicTime::never();
  const bool state = !written_ || differs_in_state(*written_, current);
  if (!last_) return now.monotonic;
  if (!state) return std::max(now.monotonic, *last_ + counts_after_);
  return std::max(bucket_.ready_at(now.monotonic), *last_ + kApart);
}

void StatusPacer::tried(const Now& now) {
  last_ = now.monotonic;
  bucket_.take(now.monotonic);
  counts_after_ = random_.between(kCountsEarliest, kCountsLatest);
}

void StatusPacer::written(NodeLinkSetStatus status) { written_ = std::move(status); }

}  // namespace loglink
