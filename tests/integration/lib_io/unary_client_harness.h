// What the tests of the unary clients share: each runs against Beast's, several of them, and
// cpprestsdk's.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "lib/io/cpprest_client.h"
#include "lib/io/http_clients.h"
#include "tests/integration/lib_io/client_harness.h"

namespace loglink::testing {

enum class Library { kBeast, kParallelBeast, kCpprest };

inline std::unique_ptr<UnaryClient> make_client(Library library, EventLoop& loop,
                                                const ClusterAccess& access, int workers) {
  switch (library) {
    case Library::kBeast:
      return make_beast_unary_client(loop, access, "loglink-test/1");
    case Library::kParallelBeast:
      return make_parallel_beast_unary_client(loop, access, "loglink-test/1", workers);
    case Library::kCpprest:
      initialize_cpprest();
      return make_cpprest_unary_client(loop, access, "loglink-test/1", workers);
  }
  __builtin_unreachable();
}

class UnaryClientTest : public ::testing::TestWithParam<Library> {
 protected:
  void connect(const ClusterAccess& access, int workers = 2) {
    thread_.call([&] { client_ = make_client(GetParam(), thread_.loop(), access, workers); });
  }
  ClusterAccess access(std::uint16_t port) { return access_to(port, credentials_); }

  std::future<UnaryResult> begin(UnaryRequest request) {
    auto promise = std::make_shared<std::promise<UnaryResult>>();
    std::future<UnaryResult> result = promise->get_future();
    thread_.call([&] {
      const auto inside = std::make_shared<bool>(true);
      client_->send(std::move(request), [inside, promise](UnaryResult answer) {
        EXPECT_FALSE(*inside) << "answered inside send()";
        promise->set_value(std::move(answer));
      });
      *inside = false;
    });
    return result;
  }
  static UnaryResult wait_for(std::future<UnaryResult> result) {
    if (result.wait_for(kPatience) == std::future_status::ready) return result.get();
    KubeError error;
    error.message = "no answer came to the test";
    return tl::unexpected<KubeError>(std::move(error));
  }
  UnaryResult send(UnaryRequest request) { return wait_for(begin(std::move(request))); }

  static UnaryRequest get(const std::string& target = "/api/v1/nodes/n1") {
    UnaryRequest request;
    request.target = target;
    return request;
  }
  static UnaryRequest put(const std::string& body = "{\"a\":1}") {
    UnaryRequest request;
    request.method = Method::kPut;
    request.target = "/apis/loglink.io/v1alpha1/nodelinksets/n1";
    request.content_type = "application/json";
    request.body = body;
    return request;
  }
  // How many connections two requests take, each of which gets its own answer, where the server
  // says something unasked between them.
  int connections_around(const std::function<bool(ServerConnection&)>& say) {
    std::promise<void> was_answered;
    std::promise<bool> said;
    ScriptedServer server(tls_server(), [&](ServerConnection& connection) {
      while (const auto request = connection.read_request()) {
        connection.answer(200, request->target);
        if (request->target != "/n1") continue;
        was_answered.get_future().wait();
        said.set_value(say(connection));
      }
    });
    connect(access(server.port()), 1);
    const UnaryResult first = send(get("/n1"));
    was_answered.set_value();
    EXPECT_TRUE(first && said.get_future().get());
    const UnaryResult second = send(get("/n2"));
    EXPECT_EQ(second ? second->body : second.error().message, "/n2");
    return server.connections();
  }

  // Whether all of a write of `bytes` arrives at a server that begins to read when its time has
  // passed.
  bool reaches_a_late_reader(const ServerOptions& options, std::size_t bytes) {
    // A slow machine may not have connected by then, and would show nothing.
    for (Duration time = std::chrono::milliseconds(500); time < kPatience; time *= 2) {
      std::atomic<bool> has_begun{false};
      std::promise<bool> is_whole;
      std::promise<void> time_passed;
      std::shared_future<void> passed = time_passed.get_future().share();
      ScriptedServer server(options, [&, passed](ServerConnection& connection) {
        has_begun = true;
        passed.wait();
        is_whole.set_value(connection.read_request().has_value());
      });
      connect(access(server.port()));
      UnaryRequest write = put(std::string(bytes, 'a'));
      write.deadline = kPatience;
      write.not_after = SystemClock().now().monotonic + time;
      const MonotonicTime not_after = write.not_after;
      const UnaryResult result = send(std::move(write));
      const MonotonicTime ended = SystemClock().now().monotonic;
      const bool shows = has_begun;
      time_passed.set_value();
      EXPECT_FALSE(result);
      if (!result) {
        EXPECT_EQ(result.error().kind, KubeErrorKind::kDeadline);
      }
      EXPECT_LT(ended, not_after + std::chrono::seconds(5));
      if (shows) return is_whole.get_future().get();
    }
    ADD_FAILURE() << "the server was never reached in time";
    return false;
  }
  void TearDown() override {
    thread_.call([this] { client_.reset(); });
    EXPECT_EQ(cpprest_caught_exceptions(), 0U);
  }

  std::shared_ptr<TestCredentials> credentials_ = std::make_shared<TestCredentials>();
  std::unique_ptr<UnaryClient> client_;
  LoopThread thread_;
};

}  // namespace loglink::testing
