#include "tests/fakes/embedded_server.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <fstream>
#include <future>
#include <set>
#include <thread>
#include <utility>

#include "tests/fakes/embedded_control.h"

namespace loglink::fakes {
namespace {

namespace net = boost::asio;
namespace http = boost::beast::http;
using boost::system::error_code;
using net::ip::tcp;

constexpr std::uint64_t kBodyBytesMax = 4 * 1024 * 1024;
// Above this a body comes chunked, as lists of a real server do.
constexpr std::size_t kPlainBodyBytesMax = 32 * 1024;
constexpr std::size_t kChunkBytes = 8 * 1024;

const char* reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 404:
      return "Not Found";
    case 410:
      return "Gone";
    case 429:
      return "Too Many Requests";
    default:
      return status < 400 ? "OK" : "Error";
  }
}

std::string head_of(const FakeResponse& response, const std::string& framing) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + " " +
                     reason_phrase(response.status) + "\r\nContent-Type: " + response.content_type +
                     "\r\nCache-Control: no-cache, private\r\n" + framing + "\r\n";
  for (const auto& [name, value] : response.headers) head += name + ": " + value + "\r\n";
  return head + "\r\n";
}

std::string chunk(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string size;
  for (std::size_t rest = bytes.size(); rest > 0; rest /= 16) {
    size.insert(size.begin(), kDigits[rest % 16]);
  }
  return size + "\r\n" + std::string(bytes) + "\r\n";
}

FakeRequest from_http(const http::request<http::string_body>& message) {
  const auto text = [](boost::beast::string_view view) {
    return std::string(view.data(), view.size());
  };
  FakeRequest request;
  request.method = text(message.method_string());
  request.target = text(message.target());
  request.accept = text(message[http::field::accept]);
  request.content_type = text(message[http::field::content_type]);
  request.authorization = text(message[http::field::authorization]);
  request.body = message.body();
  return request;
}

// How many of a body's bytes may still be sent before a fault strikes.
struct Allowance {
  std::size_t bytes = SIZE_MAX;
  bool stall = false;  // then silence; otherwise then the end of the connection

  // The part of `data` that may go out.
  std::string_view spend(std::string_view data) {
    const std::string_view part = data.substr(0, bytes);
    bytes -= part.size();
    return part;
  }
  [[nodiscard]] bool spent() const { return bytes == 0; }
};

Allowance allowance_of(const std::optional<Fault>& fault) {
  Allowance allowance;
  if (!fault) return allowance;
  if (fault->cut_after_bytes) allowance.bytes = *fault->cut_after_bytes;
  if (fault->stall_after_bytes) {
    allowance.bytes = *fault->stall_after_bytes;
    allowance.stall = true;
  }
  return allowance;
}

}  // namespace

struct EmbeddedServer::Implementation {
  explicit Implementation(EmbeddedServerOptions given)
      : options(std::move(given)),
        kube(options.kube),
        acceptor(io),
        tls(net::ssl::context::tls_server) {}

  EmbeddedServerOptions options;
  net::io_context io{1};
  FakeKube kube;
  FaultPlan faults;
  SystemClock clock;
  tcp::acceptor acceptor;
  net::ssl::context tls;
  TestCertificates certificates;
  std::uint16_t port = 0;
  std::thread thread;
  bool stopping = false;
  Counts counts;
  std::set<net::steady_timer*> sleepers;  // of open watches and stalls
  std::set<tcp::socket*> sockets;

  void wake_all() {
    for (net::steady_timer* timer : sleepers) timer->cancel();
  }

  Expected<void> listen();
  net::awaitable<void> accept_all();
  net::awaitable<void> serve_socket(tcp::socket socket);
  template <class Stream>
  net::awaitable<void> serve(Stream& stream);
  template <class Stream>
  net::awaitable<bool> answer(Stream& stream, const FakeRequest& request);
  template <class Stream>
  net::awaitable<bool> send(Stream& stream, FakeResponse response, Allowance allowance,
                            std::size_t chunk_bytes);
  template <class Stream>
  net::awaitable<bool> send_watch(Stream& stream, FakeWatch watch, Allowance allowance,
                                  std::size_t chunk_bytes);
  template <class Stream>
  net::awaitable<bool> write(Stream& stream, std::string_view bytes);
  template <class Stream>
  net::awaitable<void> wait_for_close(Stream& stream, std::shared_ptr<bool> closed);
  net::awaitable<void> sleep_until(std::chrono::steady_clock::time_point at);
};

