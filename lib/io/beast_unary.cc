#include <algorithm>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "lib/io/answer.h"
#include "lib/io/http_clients.h"
#include "lib/io/http_connection.h"
#include "lib/io/http_text.h"
#include "lib/io/tls_context.h"
#include "lib/io/transport_error.h"
#include "lib/io/unary_lane.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

constexpr std::size_t kQueueLength = 4096;

// A caller that floods the client is told to come back.
KubeError full_queue() {
  KubeError error;
  error.kind = KubeErrorKind::kTooManyRequests;
  error.message = "too many requests wait for the API server";
  error.retry_after = std::chrono::seconds(1);
  return error;
}

struct Call {
  UnaryRequest request;
  std::function<void(UnaryResult)> done;
  std::optional<MonotonicTime> deadline;  // from when its turn came
  bool tried_new_connection = false;
  bool tried_new_credentials = false;
};

// The first call of the queue is under way, on the one connection.
class BeastUnaryClient final : public UnaryClient, private StreamHandler {
 public:
  BeastUnaryClient(EventLoop& loop, ClusterAccess access, std::string user_agent)
      : loop_(loop), access_(std::move(access)), user_agent_(std::move(user_agent)) {}

  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    if (calls_.size() >= kQueueLength) {
      loop_.post([done = std::move(done), alive = std::weak_ptr<int>(alive_)] {
        if (!alive.expired()) done(tl::unexpected<KubeError>(full_queue()));
      });
      return;
    }
    calls_.push_back(Call{std::move(request), std::move(done), std::nullopt});
    if (calls_.size() == 1) post_next();
  }

 private:
  void post_next() {
    loop_.post([this, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) try_first();
    });
  }

  void try_first() {
    Call& call = calls_.front();
    const MonotonicTime now = SystemClock().now().monotonic;
    if (!call.deadline) call.deadline = now + call.request.deadline;
    if (now > call.request.not_after) return fail(too_late_to_send());
    CredentialSource& credentials = *access_.credentials;
    if (!credentials.ready(now)) {
      if (now >= *call.deadline) return fail(credential_late());
      return loop_.post_at(now + kCredentialAgain, [this, alive = std::weak_ptr<int>(alive_)] {
        if (!alive.expired()) try_first();
      });
    }
    if (now >= *call.deadline) return fail(no_time_to_send());
    Expected<std::string> authorization = credentials.authorization(now);
    if (!authorization) {
      return fail(credential_error(KubeErrorKind::kUnauthorized, authorization.error()));
    }
    const auto context = contexts_.get(access_.endpoint, credentials, now);
    if (!context) return fail(credential_error(KubeErrorKind::kTls, context.error()));
    // No part of a write leaves after the time in which it is allowed.
    const MonotonicTime until = std::min(*call.deadline, call.request.not_after);
    if (SystemClock().now().monotonic > call.request.not_after) return fail(too_late_to_send());
    RequestText text;
    text.method = call.request.method;
    text.target = call.request.target;
    text.accept = "application/json";
    text.authorization = std::move(*authorization);
    text.user_agent = user_agent_;
    text.content_type = call.request.content_type;
    text.body = call.request.body;
    std::optional<std::string> bytes = request_bytes(access_.endpoint, text);
    if (!bytes) return fail(malformed_request(call.request.target));

    // A connection that was made with other certificates is not used again.
    const bool reuses = connection_ && *context == context_ && connection_->reusable();
    if (!reuses) {
      connection_ = make_http_connection(loop_, access_.endpoint, *context, ConnectionUse::kUnary);
      context_ = *context;
    }
    head_ = StreamHead{};
    body_.clear();
    HttpExchange exchange;
    exchange.bytes = std::move(*bytes);
    exchange.head_by = until;
    exchange.idle_timeout = call.request.deadline;
    exchange.deadline = until;
    exchange.not_after = call.request.not_after;
    connection_->start(std::move(exchange), *this);
  }

  void on_head(const StreamHead& head) override { head_ = head; }

  void on_data(std::string_view bytes) override {
    if (body_.size() + bytes.size() > limits::kUnaryBodyBytes) {
      return fail(oversized_answer(calls_.front().request.target));
    }
    body_.append(bytes);
  }

  void on_end(std::optional<KubeError> error) override {
    // A CA or certificate file may have been corrected meanwhile.
    if (error && error->kind == KubeErrorKind::kTls) access_.credentials->invalidate();
    Call& call = calls_.front();
    // Every request may be sent twice.
    if (error && connection_->was_stale() && !std::exchange(call.tried_new_connection, true))
      return post_next();
    if (error) return fail(std::move(*error));
    if (head_.status == 401) {
      access_.credentials->invalidate();
      // A certificate may be what was refused, so a new connection is made too.
      connection_.reset();
      if (!std::exchange(call.tried_new_credentials, true)) return post_next();
    }
    finish(unary_result(head_, std::move(body_)));
  }

  void fail(KubeError error) {
    connection_.reset();
    finish(tl::unexpected<KubeError>(std::move(error)));
  }

  // The callback may destroy the client, so it comes last.
  void finish(UnaryResult result) {
    const std::function<void(UnaryResult)> done = std::move(calls_.front().done);
    calls_.pop_front();
    body_ = std::string();
    const std::shared_ptr<CredentialSource> credentials = access_.credentials;
    if (!calls_.empty()) post_next();
    done(std::move(result));
    credentials->refresh(SystemClock().now().monotonic);
  }

  EventLoop& loop_;
  const ClusterAccess access_;
  const std::string user_agent_;
  TlsContextCache contexts_;
  std::deque<Call> calls_;
  std::unique_ptr<HttpConnection> connection_;
  std::shared_ptr<ssl_ctx_st> context_;  // of connection_
  StreamHead head_;
  std::string body_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

