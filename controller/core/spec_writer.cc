#include "controller/core/spec_writer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "controller/core/source_size.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr double kWritesPerSecond = 50;
constexpr double kBytesPerSecond = 1024.0 * 1024;
constexpr double kByteBurst = 96.0 * 1024 * 1024;
constexpr int kMaxUnderWay = 8;
// Of Nodes. 5,000 nodes that are new at once must not wait for these reads.
constexpr double kReadsPerSecond = 100;
constexpr int kMaxReadsUnderWay = 4;
// Again, of nodes that pods name and that do not exist: a tenant may name thousands.
constexpr double kMissingReadsPerSecond = 10;
constexpr Duration kMissingRetryFirst = std::chrono::seconds(1);
constexpr Duration kMissingRetryMax = std::chrono::minutes(5);
// One step must not hold up the loop's streams; the rest comes with the next one.
constexpr int kLooksPerStep = 64;
// What the server did not take is tried again after this: nobody tells us that a CRD was replaced.
constexpr Duration kVainRetry = std::chrono::minutes(1);
// Of all nodes together: with an old CRD each of thousands would be written each minute for
// nothing.
constexpr double kVainRetriesPerSecond = 1;
constexpr double kVainRetryBurst = 8;
// A rejected source costs two writes each time, and its pod is told anew.
constexpr Duration kRejectedRetry = std::chrono::minutes(10);
// Who drops the owner of an object is not fought over it.
constexpr Duration kOwnerRetry = std::chrono::minutes(10);
// A node that was written less long ago lets the others go first.
constexpr Duration kRecent = std::chrono::seconds(30);
// Wall clocks jump; a removal's time is looked at again at least this often.
constexpr Duration kTimerMax = std::chrono::seconds(60);
constexpr Duration kTimerMin = std::chrono::seconds(1);

// Trouble of the server, or on the way to it, may end at any moment.
constexpr Duration kRetryFirst = std::chrono::milliseconds(200);
constexpr Duration kPassingRetryMax = std::chrono::seconds(5);

// How long a node's object is refused before its pods are told; nullopt where the server is not
// reached, and they cannot be told either: unless the Lease is renewed all the while.
std::optional<Duration> told_after(KubeErrorKind kind, bool elects) {
  switch (kind) {
    case KubeErrorKind::kForbidden:
    case KubeErrorKind::kNotServed:
    case KubeErrorKind::kInvalid:
    case KubeErrorKind::kNotFound:
    case KubeErrorKind::kGone:
    case KubeErrorKind::kTooLargeVersion:
    case KubeErrorKind::kUnexpected:
      return std::chrono::seconds(5);
    // These pass, as a rule; but a webhook in front of these objects alone may fail or hang.
    case KubeErrorKind::kUnauthorized:
    case KubeErrorKind::kTooManyRequests:
    case KubeErrorKind::kServerError:
    case KubeErrorKind::kDeadline:
    // Another's write, as a rule; but a webhook may say so for ever.
    case KubeErrorKind::kConflict:
    case KubeErrorKind::kAlreadyExists:
      return std::chrono::seconds(60);
    case KubeErrorKind::kCancelled:
      return std::nullopt;
    case KubeErrorKind::kRefused:
    case KubeErrorKind::kDns:
    case KubeErrorKind::kTls:
    case KubeErrorKind::kConnectTimeout:
    case KubeErrorKind::kIdleTimeout:
    case KubeErrorKind::kTruncated:
    case KubeErrorKind::kProtocol:
      // A term ends with the Lease, and with it what has lasted.
      if (!elects) return std::nullopt;
      return std::chrono::seconds(60);
  }
  __builtin_unreachable();
}

// What ten thousand pods of one node cost is a tenth of a core, not all of it.
Duration pause_after_look(std::size_t pods) {
  return pods / 1000 * Duration(std::chrono::milliseconds(50));
}

BackoffPolicy retry_policy() {
  BackoffPolicy policy;
  policy.first = kRetryFirst;
  policy.max = std::chrono::seconds(60);
  return policy;
}

bool owned_by_node(const NodeLinkSet& object) {
  return std::any_of(object.owners.begin(), object.owners.end(), [&](const OwnerReference& owner) {
    return owner.kind == "Node" && owner.name == object.name;
  });
}

