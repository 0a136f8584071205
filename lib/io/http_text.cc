#include "lib/io/http_text.h"

#include <algorithm>
#include <charconv>

#include "lib/base/text.h"
#include "lib/io/address.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

// A value of a header; an inner blank is allowed.
bool is_field_value(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c < '\x7f'; });
}

}  // namespace

bool is_target(std::string_view target) {
  return !target.empty() && target.front() == '/' &&
         std::all_of(target.begin(), target.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

std::optional<std::string> request_bytes(const Endpoint& endpoint, const RequestText& request) {
  if (!is_target(request.target)) return std::nullopt;
  for (const std::string* value :
       {&request.accept, &request.authorization, &request.user_agent, &request.content_type}) {
    if (!is_field_value(*value)) return std::nullopt;
  }
  std::string bytes(to_string(request.method));
  bytes.append(" ").append(endpoint.base_path).append(request.target).append(" HTTP/1.1\r\n");
  bytes.append("Host: ").append(host_and_port(endpoint.host, endpoint.port)).append("\r\n");
  const auto field = [&bytes](std::string_view name, const std::string& value) {
    if (!value.empty()) bytes.append(name).append(": ").append(value).append("\r\n");
  };
  field("User-Agent", request.user_agent);
  field("Accept", request.accept);
  field("Authorization", request.authorization);
  field("Content-Type", request.content_type);
  if (!request.body.empty() || request.method != Method::kGet) {
    field("Content-Length", std::to_string(request.body.size()));
  }
  return bytes.append("\r\n").append(request.body);
}

std::optional<Duration> parse_retry_after(std::string_view value) {
  const std::string_view text = trim_spaces(value);
  std::uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (end != text.data() + text.size() || text.empty()) return std::nullopt;
  if (error == std::errc::result_out_of_range) return limits::kRetryAfterMax;
  if (error != std::errc{}) return std::nullopt;
  const auto most = static_cast<std::uint64_t>(limits::kRetryAfterMax.count());
  return std::chrono::seconds(static_cast<std::int64_t>(std::min(seconds, most)));
}

}  // namespace loglink
