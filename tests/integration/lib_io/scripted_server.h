// A server on loopback that does what the test says, byte by byte: plain POSIX and OpenSSL, so that
// it shares no code with the clients under test.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/integration/lib_io/test_certificates.h"

struct ssl_st;
struct ssl_ctx_st;

namespace loglink::testing {

struct SeenRequest {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// The server's end of one connection. Blocking; used by the script on the connection's thread.
class ServerConnection {
 public:
  ServerConnection(int fd, ssl_st* tls, int number) : fd_(fd), tls_(tls), number_(number) {}

  // 1 for the server's first connection.
  [[nodiscard]] int number() const { return number_; }
  // nullopt when the peer is gone.
  std::optional<SeenRequest> read_request();
  // False when the peer is gone.
  bool write(std::string_view bytes);
  // "HTTP/1.1 STATUS x" with a Content-Length and JSON.
  bool answer(int status, std::string_view body, std::string_view extra_headers = "");
  // A session ticket of TLS 1.3, which is no byte of HTTP.
  bool write_ticket();
  // Blocks until the peer closes, or the server stops.
  void wait_for_close();
  // Ends with an RST.
  void reset();

 private:
  long read_some(char* buffer, std::size_t size);

  int fd_;
  ssl_st* tls_;
  int number_;
  std::string pending_;
};

struct ServerOptions {
  std::optional<KeyPair> certificate;  // none: plain HTTP
  std::string client_ca_pem;           // "" asks for no client certificate
  bool ipv6 = false;
  int receive_buffer = 0;  // of the kernel, in bytes; 0: its default
};

class ScriptedServer {
 public:
  using Script = std::function<void(ServerConnection&)>;

  ScriptedServer(ServerOptions options, Script script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }
  // That passed the TLS handshake.
  [[nodiscard]] int connections() const { return connections_; }

 private:
  struct Peer {
    int fd = -1;
    std::thread thread;
    std::atomic<bool> ended{false};
  };
  void accept_loop();
  void serve(Peer& peer);

  const Script script_;
  std::shared_ptr<ssl_ctx_st> context_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::list<Peer> peers_;
  std::thread acceptor_;
};

// A port on which nothing listens.
std::uint16_t closed_port();

}  // namespace loglink::testing
