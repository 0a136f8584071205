#include "controller/shell/controller_loop.h"

#include <algorithm>
#include <chrono>

#include "lib/codec/kube_json.h"
#include "lib/kube/requests.h"
#include "lib/kube/trouble.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

// What is under way at a shutdown gets this long before the lease is given up anyway.
constexpr Duration kReleaseDeadline = std::chrono::seconds(1);
// Lists of everything because of the Lease, which others can write.
constexpr Duration kListAgainPause = std::chrono::seconds(60);
constexpr Duration kLeaseDeadlineMax = std::chrono::seconds(5);

AnswerWriter::Result without_body(UnaryResult result) {
  if (result) return {};
  return tl::unexpected(std::move(result).error());
}

tl::expected<NodeLinkSet, KubeError> object_of(UnaryResult result, const std::string& name) {
  if (!result) return tl::unexpected(std::move(result).error());
  tl::expected<NodeLinkSet, KubeError> object = decode_node_link_set(result->body);
  if (object && object->name != name) return tl::unexpected(another_object());
  return object;
}

// What a server that changes Leases, or a proxy that mixes its answers up, makes of a write of
// ours.
KubeError another_lease() {
  KubeError error;
  error.kind = KubeErrorKind::kUnexpected;
  error.message =
      "the answer has another Lease than was written: an admission webhook changes Leases, or a "
      "proxy mixes answers up";
  return error;
}

tl::expected<Lease, KubeError> lease_of(UnaryResult result, const ObjectKey& key) {
  if (!result) return tl::unexpected(std::move(result).error());
  tl::expected<Lease, KubeError> lease = decode_lease(result->body);
  if (lease && ObjectKey{lease->namespace_name, lease->name} != key) {
    return tl::unexpected(another_object());
  }
  return lease;
}

