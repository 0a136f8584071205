// The few texts of HTTP/1.1 that are ours to write and read: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "lib/io/credentials.h"
#include "lib/kube/api_port.h"

namespace loglink {

struct RequestText {
  Method method = Method::kGet;
  std::string target;         // path and query, escaped; the endpoint's base path is put before it
  std::string accept;         // "" for none
  std::string authorization;  // "" for none
  std::string user_agent;
  std::string content_type;  // "" without a body
  std::string body;
};

// Head and body as they go over the wire. Without Accept-Encoding: a compressed watch loses data in
// most decoders. nullopt when a blank or control character in a part would forge a header.
std::optional<std::string> request_bytes(const Endpoint& endpoint, const RequestText& request);

// True for what may stand in a request's target.
bool is_target(std::string_view target);

// Retry-After in seconds, at most 5 minutes; nullopt for a date, which API servers do not send.
std::optional<Duration> parse_retry_after(std::string_view value);

}  // namespace loglink
