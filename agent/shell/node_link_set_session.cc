#include "agent/shell/node_link_set_session.h"

#include <algorithm>
#include <utility>

#include "lib/codec/kube_json.h"
#include "lib/kube/requests.h"
#include "lib/kube/resource_version.h"
#include "lib/kube/trouble.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

// Building a status costs; a burst of links makes one.
constexpr Duration kStatusEvery = std::chrono::milliseconds(100);
// How often the API is asked again whether the object is really not there, while links hang on it;
// and where none do, so that only the watch has something to tell: most nodes of a large cluster
// may have no pod that asks for links.
constexpr Duration kAbsenceEvery = std::chrono::seconds(30);
constexpr Duration kIdleAbsenceEvery = std::chrono::minutes(10);
constexpr Duration kReadAgain = std::chrono::seconds(1);

ListWatchOptions watch_options(const std::string& node_name) {
  ListWatchOptions options;
  options.reflector.path = std::string(kNodeLinkSetsPath);
  options.reflector.field_selector = name_selector(node_name);
  options.reflector.list_after_failure = true;
  return options;
}

tl::expected<NodeLinkSet, KubeError> decode_own(std::string_view body, const std::string& name) {
  auto object = decode_node_link_set(body);
  if (!object || object->name == name) return object;
  return tl::unexpected(another_object());
}

// The API keeps whole seconds; anything finer would never compare equal again.
void cut_to_seconds(NodeLinkSetStatus& status) {
  for (Condition& condition : status.conditions) {
    condition.last_transition =
        std::chrono::time_point_cast<std::chrono::seconds>(condition.last_transition);
  }
}

}  // namespace

NodeLinkSetSession::NodeLinkSetSession(std::string node_name, StreamTransport& transport,
                                       UnaryClient& client, const Clock& clock, Random& random,
                                       Agent& agent, std::function<void()> wake)
    : node_name_(std::move(node_name)),
      client_(client),
      clock_(clock),
      random_(random),
      agent_(agent),
      wake_(std::move(wake)),
      watch_(watch_options(node_name_), node_link_set_codec(), transport, clock, random, *this),
      pacer_(random) {}

void NodeLinkSetSession::start(const Now& now) { watch_.start(now); }

void NodeLinkSetSession::stop() {
  watch_.stop();
  alive_.reset();
}

void NodeLinkSetSession::step(const Now& now, bool engine_moved) {
  watch_.tick(now);
  if (engine_moved) status_dirty_ = true;
  const bool may_look = now.monotonic >= status_seen_at_ + kStatusEvery || !has_status_;
  if (status_dirty_ && may_look) refresh_status(now);
  if (pending_ != Pending::kNothing || now.monotonic < retry_at_) return;
  if (now.monotonic >= read_at_) {
    send_read(now);
  } else if (now.monotonic >= write_at_) {
    send_write(now);
  }
}

MonotonicTime NodeLinkSetSession::next_wakeup() const {
  MonotonicTime next = watch_.next_wakeup();
  if (status_dirty_) next = std::min(next, status_seen_at_ + kStatusEvery);
  if (pending_ == Pending::kNothing) {
    next = std::min(next, std::max(retry_at_, std::min(read_at_, write_at_)));
  }
  return next;
}

// --- the object ---------------------------------------------------------------------------------

void NodeLinkSetSession::on_replaced(std::vector<Decoded<NodeLinkSet>> objects,
                                     const std::string& /*resource_version*/) {
  const Now now = clock_.now();
  for (Decoded<NodeLinkSet>& object : objects) {
    // The selector asks for one; a server that sends others is not believed.
    if (object.key.name != node_name_) continue;
    // Whatever its version: the server's storage may have been restored.
    if (is_older(*object.value)) object_.reset();
    adopt(*std::move(object.value), now);
    return;
  }
  missed(now);
}

