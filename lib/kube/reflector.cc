#include "lib/kube/reflector.h"

#include <algorithm>
#include <utility>

#include "lib/kube/requests.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

using std::chrono::seconds;

// A watch is given timeoutSeconds in [300, 600), so that many clients do not come back together.
constexpr std::uint64_t kWatchSecondsMin = 300;
constexpr std::uint64_t kWatchSecondsSpread = 300;
// How much longer than its timeoutSeconds we bear with a server.
constexpr Duration kWatchMargin = seconds(5);
// A list ends within the server's own limit of 60 s for a request.
constexpr Duration kPageDeadline = seconds(65);
// A watch that stays open so long is a good answer, whether it brings something or not.
constexpr Duration kSettled = seconds(1);
constexpr int kFruitlessWatchesMax = 3;

}  // namespace

Reflector::Reflector(ReflectorOptions options, Random& random)
    : options_(std::move(options)),
      random_(random),
      backoff_(options_.backoff),
      watch_list_(options_.try_watch_list) {}

Reflector::Action Reflector::start(MonotonicTime /*now*/) { return open_next(); }

Reflector::Action Reflector::wait_ended(MonotonicTime /*now*/) { return open_next(); }

void Reflector::good_answer(MonotonicTime now) { opened_at_ = now; }

MonotonicTime Reflector::settles_at() const {
  const bool is_watch = state_ == State::kWatching || state_ == State::kWatchListInitial;
  if (!is_watch || !trouble_ || !opened_at_) return MonotonicTime::never();
  return *opened_at_ + kSettled;
}

void Reflector::settle(MonotonicTime now) {
  if (now >= settles_at()) trouble_.reset();
}

Reflector::PageEnd Reflector::page_ended(const std::string& resource_version,
                                         const std::string& continue_token, MonotonicTime now) {
  const bool is_last = continue_token.empty();
  if (!is_last && ++pages_ >= limits::kListPages) {
    const KubeError error = endless_list();
    endless_ = true;
    list_again();
    return {false, back_off(error, now), error};
  }
  if (is_last) endless_ = false;
  // A page of a list that may be as endless as the last one is no good news.
  if (!endless_) trouble_.reset();
  continue_token_ = continue_token;
  if (!is_last) return {false, open_page()};
  resource_version_ = resource_version;
  need_list_ = false;
  synced_ = true;
  return {true, open_watch(false)};
}

KubeError Reflector::endless_list() const {
  KubeError error;
  error.kind = KubeErrorKind::kProtocol;
  error.message = "the list of " + options_.path + " does not end after " +
                  std::to_string(limits::kListPages) + " pages: look at what stands between us " +
                  "and the API server, which gives \"continue\" again and again";
  return error;
}

bool Reflector::event_seen(bool is_bookmark, bool initial_events_end,
                           const std::string& resource_version) {
  saw_event_ = true;
  fruitless_watches_ = 0;
  trouble_.reset();
  if (state_ == State::kWatchListInitial) {
    // The synthetic events come in no order of versions: none of theirs is a place to resume from.
    if (!is_bookmark || !initial_events_end) return false;
    state_ = State::kWatching;
    need_list_ = false;
    synced_ = true;
    resource_version_ = resource_version;
    return true;
  }
  if (!resource_version.empty()) resource_version_ = resource_version;
  return false;
}

Reflector::Action Reflector::watch_ended_cleanly(MonotonicTime now) {
  if (state_ == State::kWatchListInitial) {
    // A server that closes before the set is whole does so again: pages make progress.
    watch_list_ = false;
    return open_next();
  }
  forgive(now);
  if (lived(kSettled, now)) return open_next();
  // A server that goes down may end a watch that has just begun; one that always does so after an
  // event would be asked again and again.
  if (saw_event_ && !std::exchange(excused_, true)) return open_next();
  return wait(backoff_.next(random_), now);
}

Reflector::Action Reflector::failed(const KubeError& error, MonotonicTime now) {
  forgive(now);
  switch (state_) {
    case State::kWatchListInitial:
      return initial_watch_failed(error, now);
    case State::kPaging:
      return page_failed(error, now);
    case State::kWatching:
    case State::kIdle:
    case State::kWaiting:
      return watch_failed(error, now);
  }
  __builtin_unreachable();
}

Reflector::Action Reflector::initial_watch_failed(const KubeError& error, MonotonicTime now) {
  using Kind = KubeErrorKind;
  switch (error.kind) {
    case Kind::kInvalid:
    case Kind::kUnexpected:
      // The server does not know watch-lists. That is no trouble, only an older server.
      watch_list_ = false;
      return open_next();
    case Kind::kTruncated:
    case Kind::kIdleTimeout:
    case Kind::kDeadline:
    case Kind::kProtocol:
      // Whatever cuts a long stream may let shorter ones pass.
      watch_list_ = false;
      return back_off(error, now);
    case Kind::kGone:
    case Kind::kTooLargeVersion:
      resource_version_.clear();
      return back_off(error, now);
    case Kind::kCancelled:
    case Kind::kRefused:
    case Kind::kDns:
    case Kind::kTls:
    case Kind::kConnectTimeout:
    case Kind::kUnauthorized:
    case Kind::kForbidden:
    case Kind::kNotFound:
    case Kind::kNotServed:
    case Kind::kConflict:
    case Kind::kAlreadyExists:
    case Kind::kTooManyRequests:
    case Kind::kServerError:
      return back_off(error, now);
  }
  __builtin_unreachable();
}

