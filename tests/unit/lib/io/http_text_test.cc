#include "lib/io/http_text.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "lib/io/address.h"

namespace loglink {
namespace {

RequestText get() {
  RequestText request;
  request.target = "/api?x=1";
  request.user_agent = "ua/1";
  return request;
}

TEST(RequestBytesTest, WritesAGetWithoutBodyHeaders) {
  const Endpoint endpoint = parse_server_url("https://[::1]:6443/base").value();
  RequestText request = get();
  request.accept = "application/json";
  request.authorization = "Bearer t";
  EXPECT_EQ(request_bytes(endpoint, request).value(),
            "GET /base/api?x=1 HTTP/1.1\r\nHost: [::1]:6443\r\nUser-Agent: ua/1\r\n"
            "Accept: application/json\r\nAuthorization: Bearer t\r\n\r\n");
}

TEST(RequestBytesTest, WritesABodyWithItsLength) {
  const Endpoint endpoint = parse_server_url("https://h").value();
  RequestText request = get();
  request.method = Method::kPut;
  request.content_type = "application/json";
  request.body = "{\"a\":1}";
  EXPECT_EQ(request_bytes(endpoint, request).value(),
            "PUT /api?x=1 HTTP/1.1\r\nHost: h:443\r\nUser-Agent: ua/1\r\n"
            "Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
}

TEST(RequestBytesTest, RefusesWhatWouldForgeAHeader) {
  const Endpoint endpoint = parse_server_url("https://h").value();
  for (const std::string target : {"", "api", "/a b", "/a\r\nX: y", "/a\x7f", "/\xc3\xa9"}) {
    RequestText request = get();
    request.target = target;
    EXPECT_EQ(request_bytes(endpoint, request), std::nullopt) << target;
  }
  RequestText request = get();
  request.authorization = "Bearer a\r\nX: y";
  EXPECT_EQ(request_bytes(endpoint, request), std::nullopt);
}

TEST(ParseRetryAfterTest, ReadsSecondsWithABound) {
  const std::vector<std::pair<std::string, std::optional<Duration>>> cases = {
      {"1", std::chrono::seconds(1)},
      {" 9 ", std::chrono::seconds(9)},
      {"0", std::chrono::seconds(0)},
      {"10", std::chrono::seconds(10)},
      {"11", std::chrono::seconds(10)},
      {"99999999999999999999999999", std::chrono::seconds(10)},
      {"", std::nullopt},
      {"-1", std::nullopt},
      {"1.5", std::nullopt},
      {"Wed, 21 Oct 2026 07:28:00 GMT", std::nullopt},
  };
  for (const auto& [value, expected] : cases)
    EXPECT_EQ(parse_retry_after(value), expected) << value;
}

}  // namespace
}  // namespace loglink
