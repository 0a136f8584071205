#include "lib/kube/watch_driver.h"

#include <utility>

#include "lib/model/limits.h"
#include "lib/model/watch_event.h"

namespace loglink {
namespace {

// Of an answer other than 200: a metav1.Status or a line of text.
constexpr std::size_t kErrorBodyBytes = 256 * 1024;

KubeError protocol_error(std::string message) {
  KubeError error;
  error.kind = KubeErrorKind::kProtocol;
  error.message = std::move(message);
  return error;
}

// retry_after and causes may differ from answer to answer without anything new to tell.
bool is_same_trouble(const std::optional<KubeError>& a, const std::optional<KubeError>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return a->kind == b->kind && a->http_status == b->http_status && a->reason == b->reason &&
         a->message == b->message;
}

}  // namespace

WatchDriver::WatchDriver(ListWatchOptions options, StreamTransport& transport, const Clock& clock,
                         Random& random)
    : options_(std::move(options)),
      transport_(transport),
      clock_(clock),
      reflector_(options_.reflector, random) {}

WatchDriver::~WatchDriver() { stop(); }

void WatchDriver::start(Now now) { apply(reflector_.start(now.monotonic)); }

void WatchDriver::tick(Now now) {
  if (now.monotonic >= reflector_.settles_at()) {
    reflector_.settle(now.monotonic);
    tell_trouble();
  }
  if (now.monotonic >= waiting_until_) apply(reflector_.wait_ended(now.monotonic));
}

void WatchDriver::list_again(Now now) {
  reflector_.forget();
  if (!stream_) return;  // the wait that is under way ends with a list
  transport_.cancel(stream_->id);
  stream_.reset();
  apply(reflector_.wait_ended(now.monotonic));
}

void WatchDriver::stop() {
  if (stream_) transport_.cancel(stream_->id);
  stream_.reset();
  reflector_.stop();
  waiting_until_ = MonotonicTime::never();
}

void WatchDriver::on_head(const StreamHead& head) {
  stream_->head = head;
  if (head.status != 200) return;
  if (head.content_type.starts_with(kProtobufMediaType)) stream_->encoding = Encoding::kProtobuf;
  reflector_.good_answer(clock_.now().monotonic);
  if (reflector_.settles_at() != MonotonicTime::never()) wakeup_changed();
}

void WatchDriver::on_data(std::string_view bytes) {
  const std::optional<KubeError> error = take_data(bytes);
  if (!error) {
    tell_trouble();
    return;
  }
  transport_.cancel(stream_->id);
  unreadable(*error, clock_.now().monotonic);
}

// What cannot be read in one encoding may be readable in the other.
void WatchDriver::unreadable(const KubeError& error, MonotonicTime now) {
  if (stream_->encoding == Encoding::kProtobuf && error.kind == KubeErrorKind::kProtocol) {
    only_json_ = true;
  }
  fail_stream(error, now);
}

std::optional<KubeError> WatchDriver::take_data(std::string_view bytes) {
  std::string& body = stream_->body;
  if (stream_->head && stream_->head->status != 200) {
    body.append(bytes.substr(0, kErrorBodyBytes - body.size()));
    return std::nullopt;
  }
  if (stream_->kind != Reflector::StreamKind::kPage) return take_events(bytes);
  if (body.size() + bytes.size() > limits::kPageBytes) {
    return protocol_error("a page of " + options_.reflector.path + " is larger than " +
                          std::to_string(limits::kPageBytes) + " bytes");
  }
  body.append(bytes);
  return std::nullopt;
}

std::optional<KubeError> WatchDriver::take_events(std::string_view bytes) {
  const Encoding encoding = stream_->encoding;
  std::optional<KubeError> error;
  const auto take = [&](std::string_view event) {
    error = take_event(encoding, event);
    return !error;
  };
  bool too_long = false;
  switch (encoding) {
    case Encoding::kJson:
      too_long = lines_.feed(bytes, take) == LineSplitter::Result::kTooLong;
      break;
    case Encoding::kProtobuf:
      too_long = frames_.feed(bytes, take) == FrameSplitter::Result::kTooLong;
      break;
  }
  if (too_long) {
    return protocol_error("an event of " + options_.reflector.path + " is larger than " +
                          std::to_string(limits::kEventBytes) + " bytes");
  }
  return error;
}

bool WatchDriver::ends_inside_event() const {
  return lines_.has_partial_line() || frames_.has_partial_frame();
}

void WatchDriver::on_end(std::optional<KubeError> error) {
  const MonotonicTime now = clock_.now().monotonic;
  const std::optional<StreamHead> head = stream_->head;
  if (head && head->status != 200) {
    // What the server said counts, even if the connection broke while it said it.
    KubeError said = decode_error(head->status, head->content_type, stream_->body);
    if (!said.retry_after) said.retry_after = head->retry_after;
    fail_stream(said, now);
  } else if (error) {
    fail_stream(*error, now);
  } else if (!head) {
    fail_stream(protocol_error("the answer has no head"), now);
  } else if (stream_->kind == Reflector::StreamKind::kPage) {
    end_page(now);
  } else if (ends_inside_event()) {
    KubeError cut;
    cut.kind = KubeErrorKind::kTruncated;
    cut.message = "the watch of " + options_.reflector.path + " ended inside an event";
    fail_stream(cut, now);
  } else {
    stream_.reset();
    only_json_ = false;
    apply(reflector_.watch_ended_cleanly(now));
    restarted("Ended");
    tell_trouble();
  }
}

void WatchDriver::end_page(MonotonicTime now) {
  std::string body = std::move(stream_->body);
  const std::size_t size = body.size();
  body.append(LineSplitter::kPadding, '\0');
  const tl::expected<PageHead, KubeError> page =
      take_page(stream_->encoding, std::string_view(body).substr(0, size));
  if (!page) {
    unreadable(page.error(), now);
    return;
  }
  if (page->resource_version.empty()) {
    fail_stream(protocol_error("a page of " + options_.reflector.path + " has no resourceVersion"),
                now);
    return;
  }
  stream_.reset();
  const Reflector::PageEnd end =
      reflector_.page_ended(page->resource_version, page->continue_token, now);
  if (end.initial_set_complete) complete_set(reflector_.resource_version());
  apply(end.next);
  if (end.error) restarted(to_string(end.error->kind));
  tell_trouble();
}

void WatchDriver::fail_stream(const KubeError& error, MonotonicTime now) {
  stream_.reset();
  apply(reflector_.failed(error, now));
  restarted(to_string(error.kind));
  tell_trouble();
}

void WatchDriver::apply(const Reflector::Action& action) {
  if (const auto* wait = std::get_if<Reflector::Wait>(&action)) {
    waiting_until_ = wait->until;
    return;
  }
  const auto& open = std::get<Reflector::OpenStream>(action);
  waiting_until_ = MonotonicTime::never();
  lines_.reset();
  frames_.reset();
  if (open.begins_set) begin_set();
  StreamRequest request;
  request.target = open.target;
  request.accept = only_json_ ? std::string(kAcceptJson) : options_.accept;
  request.header_timeout = options_.header_timeout;
  request.idle_timeout = options_.idle_timeout;
  request.deadline = open.deadline;
  const StreamId id = transport_.open(std::move(request), *this);
  stream_ = Stream{open.kind, id, std::nullopt, Encoding::kJson, ""};
}

void WatchDriver::tell_trouble() {
  std::optional<KubeError> present;
  if (reflector_.trouble()) present = reflector_.trouble()->error;
  if (is_same_trouble(present, told_trouble_)) return;
  told_trouble_ = present;
  trouble_changed(present);
}

}  // namespace loglink
