// One contract for all unary clients: Beast's, several of them, and cpprestsdk's behave the same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "lib/io/unary_lane.h"
#include "lib/model/limits.h"
#include "tests/integration/lib_io/unary_client_harness.h"

namespace loglink::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::HasSubstr;

INSTANTIATE_TEST_SUITE_P(Library, UnaryClientTest,
                         ::testing::Values(Library::kBeast, Library::kParallelBeast,
                                           Library::kCpprest),
                         [](const auto& parameter) {
                           switch (parameter.param) {
                             case Library::kBeast:
                               return "Beast";
                             case Library::kParallelBeast:
                               return "ParallelBeast";
                             case Library::kCpprest:
                               return "Cpprest";
                           }
                           __builtin_unreachable();
                         });

TEST_P(UnaryClientTest, WaitsForACredentialUntilTheDeadline) {
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  credentials_->set_ready(false);
  connect(access(server.port()));
  UnaryRequest late = get();
  late.deadline = milliseconds(50);
  const UnaryResult missed = send(late);
  ASSERT_FALSE(missed);
  EXPECT_EQ(missed.error().kind, KubeErrorKind::kDeadline);
  EXPECT_THAT(missed.error().message, HasSubstr("exec plugin has not answered yet"));

  UnaryRequest patient = get();
  patient.deadline = kPatience;
  const int asked = credentials_->asked();
  std::future<UnaryResult> waiting = begin(patient);
  ASSERT_TRUE(eventually([&] { return credentials_->asked() > asked + 1; }));
  EXPECT_EQ(server.connections(), 0);
  credentials_->set_ready(true);
  const UnaryResult sent = wait_for(std::move(waiting));
  ASSERT_TRUE(sent) << sent.error().message;
}

TEST_P(UnaryClientTest, IsDestroyedWhileItWaitsForACredential) {
  credentials_->set_ready(false);
  connect(access(closed_port()));
  UnaryRequest patient = get();
  patient.deadline = seconds(100000);
  std::future<UnaryResult> unanswered = begin(patient);
  ASSERT_TRUE(eventually([&] { return credentials_->asked() > 1; }));
  thread_.call([this] { client_.reset(); });
  // Its callback was dropped, not called.
  EXPECT_THROW(wait_for(std::move(unanswered)), std::future_error);
}

TEST_P(UnaryClientTest, SendsMethodTargetHeadersAndBody) {
  std::mutex mutex;
  std::vector<SeenRequest> seen;
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      {
        const std::lock_guard<std::mutex> lock(mutex);
        seen.push_back(*request);
      }
      connection.answer(200, "{\"kind\":\"X\"}");
    }
  });
  credentials_->set_tokens("t1", "");
  ClusterAccess to = access(server.port());
  to.endpoint.base_path = "/prefix";
  connect(to);
  struct Case {
    Method method;
    std::string content_type;
    std::string body;
  };
  const std::vector<Case> cases = {
      {Method::kGet, "", ""},
      {Method::kPut, "application/json", "{\"a\":1}"},
      {Method::kPatch, "application/merge-patch+json", "{\"b\":\"\xc3\xa9\"}"},
      {Method::kPost, "application/json", "{}"},
      {Method::kDelete, "", ""}};
  for (const Case& one : cases) {
    UnaryRequest request;
    request.method = one.method;
    request.target = "/api/v1/pods/a%2Fb?fieldManager=loglink&x=%20y";
    request.content_type = one.content_type;
    request.body = one.body;
    const UnaryResult result = send(request);
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->status, 200);
    EXPECT_EQ(result->body, "{\"kind\":\"X\"}");
  }
  const std::lock_guard<std::mutex> lock(mutex);
  ASSERT_EQ(seen.size(), cases.size());
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(seen[i].method, to_string(cases[i].method));
    EXPECT_EQ(seen[i].target, "/prefix/api/v1/pods/a%2Fb?fieldManager=loglink&x=%20y");
    EXPECT_EQ(seen[i].body, cases[i].body);
    EXPECT_EQ(seen[i].headers["authorization"], "Bearer t1");
    EXPECT_EQ(seen[i].headers["accept"], "application/json");
    EXPECT_EQ(seen[i].headers["user-agent"], "loglink-test/1");
    EXPECT_EQ(seen[i].headers.count("accept-encoding"), 0U);
    if (!cases[i].body.empty()) {
      EXPECT_EQ(seen[i].headers["content-type"], cases[i].content_type);
    }
  }
}

