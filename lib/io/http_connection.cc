#include "lib/io/http_connection.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <exception>
#include <optional>
#include <utility>  // Asio 1.74 forgets it
#include <vector>

#include "lib/io/address.h"
#include "lib/io/http_text.h"
#include "lib/io/tls_context.h"
#include "lib/io/transport_error.h"

// g++ 12.2 miscompiles some arguments inside co_await: they are all named locals here.

namespace loglink {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;
using TlsStream = asio::ssl::stream<tcp::socket&>;
using Parser = http::response_parser<http::buffer_body>;

constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::uint32_t kHeadBytes = 32 * 1024;
// Only a head or a chunk's header can pile up in the buffer; both end far below this.
constexpr std::size_t kBufferBytes = 128 * 1024;
// With one more SYN after the first was lost; the last address of a name has all that is left.
constexpr std::chrono::seconds kConnectMax(3);
// What a server may say before its answer (100, 102, 103); beyond it something is amiss.
constexpr int kInterimHeads = 8;

MonotonicTime now() { return SystemClock().now().monotonic; }

// The state of one connection. The coroutine of an exchange and its timer share it with the
// HttpConnection; once `handler` is null nothing is reported any more.
class Link final : public std::enable_shared_from_this<Link> {
 public:
  Link(asio::io_context& context, Endpoint endpoint, std::shared_ptr<ssl_ctx_st> tls,
       ConnectionUse use)
      : endpoint_(std::move(endpoint)),
        use_(use),
        resolver_(context),
        socket_(context),
        timer_(context),
        buffer_(kBufferBytes),
        piece_(kPieceBytes) {
    buffer_.reserve(kPieceBytes);
    if (!tls) return;
    SSL_CTX_up_ref(tls.get());
    tls_context_.emplace(tls.get());  // takes the reference
    tls_.emplace(socket_, *tls_context_);
  }

  void start(HttpExchange exchange, StreamHandler& handler) {
    exchange_ = std::move(exchange);
    handler_ = &handler;
    keep_ = false;
    reused_ = connected_;
    was_stale_ = false;
    ++number_;
    stage_ = TransportStage::kResolve;
    stage_limit_ = exchange_.head_by;
    arm();
    asio::co_spawn(
        resolver_.get_executor(),
        [self = shared_from_this(), number = number_] { return self->run(self, number); },
        [executor = resolver_.get_executor()](std::exception_ptr failure) {
          // Like that of any other task, for the loop to log and count.
          if (failure) asio::post(executor, [failure] { std::rethrow_exception(failure); });
        });
  }

  // No callback after this.
  void stop() {
    handler_ = nullptr;
    ++number_;
    close();
  }

  [[nodiscard]] bool was_stale() const { return was_stale_; }
  [[nodiscard]] bool reusable() {
    if (!keep_ || handler_ != nullptr) return false;
    return tls_ ? is_silent(*tls_) : is_silent(socket_);
  }

 private:
  // What a server says unasked (bytes that are no answer of ours, or its goodbye) would be taken
  // for the next answer. Reading and not looking at the socket: TLS 1.3 sends tickets unasked,
  // which OpenSSL takes here and which are no bytes of HTTP.
  template <class Stream>
  static bool is_silent(Stream& stream) {
    char byte = 0;
    error_code error;
    stream.read_some(asio::buffer(&byte, 1), error);  // non-blocking, see connect()
    return error == asio::error::would_block;
  }

  // `self` keeps the state alive while the coroutine is suspended.
  asio::awaitable<void> run([[maybe_unused]] std::shared_ptr<Link> self, std::uint64_t number) {
    if (number != number_) co_return;
    try {
      if (connected_) {
        stage_ = TransportStage::kSend;
      } else {
        co_await connect(number);
      }
      if (number == number_) {
        if (tls_) {
          co_await converse(*tls_, number);
        } else {
          co_await converse(socket_, number);
        }
      }
    } catch (const std::exception& exception) {
      if (number != number_) throw;  // the handler's on_end: nobody is left to be told
      TransportTrouble trouble{stage_, TransportFault::kProtocol, 0, exception.what(), false};
      finish(transport_error(trouble, endpoint_));
    }
  }