// "spec.sources[12].path" -> 12.
std::optional<std::size_t> source_index(const std::string& field) {
  constexpr std::string_view kStart = "spec.sources[";
  if (!field.starts_with(kStart)) return std::nullopt;
  std::size_t index = 0;
  const char* first = field.data() + kStart.size();
  const char* last = field.data() + field.size();
  const auto [end, error] = std::from_chars(first, last, index);
  if (error != std::errc() || end == last || *end != ']') return std::nullopt;
  return index;
}

}  // namespace

SpecWriter::SpecWriter(ClusterState& state, Random& random)
    : state_(state),
      random_(random),
      queue_(retry_policy()),
      reads_(retry_policy()),
      writes_(kWritesPerSecond, kWritesPerSecond),
      bytes_(kBytesPerSecond, kByteBurst),
      vain_retries_(kVainRetriesPerSecond, kVainRetryBurst),
      read_rate_(kReadsPerSecond, kReadsPerSecond),
      missing_rate_(kMissingReadsPerSecond, kMissingReadsPerSecond) {}

void SpecWriter::mark(const std::string& node, MonotonicTime at) {
  // Pods that are not bound yet have no object.
  if (!node.empty()) enqueue(node, at);
}

// Who has pods on many nodes, and changes them all the time, must not keep others waiting.
WorkQueue::Turn SpecWriter::turn_of(const std::string& name, MonotonicTime at) {
  const NodeState* node = state_.find_node(name);
  const bool is_recent = node != nullptr && node->written_at && at - *node->written_at < kRecent;
  return is_recent ? WorkQueue::Turn::kLast : WorkQueue::Turn::kFirst;
}

void SpecWriter::enqueue(const std::string& name, MonotonicTime at) {
  queue_.add(name, at, turn_of(name, at));
}

MonotonicTime SpecWriter::next_due(MonotonicTime now) const {
  // Where as many as may be are under way, an answer brings us back.
  MonotonicTime next = MonotonicTime::never();
  if (reads_under_way_ < kMaxReadsUnderWay && reads_.next_due() != MonotonicTime::never()) {
    next = std::max(reads_.next_due(), read_rate_.ready_at(now));
  }
  if (under_way_ < kMaxUnderWay && queue_.next_due() != MonotonicTime::never()) {
    next =
        std::min(next, std::max({queue_.next_due(), writes_.ready_at(now), bytes_.ready_at(now)}));
  }
  return next;
}

void SpecWriter::step(Now now, Outcome& outcome) {
  step_writes(now, outcome);
  step_reads(now, outcome);
}

void SpecWriter::step_reads(Now now, Outcome& outcome) {
  while (reads_under_way_ < kMaxReadsUnderWay &&
         read_rate_.ready_at(now.monotonic) <= now.monotonic) {
    const std::optional<std::string> name = reads_.take(now.monotonic);
    if (!name) return;
    const NodeState* node = state_.find_node(*name);
    if (node == nullptr || !node->wants_owner) {
      reads_.forget(*name);
      reads_.done(*name);
      continue;
    }
    read_rate_.take(now.monotonic);
    ++reads_under_way_;
    outcome.effects.emplace_back(GetNode{*name});
  }
}

void SpecWriter::step_writes(Now now, Outcome& outcome) {
  for (int looked = 0; looked < kLooksPerStep; ++looked) {
    // Checked before a node is taken, so that nodes keep their turn when the rate is used up.
    if (under_way_ >= kMaxUnderWay) return;
    if (writes_.ready_at(now.monotonic) > now.monotonic) return;
    if (bytes_.ready_at(now.monotonic) > now.monotonic) return;
    const std::optional<std::string> name = queue_.take(now.monotonic);
    if (!name) return;
    if (look_at(*name, now, outcome)) {
      ++under_way_;
    } else {
      queue_.done(*name);
      state_.forget_if_empty(*name);
    }
  }
}

void SpecWriter::expire(NodeState& node, MonotonicTime now) {
  if (now >= node.answer_trusted_until && node.held_back) state_.distrust_answer(node);
  if (now >= node.rejected_until) node.rejected.clear();
}