TEST_P(UnaryClientTest, KeepsItsConnection) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  connect(access(server.port()), 1);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(send(put()));
  EXPECT_EQ(server.connections(), 1);
}

TEST_P(UnaryClientTest, ReadsAnAnswerWhereverItIsSplit) {
  const std::string answer = std::string(kChunkedHead) + chunk("{\"x\":") + chunk("\"yy\"") +
                             chunk("}") + std::string(kLastChunk);
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      for (const char byte : answer) connection.write(std::string_view(&byte, 1));
    }
  });
  connect(access(server.port()));
  const UnaryResult result = send(get());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->body, "{\"x\":\"yy\"}");
}

TEST_P(UnaryClientTest, SaysTruncatedWhenTheAnswerIsCut) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    connection.write("10\r\nabc");
  });
  connect(access(server.port()));
  const UnaryResult result = send(get());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kTruncated) << result.error().message;
}

TEST_P(UnaryClientTest, EndsAtItsDeadlineWhenTheHeadStalls) {
  ScriptedServer server(tls_server(),
                        [](ServerConnection& connection) { connection.wait_for_close(); });
  connect(access(server.port()));
  UnaryRequest request = get();
  request.deadline = milliseconds(300);
  const auto start = std::chrono::steady_clock::now();
  const UnaryResult result = send(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kDeadline) << result.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
}

TEST_P(UnaryClientTest, EndsAtItsDeadlineWhenTheBodyStallsOrDrips) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    while (connection.write(chunk("x"))) ::poll(nullptr, 0, 10);
  });
  connect(access(server.port()));
  UnaryRequest request = get();
  request.deadline = milliseconds(300);
  const UnaryResult result = send(request);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kDeadline) << result.error().message;
}

TEST_P(UnaryClientTest, ReadsCredentialsAheadWhenTheAnswerHasBeenGiven) {
  std::atomic<int> before_answer{-1};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      before_answer = credentials_->refreshes();
      connection.answer(200, "{}");
    }
  });
  connect(access(server.port()), 1);
  ASSERT_TRUE(send(get()));
  EXPECT_EQ(before_answer, 0);
  EXPECT_TRUE(eventually([&] { return credentials_->refreshes() == 1; }));
}

TEST_P(UnaryClientTest, RefreshesCredentialsOnceAfter401) {
  std::atomic<int> requests{0};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      ++requests;
      const bool fresh = request->headers.at("authorization") == "Bearer second";
      connection.answer(fresh ? 200 : 401, "{}");
    }
  });
  credentials_->set_tokens("first", "second");
  connect(access(server.port()));
  const UnaryResult good = send(put());
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(requests, 2);
  EXPECT_EQ(credentials_->invalidations(), 1);

  credentials_->set_tokens("first", "first");
  const UnaryResult refused = send(put());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, KubeErrorKind::kUnauthorized);
  EXPECT_EQ(requests, 4) << "once more, not for ever";
}

TEST_P(UnaryClientTest, GivesTheServersRefusalAsError) {
  struct Case {
    int status;
    std::string body;
    KubeErrorKind kind;
  };
  const std::vector<Case> cases = {
      {404, R"({"kind":"Status","reason":"NotFound","details":{"name":"n1","kind":"nodes"}})",
       KubeErrorKind::kNotFound},
      {409, R"({"kind":"Status","reason":"Conflict"})", KubeErrorKind::kConflict},
      {403, R"({"kind":"Status","reason":"Forbidden"})", KubeErrorKind::kForbidden},
      {422, R"({"kind":"Status","reason":"Invalid"})", KubeErrorKind::kInvalid},
      {500, "oops", KubeErrorKind::kServerError},
  };
  std::atomic<std::size_t> next{0};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      const Case& one = cases[next++ % cases.size()];
      connection.answer(one.status, one.body);
    }
  });
  connect(access(server.port()), 1);
  for (const Case& one : cases) {
    const UnaryResult result = send(put());
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().kind, one.kind) << one.status;
    EXPECT_EQ(result.error().http_status, one.status);
  }
}