Expected<void> EmbeddedServer::Implementation::listen() {
  if (options.tls) {
    certificates = make_test_certificates();
    tls.use_certificate_chain(net::buffer(certificates.certificate_pem));
    tls.use_private_key(net::buffer(certificates.key_pem), net::ssl::context::pem);
  }
  const tcp::endpoint endpoint(net::ip::address_v4::loopback(), options.port);
  error_code error;
  acceptor.open(endpoint.protocol(), error);
  acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
  if (error) {
    return fail(ErrorCode::kIo, "cannot listen on 127.0.0.1:" + std::to_string(options.port) +
                                    ": " + error.message());
  }
  port = acceptor.local_endpoint().port();
  return {};
}

net::awaitable<void> EmbeddedServer::Implementation::accept_all() {
  while (!stopping) {
    error_code error;
    tcp::socket socket =
        co_await acceptor.async_accept(net::redirect_error(net::use_awaitable, error));
    if (error) continue;
    ++counts.connections;
    error_code ignored;
    socket.set_option(tcp::no_delay(true), ignored);
    net::co_spawn(io, serve_socket(std::move(socket)), net::detached);
  }
}

net::awaitable<void> EmbeddedServer::Implementation::serve_socket(tcp::socket socket) {
  try {
    if (options.tls) {
      net::ssl::stream<tcp::socket> stream(std::move(socket), tls);
      tcp::socket* raw = &stream.next_layer();
      sockets.insert(raw);
      error_code error;
      co_await stream.async_handshake(net::ssl::stream_base::server,
                                      net::redirect_error(net::use_awaitable, error));
      if (!error) co_await serve(stream);
      sockets.erase(raw);
    } else {
      sockets.insert(&socket);
      co_await serve(socket);
      sockets.erase(&socket);
    }
  } catch (const std::exception& error) {
    // A test that hits this must see it: the server's own fault, not the client's.
    std::fprintf(stderr, "embedded API server: %s\n", error.what());
    std::abort();
  }
}

template <class Stream>
net::awaitable<void> EmbeddedServer::Implementation::serve(Stream& stream) {
  boost::beast::flat_buffer buffer;
  while (!stopping) {
    http::request_parser<http::string_body> parser;
    parser.body_limit(kBodyBytesMax);
    error_code error;
    co_await http::async_read(stream, buffer, parser,
                              net::redirect_error(net::use_awaitable, error));
    if (error) co_return;
    const bool keep_alive = parser.get().keep_alive();
    const FakeRequest request = from_http(parser.get());
    ++counts.requests;
    const bool usable = co_await answer(stream, request);
    if (!usable || !keep_alive) co_return;
  }
}

// False: the connection is to end.
template <class Stream>
net::awaitable<bool> EmbeddedServer::Implementation::answer(Stream& stream,
                                                            const FakeRequest& request) {
  auto controlled = control(request, options.kube.admin_token, kube, faults, clock.now());
  if (controlled) {
    wake_all();
    const Allowance unlimited;
    const bool sent = co_await send(stream, std::move(*controlled), unlimited, 0);
    co_return sent;
  }
  const std::optional<Fault> fault = faults.take(request);
  const Allowance allowance = allowance_of(fault);
  const std::size_t chunk_bytes = fault ? fault->chunk_bytes : 0;
  if (fault && fault->refuse) co_return false;
  if (fault && fault->delay_ms > 0) {
    const auto at = std::chrono::steady_clock::now() + std::chrono::milliseconds(fault->delay_ms);
    net::steady_timer timer(io);
    timer.expires_at(at);
    error_code ignored;
    co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
  }
  if (fault && fault->status != 0) {
    FakeResponse response = fault_answer(*fault);
    const bool sent = co_await send(stream, std::move(response), allowance, chunk_bytes);
    co_return sent;
  }
  if (FakeKube::is_watch(request)) {
    ++counts.watches;
    auto opened = kube.open_watch(request, clock.now());
    if (auto* watch = std::get_if<FakeWatch>(&opened)) {
      FakeWatch taken = std::move(*watch);
      const bool sent = co_await send_watch(stream, std::move(taken), allowance, chunk_bytes);
      co_return sent;
    }
    FakeResponse refusal = std::get<FakeResponse>(std::move(opened));
    const bool sent = co_await send(stream, std::move(refusal), allowance, chunk_bytes);
    co_return sent;
  }
  FakeResponse response = kube.handle(request, clock.now());
  if (request.method != "GET") {
    ++counts.writes;
    wake_all();
  }
  if (fault && fault->lose_answer) co_return false;
  const bool sent = co_await send(stream, std::move(response), allowance, chunk_bytes);
  co_return sent;
}