bool SpecWriter::look_at(const std::string& name, Now now, Outcome& outcome) {
  NodeState* node = state_.find_node(name);
  if (node == nullptr) return false;
  if (now.monotonic < node->next_look) {
    enqueue(name, node->next_look);
    node->look_waits = true;
    return false;
  }
  node->look_waits = false;
  node->next_look = now.monotonic + pause_after_look(node->pods.size());
  expire(*node, now.monotonic);
  bool answers_changed = state_.resolve_static_pods(*node) || !node->looked_at;

  static const NodeLinkSetSpec kNothing;
  const NodeLinkSetSpec& stored = node->object ? node->object->spec : kNothing;
  DesiredSet desired = desired_set(node->pods, stored, node->rejected, state_.config(), now.wall);
  plan_next_look(name, *node, desired.spec, now);

  std::optional<NodeLinkSetSpec> open;
  if (desired.spec != stored) open = desired.spec;
  answers_changed = answers_changed || node->left_out != desired.left_out || node->desired != open;
  node->looked_at = true;
  node->left_out = std::move(desired.left_out);
  node->desired = std::move(open);
  if (answers_changed) outcome.answers_dirty.insert(name);

  if (node->vain_write &&
      (node->vain_write->sent != desired.spec || node->vain_write->stored != stored)) {
    node->vain_write.reset();
    outcome.answers_dirty.insert(name);
  }
  // Written as it is, an object that is there does not change, and one that is gone is not found.
  const bool is_doubtful = node->only_answered() && now.monotonic >= node->answer_trusted_until;
  const bool is_owned =
      node->object && (now.monotonic < node->owner_trusted_until || owned_by_node(*node->object));
  const bool nothing_to_do = node->object ? desired.spec == stored && !is_doubtful && is_owned
                                          : desired.spec.sources.empty();
  if (nothing_to_do) {
    queue_.forget(name);
    reads_.forget(name);
    well_again(*node, name, outcome);
    node->conflict_excused = false;
    node->wants_owner = false;
    return false;
  }
  // It stays in force while it is tried again, or the pods' answers would flicker.
  if (node->vain_write && !may_retry(name, *node, now)) return false;
  return write(name, *node, desired.spec, now, outcome);
}

bool SpecWriter::may_retry(const std::string& name, NodeState& node, Now now) {
  if (now.monotonic < node.vain_write->until) return false;
  if (vain_retries_.try_take(now.monotonic)) return true;
  node.vain_write->until = vain_retries_.ready_at(now.monotonic);
  enqueue(name, node.vain_write->until);
  return false;
}

// One node's object is taken again: the CRD was replaced, and the others need not wait.
void SpecWriter::retry_others(Now now, Outcome& outcome) {
  std::vector<std::string> outdated;
  for (const auto& [name, node] : state_.nodes()) {
    if (node.outdated()) outdated.push_back(name);
  }
  for (const std::string& name : outdated) {
    state_.find_node(name)->vain_write.reset();
    enqueue(name, now.monotonic);
    outcome.answers_dirty.insert(name);
  }
}

void SpecWriter::plan_next_look(const std::string& name, const NodeState& node,
                                const NodeLinkSetSpec& desired, Now now) {
  if (const std::optional<WallTime> change = next_change(desired, state_.config())) {
    const Duration wait = std::clamp<Duration>(*change - now.wall, kTimerMin, kTimerMax);
    enqueue(name, now.monotonic + wait);
  }
  if (node.held_back) enqueue(name, node.answer_trusted_until);
  if (node.only_answered() && node.answer_trusted_until > now.monotonic) {
    enqueue(name, node.answer_trusted_until);
  }
  if (!node.rejected.empty()) enqueue(name, node.rejected_until);
  if (node.object && !owned_by_node(*node.object) && node.owner_trusted_until > now.monotonic) {
    enqueue(name, node.owner_trusted_until);
  }
  if (node.vain_write && node.vain_write->until > now.monotonic) {
    enqueue(name, node.vain_write->until);
  }
}

