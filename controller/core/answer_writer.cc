#include "controller/core/answer_writer.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "lib/base/sha256.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr double kPatchesPerSecond = 20;
constexpr double kEventsPerSecond = 10;
constexpr int kMaxPatchesUnderWay = 4;
constexpr int kMaxEventsUnderWay = 2;
constexpr std::size_t kMaxQueuedEvents = 10000;
constexpr int kNodesPerStep = 64;
constexpr int kPodsPerStep = 1000;
constexpr Duration kLookWait = std::chrono::milliseconds(50);
// How long the server's "done" stands for what the watch does not show yet.
constexpr Duration kToldTrust = std::chrono::seconds(10);
constexpr Duration kCountInterval = std::chrono::seconds(60);
constexpr Duration kAgentSilence = std::chrono::seconds(60);
// Most agents answer within a second. Until then Pending, on a pod that has no answer yet, would be
// a second write for each pod, and the server would make it at the same time as the one that links.
constexpr Duration kSilenceMax = std::chrono::seconds(1);
// Of the changes that a pod has. That it waits takes its last one only five seconds later than
// another answer would, because what it waits for would have to wait for the next.
constexpr double kChangesToWait = 1.5;
static_assert(kChangesToWait <= kPodChangeBurst);
constexpr Duration kRetryFirst = std::chrono::seconds(1);
// At most 4 s, and half as much again, where another try may do: the pod's next change may have to
// wait for ten seconds after it. At most 256 s where it is refused.
constexpr int kRetryDoublings = 2;
constexpr int kRefusedDoublings = 8;
constexpr Duration kEventRetry = std::chrono::seconds(10);
constexpr int kEventAttempts = 4;
constexpr std::size_t kEventNamePodBytes = 230;

PodAnswers to_annotations(const Answer& answer) {
  PodAnswers answers;
  answers.status = std::string(to_string(answer.word));
  if (answer.links) answers.links = std::to_string(*answer.links);
  if (!answer.message.empty()) answers.message = answer.message;
  return answers;
}

// The policy in front of the server walks no more annotations than this, ours included.
bool events_only(const PodView& pod) {
  const PodAnswers there = answers_on(pod);
  const std::size_t missing =
      std::size_t{!there.status} + std::size_t{!there.links} + std::size_t{!there.message};
  return pod.annotation_count + missing > limits::kPodAnnotations;
}

PodAnswers present(const ResolvedPod& pod, const PodState& state) {
  return state.told ? *state.told : answers_on(pod.pod);
}

// Nothing is known yet of what it asks for. That no agent answers, or why its node's list is not
// written, comes late, when the pod has changes enough.
bool only_waits(const PodState& state) {
  return state.wanted.status == to_string(StatusWord::kPending) && !state.wanted_reason;
}

bool only_count_differs(const PodAnswers& a, const PodAnswers& b) {
  return a.status == b.status && a.message == b.message && a.links && b.links;
}

bool is_trouble(const std::optional<std::string>& status) {
  return status == to_string(StatusWord::kInvalid) || status == to_string(StatusWord::kDegraded);
}

// The server did not take it, for all that we know, and the pauses between tries bound them. Not
// where the pod's owner has a hand in it: changes of the pod shorten the pauses after a refusal,
// and make conflicts.
bool is_no_change(KubeErrorKind kind) { return passes(kind) && kind != KubeErrorKind::kConflict; }

bool names_uid(const KubeError& error) {
  return std::any_of(error.causes.begin(), error.causes.end(),
                     [](const StatusCause& cause) { return cause.field == "metadata.uid"; });
}

// The same trouble of the same pod has the same name, so that writing it twice is one Event.
std::string event_name(const ObjectKey& pod, const std::string& uid, const std::string& reason,
                       const std::string& note) {
  const std::string digest = sha256_hex(uid + '\n' + reason + '\n' + note).substr(0, 16);
  std::string name = pod.name.substr(0, kEventNamePodBytes);
  while (!name.empty() && (name.back() == '.' || name.back() == '-')) name.pop_back();
  return name + "." + digest;
}

BackoffPolicy no_retries() { return {}; }

// What ten thousand pods of one node cost is a tenth of a core, not all of it.
Duration pause_after_comparison(std::size_t pods) {
  return pods / 1000 * Duration(std::chrono::milliseconds(100));
}

}  // namespace

