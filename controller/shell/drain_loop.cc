#include "controller/shell/drain_loop.h"

#include <algorithm>
#include <chrono>

#include "lib/codec/kube_json.h"
#include "lib/kube/requests.h"
#include "lib/kube/trouble.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr Duration kRetry = std::chrono::seconds(1);
constexpr Duration kRaceRetry = std::chrono::milliseconds(100);
constexpr std::size_t kMaxUnderWay = 8;

bool is_observed(const NodeLinkSet& object) {
  return object.status.observed_generation >= object.generation;
}

bool is_empty(const NodeLinkSet& object) {
  return object.spec.sources.empty() && object.spec.unreadable == 0;
}

bool is_drained(const NodeLinkSet& object) {
  return is_empty(object) && object.status.links == 0 && is_observed(object);
}

// An object that never had a source has nothing to answer for.
bool is_done(const NodeLinkSet& object) {
  const bool never_used =
      is_empty(object) && object.status.observed_generation == 0 && object.generation <= 1;
  return never_used || is_drained(object);
}

// Without the feature the agent lets the links linger; a set without sources, or an agent that does
// not know the feature, lingers too.
Source remove_now(Source source, WallTime now) {
  if (!source.withdrawn()) source.remove_after = std::chrono::floor<std::chrono::seconds>(now);
  source.required_features = {std::string(names::kFeatureRemoveNow)};
  return source;
}

// What to write next; nullopt: nothing, or an agent's answer has to come first.
std::optional<NodeLinkSetSpec> next_spec(const NodeLinkSet& object, WallTime now) {
  if (is_empty(object)) return std::nullopt;
  NodeLinkSetSpec spec;
  for (const Source& source : object.spec.sources) spec.sources.push_back(remove_now(source, now));
  if (spec != object.spec) return spec;
  if (is_observed(object) && object.status.links == 0) return NodeLinkSetSpec{};
  return std::nullopt;
}

}  // namespace

DrainLoop::DrainLoop(ControllerConfig config, Duration timeout, ControllerPorts ports,
                     std::function<void(const Remark&)> log, std::function<void()> wake)
    : config_(std::move(config)),
      timeout_(timeout),
      ports_(ports),
      log_(std::move(log)),
      wake_(std::move(wake)) {
  ListWatchOptions options;
  options.reflector.path = kNodeLinkSetsPath;
  ListWatchListener<NodeLinkSet>& listener = *this;
  watch_ = std::make_unique<ListWatch<NodeLinkSet>>(std::move(options), node_link_set_codec(),
                                                    ports_.streams, ports_.clock, ports_.random,
                                                    listener);
}

DrainLoop::~DrainLoop() = default;

void DrainLoop::start() {
  const Now now = ports_.clock.now();
  deadline_ = now.monotonic + timeout_;
  watch_->start(now);
  wake_();
}

void DrainLoop::on_replaced(std::vector<Decoded<NodeLinkSet>> objects, const std::string&) {
  objects_.clear();
  for (Decoded<NodeLinkSet>& object : objects) objects_[object.key.name] = std::move(*object.value);
  synced_ = true;
  wake_();
}

void DrainLoop::on_upserted(Decoded<NodeLinkSet> object) {
  objects_[object.key.name] = std::move(*object.value);
  wake_();
}

void DrainLoop::on_deleted(const ObjectKey& key, const std::string&) {
  objects_.erase(key.name);
  wake_();
}

void DrainLoop::on_trouble(const std::optional<KubeError>& error) {
  if (error) say("nodelinksets", *error);
}

void DrainLoop::say(const std::string& about, const KubeError& error) {
  const bool no_namespace = about == "lease" && error.kind == KubeErrorKind::kNotFound;
  const std::string what =
      no_namespace ? "create the namespace " + config_.leader_election.lease_namespace +
                         ", or set leaderElection.leaseNamespace to the controller's own"
                   : cure(error);
  std::string text = about + ": " + describe(error) + (what.empty() ? "" : "; " + what);
  if (text == trouble_) return;
  trouble_ = std::move(text);
  log_({RemarkLevel::kWarning, "trouble with the API server, trying again", {{"error", trouble_}}});
}