bool SpecWriter::write(const std::string& name, NodeState& node, const NodeLinkSetSpec& desired,
                       Now now, Outcome& outcome) {
  const MonotonicTime ready =
      std::max(node.writes.ready_at(now.monotonic), node.bytes.ready_at(now.monotonic));
  if (ready > now.monotonic) {
    enqueue(name, ready);
    return false;
  }
  const bool creates = !node.object || node.not_found;
  const bool owned =
      !creates && (now.monotonic < node.owner_trusted_until || owned_by_node(*node.object));
  if (!owned && node.node_uid.empty()) {
    node.wants_owner = true;
    reads_.add(name, now.monotonic);
    return false;
  }
  NodeLinkSet object;
  if (!creates) {
    object = *node.object;
    object.status = {};
  }
  object.name = name;
  object.spec = desired;
  node.puts_owner_back = !owned && !creates;
  if (!owned) {
    std::erase_if(object.owners, [](const OwnerReference& owner) { return owner.kind == "Node"; });
    object.owners.push_back({"v1", "Node", name, node.node_uid});
    // The next time the Node may be another one.
    node.node_uid.clear();
  }
  const double bytes = static_cast<double>(spec_bytes(desired));
  writes_.take(now.monotonic);
  bytes_.take(now.monotonic, bytes);
  node.writes.take(now.monotonic);
  node.bytes.take(now.monotonic, bytes);
  node.in_flight = desired;
  node.sent_version = object.resource_version;
  if (creates) {
    outcome.effects.emplace_back(CreateNodeLinkSet{std::move(object)});
  } else {
    outcome.effects.emplace_back(PutSpec{std::move(object)});
  }
  return true;
}

void SpecWriter::give_back(const std::string& name, Now now, const KubeError& error) {
  WorkQueue::Bounds bounds;
  bounds.at_least = error.retry_after.value_or(Duration{});
  if (passes(error.kind)) bounds.at_most = kPassingRetryMax;
  bounds.turn = turn_of(name, now.monotonic);
  queue_.retry(name, now.monotonic, random_, bounds);
}

void SpecWriter::node_answered(const std::string& name,
                               const tl::expected<std::string, KubeError>& uid, Now now,
                               Outcome& outcome) {
  --reads_under_way_;
  NodeState* node = state_.find_node(name);
  if (node == nullptr || uid) {
    reads_.forget(name);
    reads_.done(name);
    if (node == nullptr) return;
    node->node_uid = *uid;
    node->node_missing = false;
    node->wants_owner = false;
    enqueue(name, now.monotonic);
    return;
  }
  if (uid.error().kind == KubeErrorKind::kCancelled) {
    reads_.add(name, now.monotonic);
    reads_.done(name);
    return;
  }
  WorkQueue::Bounds bounds;
  bounds.at_least = uid.error().retry_after.value_or(Duration{});
  if (uid.error().kind == KubeErrorKind::kNotFound) {
    if (!std::exchange(node->node_missing, true)) {
      outcome.remarks.push_back(
          {RemarkLevel::kInfo, "pods are bound to a node that does not exist", {{"node", name}}});
    }
    // A node that comes back while a tenant names others is not to wait for all of these.
    const Duration wait = missing_rate_.ready_at(now.monotonic) - now.monotonic;
    if (wait < kMissingRetryMax) missing_rate_.take(now.monotonic);
    bounds.at_least = std::clamp(wait, kMissingRetryFirst, kMissingRetryMax);
  } else {
    if (passes(uid.error().kind)) bounds.at_most = kPassingRetryMax;
    trouble(*node, name, uid.error(), now, outcome);
  }
  reads_.retry(name, now.monotonic, random_, bounds);
}