AnswerWriter::AnswerWriter(ClusterState& state, std::string instance, Random& random)
    : state_(state),
      instance_(std::move(instance)),
      random_(random),
      nodes_(no_retries()),
      pods_(no_retries()),
      patch_rate_(kPatchesPerSecond, kPatchesPerSecond),
      event_rate_(kEventsPerSecond, kEventsPerSecond) {}

MonotonicTime AnswerWriter::next_due(MonotonicTime now) const {
  MonotonicTime due = std::min(nodes_.next_due(), pods_.next_due());
  const auto gated = [&](const TurnQueue& queue, const TokenBucket& rate, bool full) {
    const MonotonicTime next = queue.next_due();
    if (full || next == MonotonicTime::never()) return MonotonicTime::never();
    return std::max(next, rate.ready_at(now));
  };
  due = std::min(due, gated(patches_, patch_rate_, patches_under_way_ >= kMaxPatchesUnderWay));
  return std::min(due, gated(events_, event_rate_, events_under_way_ >= kMaxEventsUnderWay));
}

void AnswerWriter::step(Now now, Outcome& outcome) {
  for (int compared = 0; compared < kNodesPerStep; ++compared) {
    const std::optional<std::string> name = nodes_.take(now.monotonic);
    if (!name) break;
    compare(*name, now);
    nodes_.done(*name);
  }
  for (int compared = 0; compared < kPodsPerStep; ++compared) {
    const std::optional<std::string> name = pods_.take(now.monotonic);
    if (!name) break;
    const std::size_t slash = name->find('/');
    compare(ObjectKey{name->substr(0, slash), name->substr(slash + 1)}, now);
    pods_.done(*name);
  }
  send_patches(now, outcome);
  send_events(now, outcome);
}

void AnswerWriter::mark(const ObjectKey& pod, MonotonicTime at) {
  pods_.add(pod.namespace_name + "/" + pod.name, at);
}

void AnswerWriter::compare(const std::string& node_name, Now now) {
  NodeState* node = state_.find_node(node_name);
  // What does not fit is known only after the first look; that look marks the node again.
  if (node == nullptr || (!node_name.empty() && !node->looked_at)) return;
  if (now.monotonic < node->next_comparison) {
    nodes_.add(node_name, node->next_comparison);
    return;
  }
  node->next_comparison = now.monotonic + pause_after_comparison(node->pods.size());
  for (const ResolvedPod& pod : node->pods) compare_pod(*node, pod, now);
}

// This pod alone: its node may have thousands.
void AnswerWriter::compare(const ObjectKey& key, Now now) {
  const ResolvedPod* pod = state_.find_resolved(key);
  if (pod == nullptr) return;
  const NodeState* node = state_.find_node(pod->pod.node_name);
  if (node == nullptr || (!pod->pod.node_name.empty() && !node->looked_at)) return;
  // The look may have to wait for more than its time: for writes that hang.
  if (node->look_waits) {
    return mark(key, std::max(node->next_look, now.monotonic + kLookWait));
  }
  compare_pod(*node, *pod, now);
}

