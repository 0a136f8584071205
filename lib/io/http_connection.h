// One HTTP/1.1 connection to the API server. Beast stays in the .cc file.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/io/socket_options.h"
#include "lib/kube/api_port.h"

struct ssl_ctx_st;

namespace loglink {

struct HttpExchange {
  std::string bytes;                                 // the request
  MonotonicTime head_by;                             // resolving, connecting and sending count
  Duration idle_timeout{0};                          // between two reads of the body
  MonotonicTime deadline;                            // of the whole exchange
  MonotonicTime not_after = MonotonicTime::never();  // kCancelled instead of sending later
};

// Loop thread only. The destructor closes the connection, from inside a callback too; no callback
// runs afterwards.
class HttpConnection {
 public:
  virtual ~HttpConnection() = default;
  // Connects where that is still to be done, sends, and reads the answer into `handler`; its
  // callbacks never run inside this call. REQUIRES: no exchange is under way.
  virtual void start(HttpExchange exchange, StreamHandler& handler) = 0;
  // The last exchange ended well, the server keeps the connection and has said nothing since: looks
  // at the socket, so ask just before start().
  [[nodiscard]] virtual bool reusable() = 0;
  // The last exchange failed because the kept connection turned out to be dead before a byte of the
  // answer.
  [[nodiscard]] virtual bool was_stale() const = 0;
};

// How long the first of `addresses` may take where `left` is there for all of them: one that
// swallows what is sent to it must not keep the others from being tried.
Duration connect_share(Duration left, std::size_t addresses);

// `tls` is null for http://. Nothing is done before start().
std::unique_ptr<HttpConnection> make_http_connection(EventLoop& loop, const Endpoint& endpoint,
                                                     std::shared_ptr<ssl_ctx_st> tls,
                                                     ConnectionUse use);

}  // namespace loglink