void NodeLinkSetSession::on_upserted(Decoded<NodeLinkSet> object) {
  if (object.key.name == node_name_) adopt(*std::move(object.value), clock_.now());
}

void NodeLinkSetSession::on_deleted(const ObjectKey& key, const std::string& /*uid*/) {
  if (key.name == node_name_) missed(clock_.now());
}

void NodeLinkSetSession::on_trouble(const std::optional<KubeError>& error) {
  const bool is_new = error.has_value() != trouble_.has_value() ||
                      (error && describe(*error) != describe(*trouble_));
  trouble_ = error;
  if (!is_new) return;
  if (error) {
    // An API that does not work says nothing about what is absent.
    agent_.set_unknown();
    confirmed_absent_ = false;
    note(LogNote::Level::kWarning, "the API server does not answer as it should",
         {{"error", describe(*error)}, {"cure", cure(*error)}});
  } else {
    note(LogNote::Level::kInfo, "the API server answers again", {});
  }
  wake_();
}

void NodeLinkSetSession::on_restart(std::string_view reason) {
  ++counters_.watch_restarts[std::string(reason)];
  wake_();
}

bool NodeLinkSetSession::is_older(const NodeLinkSet& object) const {
  return object_ && object_->uid == object.uid &&
         is_older_version(object.resource_version, object_->resource_version);
}

void NodeLinkSetSession::adopt(NodeLinkSet object, const Now& now) {
  if (is_older(object)) return;
  const bool is_same_set = observed_ && object_ && object_->uid == object.uid &&
                           object_->generation == object.generation && object_->spec == object.spec;
  const bool is_news = !object_ || object_->resource_version != object.resource_version;
  observed_ = true;
  confirmed_absent_ = false;
  read_at_ = MonotonicTime::never();
  if (is_news) pacer_.written(object.status);
  object_ = std::move(object);
  if (!is_same_set) {
    NodeLinkSet desired = *object_;
    desired.status = {};
    agent_.set_desired(std::move(desired), now);
  }
  status_dirty_ = true;
  wake_();
}

void NodeLinkSetSession::missed(const Now& now) {
  // A list without it, or a DELETE event, is a reason to ask; only the answer to that counts.
  object_.reset();
  pacer_.forget();
  write_at_ = MonotonicTime::never();
  read_at_ = now.monotonic;
  wake_();
}

void NodeLinkSetSession::send_read(const Now& /*now*/) {
  pending_ = Pending::kRead;
  client_.send(get_node_link_set_request(node_name_),
               [this, alive = std::weak_ptr<int>(alive_)](const UnaryResult& result) {
                 if (alive.expired()) return;
                 read_answered(result);
               });
}

void NodeLinkSetSession::read_answered(const UnaryResult& result) {
  const Now now = clock_.now();
  pending_ = Pending::kNothing;
  if (result) {
    auto object = decode_own(result->body, node_name_);
    if (object && is_older(*object) && !std::exchange(read_older_, true)) {
      // Perhaps the watch was faster: asked once more. A server that went back in time says it
      // again.
      read_at_ = now.monotonic + kReadAgain;
    } else if (object) {
      if (is_older(*object)) object_.reset();
      read_older_ = false;
      backoff_.reset();
      adopt(*std::move(object), now);
    } else {
      back_off(object.error(), now);
    }
    wake_();
    return;
  }
  if (result.error().kind == KubeErrorKind::kNotFound && !watch_.trouble()) {
    object_.reset();
    observed_ = true;
    confirmed_absent_ = true;
    backoff_.reset();
    agent_.set_absent(now);
    const bool has_sources = agent_.desired() && !agent_.desired()->spec.sources.empty();
    const Duration every = has_sources ? kAbsenceEvery : kIdleAbsenceEvery;
    read_at_ = now.monotonic + random_.between(every / 2, every);
  } else {
    agent_.set_unknown();
    confirmed_absent_ = false;
    back_off(result.error(), now);
  }
  wake_();
}