template <class Stream>
net::awaitable<bool> EmbeddedServer::Implementation::write(Stream& stream, std::string_view bytes) {
  error_code error;
  const net::const_buffer buffer(bytes.data(), bytes.size());
  co_await net::async_write(stream, buffer, net::redirect_error(net::use_awaitable, error));
  co_return !error;
}

template <class Stream>
net::awaitable<bool> EmbeddedServer::Implementation::send(Stream& stream, FakeResponse response,
                                                          Allowance allowance,
                                                          std::size_t chunk_bytes) {
  const bool chunked = chunk_bytes > 0 || response.body.size() > kPlainBodyBytesMax;
  const std::size_t body_size = response.body.size();
  std::string framing = "Content-Length: " + std::to_string(body_size);
  if (chunked) framing = "Transfer-Encoding: chunked";
  const std::string_view body = allowance.spend(response.body);
  const bool whole = body.size() == body_size;
  std::string out = head_of(response, framing);
  if (!chunked) {
    out += body;
  } else {
    const std::size_t step = chunk_bytes > 0 ? chunk_bytes : kChunkBytes;
    for (std::size_t at = 0; at < body.size(); at += step) {
      out += chunk(body.substr(at, step));
      if (chunk_bytes == 0) continue;
      const bool sent = co_await write(stream, out);
      if (!sent) co_return false;
      out.clear();
    }
    if (whole) out += "0\r\n\r\n";
  }
  const bool sent = co_await write(stream, out);
  if (sent && !whole && allowance.stall) {
    auto closed = std::make_shared<bool>(false);
    co_await wait_for_close(stream, closed);
  }
  co_return sent&& whole;
}

template <class Stream>
net::awaitable<bool> EmbeddedServer::Implementation::send_watch(Stream& stream, FakeWatch watch,
                                                                Allowance allowance,
                                                                std::size_t chunk_bytes) {
  FakeResponse head;
  head.content_type = watch.content_type();
  const std::string head_text = head_of(head, "Transfer-Encoding: chunked\r\nConnection: close");
  const bool begun = co_await write(stream, head_text);
  if (!begun) co_return false;
  // Reads until the client goes away; a client says nothing while it watches.
  auto closed = std::make_shared<bool>(false);
  net::co_spawn(io, wait_for_close(stream, closed), net::detached);
  bool usable = true;
  while (usable && !*closed && !stopping) {
    FakeKube::Pulled pulled = kube.pull(watch, clock.now());
    const std::string_view due = allowance.spend(pulled.bytes);
    const std::size_t step = chunk_bytes > 0 ? chunk_bytes : std::max<std::size_t>(due.size(), 1);
    for (std::size_t at = 0; usable && at < due.size(); at += step) {
      const std::string piece = chunk(due.substr(at, step));
      usable = co_await write(stream, piece);
    }
    if (allowance.spent() && !allowance.stall) break;
    if (pulled.ended && !allowance.spent()) {
      if (usable) co_await write(stream, "0\r\n\r\n");
      break;
    }
    if (due.empty() || allowance.spent()) {
      const auto wake = watch.next_wake().since_epoch;
      const auto at = std::chrono::steady_clock::time_point(
          std::chrono::duration_cast<std::chrono::steady_clock::duration>(wake));
      const auto never = std::chrono::steady_clock::now() + std::chrono::hours(24);
      const auto until = allowance.spent() ? never : at;
      if (!*closed) co_await sleep_until(until);
    }
  }
  // The reader must be gone before the stream is.
  error_code ignored;
  stream.lowest_layer().close(ignored);
  while (!*closed) co_await sleep_until(std::chrono::steady_clock::now() + std::chrono::hours(24));
  co_return false;
}