  // Each step looks after it was suspended whether the exchange is still wanted: finish() and
  // stop() change number_.
  asio::awaitable<void> connect(std::uint64_t number) {
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    std::vector<tcp::endpoint> addresses;
    if (is_ip_address(endpoint_.host)) {
      // No name, no resolver thread.
      addresses.emplace_back(asio::ip::make_address(endpoint_.host), endpoint_.port);
    } else {
      const std::string service = std::to_string(endpoint_.port);
      const tcp::resolver::results_type results =
          co_await resolver_.async_resolve(endpoint_.host, service, token);
      if (number != number_) co_return;
      if (error) co_return fail(error);
      for (const auto& entry : results) addresses.push_back(entry.endpoint());
    }
    stage_ = TransportStage::kConnect;
    error = asio::error::host_not_found;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
      const MonotonicTime time = now();
      const MonotonicTime limit = std::min(exchange_.head_by, exchange_.deadline);
      stage_limit_ = time + connect_share(limit - time, addresses.size() - i);
      arm();
      error_code ignored;
      socket_.close(ignored);
      const tcp::endpoint& address = addresses[i];
      co_await socket_.async_connect(address, token);
      if (number != number_) co_return;
      if (!error && socket_.is_open()) break;  // else it failed, or on_timer() closed it
    }
    if (error) co_return fail(error);
    stage_limit_ = exchange_.head_by;
    set_connection_options(socket_.native_handle(), use_);
    socket_.non_blocking(true, error);  // for is_silent(); asynchronous calls do not mind
    if (error) co_return fail(error);
    if (tls_) {
      stage_ = TransportStage::kHandshake;
      if (!configure_tls_connection(tls_->native_handle(), endpoint_)) {
        TransportTrouble trouble{stage_, TransportFault::kTls, 0,
                                 "the server's name cannot be checked (tls-server-name)", false};
        co_return finish(transport_error(trouble, endpoint_));
      }
      co_await tls_->async_handshake(asio::ssl::stream_base::client, token);
      if (number != number_) co_return;
      if (error) co_return fail(error);
    }
    connected_ = true;
    stage_ = TransportStage::kSend;
  }

  template <class Stream>
  asio::awaitable<void> converse(Stream& stream, std::uint64_t number) {
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    if (now() > exchange_.not_after) {
      co_return finish(too_late_to_send());
    }
    const auto request = asio::buffer(exchange_.bytes);
    co_await asio::async_write(stream, request, token);
    if (number != number_) co_return;
    // A server may answer and close before it has read everything (413): its answer counts.
    if (error && error != asio::error::broken_pipe && error != asio::error::connection_reset) {
      co_return fail(error);
    }

    stage_ = TransportStage::kHead;
    std::optional<Parser> head;
    int interim = -1;
    do {
      if (++interim > kInterimHeads) co_return fail(http::error::bad_status, true);
      Parser& next = head.emplace();
      next.header_limit(kHeadBytes);
      next.body_limit(~std::uint64_t{0});  // Boost 1.74 takes none for zero
      co_await http::async_read_header(stream, buffer_, next, token);
      if (number != number_) co_return;
      if (error) co_return fail(error, interim > 0 || next.got_some());
    } while (is_interim(*head));
    Parser& parser = *head;
    handler_->on_head(head_of(parser));
    if (number != number_) co_return;

    stage_ = TransportStage::kBody;
    stage_limit_ = now() + exchange_.idle_timeout;
    arm();
    parser.eager(true);  // all that is there, however many chunks it came in
    while (!parser.is_done()) {
      const bool more = take_body(parser, error);
      if (number != number_) co_return;
      if (error) co_return fail(error, true);
      if (!more) continue;
      if (buffer_.size() > kHeadBytes) co_return fail(http::error::buffer_overflow, true);
      stage_limit_ = now() + exchange_.idle_timeout;
      const auto space = buffer_.prepare(kPieceBytes);
      const std::size_t count = co_await stream.async_read_some(space, token);
      if (number != number_) co_return;
      buffer_.commit(count);
      if (error == asio::error::eof) {
        error.clear();
        parser.put_eof(error);
      }
      if (error) co_return fail(error, true);
    }
    // After 101 the connection speaks something else.
    keep_ = parser.get().result_int() >= 200 && parser.get().keep_alive() && buffer_.size() == 0;
    finish(std::nullopt);
  }

  // Gives what the buffer holds of the body to the handler, up to one piece; true when the parser
  // needs more bytes. Parsing here and not in http::async_read_some: that one goes on reading when
  // a chunk is complete but the next one has not begun, and so would hold an event back.
  bool take_body(Parser& parser, error_code& error) {
    if (buffer_.size() == 0) return true;
    auto& body = parser.get().body();
    body.data = piece_.data();
    body.size = piece_.size();
    body.more = true;
    buffer_.consume(parser.put(buffer_.data(), error));
    const bool more = error == http::error::need_more;
    if (more || error == http::error::need_buffer) error = {};
    const std::size_t count = piece_.size() - body.size;
    if (count > 0) handler_->on_data(std::string_view(piece_.data(), count));
    return more;
  }

  // Not the answer yet, which is to come after it on the same connection.
  static bool is_interim(const Parser& parser) {
    const unsigned status = parser.get().result_int();
    return status >= 100 && status < 200 && status != 101;
  }

  static StreamHead head_of(const Parser& parser) {
    const auto& message = parser.get();
    StreamHead head;
    head.status = static_cast<int>(message.result_int());
    head.content_type = std::string(message[http::field::content_type]);
    const auto retry_after = message.find(http::field::retry_after);
    if (retry_after != message.end()) {
      head.retry_after = parse_retry_after(std::string(retry_after->value()));
    }
    return head;
  }