// Said in the log when it begins and when it ends, not with each try of each node; on the node's
// pods when it lasts.
void SpecWriter::trouble(NodeState& node, const std::string& name, const KubeError& error, Now now,
                         Outcome& outcome) {
  const bool elects = state_.config().leader_election.enabled;
  if (const std::optional<Duration> after = told_after(error.kind, elects)) {
    if (!node.refused_writes) node.refused_writes = RefusedWrites{now.monotonic, error.kind, false};
    RefusedWrites& refused = *node.refused_writes;
    const bool lasts = refused.told || now.monotonic - refused.since >= *after;
    const bool is_other = std::exchange(refused.kind, error.kind) != error.kind;
    if (lasts && (is_other || !refused.told)) outcome.answers_dirty.insert(name);
    refused.told = lasts;
    const bool is_race = error.kind == KubeErrorKind::kConflict ||
                         error.kind == KubeErrorKind::kAlreadyExists ||
                         error.kind == KubeErrorKind::kNotFound;
    if (is_race && !lasts) return;
  }
  if (std::exchange(told_trouble_, error.kind) == error.kind) return;
  outcome.remarks.push_back(
      {RemarkLevel::kWarning,
       "a node link set cannot be written, trying again",
       {{"node", name}, {"error", std::string(to_string(error.kind)) + ": " + error.message}}});
}

void SpecWriter::well_again(NodeState& node, const std::string& name, Outcome& outcome) {
  if (node.unwritable_because()) outcome.answers_dirty.insert(name);
  node.refused_writes.reset();
}

void SpecWriter::object_written(const std::string& name,
                                tl::expected<NodeLinkSet, KubeError> answer, Now now,
                                Outcome& outcome) {
  --under_way_;
  NodeState* node = state_.find_node(name);
  if (node == nullptr || !node->in_flight) {
    queue_.done(name);
    return;
  }
  if (answer) {
    written(*node, name, std::move(*answer), now, outcome);
  } else {
    refused(*node, name, answer.error(), now, outcome);
  }
  node->in_flight.reset();
  state_.forget_if_empty(name);
}

void SpecWriter::written(NodeState& node, const std::string& name, NodeLinkSet object, Now now,
                         Outcome& outcome) {
  if (std::exchange(told_trouble_, std::nullopt)) {
    outcome.remarks.push_back({RemarkLevel::kInfo, "node link sets are written again", {}});
  }
  well_again(node, name, outcome);
  node.conflict_excused = false;
  node.wants_news = false;
  node.written_at = now.monotonic;
  keep_owner(node, name, object, now, outcome);
  if (object.spec == *node.in_flight) {
    const bool was_outdated = std::exchange(node.vain_write, std::nullopt).has_value();
    if (was_outdated) retry_others(now, outcome);
  } else {
    // Said once, not with every retry.
    const bool is_new = !node.vain_write || node.vain_write->stored != object.spec;
    node.vain_write = VainWrite{*node.in_flight, object.spec, now.monotonic + kVainRetry};
    if (is_new) {
      outcome.remarks.push_back(
          {RemarkLevel::kWarning,
           "the server keeps another spec than it was sent: its NodeLinkSet CRD "
           "is older than this controller; install the CRD of this release",
           {{"node", name}, {"reason", "CRDOutdated"}}});
    }
  }
  outcome.remarks.push_back({RemarkLevel::kDebug,
                             "node link set written",
                             {{"node", name},
                              {"sources", std::to_string(object.spec.sources.size())},
                              {"generation", std::to_string(object.generation)}}});
  if (node.desired == object.spec) node.desired.reset();
  outcome.answers_dirty.merge(state_.adopt_written(std::move(object), now.monotonic).answers);
  queue_.forget(name);
  enqueue(name, now.monotonic);
  queue_.done(name);
}

// What drops the owner that a write has named, or has dropped one that had to be put back, would do
// so again.
void SpecWriter::keep_owner(NodeState& node, const std::string& name, const NodeLinkSet& object,
                            Now now, Outcome& outcome) {
  const bool is_kept = owned_by_node(object);
  if (!is_kept || node.puts_owner_back) node.owner_trusted_until = now.monotonic + kOwnerRetry;
  if (is_kept || std::exchange(owner_dropped_, true)) return;
  outcome.remarks.push_back({RemarkLevel::kWarning,
                             "the server does not keep the owner of a node link set, which stays "
                             "when its node goes: an admission webhook or policy drops it",
                             {{"node", name}}});
}

