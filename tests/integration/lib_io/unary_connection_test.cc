// What the unary clients do with their connections: which they keep, and what still leaves on them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "lib/io/socket_options.h"
#include "tests/integration/lib_io/unary_client_harness.h"

namespace loglink::testing {
namespace {

constexpr std::string_view kEarlyHints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n";

// cpprestsdk takes it for the answer; but nobody gets another's answer.
TEST_P(UnaryClientTest, TakesEarlyHintsForNoAnswer) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      if (request->target == "/n1") connection.write(kEarlyHints);  // in a record of its own
      connection.answer(200, request->target);
    }
  });
  connect(access(server.port()), 1);
  const UnaryResult first = send(get("/n1"));
  if (GetParam() != Library::kCpprest) {
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(first->body, "/n1");
  }
  const UnaryResult second = send(get("/n2"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->body, "/n2");
  EXPECT_EQ(server.connections(), GetParam() == Library::kCpprest ? 2 : 1);
}

TEST_P(UnaryClientTest, WaitsForAnAnswerBehindHintsNotForEver) {
  std::atomic<bool> endless{false};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      for (int i = 0; i < (endless ? 9 : 8); ++i) connection.write(kEarlyHints);
      connection.answer(200, request->target);
    }
  });
  connect(access(server.port()), 1);
  const UnaryResult behind = send(get());
  if (GetParam() == Library::kCpprest) {
    ASSERT_FALSE(behind) << "it takes the first for the answer";
    EXPECT_EQ(behind.error().kind, KubeErrorKind::kUnexpected);
    return;
  }
  EXPECT_TRUE(behind);
  endless = true;
  const UnaryResult result = send(get());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kProtocol) << result.error().message;
}

TEST_P(UnaryClientTest, MakesANewConnectionWhereTheServerSaidSomethingUnasked) {
  EXPECT_EQ(connections_around(
                [](ServerConnection& connection) { return connection.answer(200, "unasked"); }),
            2);
}

TEST_P(UnaryClientTest, KeepsItsConnectionWhenASessionTicketComesLate) {
  EXPECT_EQ(
      connections_around([](ServerConnection& connection) { return connection.write_ticket(); }),
      1);
}

TEST_P(UnaryClientTest, SendsAgainWhatAKeptConnectionLeftUnanswered) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      // As a server that ends its idle connections just as the request is on its way.
      if (connection.number() == 1 && request->target == "/n2") return;
      connection.answer(200, request->target);
    }
  });
  connect(access(server.port()), 1);
  ASSERT_TRUE(send(get("/n1")));
  const UnaryResult second = send(get("/n2"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->body, "/n2");
  EXPECT_EQ(server.connections(), 2);
}

// A new leader counts on it: the kernel does not go on sending by itself.
TEST_P(UnaryClientTest, DropsWhatTheKernelHoldsOfAWriteWhenItsTimeHasPassed) {
  ServerOptions options = tls_server();
  options.receive_buffer = 4096;
  // Less than the client's kernel takes at once, more than the server's.
  EXPECT_FALSE(reaches_a_late_reader(options, std::size_t{256} * 1024));
}

// Of this process's end of a connection to `port`; -1 when there is none.
int client_socket(std::uint16_t port) {
  for (int fd = 0; fd < 1024; ++fd) {
    sockaddr_in peer{};
    socklen_t size = sizeof peer;
    if (getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) != 0) continue;
    if (peer.sin_family == AF_INET && ntohs(peer.sin_port) == port) return fd;
  }
  return -1;
}

TEST_P(UnaryClientTest, HasTheKernelGiveUpBeforeAnotherMayLead) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  connect(access(server.port()), 1);
  ASSERT_TRUE(send(put()));
  const int socket = client_socket(server.port());
  ASSERT_GE(socket, 0);
  unsigned give_up = 0;
  socklen_t size = sizeof give_up;
  ASSERT_EQ(getsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &give_up, &size), 0);
  EXPECT_EQ(std::chrono::milliseconds(give_up), kUnaryGiveUp);
  // As a killed process's connection is closed.
  linger drop{};
  size = sizeof drop;
  ASSERT_EQ(getsockopt(socket, SOL_SOCKET, SO_LINGER, &drop, &size), 0);
  EXPECT_EQ(drop.l_onoff, 1);
  EXPECT_EQ(drop.l_linger, 0);
}

// Otherwise a slow server does what half of the answers say was not done.
TEST_P(UnaryClientTest, DoesNotCountWhatARequestWaitsForAConnection) {
  const std::chrono::milliseconds deadline(2000);
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      ::poll(nullptr, 0, static_cast<int>(deadline.count() * 6 / 10));  // that slow
      connection.answer(200, "{}");
    }
  });
  connect(access(server.port()), 4);
  std::vector<std::future<UnaryResult>> results;
  const int twice_its_connections = GetParam() == Library::kBeast ? 2 : 8;
  for (int i = 0; i < twice_its_connections; ++i) {
    UnaryRequest request = put();
    request.deadline = deadline;
    results.push_back(begin(request));
  }
  for (auto& result : results) {
    const UnaryResult answer = wait_for(std::move(result));
    EXPECT_TRUE(answer) << answer.error().message;
  }
}

TEST_P(UnaryClientTest, NeverSendsAWriteWhoseTimePassedWhileItWaited) {
  std::atomic<int> requests{0};
  std::promise<void> fence_passed;
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      if (++requests == 1) fence_passed.get_future().wait();
      connection.answer(200, "{}");
    }
  });
  connect(access(server.port()), 1);
  UnaryRequest slow = put();
  slow.deadline = kPatience;
  std::future<UnaryResult> first = begin(slow);
  ASSERT_TRUE(eventually([&] { return requests == 1; }));
  UnaryRequest fenced = put();
  fenced.deadline = kPatience;
  fenced.not_after = SystemClock().now().monotonic + std::chrono::milliseconds(50);
  std::future<UnaryResult> second = begin(fenced);
  ASSERT_TRUE(eventually([&] { return SystemClock().now().monotonic > fenced.not_after; }));
  fence_passed.set_value();
  EXPECT_TRUE(wait_for(std::move(first)));
  const UnaryResult late = wait_for(std::move(second));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, KubeErrorKind::kCancelled) << late.error().message;
  EXPECT_EQ(requests, 1);
}

TEST_P(UnaryClientTest, NeverSendsARequestThatHasNoTimeLeft) {
  std::atomic<int> requests{0};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      ++requests;
      connection.answer(200, "{}");
    }
  });
  connect(access(server.port()), 1);
  ASSERT_TRUE(send(get()));
  UnaryRequest request = get();
  request.deadline = Duration(0);
  const UnaryResult result = send(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kDeadline);
  EXPECT_TRUE(send(get()));
  EXPECT_EQ(requests, 2);
}

TEST_P(UnaryClientTest, WaitsForACredentialUntilAWritesTimeHasPassed) {
  credentials_->set_ready(false);
  connect(access(closed_port()));
  UnaryRequest fenced = put();
  fenced.deadline = 10 * kPatience;
  fenced.not_after = SystemClock().now().monotonic + std::chrono::milliseconds(50);
  const UnaryResult late = send(fenced);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, KubeErrorKind::kCancelled) << late.error().message;
}

}  // namespace
}  // namespace loglink::testing