Reflector::Action Reflector::page_failed(const KubeError& error, MonotonicTime now) {
  // A continue token that is expired or unreadable, or a page that is: begin with the first page.
  if (reaction(error.kind, RequestUse::kStream) == Reaction::kRelist) continue_token_.clear();
  return back_off(error, now);
}

void Reflector::forget() {
  list_again();
  resource_version_.clear();
}

Reflector::Action Reflector::watch_failed(const KubeError& error, MonotonicTime now) {
  if (options_.list_after_failure) forget();
  const bool is_fruitless = error.kind == KubeErrorKind::kServerError ||
                            error.kind == KubeErrorKind::kUnexpected ||
                            error.kind == KubeErrorKind::kIdleTimeout;
  if (is_fruitless && !saw_event_ && ++fruitless_watches_ >= kFruitlessWatchesMax) list_again();
  switch (reaction(error.kind, RequestUse::kStream)) {
    case Reaction::kRelist:
      list_again();
      if (error.kind == KubeErrorKind::kTooLargeVersion) resource_version_.clear();
      // A server that was away long enough to forget is back: what was waited for it is enough. One
      // that forgets again and again is asked less and less often.
      if (error.kind == KubeErrorKind::kGone && !std::exchange(excused_gone_, true)) {
        note_trouble(error, now);
        backoff_.reset();
        return wait(backoff_.next(random_), now);
      }
      break;
    case Reaction::kResume:
      if (lived(kSettled, now)) return open_next();
      break;
    case Reaction::kBackOff:
    case Reaction::kRefreshCredentials:
    case Reaction::kRequeue:
    case Reaction::kDrop:
      break;
  }
  return back_off(error, now);
}

bool Reflector::collecting() const {
  return state_ == State::kPaging || state_ == State::kWatchListInitial;
}

void Reflector::list_again() {
  need_list_ = true;
  watch_list_ = options_.try_watch_list;
  continue_token_.clear();
  fruitless_watches_ = 0;
}

void Reflector::forgive(MonotonicTime now) {
  const bool is_watch = state_ == State::kWatching || state_ == State::kWatchListInitial;
  if (!is_watch || !lived(options_.backoff.max, now)) return;
  backoff_.reset();
  excused_ = false;
  excused_gone_ = false;
}

bool Reflector::lived(Duration time, MonotonicTime now) const {
  return opened_at_ && now - *opened_at_ >= time;
}

void Reflector::note_trouble(const KubeError& error, MonotonicTime now) {
  if (trouble_) {
    trouble_->error = error;
  } else {
    trouble_ = Trouble{error, now};
  }
}

Reflector::Action Reflector::back_off(const KubeError& error, MonotonicTime now) {
  note_trouble(error, now);
  Duration delay = backoff_.next(random_);
  // Clients that all failed together for long have backoffs that are in step.
  if (now - trouble_->since > options_.outage_spread_after &&
      options_.outage_spread > Duration(0)) {
    delay = options_.backoff.first + random_.between(Duration(0), options_.outage_spread);
  }
  std::optional<Duration> asked = error.retry_after;
  if (asked) asked = std::min<Duration>(*asked, limits::kRetryAfterMax);
  return wait(wait_as_asked(delay, asked, random_), now);
}

Reflector::Wait Reflector::wait(Duration delay, MonotonicTime now) {
  state_ = State::kWaiting;
  return Wait{now + delay};
}

Reflector::Action Reflector::open_next() {
  if (!need_list_) return open_watch(false);
  if (watch_list_) return open_watch(true);
  return open_page();
}

namespace {

void add_parameter(std::string& target, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  target += target.find('?') == std::string::npos ? '?' : '&';
  target += name;
  target += '=';
  target += escape_url(value);
}

}  // namespace

Reflector::Action Reflector::open_page() {
  state_ = State::kPaging;
  opened_at_.reset();
  OpenStream open;
  open.kind = StreamKind::kPage;
  open.begins_set = continue_token_.empty();
  if (open.begins_set) pages_ = 0;
  open.deadline = kPageDeadline;
  open.target = options_.path;
  add_parameter(open.target, "limit", std::to_string(limits::kPageItems));
  add_parameter(open.target, "continue", continue_token_);
  add_parameter(open.target, "fieldSelector", options_.field_selector);
  add_parameter(open.target, "labelSelector", options_.label_selector);
  return open;
}

Reflector::Action Reflector::open_watch(bool watch_list) {
  state_ = watch_list ? State::kWatchListInitial : State::kWatching;
  opened_at_.reset();
  saw_event_ = false;
  const std::uint64_t timeout = kWatchSecondsMin + random_.below(kWatchSecondsSpread);
  OpenStream open;
  open.kind = watch_list ? StreamKind::kWatchList : StreamKind::kWatch;
  open.begins_set = watch_list;
  open.deadline = seconds(timeout) + kWatchMargin;
  open.target = options_.path;
  add_parameter(open.target, "watch", "1");
  if (watch_list) {
    add_parameter(open.target, "sendInitialEvents", "true");
    add_parameter(open.target, "resourceVersionMatch", "NotOlderThan");
  }
  add_parameter(open.target, "allowWatchBookmarks", "true");
  add_parameter(open.target, "resourceVersion", resource_version_);
  add_parameter(open.target, "timeoutSeconds", std::to_string(timeout));
  add_parameter(open.target, "fieldSelector", options_.field_selector);
  add_parameter(open.target, "labelSelector", options_.label_selector);
  return open;
}

}  // namespace loglink