TEST_P(UnaryClientTest, NeverTakesItsTokenToWhereARedirectPoints) {
  std::atomic<int> stolen{0};
  ScriptedServer elsewhere(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      ++stolen;
      connection.answer(200, "{}");
    }
  });
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      connection.answer(
          302, "", "Location: https://127.0.0.1:" + std::to_string(elsewhere.port()) + "/api\r\n");
    }
  });
  credentials_->set_tokens("secret", "");
  connect(access(server.port()));
  const UnaryResult result = send(get());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().http_status, 302);
  EXPECT_EQ(stolen, 0);
}

TEST_P(UnaryClientTest, PassesRetryAfterOn) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (connection.read_request()) {
      connection.answer(429, "Too many requests", "Retry-After: 3\r\n");
    }
  });
  connect(access(server.port()));
  const UnaryResult result = send(put());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kTooManyRequests);
  EXPECT_EQ(result.error().retry_after, seconds(3));
}

TEST_P(UnaryClientTest, TakesRetryAfterFromTheBodyWhereTheHeadHasNone) {
  std::atomic<int> seconds_asked{3};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      connection.answer(429, R"({"kind":"Status","reason":"TooManyRequests","details":)"
                             R"({"retryAfterSeconds":)" +
                                 std::to_string(seconds_asked) + "}}");
    }
  });
  connect(access(server.port()));
  const UnaryResult result = send(put());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kTooManyRequests);
  EXPECT_EQ(result.error().retry_after, seconds(3));
  seconds_asked = 2000000000;
  const UnaryResult endless = send(put());
  ASSERT_FALSE(endless);
  EXPECT_EQ(endless.error().retry_after, limits::kRetryAfterMax);
}

TEST_P(UnaryClientTest, SendsAWriteAgainWhenTheServerHadClosedTheKeptConnection) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.answer(200, "{}");
    // As a server does whose idle time is over: closed without a word in HTTP.
  });
  connect(access(server.port()), 1);
  for (int i = 0; i < 5; ++i) {
    const UnaryResult result = send(put(std::string(200000, ' ') + "{}"));
    ASSERT_TRUE(result) << i << ": " << result.error().message;
  }
  EXPECT_EQ(server.connections(), 5);
}

TEST_P(UnaryClientTest, GivesUpWhenEveryConnectionIsClosedWithoutAnAnswer) {
  ScriptedServer server(tls_server(),
                        [](ServerConnection& connection) { connection.read_request(); });
  connect(access(server.port()));
  const UnaryResult result = send(put());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kRefused) << result.error().message;
  EXPECT_LE(server.connections(), 4);
}

TEST_P(UnaryClientTest, RefusesAnAnswerAboveFourMebibytes) {
  std::atomic<bool> too_large{true};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      connection.answer(200, std::string(limits::kUnaryBodyBytes + (too_large ? 1 : 0), 'x'));
    }
  });
  connect(access(server.port()));
  const UnaryResult large = send(get());
  ASSERT_FALSE(large);
  EXPECT_EQ(large.error().kind, KubeErrorKind::kProtocol);
  EXPECT_THAT(large.error().message, HasSubstr("larger than 4 MiB"));
  too_large = false;
  const UnaryResult exact = send(get());
  ASSERT_TRUE(exact) << exact.error().message;
  EXPECT_EQ(exact->body.size(), limits::kUnaryBodyBytes);
}

TEST_P(UnaryClientTest, NeverSendsAWriteWhoseTimeHasPassed) {
  std::atomic<int> requests{0};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (connection.read_request()) {
      ++requests;
      connection.answer(200, "{}");
    }
  });
  connect(access(server.port()));
  UnaryRequest late = put();
  late.not_after = SystemClock().now().monotonic - milliseconds(1);
  const UnaryResult result = send(late);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kCancelled);
  EXPECT_EQ(requests, 0);
  UnaryRequest early = put();
  early.not_after = SystemClock().now().monotonic + seconds(60);
  EXPECT_TRUE(send(early));
}