  void fail(error_code error, bool answer_begun = false) {
    TransportTrouble trouble{stage_, TransportFault::kProtocol, 0, "", answer_begun};
    if (error.category() == boost::system::system_category() ||
        error.category() == boost::system::generic_category()) {
      trouble.fault = TransportFault::kSystem;
      trouble.system_errno = error.value();
    } else if (stage_ == TransportStage::kResolve) {
      trouble.fault = TransportFault::kResolver;
      trouble.detail = error.message();
    } else if (error == asio::error::eof || error == http::error::end_of_stream ||
               error == http::error::partial_message ||
               error == asio::ssl::error::stream_truncated) {
      trouble.fault = TransportFault::kEnded;
    } else if (error.category() == asio::error::get_ssl_category()) {
      trouble.fault = TransportFault::kTls;
      const std::string reason = certificate_trouble(tls_->native_handle(), endpoint_);
      trouble.detail = reason.empty() ? error.message() : reason;
    } else {
      trouble.detail = error.message();
    }
    was_stale_ = reused_ && is_stale(trouble);
    finish(transport_error(trouble, endpoint_));
  }

  // Ends the exchange. The handler may destroy the connection or start the next exchange in it, so
  // nothing is touched after it.
  void finish(std::optional<KubeError> error) {
    StreamHandler* const handler = std::exchange(handler_, nullptr);
    ++number_;
    timer_.cancel();
    if (!keep_) close();
    if (handler != nullptr) handler->on_end(std::move(error));
  }

  void close() {
    error_code ignored;
    resolver_.cancel();
    timer_.cancel();
    // No TLS goodbye: the answer's framing says whether it is whole. Of a unary request nothing
    // leaves any more (socket_options.h).
    socket_.close(ignored);
    connected_ = false;
    keep_ = false;
  }

  // One timer for all limits. A limit that moves away is noticed when the timer fires.
  void arm() {
    const MonotonicTime at = std::min(stage_limit_, exchange_.deadline);
    timer_.expires_at(std::chrono::steady_clock::time_point(
        std::chrono::duration_cast<std::chrono::steady_clock::duration>(at.since_epoch)));
    timer_.async_wait([weak = weak_from_this(), number = number_](error_code error) {
      const std::shared_ptr<Link> self = weak.lock();
      if (!error && self && self->number_ == number) self->on_timer();
    });
  }

  void on_timer() {
    const MonotonicTime time = now();
    TransportTrouble trouble{stage_, TransportFault::kTimeout, 0, "", false};
    if (time >= exchange_.deadline) {
      trouble.fault = TransportFault::kDeadline;
    } else if (time < stage_limit_) {
      return arm();
    } else if (stage_ == TransportStage::kConnect && time < exchange_.head_by) {
      error_code ignored;
      socket_.close(ignored);  // connect() goes on to the next address
      return;
    }
    keep_ = false;
    finish(transport_error(trouble, endpoint_));
  }

  const Endpoint endpoint_;
  const ConnectionUse use_;
  std::optional<asio::ssl::context> tls_context_;
  tcp::resolver resolver_;
  tcp::socket socket_;
  std::optional<TlsStream> tls_;  // over socket_
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  std::vector<char> piece_;

  HttpExchange exchange_;
  StreamHandler* handler_ = nullptr;
  std::uint64_t number_ = 0;  // of the exchange; changes when it ends
  TransportStage stage_ = TransportStage::kResolve;
  MonotonicTime stage_limit_;
  bool connected_ = false;
  bool reused_ = false;  // by this exchange
  bool was_stale_ = false;
  bool keep_ = false;
};

class BeastConnection final : public HttpConnection {
 public:
  BeastConnection(EventLoop& loop, const Endpoint& endpoint, std::shared_ptr<ssl_ctx_st> tls,
                  ConnectionUse use)
      : link_(std::make_shared<Link>(*static_cast<asio::io_context*>(loop.native_context()),
                                     endpoint, std::move(tls), use)) {}
  ~BeastConnection() override { link_->stop(); }
  BeastConnection(const BeastConnection&) = delete;
  BeastConnection& operator=(const BeastConnection&) = delete;

  void start(HttpExchange exchange, StreamHandler& handler) override {
    link_->start(std::move(exchange), handler);
  }
  [[nodiscard]] bool was_stale() const override { return link_->was_stale(); }
  [[nodiscard]] bool reusable() override { return link_->reusable(); }

 private:
  std::shared_ptr<Link> link_;
};

}  // namespace

Duration connect_share(Duration left, std::size_t addresses) {
  if (addresses <= 1) return left;
  return std::min<Duration>(kConnectMax, left / static_cast<std::int64_t>(addresses));
}

std::unique_ptr<HttpConnection> make_http_connection(EventLoop& loop, const Endpoint& endpoint,
                                                     std::shared_ptr<ssl_ctx_st> tls,
                                                     ConnectionUse use) {
  return std::make_unique<BeastConnection>(loop, endpoint, std::move(tls), use);
}

}  // namespace loglink