Answer AnswerWriter::present_answer(const NodeState& node, const ResolvedPod& pod, PodState& state,
                                    Now now) {
  AnswerInput input;
  input.pod = &pod;
  const ObjectKey key = pod.pod.key();
  // They are sorted by pod, and there may be as many as pods.
  const auto left =
      std::lower_bound(node.left_out.begin(), node.left_out.end(), key,
                       [](const PodLeftOut& a, const ObjectKey& b) { return a.pod < b; });
  if (left != node.left_out.end() && left->pod == key && left->uid == claimed_pod_id(pod.pod)) {
    input.left_out = left->sources;
  }
  input.crd_outdated = node.outdated();
  input.unwritable_because = node.unwritable_because();
  if (const auto& status = present(pod, state).status) {
    input.previous_word = status_word_from_string(*status);
    input.previous_message = present(pod, state).message.value_or("");
  }
  NodeLinkSet object;
  if (node.object) {
    object = node.object_of(pod);
    input.node_object = &object;
    const std::vector<Source> stored = live_sources(object.spec);
    const bool published = node.outdated() || stored == node.desired_of(pod);
    // From here on it is known of these sources too, whatever comes to the object later.
    if (published && !stored.empty() && state.sources_since_generation == 0 &&
        object.status.observed_generation >= object.generation) {
      state.sources_since_generation = object.generation;
    }
    if (published) input.sources_since_generation = state.sources_since_generation;
    input.write_pending = !published;
    input.entries_dropped =
        std::cmp_greater(node.object->status.pod_count, node.object->status.pods.size());
    const bool waits = published && !stored.empty() && !pod.pod.finished() &&
                       (object.status.observed_generation < input.sources_since_generation ||
                        object.status.pods.empty());
    if (!waits) {
      state.waiting_since.reset();
    } else if (!state.waiting_since) {
      // A new leader starts to wait, but does not take back what its predecessor has said.
      state.waiting_since = now.monotonic;
      input.agent_silent = true;
      if (to_annotations(answer(input)) == present(pod, state)) {
        state.waiting_since = now.monotonic - kAgentSilence;
      }
    }
  }
  input.agent_silent = state.waiting_since && now.monotonic - *state.waiting_since >= kAgentSilence;
  if (state.waiting_since && !input.agent_silent) {
    mark(key, *state.waiting_since + kAgentSilence);
  }
  return answer(input);
}

void AnswerWriter::compare_pod(const NodeState& node, const ResolvedPod& pod, Now now) {
  const ObjectKey key = pod.pod.key();
  PodState* state = state_.find_pod(key);
  if (state == nullptr) return;
  if (state->told && !events_only(pod.pod)) {
    if (answers_on(pod.pod) == *state->told || now.monotonic >= state->told_until) {
      state->told.reset();
    } else {
      mark(key, state->told_until);
    }
  }
  state->wanted = {};
  state->wanted_reason.reset();
  if (pod.resolution.requested) {
    const Answer wanted = present_answer(node, pod, *state, now);
    state->wanted = to_annotations(wanted);
    state->wanted_reason = wanted.reason;
  }
  const PodAnswers there = present(pod, *state);
  if (state->unheard && !state->in_flight) take_landed(pod, *state, there, now);
  const bool can_wait = !there.status && state->wanted.status == to_string(StatusWord::kPending);
  if (!can_wait) {
    state->silent_since.reset();
  } else if (!state->silent_since) {
    state->silent_since = now.monotonic;
  }
  if (state->wanted == there || state->in_flight || state->refused_until_change) {
    patches_.remove(key);
    return;
  }
  const double changes = only_waits(*state) ? kChangesToWait : 1;
  MonotonicTime due = std::max(state->changes.ready_at(now.monotonic, changes), state->retry_at);
  if (only_count_differs(state->wanted, there) && state->count_written) {
    due = std::max(due, *state->count_written + kCountInterval);
  }
  if (state->silent_since) due = std::max(due, *state->silent_since + kSilenceMax);
  patches_.add(key, std::max(due, now.monotonic));
}

// The write whose answer was lost stands there after all; its links may have become more since.
void AnswerWriter::take_landed(const ResolvedPod& pod, PodState& state, const PodAnswers& there,
                               Now now) {
  const bool moved_on =
      only_count_differs(state.wanted, there) && there.status != state.status_before;
  if (state.wanted != there && !moved_on) return;
  state.unheard = false;
  // It was given back with the failure.
  if (state.told_trouble && is_no_change(*state.told_trouble)) state.changes.take(now.monotonic);
  if (there.links) state.count_written = now.monotonic;
  announce_new(pod, state, there, now);
  state.refused_answer.reset();
}

void AnswerWriter::send_patches(Now now, Outcome& outcome) {
  while (patches_under_way_ < kMaxPatchesUnderWay &&
         patch_rate_.ready_at(now.monotonic) <= now.monotonic) {
    const std::optional<ObjectKey> key = patches_.take(now.monotonic);
    if (!key) return;
    PodState* state = state_.find_pod(*key);
    const ResolvedPod* pod = state_.find_resolved(*key);
    if (state == nullptr || pod == nullptr || state->in_flight) continue;
    const PodAnswers before = present(*pod, *state);
    if (state->wanted == before) continue;
    state->changes.take(now.monotonic);
    if (!state->unheard || !is_trouble(before.status)) state->status_before = before.status;
    if (events_only(pod->pod)) {
      state->told = std::make_unique<PodAnswers>(state->wanted);
      state->unheard = false;
      told(*pod, *state, now);
      continue;
    }
    patch_rate_.take(now.monotonic);
    state->in_flight = std::make_unique<PodAnswers>(state->wanted);
    ++patches_under_way_;
    outcome.effects.emplace_back(PatchPod{*key, state->uid, state->wanted});
  }
}

