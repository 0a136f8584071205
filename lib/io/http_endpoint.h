// The small HTTP server of both programs: /metrics, /healthz, /readyz.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/io/event_loop.h"

namespace loglink {

struct EndpointAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpEndpoint {
 public:
  virtual ~HttpEndpoint() = default;
  // The port that is listened on; 0 while the address is in use (it is tried again).
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

// Serves GET (and HEAD) on the loop's thread; `answer(path)` makes each answer. `address` is
// "IP:port",
// ":port" (IPv6 and IPv4) or "[v6]:port". Bounded: 32 connections (the oldest goes when one more
// comes), 8 KiB of request, 5 s each. An
// address that cannot be bound is tried again every few seconds, and said through `trouble` when
// that changes ("" when it works).
std::unique_ptr<HttpEndpoint> serve_http(
    EventLoop& loop, std::string address,
    std::function<EndpointAnswer(const std::string& path)> answer,
    std::function<void(const std::string& trouble)> trouble);

}  // namespace loglink
