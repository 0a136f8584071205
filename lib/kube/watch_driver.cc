#include "lib/kube/watch_driver.h"

#include <utility>

#include "lib/model/limits.h"

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

void WatchDriver::stop() {
  if (stream_) transport_.cancel(stream_->id);
  stream_.reset();
  reflector_.stop();
  waiting_until_ = MonotonicTime::never();
}

void WatchDriver::on_head(const StreamHead& head) {
  stream_->head = head;
  if (head.status != 200) return;
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
  fail_stream(*error, clock_.now().monotonic);
}

std::optional<KubeError> WatchDriver::take_data(std::string_view bytes) {
  std::string& body = stream_->body;
  if (stream_->head && stream_->head->status != 200) {
    body.append(bytes.substr(0, kErrorBodyBytes - body.size()));
    return std::nullopt;
  }
  if (stream_->kind != Reflector::StreamKind::kPage) return take_lines(bytes);
  if (body.size() + bytes.size() > limits::kPageBytes) {
    return protocol_error("a page of " + options_.reflector.path + " is larger than " +
                          std::to_string(limits::kPageBytes) + " bytes");
  }
  body.append(bytes);
  return std::nullopt;
}

std::optional<KubeError> WatchDriver::take_lines(std::string_view bytes) {
  std::optional<KubeError> error;
  const LineSplitter::Result result = splitter_.feed(bytes, [&](std::string_view line) {
    error = take_line(line);
    return !error;
  });
  if (result == LineSplitter::Result::kTooLong) {
    return protocol_error("an event of " + options_.reflector.path + " is larger than " +
                          std::to_string(limits::kEventBytes) + " bytes");
  }
  return error;
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
  } else if (splitter_.has_partial_line()) {
    KubeError cut;
    cut.kind = KubeErrorKind::kTruncated;
    cut.message = "the watch of " + options_.reflector.path + " ended inside an event";
    fail_stream(cut, now);
  } else {
    stream_.reset();
    apply(reflector_.watch_ended_cleanly(now));
    restarted("Ended");
    tell_trouble();
  }
}

void WatchDriver::end_page(MonotonicTime now) {
  std::string body = std::move(stream_->body);
  const std::size_t size = body.size();
  body.append(LineSplitter::kPadding, '\0');
  const tl::expected<PageHead, KubeError> page = take_page(std::string_view(body).substr(0, size));
  if (!page) {
    fail_stream(page.error(), now);
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
  splitter_.reset();
  if (open.begins_set) begin_set();
  StreamRequest request;
  request.target = open.target;
  request.accept = options_.accept;
  request.header_timeout = options_.header_timeout;
  request.idle_timeout = options_.idle_timeout;
  request.deadline = open.deadline;
  const StreamId id = transport_.open(std::move(request), *this);
  stream_ = Stream{open.kind, id, std::nullopt, ""};
}

void WatchDriver::tell_trouble() {
  std::optional<KubeError> present;
  if (reflector_.trouble()) present = reflector_.trouble()->error;
  if (is_same_trouble(present, told_trouble_)) return;
  told_trouble_ = present;
  trouble_changed(present);
}

}  // namespace loglink