// Nobody can use the Lease meanwhile, and it ends without anybody's doing.
bool is_outage(KubeErrorKind kind) {
  switch (kind) {
    case KubeErrorKind::kRefused:
    case KubeErrorKind::kDns:
    case KubeErrorKind::kTls:
    case KubeErrorKind::kConnectTimeout:
    case KubeErrorKind::kIdleTimeout:
    case KubeErrorKind::kDeadline:
    case KubeErrorKind::kTruncated:
    case KubeErrorKind::kProtocol:
    case KubeErrorKind::kConflict:
    case KubeErrorKind::kAlreadyExists:
    case KubeErrorKind::kTooManyRequests:
    case KubeErrorKind::kServerError:
    case KubeErrorKind::kCancelled:
      return true;
    case KubeErrorKind::kUnauthorized:
    case KubeErrorKind::kForbidden:
    case KubeErrorKind::kNotFound:
    case KubeErrorKind::kNotServed:
    case KubeErrorKind::kGone:
    case KubeErrorKind::kTooLargeVersion:
    case KubeErrorKind::kInvalid:
    case KubeErrorKind::kUnexpected:
      return false;
  }
  __builtin_unreachable();
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

// One per resource: two bases with the same virtual functions could not tell them apart.
template <class T>
class ControllerLoop::Listener final : public ListWatchListener<T> {
 public:
  Listener(ControllerLoop& loop, Part part) : loop_(loop), part_(part) {}

  void on_replaced(std::vector<Decoded<T>> objects, const std::string&) override {
    std::vector<T> values;
    values.reserve(objects.size());
    for (Decoded<T>& object : objects) values.push_back(std::move(*object.value));
    objects = {};
    const Now now = loop_.ports_.clock.now();
    if constexpr (std::is_same_v<T, PodView>) {
      loop_.controller_.pods_replaced(std::move(values), now);
    } else {
      loop_.controller_.objects_replaced(std::move(values), now);
    }
    loop_.wake_();
  }
  void on_upserted(Decoded<T> object) override {
    const Now now = loop_.ports_.clock.now();
    if constexpr (std::is_same_v<T, PodView>) {
      loop_.controller_.pod_upserted(std::move(*object.value), now);
    } else {
      loop_.controller_.object_upserted(std::move(*object.value), now);
    }
    loop_.wake_();
  }
  void on_deleted(const ObjectKey& key, const std::string&) override {
    const Now now = loop_.ports_.clock.now();
    if constexpr (std::is_same_v<T, PodView>) {
      loop_.controller_.pod_deleted(key, now);
    } else {
      loop_.controller_.object_deleted(key.name, now);
    }
    loop_.wake_();
  }
  void on_trouble(const std::optional<KubeError>& error) override {
    loop_.trouble(part_, error);
    loop_.wake_();
  }
  void on_restart(std::string_view reason) override {
    loop_.restarted(part_, reason);
    loop_.wake_();
  }
  void on_wakeup() override { loop_.wake_(); }

 private:
  ControllerLoop& loop_;
  Part part_;
};

ControllerLoop::ControllerLoop(ControllerConfig config, std::string instance, ControllerPorts ports,
                               std::function<void(const Remark&)> log, std::function<void()> wake)
    : config_(std::move(config)),
      instance_(std::move(instance)),
      ports_(ports),
      log_(std::move(log)),
      wake_(std::move(wake)),
      controller_(config_, instance_, ports_.random),
      elector_(config_.leader_election, instance_, ports_.random),
      pod_listener_(std::make_unique<Listener<PodView>>(*this, Part::kPods)),
      object_listener_(std::make_unique<Listener<NodeLinkSet>>(*this, Part::kNodeLinkSets)) {
  ListWatchOptions pods;
  pods.reflector.path = kPodsPath;
  pods.accept = kAcceptProtobufOrJson;
  pods.reflector.label_selector = config_.pod_selector;
  pods_ = std::make_unique<ListWatch<PodView>>(std::move(pods), pod_codec(), ports_.streams,
                                               ports_.clock, ports_.random, *pod_listener_);
  ListWatchOptions objects;
  objects.reflector.path = kNodeLinkSetsPath;
  objects_ = std::make_unique<ListWatch<NodeLinkSet>>(std::move(objects), node_link_set_codec(),
                                                      ports_.streams, ports_.clock, ports_.random,
                                                      *object_listener_);
}

ControllerLoop::~ControllerLoop() = default;

void ControllerLoop::start() {
  const Now now = ports_.clock.now();
  pods_->start(now);
  objects_->start(now);
  wake_();
}

void ControllerLoop::remark(RemarkLevel level, std::string message,
                            std::vector<std::pair<std::string, std::string>> fields) {
  log_(Remark{level, std::move(message), std::move(fields)});
}

std::string ControllerLoop::name_of(Part part) {
  switch (part) {
    case Part::kPods:
      return "pods";
    case Part::kNodeLinkSets:
      return "nodelinksets";
    case Part::kLease:
      return "lease";
  }
  __builtin_unreachable();
}

// Said once when it changes, and once when it is over.
void ControllerLoop::trouble(Part part, const std::optional<KubeError>& error) {
  const auto known = troubles_.find(part);
  if (!error) {
    if (known == troubles_.end()) return;
    troubles_.erase(known);
    remark(RemarkLevel::kInfo, "the API server answers again", {{"about", name_of(part)}});
    return;
  }
  const bool is_new = known == troubles_.end() || known->second.kind != error->kind ||
                      known->second.http_status != error->http_status ||
                      known->second.reason != error->reason;
  troubles_[part] = *error;
  if (!is_new) return;
  std::vector<std::pair<std::string, std::string>> fields = {{"about", name_of(part)},
                                                             {"error", describe(*error)}};
  if (const std::string what = cure_of(part, *error); !what.empty()) {
    fields.emplace_back("cure", what);
  }
  remark(RemarkLevel::kWarning, "trouble with the API server, trying again", std::move(fields));
}

// Where the cure is in our own configuration, names its key.
std::string ControllerLoop::cure_of(Part part, const KubeError& error) const {
  if (part == Part::kLease && error.kind == KubeErrorKind::kNotFound) {
    return "create the namespace " + config_.leader_election.lease_namespace +
           ", or set leaderElection.leaseNamespace to the controller's own";
  }
  if (part == Part::kLease && error.kind == KubeErrorKind::kForbidden) {
    return "grant what the chart's Role for the Lease grants (get, create and update of leases) in "
           "namespace " +
           config_.leader_election.lease_namespace;
  }
  if (part == Part::kPods && error.kind == KubeErrorKind::kInvalid &&
      !config_.pod_selector.empty()) {
    return "correct podSelector of the configuration, now \"" + config_.pod_selector + "\"";
  }
  return cure(error);
}

std::string ControllerLoop::describe_with_cure(Part part, const KubeError& error) const {
  const std::string what = cure_of(part, error);
  return describe(error) + (what.empty() ? "" : "; " + what);
}

void ControllerLoop::restarted(Part part, std::string_view reason) {
  ++counters_.watch_restarts[{name_of(part), std::string(reason)}];
}

bool ControllerLoop::leading() const {
  return elector_.is_leader(ports_.clock.now().monotonic) && !shutdown_since_;
}

bool ControllerLoop::drained() const { return elector_.holder() == names::kDrainedHolder; }

std::string ControllerLoop::not_ready_because() const {
  if (shutdown_since_) return "shutting down";
  for (const Part part : {Part::kPods, Part::kNodeLinkSets}) {
    const bool synced = part == Part::kPods ? pods_->synced() : objects_->synced();
    if (synced) continue;
    const std::string name = name_of(part);
    const auto error = troubles_.find(part);
    if (error == troubles_.end()) return name + " are not listed yet";
    return name + " cannot be listed: " + describe_with_cure(part, error->second);
  }
  if (drained())
    return "drained: loglink-controller drain holds the lease; delete the Lease to go on";
  const auto lease = troubles_.find(Part::kLease);
  if (lease != troubles_.end() && !is_outage(lease->second.kind) && !leading()) {
    return "the Lease " + config_.leader_election.lease_namespace + "/" +
           config_.leader_election.lease_name +
           " cannot be used, so that this controller can never lead: " +
           describe_with_cure(Part::kLease, lease->second);
  }
  return "";
}

std::string ControllerLoop::trouble() const {
  std::string text;
  for (const auto& [part, error] : troubles_) {
    if (!text.empty()) text += "; ";
    text += name_of(part) + ": " + describe_with_cure(part, error);
  }
  return text;
}

MonotonicTime ControllerLoop::next_wakeup() const {
  if (finished_) return MonotonicTime::never();
  if (shutdown_since_) return *shutdown_since_ + kShutdownMax;
  const MonotonicTime now = ports_.clock.now().monotonic;
  const MonotonicTime again = list_again_wanted_ ? list_again_at_ : MonotonicTime::never();
  return std::min({pods_->next_wakeup(), objects_->next_wakeup(), elector_.next_wakeup(),
                   controller_.next_wakeup(now), again});
}

void ControllerLoop::step() {
  if (finished_) return;
  const Now now = ports_.clock.now();
  if (shutdown_since_) {
    step_shutdown(now);
    return;
  }
  if (list_again_wanted_ && now.monotonic >= list_again_at_) list_again(now);
  pods_->tick(now);
  objects_->tick(now);
  if (!was_synced_ && controller_.synced()) {
    was_synced_ = true;
    const std::size_t annotated = controller_.figures().pods_annotated;
    remark(RemarkLevel::kInfo, "pods and NodeLinkSets are listed",
           {{"podsAnnotated", std::to_string(annotated)}});
  }
  elect(now);
  const bool leads = elector_.is_leader(now.monotonic);
  if (leads) {
    controller_.set_leadership(elector_.writes_allowed_until());
  } else {
    controller_.set_leadership(std::nullopt);
  }
  for (Effect& effect : controller_.step(now)) perform(std::move(effect));
  for (const Remark& line : controller_.take_remarks()) log_(line);
}

void ControllerLoop::elect(Now now) {
  if (const std::optional<LeaderElector::Request> request = elector_.poll(now)) {
    send_lease(*request);
  }
  const bool leads = elector_.is_leader(now.monotonic);
  if (leads && !was_leading_) {
    ++counters_.leader_changes;
    remark(RemarkLevel::kInfo, "this controller leads", {{"instance", instance_}});
  }
  if (!leads && was_leading_) {
    // Its own name is there as long as no other has taken the lease.
    const std::string& holder = elector_.holder();
    remark(RemarkLevel::kWarning, "the lease is lost, this controller is a candidate again",
           {{"lastHolder", holder == instance_ ? "this controller" : holder}});
  }
  was_leading_ = leads;
  if (drained() && !was_drained_) {
    remark(RemarkLevel::kWarning,
           "the lease is held by loglink-controller drain: nothing is linked");
  }
  was_drained_ = drained();
}

void ControllerLoop::send_lease(const LeaderElector::Request& request) {
  const LeaderElectionConfig& election = config_.leader_election;
  const ObjectKey key{election.lease_namespace, election.lease_name};
  UnaryRequest http;
  bool creates = false;
  const bool is_write = std::holds_alternative<LeaderElector::WriteLease>(request);
  if (const auto* write = std::get_if<LeaderElector::WriteLease>(&request)) {
    std::string body = encode_lease(write->lease);
    creates = write->lease.resource_version.empty();
    http = creates ? create_lease_request(election.lease_namespace, std::move(body))
                   : put_lease_request(key, std::move(body));
  } else {
    http = get_lease_request(key);
  }
  http.deadline = std::min<Duration>(kLeaseDeadlineMax, election.renew_deadline / 2);
  if (shutdown_since_) http.deadline = kReleaseDeadline;
  ports_.leases.send(std::move(http), [this, creates, is_write, key,
                                       alive = std::weak_ptr<int>(alive_)](UnaryResult result) {
    if (alive.expired()) return;
    // No lease yet is how each cluster begins; where none can be made, the namespace is
    // missing.
    const bool missing = !creates && !result && result.error().kind == KubeErrorKind::kNotFound;
    const bool lost = !result && result.error().kind == KubeErrorKind::kConflict;
    ++counters_
          .api_requests[{"lease", result ? "OK" : std::string(to_string(result.error().kind))}];
    const tl::expected<Lease, KubeError> lease = lease_of(std::move(result), key);
    const bool is_another = is_write && lease && !shutdown_since_ && !elector_.is_as_sent(*lease);
    if (is_another) {
      lease_answered(is_write, tl::unexpected(another_lease()));
    } else if (!missing && !lost) {
      lease_answered(is_write, lease);
    }
    elector_.answered(lease, ports_.clock.now());
    if (elector_.take_went_back()) storage_went_back();
    wake_();
  });
}

// A watch of a version from a restored server's future is silent, until the server has come as far
// again; what lies between it never tells.
void ControllerLoop::storage_went_back() {
  list_again_wanted_ = true;
  remark(RemarkLevel::kWarning,
         "the lease is older than it was, as if the API server's storage were restored: listing "
         "everything again");
}

void ControllerLoop::list_again(Now now) {
  list_again_wanted_ = false;
  list_again_at_ = now.monotonic + kListAgainPause;
  for (const Part part : {Part::kPods, Part::kNodeLinkSets}) restarted(part, "Restored");
  pods_->list_again(now);
  objects_->list_again(now);
}

// Who may read a Lease need not be allowed to write it: what a write has met with is over when one
// succeeds, or when somebody else keeps the Lease, so that there is nothing to write.
void ControllerLoop::lease_answered(bool is_write, const tl::expected<Lease, KubeError>& lease) {
  if (!lease) {
    lease_write_failed_ = lease_write_failed_ || is_write;
    trouble(Part::kLease, lease.error());
    return;
  }
  const bool is_kept = seen_lease_ && lease->holder != instance_ && !lease->holder.empty() &&
                       lease->renewed != seen_lease_->renewed;
  seen_lease_ = *lease;
  if (lease_write_failed_ && !is_write && !is_kept) return;
  lease_write_failed_ = false;
  trouble(Part::kLease, std::nullopt);
}

void ControllerLoop::send(std::string kind, UnaryRequest request,
                          std::function<void(UnaryResult, Now)> done) {
  request.not_after = elector_.writes_allowed_until();
  ++under_way_;
  ports_.writes.send(std::move(request), [this, alive = std::weak_ptr<int>(alive_),
                                          kind = std::move(kind),
                                          done = std::move(done)](UnaryResult result) {
    if (alive.expired()) return;
    --under_way_;
    ++counters_.api_requests[{kind, result ? "OK" : std::string(to_string(result.error().kind))}];
    done(std::move(result), ports_.clock.now());
    wake_();
  });
}

void ControllerLoop::perform(Effect effect) {
  std::visit(
      Overloaded{
          [&](const GetNode& get) {
            send("get_node", get_node_request(get.name),
                 [this, name = get.name](UnaryResult result, Now now) {
                   tl::expected<std::string, KubeError> uid =
                       result ? decode_uid(result->body, name)
                              : tl::expected<std::string, KubeError>(
                                    tl::unexpected(std::move(result).error()));
                   controller_.node_answered(name, uid, now);
                 });
          },
          [&](const CreateNodeLinkSet& create) {
            send("create_node_link_set",
                 create_node_link_set_request(encode_node_link_set(create.object)),
                 [this, name = create.object.name](UnaryResult result, Now now) {
                   controller_.object_written(name, object_of(std::move(result), name), now);
                 });
          },
          [&](const PutSpec& put) {
            send("put_node_link_set",
                 put_node_link_set_request(put.object.name, encode_node_link_set(put.object)),
                 [this, name = put.object.name](UnaryResult result, Now now) {
                   controller_.object_written(name, object_of(std::move(result), name), now);
                 });
          },
          [&](const PatchPod& patch) {
            send("patch_pod",
                 patch_pod_status_request(patch.pod,
                                          encode_pod_answers_patch(patch.uid, patch.answers)),
                 [this, pod = patch.pod, uid = patch.uid](UnaryResult result, Now now) {
                   controller_.pod_patched(pod, uid, without_body(std::move(result)), now);
                 });
          },
          [&](const CreateEvent& create) {
            send("create_event",
                 create_event_request(create.event.namespace_name, encode_event(create.event)),
                 [this, pod = create.pod, name = create.event.name](UnaryResult result, Now now) {
                   controller_.event_written(pod, name, without_body(std::move(result)), now);
                 });
          },
          [&](const PatchEvent& patch) {
            const ObjectKey event{patch.pod.namespace_name, patch.event_name};
            send("patch_event",
                 patch_event_request(event, encode_event_series_patch(patch.count, patch.last)),
                 [this, pod = patch.pod, name = patch.event_name](UnaryResult result, Now now) {
                   controller_.event_written(pod, name, without_body(std::move(result)), now);
                 });
          },
      },
      std::move(effect));
}

void ControllerLoop::shut_down() {
  if (shutdown_since_) return;
  shutdown_since_ = ports_.clock.now().monotonic;
  pods_->stop();
  objects_->stop();
  remark(RemarkLevel::kInfo, "shutting down");
  wake_();
}

void ControllerLoop::step_shutdown(Now now) {
  const Duration passed = now.monotonic - *shutdown_since_;
  // Giving the lease up with a write under way would let two write at once: where one hangs, the
  // lease is left to run out.
  if (!lease_given_up_ && under_way_ == 0) {
    lease_given_up_ = true;
    elector_.shut_down();
  }
  if (lease_given_up_) {
    if (const std::optional<LeaderElector::Request> request = elector_.poll(now)) {
      send_lease(*request);
    }
  }
  finished_ = elector_.released() || passed >= kShutdownMax;
}

}  // namespace loglink