// The pod has been told; a change for the worse is an Event too.
void AnswerWriter::told(const ResolvedPod& pod, PodState& state, Now now) {
  if (state.told->links) state.count_written = now.monotonic;
  announce_new(pod, state, *state.told, now);
}

// Unless an Event has told it where the pod could not.
void AnswerWriter::announce_new(const ResolvedPod& pod, const PodState& state,
                                const PodAnswers& answers, Now now) {
  if (state.refused_answer && *state.refused_answer == answers) return;
  announce(pod, state, answers, now);
}

void AnswerWriter::announce(const ResolvedPod& pod, const PodState& state,
                            const PodAnswers& answers, Now now) {
  if (!is_trouble(answers.status) || answers.status == state.status_before) return;
  const ObjectKey key = pod.pod.key();
  PendingEvent event;
  event.uid = state.uid;
  event.reason =
      state.wanted_reason ? std::string(to_string(*state.wanted_reason)) : *answers.status;
  event.note = answers.message.value_or(*answers.status);
  event.name = event_name(key, state.uid, event.reason, event.note);
  pending_events_[key] = std::move(event);
  events_.add(key, now.monotonic);
  drop_events_beyond_bound();
}

// Anybody can make pods in trouble, and ten thousand of them would else keep the Events of all
// others out: the namespace with the most that wait gives way, until the others have as many.
void AnswerWriter::drop_events_beyond_bound() {
  while (events_.size() > kMaxQueuedEvents) {
    const std::optional<ObjectKey> dropped = events_.drop();
    if (!dropped) return;
    pending_events_.erase(*dropped);
    ++dropped_events_;
  }
}

void AnswerWriter::pod_patched(const ObjectKey& key, const std::string& uid, const Result& result,
                               Now now, Outcome& outcome) {
  --patches_under_way_;
  PodState* state = state_.find_pod(key);
  const ResolvedPod* pod = state_.find_resolved(key);
  if (state == nullptr || pod == nullptr || state->uid != uid || !state->in_flight) return;
  const PodAnswers sent = *std::exchange(state->in_flight, nullptr);
  take_result(*pod, *state, sent, result, now, outcome);
  compare(key, now);
}

void AnswerWriter::take_result(const ResolvedPod& pod, PodState& state, const PodAnswers& sent,
                               const Result& result, Now now, Outcome& outcome) {
  const ObjectKey key = pod.pod.key();
  if (result) {
    state.told = std::make_unique<PodAnswers>(sent);
    state.told_until = now.monotonic + kToldTrust;
    state.unheard = false;
    state.failures = 0;
    state.retry_at = {};
    state.told_trouble.reset();
    if (std::exchange(patches_fail_, false)) {
      outcome.remarks.push_back(
          {RemarkLevel::kInfo, "the API server answers again", {{"about", "answers on pods"}}});
    }
    told(pod, state, now);
    state.refused_answer.reset();
    return;
  }
  const KubeError& error = result.error();
  // Re-created or gone: the watch will say so, and what is true of the new one.
  if (error.kind == KubeErrorKind::kNotFound ||
      (error.kind == KubeErrorKind::kInvalid && names_uid(error))) {
    state.refused_until_change = true;
    return;
  }
  if (error.kind == KubeErrorKind::kCancelled) return;  // it was not sent
  state.unheard = true;
  // A refusal is told even if other trouble came before it.
  if (!passes(error.kind) && state.told_trouble != error.kind) {
    outcome.remarks.push_back(
        {RemarkLevel::kWarning,
         "the answer on a pod is refused",
         {{"pod", key.namespace_name + "/" + key.name}, {"error", error.message}}});
  }
  // Nothing can be written on it: the pod's owner learns it by an Event, as with too many
  // annotations, once for each answer.
  const bool is_new = !state.refused_answer || *state.refused_answer != sent;
  if (!passes(error.kind) && is_new) {
    state.refused_answer = std::make_unique<PodAnswers>(sent);
    announce(pod, state, sent, now);
  }
  state.told_trouble = error.kind;
  if (passes(error.kind) && error.kind != KubeErrorKind::kConflict && !patches_fail_) {
    patches_fail_ = true;
    outcome.remarks.push_back({RemarkLevel::kWarning,
                               "trouble with the API server, trying again",
                               {{"about", "answers on pods"}, {"error", error.message}}});
  }
  if (is_no_change(error.kind)) state.changes.give_back();
  const int doublings = passes(error.kind) ? kRetryDoublings : kRefusedDoublings;
  const Duration delay = kRetryFirst * (1 << std::min(state.failures, doublings));
  state.failures = std::min(state.failures + 1, kRefusedDoublings);
  state.retry_at = now.monotonic + std::max(error.retry_after.value_or(Duration{}),
                                            random_.between(delay, delay + delay / 2));
}