void SpecWriter::refused(NodeState& node, const std::string& name, const KubeError& error, Now now,
                         Outcome& outcome) {
  switch (error.kind) {
    case KubeErrorKind::kConflict:
    case KubeErrorKind::kAlreadyExists:
      conflicted(node, name, error, now, outcome);
      return;
    case KubeErrorKind::kNotFound:
      // Garbage collected with a Node that may be there again; or a webhook says so of an object
      // that is there. Making it tells which.
      node.not_found = node.object.has_value();
      trouble(node, name, error, now, outcome);
      give_back(name, now, error);
      return;
    case KubeErrorKind::kInvalid:
      // A CRD refuses with 422; 400 is a webhook's or a proxy's.
      if (error.http_status != 400) {
        invalid(node, name, error, now, outcome);
        return;
      }
      trouble(node, name, error, now, outcome);
      give_back(name, now, error);
      return;
    case KubeErrorKind::kCancelled:
      // Our right to write ended before it was sent; a new term looks at every node.
      enqueue(name, now.monotonic);
      queue_.done(name);
      return;
    case KubeErrorKind::kForbidden:
    case KubeErrorKind::kRefused:
    case KubeErrorKind::kDns:
    case KubeErrorKind::kTls:
    case KubeErrorKind::kConnectTimeout:
    case KubeErrorKind::kIdleTimeout:
    case KubeErrorKind::kDeadline:
    case KubeErrorKind::kTruncated:
    case KubeErrorKind::kProtocol:
    case KubeErrorKind::kUnauthorized:
    case KubeErrorKind::kNotServed:
    case KubeErrorKind::kGone:
    case KubeErrorKind::kTooLargeVersion:
    case KubeErrorKind::kTooManyRequests:
    case KubeErrorKind::kServerError:
    case KubeErrorKind::kUnexpected:
      trouble(node, name, error, now, outcome);
      give_back(name, now, error);
      return;
  }
  __builtin_unreachable();
}

// Our picture is old, as a rule by what the agent has just said of its links, which must not make
// the next ones late: the first time it is written again as soon as the watch has the new picture.
void SpecWriter::conflicted(NodeState& node, const std::string& name, const KubeError& error,
                            Now now, Outcome& outcome) {
  if (std::exchange(node.not_found, false)) {
    // It is there after all. What has lasted so far is what its writes are answered.
    enqueue(name, now.monotonic);
    queue_.done(name);
    return;
  }
  state_.distrust_answer(node);
  trouble(node, name, error, now, outcome);
  if (std::exchange(node.conflict_excused, true) || error.retry_after) {
    give_back(name, now, error);
    return;
  }
  const std::string known = node.object ? node.object->resource_version : "";
  node.wants_news = known == node.sent_version;
  enqueue(name, node.wants_news ? now.monotonic + kRetryFirst : now.monotonic);
  queue_.done(name);
}

// A source that the server names is kept out, so that one bad pod never blocks its node.
void SpecWriter::invalid(NodeState& node, const std::string& name, const KubeError& error, Now now,
                         Outcome& outcome) {
  well_again(node, name, outcome);
  bool named = false;
  for (const StatusCause& cause : error.causes) {
    const std::optional<std::size_t> index = source_index(cause.field);
    if (!index || *index >= node.in_flight->sources.size()) continue;
    const Source& source = node.in_flight->sources[*index];
    named = true;
    node.rejected.insert(identity(source));
    outcome.remarks.push_back({RemarkLevel::kWarning,
                               "the server rejects a source",
                               {{"node", name},
                                {"pod", source.namespace_name + "/" + source.pod},
                                {"field", cause.field},
                                {"error", cause.message}}});
  }
  outcome.answers_dirty.insert(name);
  if (named) {
    node.rejected_until = now.monotonic + kRejectedRetry;
    enqueue(name, now.monotonic);
    queue_.done(name);
    return;
  }
  const bool is_new = !node.vain_write;
  node.vain_write = VainWrite{*node.in_flight, node.object ? node.object->spec : NodeLinkSetSpec{},
                              now.monotonic + kVainRetry};
  if (is_new) {
    outcome.remarks.push_back(
        {RemarkLevel::kWarning,
         "the server refuses a node link set: its NodeLinkSet CRD does not fit "
         "this controller; install the CRD of this release",
         {{"node", name}, {"reason", "CRDOutdated"}, {"error", error.message}}});
  }
  enqueue(name, now.monotonic);
  queue_.done(name);
}

}  // namespace loglink
