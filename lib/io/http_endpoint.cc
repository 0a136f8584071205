#include "lib/io/http_endpoint.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <list>
#include <utility>  // Asio 1.74 forgets it

#include "lib/base/text.h"
#include "lib/io/address.h"

namespace loglink {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kConnections = 32;
constexpr std::size_t kRequestBytes = 8 * 1024;
constexpr std::chrono::seconds kConnectionTime(5);
constexpr std::chrono::seconds kBindAgain(3);

using Answer = std::function<EndpointAnswer(const std::string& path)>;

// One connection, one request. Pending operations share it; close() makes them end.
class Session final : public std::enable_shared_from_this<Session> {
 public:
  explicit Session(tcp::socket socket)
      : socket_(std::move(socket)), timer_(socket_.get_executor()), buffer_(kRequestBytes) {
    parser_.header_limit(kRequestBytes);
    parser_.body_limit(kRequestBytes);
  }

  void start(const Answer& answer) {
    timer_.expires_after(kConnectionTime);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      const std::shared_ptr<Session> self = weak.lock();
      if (!error && self) self->close();
    });
    http::async_read(socket_, buffer_, parser_,
                     [self = shared_from_this(), &answer](error_code error, std::size_t) {
                       if (self->closed_) return;  // `answer` may be gone
                       self->on_request(error, answer);
                     });
  }

  void close() {
    closed_ = true;
    error_code ignored;
    timer_.cancel();
    socket_.close(ignored);
  }

  [[nodiscard]] bool closed() const { return closed_; }

 private:
  void on_request(error_code error, const Answer& answer) {
    if (error == http::error::header_limit || error == http::error::body_limit ||
        error == http::error::buffer_overflow) {
      return reply({431, "text/plain; charset=utf-8", "request too large\n"}, true);
    }
    if (error) return close();
    const http::verb method = parser_.get().method();
    if (method != http::verb::get && method != http::verb::head) {
      return reply({405, "text/plain; charset=utf-8", "only GET is served\n"}, true);
    }
    const std::string target(parser_.get().target());
    reply(answer(target.substr(0, target.find('?'))), method == http::verb::get);
  }

  void reply(const EndpointAnswer& answer, bool with_body) {
    const auto status = static_cast<http::status>(answer.status);
    bytes_ = "HTTP/1.1 " + std::to_string(answer.status) + " ";
    bytes_.append(std::string(http::obsolete_reason(status))).append("\r\n");
    if (answer.status == 405) bytes_ += "Allow: GET, HEAD\r\n";
    bytes_.append("Content-Type: ").append(answer.content_type).append("\r\n");
    bytes_.append("Content-Length: ").append(std::to_string(answer.body.size()));
    bytes_.append("\r\nConnection: close\r\n\r\n");
    if (with_body) bytes_ += answer.body;
    asio::async_write(socket_, asio::buffer(bytes_),
                      [self = shared_from_this()](error_code, std::size_t) {
                        error_code ignored;
                        self->socket_.shutdown(tcp::socket::shutdown_send, ignored);
                        self->close();
                      });
  }

  tcp::socket socket_;
  asio::steady_timer timer_;
  boost::beast::flat_buffer buffer_;
  http::request_parser<http::string_body> parser_;
  std::string bytes_;
  bool closed_ = false;
};

class AsioHttpEndpoint final : public HttpEndpoint {
 public:
  AsioHttpEndpoint(EventLoop& loop, std::string address, Answer answer,
                   std::function<void(const std::string&)> trouble)
      : context_(*static_cast<asio::io_context*>(loop.native_context())),
        address_(std::move(address)),
        answer_(std::move(answer)),
        trouble_(std::move(trouble)),
        acceptor_(context_),
        timer_(context_) {
    // The first word of trouble must not come before the caller has the endpoint.
    loop.post([this, alive = std::weak_ptr<int>(alive_)] {
      if (!alive.expired()) listen();
    });
  }