void DrainLoop::give_up() {
  given_up_ = true;
  wake_();
}

void DrainLoop::step() {
  if (finished_) return;
  const Now now = ports_.clock.now();
  watch_->tick(now);
  take_lease(now);
  if (writes_from_ && now.monotonic >= *writes_from_ && synced_) empty_objects(now);
  const bool all_done = emptying() && now.monotonic >= *writes_from_ && under_way_.empty() &&
                        std::all_of(objects_.begin(), objects_.end(),
                                    [](const auto& each) { return is_done(each.second); });
  if (!all_done && !given_up_ && now.monotonic < deadline_) return;
  drained_ = all_done && broken_off_.empty();
  finished_ = true;
  watch_->stop();
}

MonotonicTime DrainLoop::next_wakeup() const {
  if (finished_) return MonotonicTime::never();
  MonotonicTime next = std::min(deadline_, watch_->next_wakeup());
  const MonotonicTime now = ports_.clock.now().monotonic;
  if (!lease_asked_) next = std::min(next, lease_again_);
  if (writes_from_ && *writes_from_ > now) next = std::min(next, *writes_from_);
  for (const auto& [node, at] : retry_at_) {
    if (at > now) next = std::min(next, at);
  }
  return next;
}

// The lease is taken from whoever holds it, at once: its holder finds out with its next renewal and
// must not write after renewDeadline. Then it is renewed, so that it is seen to be held.
void DrainLoop::take_lease(Now now) {
  if (lease_asked_ || now.monotonic < lease_again_) return;
  const LeaderElectionConfig& election = config_.leader_election;
  const ObjectKey key{election.lease_namespace, election.lease_name};
  UnaryRequest request = get_lease_request(key);
  const bool is_write = lease_read_;
  if (is_write) {
    Lease lease = lease_.value_or(Lease{});
    lease.namespace_name = key.namespace_name;
    lease.name = key.name;
    if (lease.holder != names::kDrainedHolder) {
      if (lease_) ++lease.transitions;
      lease.acquired = std::chrono::floor<std::chrono::microseconds>(now.wall);
      lease_acquired_ = lease.acquired;
    }
    lease.holder = names::kDrainedHolder;
    lease.duration_seconds =
        static_cast<int>(std::chrono::duration_cast<std::chrono::seconds>(kHold).count());
    lease.renewed = std::chrono::floor<std::chrono::microseconds>(now.wall);
    sent_ = lease;
    request = lease.resource_version.empty()
                  ? create_lease_request(key.namespace_name, encode_lease(lease))
                  : put_lease_request(key, encode_lease(lease));
  }
  lease_asked_ = true;
  lease_sent_ = now.monotonic;
  ports_.leases.send(std::move(request),
                     [this, is_write, alive = std::weak_ptr<int>(alive_)](UnaryResult result) {
                       if (alive.expired()) return;
                       lease_asked_ = false;
                       lease_answered(std::move(result), is_write);
                       wake_();
                     });
}

void DrainLoop::lease_answered(UnaryResult result, bool was_write) {
  const MonotonicTime now = ports_.clock.now().monotonic;
  if (was_write && result) {
    const tl::expected<Lease, KubeError> written = decode_lease(result->body);
    // An answer to somebody else's write, or to an earlier one, takes nothing.
    if (written && written->holder == names::kDrainedHolder && written->renewed == sent_.renewed &&
        written->acquired == sent_.acquired) {
      lease_taken(now, *written);
      return;
    }
  }
  if (!was_write && result) {
    if (tl::expected<Lease, KubeError> lease = decode_lease(result->body)) {
      // Drained already: by a write of ours whose answer was lost; or by another drain, and its
      // leader may not know yet.
      const bool is_ours = lease->holder == names::kDrainedHolder && lease_acquired_ &&
                           lease->acquired == lease_acquired_;
      if (!lease->holder.empty() && !is_ours) has_former_holder_ = true;
      if (writes_from_ && lease->holder != names::kDrainedHolder) {
        break_off("the Lease is now held by \"" + lease->holder + "\"");
        return;
      }
      lease_ = std::move(*lease);
      lease_read_ = true;
      return;
    }
  }
  if (!was_write && !result && result.error().kind == KubeErrorKind::kNotFound) {
    lease_.reset();
    lease_read_ = true;
    return;
  }
  // Its holder was faster, or the server is in trouble: read it again.
  lease_read_ = false;
  const bool raced = !result && (result.error().kind == KubeErrorKind::kConflict ||
                                 result.error().kind == KubeErrorKind::kAlreadyExists);
  const bool is_gone = !result && result.error().kind == KubeErrorKind::kNotFound;
  // Another may have it; nothing is written until a renewal has been answered.
  if (was_write && (result || raced || is_gone)) writes_until_ = {};
  lease_again_ = now + (raced ? kRaceRetry : kRetry);
  if (!raced && !result) say("lease", result.error());
}