// Some clients, and a queue from which each takes its next request when it is free: what hangs at
// one holds up nothing that another could send.
class BeastLane {
 public:
  BeastLane(EventLoop& loop, const ClusterAccess& access, const std::string& user_agent, int count)
      : loop_(loop) {
    for (int i = 0; i < count; ++i) {
      idle_.push_back(clients_.size());
      clients_.push_back(make_beast_unary_client(loop, access, user_agent));
    }
  }

  void send(UnaryRequest request, std::function<void(UnaryResult)> done) {
    if (waiting_.size() >= kQueueLength) {
      loop_.post([done = std::move(done), alive = std::weak_ptr<int>(alive_)] {
        if (!alive.expired()) done(tl::unexpected<KubeError>(full_queue()));
      });
      return;
    }
    waiting_.push_back({std::move(request), std::move(done)});
    send_next();
  }

 private:
  struct Waiting {
    UnaryRequest request;
    std::function<void(UnaryResult)> done;
  };

  void send_next() {
    if (waiting_.empty() || idle_.empty()) return;
    Waiting next = std::move(waiting_.front());
    waiting_.pop_front();
    const std::size_t client = idle_.back();  // the one that was used last: its connection is open
    idle_.pop_back();
    clients_[client]->send(std::move(next.request),
                           [this, client, done = std::move(next.done)](UnaryResult result) {
                             idle_.push_back(client);
                             send_next();
                             done(std::move(result));  // last: it may destroy this
                           });
  }

  EventLoop& loop_;
  std::vector<std::unique_ptr<UnaryClient>> clients_;
  std::vector<std::size_t> idle_;
  std::deque<Waiting> waiting_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

class ParallelUnaryClient final : public UnaryClient {
 public:
  ParallelUnaryClient(EventLoop& loop, const ClusterAccess& access, const std::string& user_agent,
                      int workers)
      : leases_(loop, access, user_agent, 1),
        answers_(loop, access, user_agent, kAnswerCallsAtOnce),
        others_(loop, access, user_agent, workers) {}

  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    BeastLane& lane = lane_of(request.target);
    lane.send(std::move(request), std::move(done));
  }

 private:
  BeastLane& lane_of(std::string_view target) {
    switch (unary_lane(target)) {
      case UnaryLane::kLease:
        return leases_;
      case UnaryLane::kAnswer:
        return answers_;
      case UnaryLane::kOther:
        return others_;
    }
    __builtin_unreachable();
  }

  BeastLane leases_;
  BeastLane answers_;
  BeastLane others_;
};

}  // namespace

std::unique_ptr<UnaryClient> make_parallel_beast_unary_client(EventLoop& loop,
                                                              const ClusterAccess& access,
                                                              const std::string& user_agent,
                                                              int workers) {
  return std::make_unique<ParallelUnaryClient>(loop, access, user_agent, workers);
}

std::unique_ptr<UnaryClient> make_beast_unary_client(EventLoop& loop, ClusterAccess access,
                                                     std::string user_agent) {
  return std::make_unique<BeastUnaryClient>(loop, std::move(access), std::move(user_agent));
}

}  // namespace loglink
