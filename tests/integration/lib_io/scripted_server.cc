#include "tests/integration/lib_io/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <csignal>
#include <stdexcept>

namespace loglink::testing {
namespace {

void require(bool condition, const char* what) {
  if (!condition) throw std::runtime_error(what);
}

std::shared_ptr<SSL_CTX> make_context(const ServerOptions& options) {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  const auto read_certificate = [](const std::string& pem) {
    BIO* const bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    X509* const certificate = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
    BIO_free(bio);
    return std::shared_ptr<X509>(certificate, X509_free);
  };
  const std::string& key_pem = options.certificate->key_pem;
  BIO* const bio = BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size()));
  const std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr),
                                      EVP_PKEY_free);
  BIO_free(bio);
  require(SSL_CTX_use_certificate(
              context.get(), read_certificate(options.certificate->certificate_pem).get()) == 1 &&
              SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1,
          "server certificate");
  if (!options.client_ca_pem.empty()) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context.get()),
                        read_certificate(options.client_ca_pem).get());
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

struct Listener {
  int fd;
  std::uint16_t port;
};

Listener listen_on_loopback(bool ipv6, int receive_buffer = 0) {
  const int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  require(fd >= 0, "socket");
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const address = ipv6 ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
  socklen_t size = ipv6 ? sizeof v6 : sizeof v4;
  require(bind(fd, address, size) == 0, "bind");
  require(getsockname(fd, address, &size) == 0, "getsockname");
  if (receive_buffer > 0) {  // inherited
    require(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer) == 0,
            "SO_RCVBUF");
  }
  require(listen(fd, 128) == 0, "listen");
  return {fd, ntohs(ipv6 ? v6.sin6_port : v4.sin_port)};
}

}  // namespace

long ServerConnection::read_some(char* buffer, std::size_t size) {
  if (tls_ != nullptr) return SSL_read(tls_, buffer, static_cast<int>(size));
  return recv(fd_, buffer, size, 0);
}

std::optional<SeenRequest> ServerConnection::read_request() {
  std::array<char, 16384> buffer{};
  const auto more = [&] {
    const long count = read_some(buffer.data(), buffer.size());
    if (count > 0) pending_.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
  };
  std::size_t end = 0;
  while ((end = pending_.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return std::nullopt;
  }
  SeenRequest seen;
  const std::string head = pending_.substr(0, end + 2);
  pending_.erase(0, end + 4);
  std::size_t line_end = head.find("\r\n");
  const std::string first = head.substr(0, line_end);
  seen.method = first.substr(0, first.find(' '));
  seen.target = first.substr(seen.method.size() + 1);
  seen.target = seen.target.substr(0, seen.target.find(' '));
  for (std::size_t begin = line_end + 2; begin < head.size(); begin = line_end + 2) {
    line_end = head.find("\r\n", begin);
    const std::string line = head.substr(begin, line_end - begin);
    const std::size_t colon = line.find(':');
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    // The blank after the colon is optional, and cpprestsdk leaves it out.
    const std::size_t value = line.find_first_not_of(' ', colon + 1);
    seen.headers[name] = value == std::string::npos ? "" : line.substr(value);
  }
  const auto length = seen.headers.find("content-length");
  const std::size_t wanted = length == seen.headers.end() ? 0 : std::stoul(length->second);
  while (pending_.size() < wanted) {
    if (!more()) return std::nullopt;
  }
  seen.body = pending_.substr(0, wanted);
  pending_.erase(0, wanted);
  return seen;
}

bool ServerConnection::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const long count = tls_ != nullptr
                           ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                           : send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool ServerConnection::answer(int status, std::string_view body, std::string_view extra_headers) {
  std::string bytes = "HTTP/1.1 " + std::to_string(status) + " x\r\n";
  bytes.append("Content-Type: application/json\r\n").append(extra_headers);
  bytes.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return write(bytes.append(body));
}

bool ServerConnection::write_ticket() {
  return SSL_new_session_ticket(tls_) == 1 && SSL_do_handshake(tls_) == 1;
}

void ServerConnection::wait_for_close() {
  std::array<char, 4096> buffer{};
  while (read_some(buffer.data(), buffer.size()) > 0) {
  }
}

void ServerConnection::reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  tls_ = nullptr;
}

ScriptedServer::ScriptedServer(ServerOptions options, Script script) : script_(std::move(script)) {
  std::signal(SIGPIPE, SIG_IGN);
  if (options.certificate) context_ = make_context(options);
  const Listener listener = listen_on_loopback(options.ipv6, options.receive_buffer);
  listener_ = listener.fd;
  port_ = listener.port;
  acceptor_ = std::thread([this] { accept_loop(); });
}

ScriptedServer::~ScriptedServer() {
  stopping_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (Peer& peer : peers_) {
      if (!peer.ended) shutdown(peer.fd, SHUT_RDWR);
    }
  }
  for (Peer& peer : peers_) peer.thread.join();
}

void ScriptedServer::accept_loop() {
  while (!stopping_) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto peer = peers_.begin(); peer != peers_.end();) {
      if (peer->ended) {
        peer->thread.join();
        peer = peers_.erase(peer);
      } else {
        ++peer;
      }
    }
    Peer& peer = peers_.emplace_back();
    peer.fd = fd;
    peer.thread = std::thread([this, &peer] { serve(peer); });
  }
}

void ScriptedServer::serve(Peer& peer) {
  SSL* tls = nullptr;
  bool ready = true;
  if (context_) {
    tls = SSL_new(context_.get());
    SSL_set_fd(tls, peer.fd);
    ready = SSL_accept(tls) == 1;
  }
  if (ready) {
    ServerConnection connection(peer.fd, tls, ++connections_);
    script_(connection);
  }
  if (tls != nullptr) SSL_free(tls);
  ERR_clear_error();
  const std::lock_guard<std::mutex> lock(mutex_);
  peer.ended = true;
  close(peer.fd);
}

std::uint16_t closed_port() {
  const Listener listener = listen_on_loopback(false);
  close(listener.fd);
  return listener.port;
}

}  // namespace loglink::testing