// The last byte, too: a new leader counts on it.
TEST_P(UnaryClientTest, EndsAWriteThatIsStillOnItsWayWhenItsTimeHasPassed) {
  // More than the kernels' buffers hold.
  EXPECT_FALSE(reaches_a_late_reader(tls_server(), std::size_t{32} * 1024 * 1024));
}

TEST_P(UnaryClientTest, RefusesACertificateOfAnotherCa) {
  const TestAuthority other;
  ServerOptions options;
  options.certificate = other.issue("server", kLoopbackNames);
  ScriptedServer server(options, [](ServerConnection&) {});
  connect(access(server.port()));
  const UnaryResult result = send(get());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kTls);
  EXPECT_THAT(result.error().message,
              HasSubstr("not signed by the configured CA (certificate-authority)"));
  EXPECT_EQ(server.connections(), 0);
}

TEST_P(UnaryClientTest, TrustsTheSystemsCasOnlyWhereNoneIsConfigured) {
  const TestAuthority system;
  const std::string path = ::testing::TempDir() + "loglink-system-ca.pem";
  std::ofstream(path) << system.ca_pem();
  setenv("SSL_CERT_FILE", path.c_str(), 1);  // what OpenSSL takes for the system's CAs
  ServerOptions options;
  options.certificate = system.issue("server", kLoopbackNames);
  ScriptedServer server(options, [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  connect(access(server.port()));
  const UnaryResult refused = send(get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, KubeErrorKind::kTls);
  thread_.call([this] { credentials_->material.ca_pem.clear(); });
  const UnaryResult trusted = send(get());
  EXPECT_TRUE(trusted) << trusted.error().message;
  thread_.call([this] { client_.reset(); });
  unsetenv("SSL_CERT_FILE");
  std::remove(path.c_str());
}

TEST_P(UnaryClientTest, ChecksTheNameThatTheKubeconfigGives) {
  ServerOptions options;
  options.certificate = test_authority().issue("server", "DNS:elsewhere,IP:127.0.0.2");
  ScriptedServer server(options, [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  ClusterAccess to = access(server.port());
  connect(to);
  const UnaryResult refused = send(get());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, KubeErrorKind::kTls);
  EXPECT_THAT(refused.error().message, HasSubstr("is not for \"127.0.0.1\""));
  to.endpoint.server_name = "elsewhere";  // tls-server-name
  connect(to);
  const UnaryResult good = send(get());
  EXPECT_TRUE(good) << good.error().message;
}

TEST_P(UnaryClientTest, SkipsTheCheckOnlyWhereTold) {
  const TestAuthority other;
  ServerOptions options;
  options.certificate = other.issue("server", "DNS:elsewhere");
  ScriptedServer server(options, [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  ClusterAccess to = access(server.port());
  to.endpoint.insecure_skip_verify = true;
  connect(to);
  const UnaryResult result = send(get());
  EXPECT_TRUE(result) << result.error().message;
}

TEST_P(UnaryClientTest, ShowsItsClientCertificateAndTakesANewOne) {
  ServerOptions options = tls_server();
  options.client_ca_pem = test_authority().ca_pem();
  ScriptedServer server(options, [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  connect(access(server.port()), 1);
  EXPECT_FALSE(send(get()));
  for (int i = 0; i < 2; ++i) {
    const KeyPair mine = test_authority().issue("client", "");
    thread_.call([&] {
      credentials_->material.certificate_pem = mine.certificate_pem;
      credentials_->material.key_pem = mine.key_pem;
    });
    const int before = server.connections();
    const UnaryResult result = send(get());
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(server.connections(), before + 1) << "the old connection was used";
  }
}

TEST_P(UnaryClientTest, SaysWhoRefusedTheConnection) {
  const std::uint16_t port = closed_port();
  connect(access(port));
  const UnaryResult result = send(get());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kRefused);
  EXPECT_THAT(result.error().message, HasSubstr("127.0.0.1:" + std::to_string(port)));
  EXPECT_THAT(result.error().message, HasSubstr("connection refused"));
}

TEST_P(UnaryClientTest, ReachesAnIpv6Address) {
  ServerOptions options = tls_server();
  options.ipv6 = true;
  ScriptedServer server(options, [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "six");
  });
  ClusterAccess to = access(server.port());
  to.endpoint.host = "::1";
  to.endpoint.server_name = "::1";
  connect(to);
  const UnaryResult result = send(get());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->body, "six");
}

TEST_P(UnaryClientTest, RefusesATargetThatWouldForgeAHeader) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (connection.read_request()) connection.answer(200, "{}");
  });
  connect(access(server.port()));
  const UnaryResult result = send(get("/api HTTP/1.1\r\nX: y"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, KubeErrorKind::kProtocol);
  EXPECT_EQ(server.connections(), 0);
}

TEST_P(UnaryClientTest, AnswersEveryRequestOfABurst) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (const auto request = connection.read_request()) connection.answer(200, request->target);
  });
  connect(access(server.port()), 4);
  std::vector<std::future<UnaryResult>> results;
  for (int i = 0; i < 200; ++i) {
    UnaryRequest request = get("/" + std::to_string(i));
    request.deadline = kPatience;
    results.push_back(begin(request));
  }
  for (int i = 0; i < 200; ++i) {
    const UnaryResult result = wait_for(std::move(results[static_cast<std::size_t>(i)]));
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->body, "/" + std::to_string(i));
  }
}