// --- the status ---------------------------------------------------------------------------------

void NodeLinkSetSession::refresh_status(const Now& now) {
  status_ = agent_.status(now);
  cut_to_seconds(status_);
  has_status_ = true;
  status_dirty_ = false;
  status_seen_at_ = now.monotonic;
  write_at_ = write_due(now);
}

MonotonicTime NodeLinkSetSession::write_due(const Now& now) const {
  // Before the engine has a plan for a set its status says nothing about it.
  if (!object_ || !has_status_) return MonotonicTime::never();
  return pacer_.due(status_, now);
}

void NodeLinkSetSession::send_write(const Now& now) {
  refresh_status(now);
  if (now.monotonic < write_at_) return;
  pacer_.tried(now);
  write_at_ = MonotonicTime::never();
  pending_ = Pending::kWrite;
  NodeLinkSet object = *object_;
  object.status = status_;
  client_.send(
      put_node_link_set_status_request(node_name_, encode_node_link_set_status(object)),
      [this, alive = std::weak_ptr<int>(alive_), sent = status_](const UnaryResult& result) {
        if (alive.expired()) return;
        write_answered(sent, result);
      });
}

void NodeLinkSetSession::write_answered(const NodeLinkSetStatus& sent, const UnaryResult& result) {
  const Now now = clock_.now();
  pending_ = Pending::kNothing;
  status_dirty_ = true;
  if (!result) {
    ++counters_.status_writes[std::string(to_string(result.error().kind))];
    pacer_.forget();
    if (result.error().kind == KubeErrorKind::kNotFound) {
      // Its DELETE event may have come before the answer to our last write, which brought it back:
      // nothing else tells us again that it is gone.
      missed(now);
      return;
    }
    switch (reaction(result.error().kind, RequestUse::kUnary)) {
      case Reaction::kRequeue:
        // Somebody else has changed the object: look again, then write.
        read_at_ = now.monotonic;
        break;
      case Reaction::kResume:
      case Reaction::kBackOff:
      case Reaction::kRelist:
      case Reaction::kRefreshCredentials:
      case Reaction::kDrop:
        note_write_trouble(result.error());
        if (passes(result.error().kind)) pacer_.failed();
        back_off(result.error(), now);
        break;
    }
    wake_();
    return;
  }
  ++counters_.status_writes["OK"];
  note_write_trouble(std::nullopt);
  backoff_.reset();
  auto object = decode_own(result->body, node_name_);
  // It was deleted meanwhile, or another object has taken its place, which has got no status yet.
  // Its set may be older than the last one that the watch brought.
  const bool has_gone = !object_ || (object && object_->uid != object->uid);
  if (has_gone) return wake_();
  if (object) adopt(*std::move(object), now);
  // Not what came back: a server that drops a field would be written to for ever.
  pacer_.written(sent);
  wake_();
}

void NodeLinkSetSession::back_off(const KubeError& error, const Now& now) {
  retry_at_ = now.monotonic + wait_as_asked(backoff_.next(random_), error.retry_after, random_);
}

void NodeLinkSetSession::note_write_trouble(const std::optional<KubeError>& error) {
  const std::string trouble = error ? std::string(to_string(error->kind)) : "";
  if (trouble == write_trouble_) return;
  write_trouble_ = trouble;
  if (error) {
    note(LogNote::Level::kWarning, "cannot write the status",
         {{"error", error->message}, {"kind", trouble}});
  } else {
    note(LogNote::Level::kInfo, "the status is written again", {});
  }
}

void NodeLinkSetSession::note(LogNote::Level level, std::string message,
                              std::vector<std::pair<std::string, std::string>> fields) {
  notes_.push_back({level, std::move(message), std::move(fields)});
}

std::vector<LogNote> NodeLinkSetSession::take_notes() { return std::exchange(notes_, {}); }

}  // namespace loglink
