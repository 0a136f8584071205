// Leader election on a Lease as client-go does it, as a state machine without clock or network.
// The record's own times are never compared with ours: a foreign lease is valid for its duration
// after *we* last saw it change. We may write until (the time the last good renewal was sent) +
// renewDeadline. A lost lease makes the program a candidate again. A lease that
// `loglink-controller drain` left behind before this process began ends after leaseDuration.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <variant>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/model/config.h"
#include "lib/model/kube_error.h"
#include "lib/model/lease.h"

namespace loglink {

class LeaderElector {
 public:
  struct GetLease {};
  struct WriteLease {
    Lease lease;  // resource_version "" means create
    bool release = false;
  };
  using Request = std::variant<GetLease, WriteLease>;

  // `identity` is unique among all processes that ever run. `random` must outlive this. With
  // config.enabled false it leads for ever and asks nothing.
  LeaderElector(LeaderElectionConfig config, std::string identity, Random& random);

  // The request to send now, if any; at most one is under way. Call at next_wakeup() and after each
  // answer. Send it at once: `now` is the time from which the right to write counts. Its deadline
  // is to be shorter than renewDeadline.
  std::optional<Request> poll(Now now);
  void answered(const tl::expected<Lease, KubeError>& result, Now now);

  // True while we may write; after it turned false nothing may be written.
  [[nodiscard]] bool is_leader(MonotonicTime now) const;
  // Until when: the fence that goes into UnaryRequest::not_after.
  [[nodiscard]] MonotonicTime writes_allowed_until() const;
  // When poll() has something to send or the right to write ends, whichever is first.
  [[nodiscard]] MonotonicTime next_wakeup() const;
  // Who holds the lease, as last seen; "" when nobody or unknown.
  [[nodiscard]] const std::string& holder() const;
  // True once after the Lease was seen in an earlier state than before, or gone: the API server's
  // storage was restored, as a rule, and what is known of other objects may not be so any more.
  // Only the record is compared, with itself: no resourceVersions, no clock. A holder that saw it
  // takes the Lease again (another acquireTime, one transition more), so that a candidate sees it
  // too that looked only before and after. A Lease that `drain` left and somebody deleted is none.
  bool take_went_back();
  // Whether it is what the last claim or renewal has written; another answer to it gives no right.
  [[nodiscard]] bool is_as_sent(const Lease& lease) const;
  // From now on only give the lease up; poll() returns the release once, if we hold it. All writes
  // must have ended before: is_leader() is false from here on.
  void shut_down();
  // After shut_down: nothing more to send. A release that failed is not repeated: the lease ends by
  // itself.
  [[nodiscard]] bool released() const;

 private:
  enum class Pending { kNone, kGet, kWrite, kRelease };

  std::optional<Request> poll_release();
  void got(const tl::expected<Lease, KubeError>& result, Now now);
  void wrote(const tl::expected<Lease, KubeError>& result, Now now);
  void observe(const Lease& lease, MonotonicTime now);
  void lease_went_back();
  [[nodiscard]] bool holds() const;
  [[nodiscard]] bool may_take(MonotonicTime now) const;
  [[nodiscard]] Lease claim(Now now);
  [[nodiscard]] bool is_own_claim(const Lease& lease) const;
  [[nodiscard]] Duration retry_delay(const KubeError& error);

  LeaderElectionConfig config_;
  std::string identity_;
  Random& random_;
  std::optional<Lease> observed_;
  std::optional<Lease> sent_;    // by the last write that is no release
  MonotonicTime observed_at_{};  // when the record of observed_ last changed
  MonotonicTime next_try_{};
  MonotonicTime request_sent_{};
  MonotonicTime allowed_until_{};  // 0 when not leading
  Pending pending_ = Pending::kNone;
  bool has_looked_ = false;             // the server has said at least once what is there
  bool drained_at_start_ = false;       // `drain` held it when we first looked, and has ever since
  bool write_next_ = false;             // what was read allows a write; else read first
  bool went_back_ = false;              // for take_went_back()
  bool takes_again_ = false;            // the next write is no renewal
  std::optional<WallTime> claimed_at_;  // the acquireTime of our latest write that was none
  bool shutting_down_ = false;
  bool released_ = false;
};

}  // namespace loglink