  ~AsioHttpEndpoint() override {
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
    for (const std::shared_ptr<Session>& session : sessions_) session->close();
  }
  AsioHttpEndpoint(const AsioHttpEndpoint&) = delete;
  AsioHttpEndpoint& operator=(const AsioHttpEndpoint&) = delete;

  [[nodiscard]] std::uint16_t port() const override {
    error_code error;
    const tcp::endpoint local = acceptor_.local_endpoint(error);
    return error ? std::uint16_t{0} : local.port();
  }

 private:
  void listen() {
    const std::string trouble = bind();
    if (trouble.empty()) {
      accept();
    } else {
      error_code ignored;
      acceptor_.close(ignored);
      timer_.expires_after(kBindAgain);
      timer_.async_wait([this, alive = std::weak_ptr<int>(alive_)](error_code error) {
        if (!error && !alive.expired()) listen();
      });
    }
    if (trouble == said_) return;
    said_ = trouble;
    trouble_(trouble);
  }

  // "" when it listens.
  std::string bind() {
    const Expected<ListenAddress> parsed = parse_listen_address(address_);
    if (!parsed) return parsed.error().message;
    error_code error;
    if (parsed->host.empty()) {
      error = bind_to(tcp::endpoint(tcp::v6(), parsed->port));
      // A node without IPv6.
      if (error == asio::error::address_family_not_supported ||
          error == boost::system::errc::address_not_available) {
        error = bind_to(tcp::endpoint(tcp::v4(), parsed->port));
      }
    } else {
      // Names resolve inside the loop: the address is an IP or localhost in practice, and a node
      // whose resolver hangs at this moment has more urgent troubles.
      const std::string host = parsed->host == "localhost" ? "127.0.0.1" : parsed->host;
      const asio::ip::address address = asio::ip::make_address(host, error);
      if (error) return "address \"" + address_ + "\" is not an IP address and a port";
      error = bind_to(tcp::endpoint(address, parsed->port));
    }
    return error ? "cannot listen on \"" + address_ + "\": " + error.message() : "";
  }

  error_code bind_to(const tcp::endpoint& endpoint) {
    error_code error;
    acceptor_.close(error);
    acceptor_.open(endpoint.protocol(), error);
    if (error) return error;
    acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (endpoint.protocol() == tcp::v6()) {
      const bool only_v6 = !endpoint.address().is_unspecified();
      acceptor_.set_option(asio::ip::v6_only(only_v6), error);
    }
    acceptor_.bind(endpoint, error);
    if (error) return error;
    acceptor_.listen(static_cast<int>(kConnections), error);
    return error;
  }

  void accept() {
    acceptor_.async_accept(
        [this, alive = std::weak_ptr<int>(alive_)](error_code error, tcp::socket socket) {
          if (alive.expired() || error == asio::error::operation_aborted) return;
          if (error) {
            // Out of descriptors, mostly: asking again at once would spin.
            timer_.expires_after(std::chrono::seconds(1));
            timer_.async_wait([this, alive](error_code stopped) {
              if (!stopped && !alive.expired()) accept();
            });
            return;
          }
          add(std::make_shared<Session>(std::move(socket)));
          accept();
        });
  }

  // The oldest goes when there are too many, so that slow ones never keep a probe out.
  void add(const std::shared_ptr<Session>& session) {
    sessions_.remove_if([](const auto& other) { return other->closed(); });
    if (sessions_.size() >= kConnections) {
      sessions_.front()->close();
      sessions_.pop_front();
    }
    sessions_.push_back(session);
    session->start(answer_);
  }

  asio::io_context& context_;
  const std::string address_;
  const Answer answer_;
  const std::function<void(const std::string&)> trouble_;
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;  // the next attempt to bind, or to accept
  std::list<std::shared_ptr<Session>> sessions_;
  std::string said_;
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace

std::unique_ptr<HttpEndpoint> serve_http(
    EventLoop& loop, std::string address,
    std::function<EndpointAnswer(const std::string& path)> answer,
    std::function<void(const std::string& trouble)> trouble) {
  return std::make_unique<AsioHttpEndpoint>(loop, std::move(address), std::move(answer),
                                            std::move(trouble));
}

}  // namespace loglink