TEST_P(UnaryClientTest, AnswersBeyondItsQueueWithTooManyRequests) {
  ScriptedServer server(tls_server(),
                        [](ServerConnection& connection) { connection.wait_for_close(); });
  connect(access(server.port()), 1);
  std::atomic<int> refused{0};
  thread_.call([&] {
    for (int i = 0; i < 5000; ++i) {
      client_->send(get(), [&](const UnaryResult& result) {
        if (!result && result.error().kind == KubeErrorKind::kTooManyRequests) ++refused;
      });
    }
  });
  EXPECT_TRUE(eventually([&] { return refused >= 5000 - 4096 - 1; }));
  thread_.call([this] { client_.reset(); });
}

TEST_P(UnaryClientTest, MayBeDestroyedWithCallsUnderWay) {
  std::atomic<int> begun{0};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    connection.read_request();
    ++begun;
    connection.wait_for_close();
  });
  connect(access(server.port()));
  std::atomic<int> answers{0};
  thread_.call([&] {
    for (int i = 0; i < 5; ++i) {
      UnaryRequest request = get();
      request.deadline = kPatience;
      client_->send(request, [&](const UnaryResult&) { ++answers; });
    }
  });
  ASSERT_TRUE(eventually([&] { return begun > 0; }));
  const auto start = std::chrono::steady_clock::now();
  thread_.call([this] { client_.reset(); });
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(5));
  thread_.call([] {});
  EXPECT_EQ(answers, 0);
}

TEST_P(UnaryClientTest, MayBeDestroyedInsideACallback) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      if (request->target == "/stalls") return connection.wait_for_close();
      connection.answer(200, "{}");
    }
  });
  connect(access(server.port()));
  std::promise<void> destroyed;
  thread_.call([&] {
    client_->send(get(), [&](const UnaryResult&) {
      client_.reset();
      destroyed.set_value();
    });
    client_->send(get("/stalls"),
                  [](const UnaryResult&) { ADD_FAILURE() << "answered after its end"; });
  });
  EXPECT_EQ(destroyed.get_future().wait_for(kPatience), std::future_status::ready);
  thread_.call([] {});
}

TEST_P(UnaryClientTest, SurvivesCallsThatEndAtTheirDeadlineInTheMiddleOfATransfer) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write(kChunkedHead);
    while (connection.write(chunk("more"))) {
    }
  });
  connect(access(server.port()), 4);
  int deadlines = 0;
  // cpprestsdk makes its connections one after the other.
  const int base = GetParam() == Library::kCpprest ? 50 : 5;
  for (int i = 0; i < 15; ++i) {
    std::vector<std::future<UnaryResult>> results;
    for (int j = 0; j < 4; ++j) {
      UnaryRequest request = get();
      request.deadline = milliseconds(base * (1 + (i * 7 + j * 3) % 9));
      results.push_back(begin(request));
    }
    for (auto& result : results) {
      const UnaryResult answer = wait_for(std::move(result));
      ASSERT_FALSE(answer);
      if (answer.error().kind == KubeErrorKind::kDeadline) ++deadlines;
    }
  }
  EXPECT_GT(deadlines, 30);
}