// Somebody wants links again: to take the Lease once more would fight them.
void DrainLoop::break_off(std::string why) {
  writes_until_ = {};
  broken_off_ = std::move(why);
  log_({RemarkLevel::kWarning, "the drain was broken off, and ends", {{"reason", broken_off_}}});
  give_up();
}

void DrainLoop::lease_taken(MonotonicTime now, Lease written) {
  const std::string before = lease_ ? lease_->holder : "";
  lease_ = std::move(written);
  lease_again_ = now + config_.leader_election.retry_period;
  writes_until_ = lease_sent_ + config_.leader_election.renew_deadline;
  if (writes_from_ && before == names::kDrainedHolder) return;
  // Where nobody held it, nobody has to stop.
  writes_from_ = has_former_holder_ ? now + config_.leader_election.renew_deadline : now;
  deadline_ = *writes_from_ + timeout_;  // the agents' time begins when they can be asked
  trouble_.clear();
  log_({RemarkLevel::kInfo, "the lease is taken", {{"from", before}}});
}

void DrainLoop::empty_objects(Now now) {
  if (now.monotonic >= writes_until_) return;  // the answer to a renewal brings us back
  for (const auto& [name, object] : objects_) {
    if (under_way_.size() >= kMaxUnderWay) return;
    if (under_way_.contains(name)) continue;
    const auto retry = retry_at_.find(name);
    if (retry != retry_at_.end() && now.monotonic < retry->second) continue;
    std::optional<NodeLinkSetSpec> spec = next_spec(object, now.wall);
    if (!spec) continue;
    NodeLinkSet changed = object;
    changed.spec = *std::move(spec);
    changed.status = {};
    under_way_.insert(name);
    UnaryRequest request = put_node_link_set_request(name, encode_node_link_set(changed));
    request.not_after = writes_until_;
    ports_.writes.send(std::move(request),
                       [this, node = name, sent = changed.spec,
                        alive = std::weak_ptr<int>(alive_)](const UnaryResult& result) {
                         if (alive.expired()) return;
                         under_way_.erase(node);
                         object_answered(node, sent, result);
                         wake_();
                       });
  }
}

void DrainLoop::object_answered(const std::string& node, const NodeLinkSetSpec& sent,
                                const UnaryResult& result) {
  tl::expected<NodeLinkSet, KubeError> written =
      result ? decode_node_link_set(result->body) : tl::unexpected(result.error());
  if (written && written->spec == sent) {
    adopt_written(node, std::move(*written));
    return;
  }
  retry_at_[node] = ports_.clock.now().monotonic + kRetry;
  if (written) {
    written = tl::unexpected(KubeError{});
    written.error().kind = KubeErrorKind::kInvalid;
    written.error().message =
        "the API server does not keep the whole spec; install the CRD of this release";
  }
  say(node, written.error());
}

// The watch may have been faster, and with the agent's answer already; or the object is gone.
void DrainLoop::adopt_written(const std::string& node, NodeLinkSet written) {
  const auto known = objects_.find(node);
  if (known == objects_.end() || known->second.uid != written.uid) return;
  if (known->second.generation < written.generation) known->second = std::move(written);
}

std::vector<DrainLoop::Unfinished> DrainLoop::unfinished() const {
  std::vector<Unfinished> nodes;
  for (const auto& [name, object] : objects_) {
    if (is_done(object)) continue;
    nodes.push_back({name, is_observed(object), object.status.links});
  }
  return nodes;
}

}  // namespace loglink