void AnswerWriter::send_events(Now now, Outcome& outcome) {
  while (events_under_way_ < kMaxEventsUnderWay &&
         event_rate_.ready_at(now.monotonic) <= now.monotonic) {
    const std::optional<ObjectKey> key = events_.take(now.monotonic);
    if (!key) return;
    const auto found = pending_events_.find(*key);
    PodState* state = state_.find_pod(*key);
    if (found == pending_events_.end()) continue;
    if (state == nullptr || state->uid != found->second.uid) {
      pending_events_.erase(found);
      continue;
    }
    PendingEvent& event = found->second;
    ++event.attempts;
    event.repeats = state->event_name == event.name;
    event_rate_.take(now.monotonic);
    ++events_under_way_;
    if (event.repeats) {
      outcome.effects.emplace_back(PatchEvent{*key, event.name, state->event_count + 1, now.wall});
      continue;
    }
    KubeEvent value;
    value.namespace_name = key->namespace_name;
    value.name = event.name;
    value.type = "Warning";
    value.reason = event.reason;
    value.action = "Link";
    value.note = event.note;
    value.reporting_controller = names::kReportingController;
    value.reporting_instance = instance_;
    value.regarding_api_version = "v1";
    value.regarding_kind = "Pod";
    value.regarding_namespace = key->namespace_name;
    value.regarding_name = key->name;
    value.regarding_uid = event.uid;
    value.time = now.wall;
    outcome.effects.emplace_back(CreateEvent{*key, std::move(value)});
  }
}

void AnswerWriter::event_written(const ObjectKey& key, const std::string& name,
                                 const Result& result, Now now, Outcome& outcome) {
  --events_under_way_;
  const auto found = pending_events_.find(key);
  // A newer Event about the pod waits in its place.
  if (found == pending_events_.end() || found->second.name != name) return;
  PendingEvent& event = found->second;
  PodState* state = state_.find_pod(key);
  const bool is_same_pod = state != nullptr && state->uid == event.uid;
  if (result) {
    if (is_same_pod) {
      state->event_count = event.repeats ? state->event_count + 1 : 1;
      state->event_name = name;
    }
    pending_events_.erase(found);
    return;
  }
  const KubeErrorKind kind = result.error().kind;
  // Who is asked to come later has not been heard: a storm of 429 may last for minutes.
  if (result.error().retry_after) --event.attempts;
  const bool again = is_same_pod && event.attempts < kEventAttempts;
  if (again && kind == KubeErrorKind::kAlreadyExists) {
    // Made by a predecessor, or by us without our having heard of it.
    state->event_name = name;
    state->event_count = 1;
    events_.add(key, now.monotonic);
  } else if (again && event.repeats && kind == KubeErrorKind::kNotFound) {
    // Events are forgotten after an hour.
    state->event_name.clear();
    events_.add(key, now.monotonic);
  } else if (again && passes(kind)) {
    events_.add(key, now.monotonic +
                         std::max(kEventRetry, result.error().retry_after.value_or(Duration{})));
  } else {
    ++dropped_events_;
    outcome.remarks.push_back(
        {RemarkLevel::kDebug,
         "an event about a pod is dropped",
         {{"pod", key.namespace_name + "/" + key.name}, {"error", result.error().message}}});
    pending_events_.erase(found);
  }
}

}  // namespace loglink