using MakeClient = std::unique_ptr<UnaryClient> (*)(EventLoop& loop, const ClusterAccess& access);

void expect_other_lanes_go_on_while_answers_wait(MakeClient make) {
  std::atomic<int> waiting{0};
  ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      if (request->target.find("/pods/") == std::string::npos) {
        connection.answer(200, "{}");
      } else {
        ++waiting;
        connection.wait_for_close();
      }
    }
  });
  LoopThread thread;
  std::unique_ptr<UnaryClient> client;
  thread.call([&] {
    client = make(thread.loop(), access_to(server.port(), std::make_shared<TestCredentials>()));
    for (int i = 0; i < 10; ++i) {
      UnaryRequest patch;
      patch.method = Method::kPatch;
      patch.target = "/api/v1/namespaces/a/pods/p/status";
      patch.deadline = kPatience;
      client->send(patch, [](const UnaryResult&) {});
    }
  });
  ASSERT_TRUE(eventually([&] { return waiting == kAnswerCallsAtOnce; }));
  for (const char* const target : {"/apis/coordination.k8s.io/v1/namespaces/s/leases/l",
                                   "/apis/loglink.io/v1alpha1/nodelinksets/node-1"}) {
    std::promise<UnaryResult> answered;
    thread.call([&] {
      UnaryRequest write;
      write.method = Method::kPut;
      write.target = target;
      client->send(write, [&](UnaryResult result) { answered.set_value(std::move(result)); });
    });
    std::future<UnaryResult> result = answered.get_future();
    ASSERT_EQ(result.wait_for(kPatience), std::future_status::ready) << target;
    EXPECT_TRUE(result.get()) << target;
  }
  thread.call([&] { client.reset(); });
}

// Eight at once, as the controller writes specs, and four connections.
void expect_that_one_that_hangs_holds_up_no_other(MakeClient make) {
  ScriptedServer server(tls_server(), [](ServerConnection& connection) {
    while (const auto request = connection.read_request()) {
      if (request->target.ends_with("hangs")) return connection.wait_for_close();
      connection.answer(200, "{}");
    }
  });
  LoopThread thread;
  std::unique_ptr<UnaryClient> client;
  std::atomic<int> answered{0};
  thread.call([&] {
    client = make(thread.loop(), access_to(server.port(), std::make_shared<TestCredentials>()));
    for (const char* const node : {"hangs", "1", "2", "3", "4", "5", "6", "7"}) {
      UnaryRequest put;
      put.method = Method::kPut;
      put.target = "/apis/loglink.io/v1alpha1/nodelinksets/" + std::string(node);
      put.deadline = 10 * kPatience;
      client->send(std::move(put), [&](const UnaryResult& result) { answered += result ? 1 : 0; });
    }
  });
  EXPECT_TRUE(eventually([&] { return answered == 7; })) << answered << " of 7";
  thread.call([&] { client.reset(); });
}

TEST(CpprestClientTest, AWriteThatHangsHoldsUpNoOther) {
  initialize_cpprest();
  expect_that_one_that_hangs_holds_up_no_other([](EventLoop& loop, const ClusterAccess& access) {
    return make_cpprest_unary_client(loop, access, "t", 4);
  });
}

TEST(ParallelBeastClientTest, AWriteThatHangsHoldsUpNoOther) {
  expect_that_one_that_hangs_holds_up_no_other([](EventLoop& loop, const ClusterAccess& access) {
    return make_parallel_beast_unary_client(loop, access, "t", 4);
  });
}

TEST(CpprestClientTest, RenewsALeaseAndWritesObjectsWhileWhatIsSaidOnPodsWaits) {
  initialize_cpprest();
  expect_other_lanes_go_on_while_answers_wait([](EventLoop& loop, const ClusterAccess& access) {
    return make_cpprest_unary_client(loop, access, "t", 2);
  });
}

TEST(ParallelBeastClientTest, RenewsALeaseAndWritesObjectsWhileWhatIsSaidOnPodsWaits) {
  expect_other_lanes_go_on_while_answers_wait([](EventLoop& loop, const ClusterAccess& access) {
    return make_parallel_beast_unary_client(loop, access, "t", 2);
  });
}

}  // namespace
}  // namespace loglink::testing
