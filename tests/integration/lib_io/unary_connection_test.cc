// What the unary clients do with their connections: which they keep, and what still leaves on them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
  if (GetParam() == Library::kCpprest) GTEST_SKIP() << "takes the first for the answer";
  EXPECT_TRUE(send(get()));
  endless = true;
  const UnaryResult result = send(get());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kProtocol) << result.error().message;
}

TEST_P(UnaryClientTest, MakesANewConnectionWhereTheServerSaidSomethingUnasked) {
  if (GetParam() == Library::kCpprest) GTEST_SKIP() << "cpprestsdk hides its idle connections";
  std::promise<void> was_answered;
  std::promise<bool> said;
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      connection.answer(200, request->target);
      if (request->target != "/n1") continue;
      was_answered.get_future().wait();
      said.set_value(connection.answer(200, "unasked"));
    }
  });
  connect(access(server.port()), 1);
  ASSERT_TRUE(send(get("/n1")));
  was_answered.set_value();
  ASSERT_TRUE(said.get_future().get());
  const UnaryResult second = send(get("/n2"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->body, "/n2");
  EXPECT_EQ(server.connections(), 2);
}

TEST_P(UnaryClientTest, KeepsItsConnectionWhenASessionTicketComesLate) {
  std::promise<void> was_answered;
  std::promise<bool> said;
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      connection.answer(200, request->target);
      if (request->target != "/n1") continue;
      was_answered.get_future().wait();
      said.set_value(connection.write_ticket());
    }
  });
  connect(access(server.port()), 1);
  ASSERT_TRUE(send(get("/n1")));
  was_answered.set_value();
  ASSERT_TRUE(said.get_future().get());
  const UnaryResult second = send(get("/n2"));
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->body, "/n2");
  EXPECT_EQ(server.connections(), 1);
}

}  // namespace
}  // namespace loglink::testing
