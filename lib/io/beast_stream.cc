#include <map>

#include "lib/io/answer.h"
#include "lib/io/http_clients.h"
#include "lib/io/http_connection.h"
#include "lib/io/http_text.h"
#include "lib/io/tls_context.h"
#include "lib/io/transport_error.h"

namespace loglink {
namespace {

class BeastStreamTransport;

// One LIST or WATCH on a connection of its own.
class Stream final : public StreamHandler {
 public:
  Stream(BeastStreamTransport& owner, StreamId id, StreamRequest request, StreamHandler& handler)
      : owner_(owner), id_(id), request_(std::move(request)), handler_(handler) {}

  void begin(MonotonicTime now);

  void on_head(const StreamHead& head) override;
  void on_data(std::string_view bytes) override { handler_.on_data(bytes); }
  void on_end(std::optional<KubeError> error) override;

 private:
  BeastStreamTransport& owner_;
  const StreamId id_;
  const StreamRequest request_;
  StreamHandler& handler_;
  std::unique_ptr<HttpConnection> connection_;
};

class BeastStreamTransport final : public StreamTransport {
 public:
  BeastStreamTransport(EventLoop& loop, ClusterAccess access, std::string user_agent)
      : loop_(loop), access_(std::move(access)), user_agent_(std::move(user_agent)) {}

  StreamId open(StreamRequest request, StreamHandler& handler) override {
    const StreamId id = ++last_id_;
    streams_.emplace(id, std::make_unique<Stream>(*this, id, std::move(request), handler));
    // Later, because a credential that cannot be had is told through the handler.
    loop_.post([this, id, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) begin(id);
    });
    return id;
  }

  void cancel(StreamId id) override { streams_.erase(id); }

 private:
  friend class Stream;

  // A stream's timeouts begin when its credential is there.
  void begin(StreamId id) {
    const auto stream = streams_.find(id);
    if (stream == streams_.end()) return;
    const MonotonicTime now = SystemClock().now().monotonic;
    if (access_.credentials->ready(now)) return stream->second->begin(now);
    loop_.post_at(now + kCredentialAgain, [this, id, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) begin(id);
    });
  }

  EventLoop& loop_;
  const ClusterAccess access_;
  const std::string user_agent_;
  TlsContextCache contexts_;
  StreamId last_id_ = 0;
  std::map<StreamId, std::unique_ptr<Stream>> streams_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

void Stream::begin(MonotonicTime now) {
  CredentialSource& credentials = *owner_.access_.credentials;
  const Endpoint& endpoint = owner_.access_.endpoint;
  Expected<std::string> authorization = credentials.authorization(now);
  if (!authorization) {
    return on_end(credential_error(KubeErrorKind::kUnauthorized, authorization.error()));
  }
  const auto context = owner_.contexts_.get(endpoint, credentials, now);
  if (!context) return on_end(credential_error(KubeErrorKind::kTls, context.error()));
  RequestText text;
  text.target = request_.target;
  text.accept = request_.accept;
  text.authorization = std::move(*authorization);
  text.user_agent = owner_.user_agent_;
  const std::optional<std::string> bytes = request_bytes(endpoint, text);
  if (!bytes) return on_end(malformed_request(request_.target));
  connection_ = make_http_connection(owner_.loop_, endpoint, *context, ConnectionUse::kStream);
  HttpExchange exchange;
  exchange.bytes = *bytes;
  exchange.head_by = now + request_.header_timeout;
  exchange.idle_timeout = request_.idle_timeout;
  exchange.deadline = now + request_.deadline;
  connection_->start(std::move(exchange), *this);
}

void Stream::on_head(const StreamHead& head) {
  // The next open() shall not use the same token again.
  if (head.status == 401) owner_.access_.credentials->invalidate();
  handler_.on_head(head);
}

void Stream::on_end(std::optional<KubeError> error) {
  // A CA or certificate file may have been corrected meanwhile.
  if (error && error->kind == KubeErrorKind::kTls) owner_.access_.credentials->invalidate();
  StreamHandler& handler = handler_;
  owner_.streams_.erase(id_);  // `this` is gone
  handler.on_end(std::move(error));
}

}  // namespace

std::unique_ptr<StreamTransport> make_beast_stream_transport(EventLoop& loop, ClusterAccess access,
                                                             std::string user_agent) {
  return std::make_unique<BeastStreamTransport>(loop, std::move(access), std::move(user_agent));
}

}  // namespace loglink
