#include "lib/kube/leader_elector.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "lib/kube/requests.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

// Candidates must not ask in step. The holder is not jittered: its renewals are what others wait
// on.
constexpr double kCandidateJitter = 0.2;
constexpr int kReleasedSeconds = 1;
const std::string kNobody;

// The record as election sees it: a label that someone puts on the object is not a sign of life.
auto record(const Lease& lease) {
  return std::tie(lease.holder, lease.duration_seconds, lease.transitions, lease.acquired,
                  lease.renewed);
}

// Whether the Lease went back between two looks. One holder's renewals go forward, unless its clock
// is set back; one that takes the Lease again, of which claim() leaves a trace, has seen it go
// back. With each other holder the number of transitions goes up, unless somebody makes the Lease
// anew.
// One that `drain` left is deleted to go on, and then made anew.
bool went_back(const Lease& before, const Lease& now) {
  if (before.holder == names::kDrainedHolder) return now.acquired < before.acquired;
  if (now.transitions < before.transitions) return true;
  if (now.holder.empty()) return false;  // given up
  if (now.holder != before.holder) return now.transitions == before.transitions;
  return now.acquired != before.acquired || now.renewed < before.renewed;
}

int whole_seconds(Duration duration) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return static_cast<int>(std::max<std::int64_t>(seconds, 1));
}

}  // namespace

LeaderElector::LeaderElector(LeaderElectionConfig config, std::string identity, Random& random)
    : config_(std::move(config)), identity_(std::move(identity)), random_(random) {
  if (!config_.enabled) allowed_until_ = MonotonicTime::never();
}

std::optional<LeaderElector::Request> LeaderElector::poll(Now now) {
  if (now.monotonic >= allowed_until_) allowed_until_ = {};
  if (!config_.enabled || pending_ != Pending::kNone) return std::nullopt;
  if (shutting_down_) return poll_release();
  if (now.monotonic < next_try_) return std::nullopt;
  request_sent_ = now.monotonic;
  if (!write_next_) {
    pending_ = Pending::kGet;
    return GetLease{};
  }
  pending_ = Pending::kWrite;
  return WriteLease{claim(now), false};
}

std::optional<LeaderElector::Request> LeaderElector::poll_release() {
  if (released_) return std::nullopt;
  if (!holds()) {
    released_ = true;
    return std::nullopt;
  }
  pending_ = Pending::kRelease;
  WriteLease write{*observed_, true};
  write.lease.holder.clear();
  write.lease.duration_seconds = kReleasedSeconds;
  return write;
}

void LeaderElector::answered(const tl::expected<Lease, KubeError>& result, Now now) {
  switch (std::exchange(pending_, Pending::kNone)) {
    case Pending::kNone:
      return;
    case Pending::kGet:
      got(result, now);
      return;
    case Pending::kWrite:
      wrote(result, now);
      return;
    case Pending::kRelease:
      released_ = true;
      if (result) observe(*result, now.monotonic);
      return;
  }
  __builtin_unreachable();
}

void LeaderElector::got(const tl::expected<Lease, KubeError>& result, Now now) {
  if (!result) {
    if (result.error().kind != KubeErrorKind::kNotFound) {
      next_try_ = now.monotonic + retry_delay(result.error());
      return;
    }
    // Deleting it is how a drain is ended.
    if (observed_ && observed_->holder != names::kDrainedHolder) lease_went_back();
    // A deleted lease can be created by anyone without waiting: what we hold ends here.
    observed_.reset();
    has_looked_ = true;
    drained_at_start_ = false;
    allowed_until_ = {};
    write_next_ = true;
    next_try_ = now.monotonic;
    return;
  }
  if (is_own_claim(*result)) {
    takes_again_ = false;
  } else if (observed_ && went_back(*observed_, *result)) {
    lease_went_back();
  }
  observe(*result, now.monotonic);
  if (!holds()) allowed_until_ = {};
  write_next_ = may_take(now.monotonic);
  const Duration jitter{static_cast<Duration::rep>(
      static_cast<double>(config_.retry_period.count()) * kCandidateJitter)};
  next_try_ = now.monotonic;
  if (!write_next_) {
    next_try_ = next_try_ + config_.retry_period +
                random_.between(Duration(0), std::max(jitter, Duration(1)));
  }
}

void LeaderElector::wrote(const tl::expected<Lease, KubeError>& result, Now now) {
  if (result) {
    if (!shutting_down_ && !is_as_sent(*result)) {
      // An answer to somebody else, or, from a proxy that mixes them up, to an earlier write of
      // ours: it gives no right. What there is, the next look tells.
      if (result->holder != identity_) {
        observe(*result, now.monotonic);
        allowed_until_ = {};
      }
      write_next_ = false;
      next_try_ = now.monotonic + config_.retry_period;
      return;
    }
    observe(*result, now.monotonic);
    takes_again_ = false;
    // From when it was sent: the answer may have taken any time, and others count from the write.
    if (!shutting_down_) allowed_until_ = request_sent_ + config_.renew_deadline;
    write_next_ = true;
    next_try_ = request_sent_ + config_.retry_period;
    return;
  }
  // Whether it arrived is unknown: read before writing again.
  write_next_ = false;
  next_try_ = std::max(now.monotonic, request_sent_ + retry_delay(result.error()));
  if (result.error().kind == KubeErrorKind::kNotFound) allowed_until_ = {};
}

