#include "agent/shell/agent_loop.h"

#include <algorithm>
#include <utility>

#include "lib/codec/kube_json.h"
#include "lib/kube/trouble.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

AgentOptions engine_options(const AgentLoopOptions& options, bool has_api) {
  AgentOptions engine;
  engine.config = options.config;
  engine.watch_limit = options.watch_limit;
  engine.store_desired = has_api;
  if (has_api) {
    engine.encode_desired = encode_desired;
    engine.decode_desired = decode_desired;
  }
  return engine;
}

}  // namespace

std::string encode_desired(const NodeLinkSet& desired) { return encode_node_link_set(desired); }

Expected<NodeLinkSet> decode_desired(std::string_view text) {
  const std::string version = "\"apiVersion\":\"" + std::string(names::kApiVersion) + "\"";
  if (text.find(version) == std::string_view::npos) {
    return fail(ErrorCode::kUnsupported, std::string(names::kDesiredFile) + " is not of version " +
                                             std::string(names::kApiVersion));
  }
  auto desired = decode_node_link_set(text);
  if (!desired) return fail(ErrorCode::kInvalidArgument, desired.error().message);
  return *std::move(desired);
}

AgentLoop::AgentLoop(AgentLoopOptions options, StreamTransport& transport, UnaryClient& client,
                     FilePort& files, const Clock& clock, Random& random)
    : clock_(clock),
      agent_(files, random, engine_options(options, true)),
      session_(std::make_unique<NodeLinkSetSession>(options.config.node_name, transport, client,
                                                    clock, random, agent_,
                                                    std::move(options.wake))) {}

AgentLoop::AgentLoop(AgentLoopOptions options, FilePort& files, const Clock& clock, Random& random)
    : clock_(clock), agent_(files, random, engine_options(options, false)) {}

void AgentLoop::start() {
  const Now now = clock_.now();
  agent_.start(now);
  if (session_) session_->start(now);
}

void AgentLoop::set_from_file(NodeLinkSet desired) {
  agent_.set_desired(std::move(desired), clock_.now());
}

bool AgentLoop::step() {
  const Now now = clock_.now();
  const AgentCounters counters_before = agent_.counters();
  const bool was_ready = agent_.ready();
  const bool has_more = agent_.step(now);
  const bool moved = agent_.ready() != was_ready || agent_.counters() != counters_before;
  if (session_) session_->step(now, moved);
  // An object that the API says does not exist asks for nothing: that pass is done at once.
  const bool is_idle = !has_more && agent_.pending().empty();
  const bool has_planned = agent_.desired().has_value() && agent_.counters().plans > 0;
  const bool has_nothing_to_do = session_ && session_->confirmed_absent();
  if (is_idle && (has_planned || has_nothing_to_do)) first_pass_done_ = true;
  if (!has_more) note_readiness();
  return has_more;
}

MonotonicTime AgentLoop::next_wakeup() const {
  const MonotonicTime engine = agent_.next_wakeup();
  return session_ ? std::min(engine, session_->next_wakeup()) : engine;
}

void AgentLoop::stop() {
  if (session_) session_->stop();
  agent_.flush(clock_.now());
}

std::optional<std::string> AgentLoop::not_ready_because() {
  if (!agent_.ready()) {
    for (const Condition& condition : agent_.status(clock_.now()).conditions) {
      const bool is_it = condition.type == names::kConditionReady && condition.status != "True";
      if (is_it) return condition.reason + ": " + condition.message;
    }
    return std::string(names::kReasonStarting) + ": the link directory has not been read yet";
  }
  if (first_pass_done_) return std::nullopt;
  const std::string why = trouble();
  const std::string word(names::kReasonFirstPass);
  if (!why.empty()) return word + ": the API server has given no set of links yet: " + why;
  return word + ": no set of links has been observed and applied yet";
}

std::string AgentLoop::trouble() const {
  if (!session_ || !session_->trouble()) return "";
  return describe_with_cure(*session_->trouble());
}

void AgentLoop::note_readiness() {
  const std::optional<std::string> unready = not_ready_because();
  if (unready == told_unready_) return;
  told_unready_ = unready;
  if (unready) {
    notes_.push_back({LogNote::Level::kWarning, "not ready", {{"reason", *unready}}});
  } else {
    notes_.push_back({LogNote::Level::kInfo, "ready", {}});
  }
}

std::vector<LogNote> AgentLoop::take_notes() {
  std::vector<LogNote> notes = agent_.take_notes();
  if (session_) {
    for (LogNote& note : session_->take_notes()) notes.push_back(std::move(note));
  }
  for (LogNote& note : std::exchange(notes_, {})) notes.push_back(std::move(note));
  return notes;
}

}  // namespace loglink
