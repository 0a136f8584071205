// The small HTTP server, through sockets.
#include "lib/io/http_endpoint.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/unique_fd.h"
#include "tests/integration/lib_io/client_harness.h"

namespace loglink::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

UniqueFd connect_to(std::uint16_t port, bool ipv6) {
  UniqueFd fd(socket(ipv6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{20, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_addr = in6addr_loopback;
  v6.sin6_port = htons(port);
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  v4.sin_port = htons(port);
  const int result = ipv6 ? connect(fd.get(), reinterpret_cast<sockaddr*>(&v6), sizeof v6)
                          : connect(fd.get(), reinterpret_cast<sockaddr*>(&v4), sizeof v4);
  if (result != 0) fd.reset();
  return fd;
}

// Until the server closes.
std::string exchange(std::uint16_t port, const std::string& request, bool ipv6 = false) {
  const UniqueFd fd = connect_to(port, ipv6);
  if (!fd.valid()) return "not connected";
  send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL);
  std::string answer;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = recv(fd.get(), buffer, sizeof buffer, 0)) > 0) {
    answer.append(buffer, static_cast<std::size_t>(count));
  }
  return answer;
}

class HttpEndpointTest : public ::testing::Test {
 protected:
  std::uint16_t serve(const std::string& address) {
    thread_.call([&] {
      endpoint_ = serve_http(
          thread_.loop(), address,
          [](const std::string& path) {
            if (path == "/healthz") return EndpointAnswer{200, "text/plain", "ok\n"};
            return EndpointAnswer{404, "text/plain", "not found: " + path + "\n"};
          },
          [this](const std::string& trouble) { troubles_.push_back(trouble); });
    });
    // It binds a turn later.
    EXPECT_TRUE(eventually([this] { return port() != 0 || !troubles().empty(); }));
    return port();
  }
  std::uint16_t port() {
    std::uint16_t found = 0;
    thread_.call([&] { found = endpoint_->port(); });
    return found;
  }
  std::vector<std::string> troubles() {
    std::vector<std::string> copy;
    thread_.call([&] { copy = troubles_; });
    return copy;
  }
  void TearDown() override {
    thread_.call([this] { endpoint_.reset(); });
  }

  std::vector<std::string> troubles_;
  std::unique_ptr<HttpEndpoint> endpoint_;
  LoopThread thread_;
};

TEST_F(HttpEndpointTest, AnswersGetWithoutTheQuery) {
  const std::uint16_t port = serve("127.0.0.1:0");
  ASSERT_NE(port, 0);
  const std::string answer = exchange(port, "GET /healthz?verbose HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Type: text/plain\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_THAT(answer, HasSubstr("\r\n\r\nok\n"));
  EXPECT_THAT(exchange(port, "GET /x HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("404 Not Found\r\n"));
}

TEST_F(HttpEndpointTest, AnswersHeadWithoutABodyAndRefusesOtherMethods) {
  const std::uint16_t port = serve("127.0.0.1:0");
  const std::string head = exchange(port, "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 3\r\n"));
  EXPECT_EQ(head.substr(head.size() - 4), "\r\n\r\n");
  EXPECT_THAT(exchange(port, "POST /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"),
              StartsWith("HTTP/1.1 405 "));
}

TEST_F(HttpEndpointTest, RefusesALargeRequestAndDropsWhatIsNotHttp) {
  const std::uint16_t port = serve("127.0.0.1:0");
  EXPECT_EQ(exchange(port, "\x16\x03\x01 not http\r\n\r\n"), "");
  const std::string large = "GET / HTTP/1.1\r\nX: " + std::string(9000, 'x') + "\r\n\r\n";
  const std::string answer = exchange(port, large);
  // The server may close with bytes unread, then the answer can be lost on the way.
  EXPECT_TRUE(answer.empty() || answer.rfind("HTTP/1.1 431 ", 0) == 0) << answer;
}

TEST_F(HttpEndpointTest, ServesIpv6AndIpv4OnABarePort) {
  const std::uint16_t port = serve(":0");
  ASSERT_NE(port, 0);
  const std::string request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  EXPECT_THAT(exchange(port, request, false), HasSubstr("200 OK"));
  EXPECT_THAT(exchange(port, request, true), HasSubstr("200 OK"));
}

TEST_F(HttpEndpointTest, AnswersAProbeWhileOthersHoldAllConnections) {
  const std::uint16_t port = serve("127.0.0.1:0");
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 40; ++i) {
    idle.push_back(connect_to(port, false));
    ASSERT_TRUE(idle.back().valid());
    send(idle.back().get(), "GET /", 5, MSG_NOSIGNAL);
  }
  EXPECT_THAT(exchange(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("200 OK"));
  // The oldest went.
  char byte = 0;
  EXPECT_LE(recv(idle.front().get(), &byte, 1, 0), 0);
}

TEST_F(HttpEndpointTest, EndsASlowConnectionAfterFiveSeconds) {
  const std::uint16_t port = serve("127.0.0.1:0");
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(exchange(port, "GET / HTTP/1.1\r\n"), "");
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_GT(took, std::chrono::milliseconds(4500));
  EXPECT_LT(took, std::chrono::seconds(15));
}

TEST_F(HttpEndpointTest, TriesAnAddressInUseAgainAndSaysSo) {
  std::optional<ScriptedServer> other(std::in_place, ServerOptions{}, [](ServerConnection&) {});
  const std::uint16_t port = other->port();
  EXPECT_EQ(serve("127.0.0.1:" + std::to_string(port)), 0);
  ASSERT_TRUE(eventually([&] { return !troubles().empty(); }));
  EXPECT_THAT(troubles()[0], HasSubstr("in use"));
  EXPECT_THAT(troubles()[0], HasSubstr(std::to_string(port)));
  other.reset();
  ASSERT_TRUE(eventually([&] { return this->port() == port; }));
  EXPECT_THAT(exchange(port, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"), HasSubstr("200 OK"));
  EXPECT_EQ(troubles().size(), 2U);
  EXPECT_EQ(troubles().back(), "");
}

TEST_F(HttpEndpointTest, SaysThatAnAddressIsNotOne) {
  EXPECT_EQ(serve("nowhere.example:80"), 0);
  ASSERT_TRUE(eventually([&] { return !troubles().empty(); }));
  EXPECT_THAT(troubles()[0], HasSubstr("nowhere.example:80"));
}

}  // namespace
}  // namespace loglink::testing