Duration LeaderElector::retry_delay(const KubeError& error) {
  const bool is_leading = allowed_until_ > MonotonicTime{};
  switch (reaction(error.kind, RequestUse::kLease)) {
    case Reaction::kRequeue:
    case Reaction::kRefreshCredentials:
      // The holder looks again at once: its time runs out. Candidates have time.
      if (is_leading) return std::min(config_.retry_period / 4, Duration(std::chrono::seconds(1)));
      return config_.retry_period;
    case Reaction::kResume:
    case Reaction::kBackOff:
    case Reaction::kRelist:
    case Reaction::kDrop:
      // A Retry-After that is longer than the right to write would lose it; the fence still holds.
      if (!is_leading && error.retry_after) {
        return std::max(config_.retry_period, *error.retry_after);
      }
      return config_.retry_period;
  }
  __builtin_unreachable();
}

void LeaderElector::observe(const Lease& lease, MonotonicTime now) {
  const bool is_drained = lease.holder == names::kDrainedHolder;
  drained_at_start_ = is_drained && (drained_at_start_ || !has_looked_);
  has_looked_ = true;
  if (!observed_ || record(*observed_) != record(lease)) observed_at_ = now;
  observed_ = lease;
}

// What a write of ours has made of it, whose answer was lost. A claim has one transition more than
// what it was made from: one with no more was seen long ago, and is back from a backup.
bool LeaderElector::is_own_claim(const Lease& lease) const {
  if (lease.holder != identity_ || !claimed_at_ || lease.acquired != claimed_at_) return false;
  if (!observed_) return true;
  return lease.transitions > observed_->transitions && observed_->acquired != claimed_at_;
}

bool LeaderElector::is_as_sent(const Lease& lease) const {
  return sent_ && lease.holder == sent_->holder && lease.acquired == sent_->acquired &&
         lease.renewed == sent_->renewed && lease.transitions == sent_->transitions;
}

bool LeaderElector::holds() const { return observed_ && observed_->holder == identity_; }

bool LeaderElector::may_take(MonotonicTime now) const {
  if (observed_->holder.empty() || observed_->holder == identity_) return true;
  // A drain is over when it no longer renews: whoever starts after it is a new installation. Those
  // that it took the lease from wait for as long as the lease itself says.
  if (observed_->holder == names::kDrainedHolder && drained_at_start_) {
    return now >= observed_at_ + config_.lease_duration;
  }
  return now >= observed_at_ + std::chrono::seconds(observed_->duration_seconds);
}

Lease LeaderElector::claim(Now now) {
  Lease lease;
  if (observed_) lease = *observed_;
  lease.namespace_name = config_.lease_namespace;
  lease.name = config_.lease_name;
  // Taken again, it tells those that look only now: a renewal would hide from them that it went
  // back.
  if (!holds() || takes_again_) {
    if (observed_) ++lease.transitions;
    lease.acquired = std::chrono::floor<std::chrono::microseconds>(now.wall);
    claimed_at_ = lease.acquired;
  }
  lease.holder = identity_;
  lease.duration_seconds = whole_seconds(config_.lease_duration);
  lease.renewed = std::chrono::floor<std::chrono::microseconds>(now.wall);
  sent_ = lease;
  return lease;
}

bool LeaderElector::is_leader(MonotonicTime now) const { return now < allowed_until_; }

MonotonicTime LeaderElector::writes_allowed_until() const { return allowed_until_; }

MonotonicTime LeaderElector::next_wakeup() const {
  const bool is_leading = allowed_until_ > MonotonicTime{};
  const MonotonicTime fence = is_leading ? allowed_until_ : MonotonicTime::never();
  if (!config_.enabled || pending_ != Pending::kNone) return fence;
  if (shutting_down_) return released_ ? MonotonicTime::never() : MonotonicTime{};
  return std::min(fence, next_try_);
}

const std::string& LeaderElector::holder() const {
  if (!config_.enabled) return identity_;
  return observed_ ? observed_->holder : kNobody;
}

void LeaderElector::shut_down() {
  shutting_down_ = true;
  allowed_until_ = {};
  if (!config_.enabled) released_ = true;
}

void LeaderElector::lease_went_back() {
  went_back_ = true;
  takes_again_ = true;
}

bool LeaderElector::take_went_back() { return std::exchange(went_back_, false); }

bool LeaderElector::released() const { return released_; }

}  // namespace loglink