template <class Stream>
net::awaitable<void> EmbeddedServer::Implementation::wait_for_close(Stream& stream,
                                                                    std::shared_ptr<bool> closed) {
  char byte = 0;
  error_code error;
  while (!error) {
    const net::mutable_buffer buffer(&byte, 1);
    co_await stream.async_read_some(buffer, net::redirect_error(net::use_awaitable, error));
  }
  *closed = true;
  wake_all();
}

net::awaitable<void> EmbeddedServer::Implementation::sleep_until(
    std::chrono::steady_clock::time_point at) {
  net::steady_timer timer(io);
  timer.expires_at(at);
  sleepers.insert(&timer);
  error_code ignored;
  co_await timer.async_wait(net::redirect_error(net::use_awaitable, ignored));
  sleepers.erase(&timer);
}

EmbeddedServer::EmbeddedServer(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}

Expected<std::unique_ptr<EmbeddedServer>> EmbeddedServer::start(EmbeddedServerOptions options) {
  options.kube.start = SystemClock().now();
  auto implementation = std::make_unique<Implementation>(std::move(options));
  LOGLINK_TRY(implementation->listen());
  Implementation* server = implementation.get();
  net::co_spawn(server->io, server->accept_all(), net::detached);
  server->thread = std::thread([server]() noexcept { server->io.run(); });
  return std::unique_ptr<EmbeddedServer>(new EmbeddedServer(std::move(implementation)));
}

EmbeddedServer::~EmbeddedServer() {
  Implementation* server = implementation_.get();
  net::post(server->io, [server] {
    server->stopping = true;
    error_code ignored;
    server->acceptor.close(ignored);
    for (tcp::socket* socket : server->sockets) socket->close(ignored);
    server->wake_all();
  });
  server->thread.join();
}

std::uint16_t EmbeddedServer::port() const { return implementation_->port; }

std::string EmbeddedServer::url() const {
  return (implementation_->options.tls ? "https://127.0.0.1:" : "http://127.0.0.1:") +
         std::to_string(port());
}

const std::string& EmbeddedServer::ca_pem() const { return implementation_->certificates.ca_pem; }

std::string EmbeddedServer::kubeconfig(const std::string& token) const {
  std::string cluster = "    server: " + url() + "\n";
  if (!ca_pem().empty()) {
    std::string encoded(4 * ((ca_pem().size() + 2) / 3) + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(ca_pem().data()),
                                     static_cast<int>(ca_pem().size()));
    encoded.resize(static_cast<std::size_t>(size));
    cluster += "    certificate-authority-data: " + encoded + "\n";
  }
  return "apiVersion: v1\nkind: Config\nclusters:\n- name: embedded\n  cluster:\n" + cluster +
         "users:\n- name: embedded\n  user:\n    token: " + token +
         "\ncontexts:\n- name: embedded\n  context:\n    cluster: embedded\n    user: embedded\n"
         "current-context: embedded\n";
}

void EmbeddedServer::with_kube(const std::function<void(FakeKube&, Now)>& use) {
  std::promise<void> done;
  net::post(implementation_->io, [&] {
    use(implementation_->kube, implementation_->clock.now());
    implementation_->wake_all();
    done.set_value();
  });
  done.get_future().wait();
}

void EmbeddedServer::add_fault(Fault fault) {
  with_kube([&](FakeKube&, Now) { implementation_->faults.add(std::move(fault)); });
}

void EmbeddedServer::clear_faults() {
  with_kube([&](FakeKube&, Now) { implementation_->faults.clear(); });
}

EmbeddedServer::Counts EmbeddedServer::counts() {
  Counts counts;
  with_kube([&](FakeKube&, Now) { counts = implementation_->counts; });
  return counts;
}

namespace {

Expected<void> write_file(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (!file) return fail(ErrorCode::kIo, "cannot write " + path);
  return {};
}

}  // namespace

Expected<void> write_access_files(const EmbeddedServer& server, const std::string& token,
                                  const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(errno, directory);
  }
  LOGLINK_TRY(write_file(directory + "/kubeconfig", server.kubeconfig(token)));
  LOGLINK_TRY(write_file(directory + "/token", token));
  return write_file(directory + "/ca.crt", server.ca_pem());
}

}  // namespace loglink::fakes
