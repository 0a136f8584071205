// LIST and WATCH streams against a server that is scripted byte by byte.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/io/http_clients.h"
#include "tests/integration/lib_io/client_harness.h"

namespace loglink::testing {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

// Records what a stream says; the test waits for it.
class Recorder final : public StreamHandler {
 public:
  std::function<void(std::string_view)> on_data_hook;  // on the loop's thread

  void on_head(const StreamHead& head) override {
    record([&] { head_ = head; });
  }
  void on_data(std::string_view bytes) override {
    record([&] { data_ += bytes; });
    if (on_data_hook) on_data_hook(bytes);
  }
  void on_end(std::optional<KubeError> error) override {
    record([&] {
      ++ends_;
      error_ = std::move(error);
    });
  }

  // Each waits; false when it does not come.
  bool wait_end() {
    return wait([this] { return ends_ > 0; });
  }
  bool wait_data(std::size_t bytes) {
    return wait([&] { return data_.size() >= bytes; });
  }
  bool wait_head() {
    return wait([this] { return head_.has_value(); });
  }

  [[nodiscard]] std::optional<StreamHead> head() { return locked(head_); }
  [[nodiscard]] std::string data() { return locked(data_); }
  [[nodiscard]] std::optional<KubeError> error() { return locked(error_); }
  [[nodiscard]] int ends() { return locked(ends_); }
  [[nodiscard]] int callbacks() { return locked(callbacks_); }

 private:
  template <class Change>
  void record(const Change& change) {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++callbacks_;
    change();
    changed_.notify_all();
  }
  template <class Condition>
  bool wait(const Condition& condition) {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, kPatience, condition);
  }
  template <class T>
  T locked(const T& value) {
    const std::lock_guard<std::mutex> lock(mutex_);
    return value;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<StreamHead> head_;
  std::string data_;
  std::optional<KubeError> error_;
  int ends_ = 0;
  int callbacks_ = 0;
};

class BeastStreamTest : public ::testing::TestWithParam<bool> {
 protected:
  // Over TLS or plain.
  ServerOptions server_options() { return GetParam() ? tls_server() : ServerOptions{}; }
  ClusterAccess access(std::uint16_t port) { return access_to(port, credentials_, GetParam()); }

  void connect(const ClusterAccess& to) {
    thread_.call(
        [&] { transport_ = make_beast_stream_transport(thread_.loop(), to, "loglink-test/1"); });
  }
  StreamId open(Recorder& recorder, StreamRequest request = watch()) {
    StreamId id = 0;
    thread_.call([&] {
      id = transport_->open(std::move(request), recorder);
      EXPECT_EQ(recorder.callbacks(), 0) << "a callback ran inside open()";
    });
    return id;
  }
  void TearDown() override {
    thread_.call([this] { transport_.reset(); });
  }
  // Outlives the transport, also where an assertion ends the test early.
  Recorder& new_recorder() { return recorders_.emplace_back(); }
  static StreamRequest watch() {
    StreamRequest request;
    request.target = "/api/v1/pods?watch=1";
    request.accept = "application/json";
    return request;
  }

  std::shared_ptr<TestCredentials> credentials_ = std::make_shared<TestCredentials>();
  std::list<Recorder> recorders_;
  std::unique_ptr<StreamTransport> transport_;
  LoopThread thread_;  // ended first
};

INSTANTIATE_TEST_SUITE_P(Transport, BeastStreamTest, ::testing::Values(true, false),
                         [](const auto& parameter) { return parameter.param ? "Tls" : "Plain"; });

TEST_P(BeastStreamTest, WaitsForACredentialWithoutHoldingUpTheLoop) {
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (connection.read_request()) connection.answer(200, "{}");
  });
  credentials_->set_ready(false);
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  Recorder& cancelled = new_recorder();
  open(recorder);
  const StreamId unwanted = open(cancelled);
  ASSERT_TRUE(eventually([&] { return credentials_->asked() > 4; }));
  thread_.call([&] { transport_->cancel(unwanted); });
  EXPECT_EQ(recorder.callbacks(), 0);
  EXPECT_EQ(server.connections(), 0);
  credentials_->set_ready(true);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.head()->status, 200);
  EXPECT_EQ(cancelled.callbacks(), 0);
}

TEST_P(BeastStreamTest, AWaitForACredentialEndsWithTheTransport) {
  credentials_->set_ready(false);
  connect(access(closed_port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(eventually([&] { return credentials_->asked() > 1; }));
  thread_.call([&] { transport_.reset(); });
  const int asked = credentials_->asked();
  // Two more turns of those in which it would be asked.
  std::promise<void> turned;
  thread_.call([&] {
    const MonotonicTime now = SystemClock().now().monotonic;
    thread_.loop().post_at(now + kCredentialAgain * 2, [&] { turned.set_value(); });
  });
  turned.get_future().wait();
  EXPECT_EQ(credentials_->asked(), asked);
  EXPECT_EQ(recorder.callbacks(), 0);
}

TEST_P(BeastStreamTest, SendsWhatTheServerNeedsAndNoAcceptEncoding) {
  std::promise<SeenRequest> seen;
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (const auto request = connection.read_request()) seen.set_value(*request);
    connection.answer(200, "{}");
  });
  credentials_->set_tokens("first", "");
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  const SeenRequest request = seen.get_future().get();
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/api/v1/pods?watch=1");
  EXPECT_EQ(request.headers.at("accept"), "application/json");
  EXPECT_EQ(request.headers.at("authorization"), "Bearer first");
  EXPECT_EQ(request.headers.at("user-agent"), "loglink-test/1");
  EXPECT_EQ(request.headers.at("host"), "127.0.0.1:" + std::to_string(server.port()));
  EXPECT_EQ(request.headers.count("accept-encoding"), 0U);
}

TEST_P(BeastStreamTest, PutsTheBasePathBeforeTheTarget) {
  std::promise<std::string> target;
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (const auto request = connection.read_request()) target.set_value(request->target);
    connection.answer(200, "{}");
  });
  ClusterAccess to = access(server.port());
  to.endpoint.base_path = "/k8s/clusters/c1";
  connect(to);
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(target.get_future().get(), "/k8s/clusters/c1/api/v1/pods?watch=1");
}

TEST_P(BeastStreamTest, DeliversTheBodyWhereverItIsSplit) {
  const std::string first = R"({"type":"ADDED"})"
                            "\n";
  const std::string second(300, 'x');
  const std::string answer = std::string(kChunkedHead) + chunk(first) + chunk(second) + chunk("z") +
                             std::string(kLastChunk);
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (!connection.read_request()) return;
    for (const char byte : answer) connection.write(std::string_view(&byte, 1));
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.error(), std::nullopt);
  EXPECT_EQ(recorder.head()->status, 200);
  EXPECT_EQ(recorder.head()->content_type, "application/json");
  EXPECT_EQ(recorder.data(), first + second + "z");
}

TEST_P(BeastStreamTest, DeliversAnEventAtOnceWhileTheStreamStaysOpen) {
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write(kChunkedHead);
    connection.write(chunk("event\n"));
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  EXPECT_TRUE(recorder.wait_data(6));
  EXPECT_EQ(recorder.ends(), 0);
}

TEST_P(BeastStreamTest, TakesEarlyHintsForNoAnswer) {
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write("HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
    connection.write(kChunkedHead);
    connection.write(chunk("event\n"));
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  EXPECT_TRUE(recorder.wait_data(6));
  EXPECT_EQ(recorder.head()->status, 200);
  EXPECT_EQ(recorder.ends(), 0);
}

TEST_P(BeastStreamTest, SaysTruncatedWhenTheConnectionEndsInsideAChunk) {
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write(kChunkedHead);
    connection.write("10\r\nabc");
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.data(), "abc");
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kTruncated);
}

TEST_P(BeastStreamTest, SaysTruncatedWhenTheConnectionEndsBetweenChunks) {
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write(kChunkedHead);
    connection.write(chunk("abc"));
    connection.reset();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kTruncated);
}

TEST_P(BeastStreamTest, SaysRefusedWhenTheServerClosesWithoutAnAnswer) {
  ScriptedServer server(server_options(),
                        [](ServerConnection& connection) { connection.read_request(); });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kRefused);
  EXPECT_FALSE(recorder.head());
}

TEST_P(BeastStreamTest, SaysProtocolWhenTheAnswerIsNotHttp) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kProtocol);
}

TEST_P(BeastStreamTest, EndsWithIdleTimeoutWhenNoHeadComes) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  StreamRequest request = watch();
  request.header_timeout = milliseconds(300);
  open(recorder, request);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kIdleTimeout);
  EXPECT_THAT(recorder.error()->message, HasSubstr("no answer in time"));
}

TEST_P(BeastStreamTest, EndsWithIdleTimeoutWhenTheBodyStalls) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    connection.write(chunk("abc"));
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  StreamRequest request = watch();
  request.idle_timeout = milliseconds(200);
  open(recorder, request);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.data(), "abc");
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kIdleTimeout);
}

TEST_P(BeastStreamTest, EndsAtTheDeadlineHoweverMuchComes) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    while (connection.write(chunk("drip"))) std::this_thread::yield();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  StreamRequest request = watch();
  request.deadline = milliseconds(400);
  open(recorder, request);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kDeadline);
}

TEST_P(BeastStreamTest, UsesAFreshTokenAfter401) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    const auto request = connection.read_request();
    if (!request) return;
    const bool fresh = request->headers.at("authorization") == "Bearer second";
    connection.answer(fresh ? 200 : 401, "{}");
  });
  credentials_->set_tokens("first", "second");
  connect(access(server.port()));
  Recorder& refused = new_recorder();
  open(refused);
  ASSERT_TRUE(refused.wait_end());
  EXPECT_EQ(refused.head()->status, 401);
  EXPECT_EQ(refused.error(), std::nullopt);
  EXPECT_EQ(credentials_->invalidations(), 1);
  Recorder& good = new_recorder();
  open(good);
  ASSERT_TRUE(good.wait_end());
  EXPECT_EQ(good.head()->status, 200);
}

TEST_P(BeastStreamTest, PassesRetryAfterOn) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.answer(429, "slow down", "Retry-After: 7\r\n");
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.head()->status, 429);
  EXPECT_EQ(recorder.head()->retry_after, std::chrono::seconds(7));
}

TEST_P(BeastStreamTest, SaysWhoRefusedTheConnection) {
  const std::uint16_t port = closed_port();
  connect(access(port));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kRefused);
  EXPECT_EQ(recorder.error()->message,
            "127.0.0.1:" + std::to_string(port) + ": connection refused");
}

TEST_P(BeastStreamTest, ReachesAnIpv6Address) {
  ServerOptions options = server_options();
  options.ipv6 = true;
  ScriptedServer server(options, [](ServerConnection& connection) {
    connection.read_request();
    connection.answer(200, "six");
  });
  ClusterAccess to = access(server.port());
  to.endpoint.host = "::1";
  to.endpoint.server_name = "::1";
  connect(to);
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.error(), std::nullopt);
  EXPECT_EQ(recorder.data(), "six");
}

TEST_P(BeastStreamTest, ReachesAHostByName) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.answer(200, "name");
  });
  ClusterAccess to = access(server.port());
  to.endpoint.host = "localhost";
  to.endpoint.server_name = "localhost";
  connect(to);
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.error(), std::nullopt);
  EXPECT_EQ(recorder.data(), "name");
}

TEST_P(BeastStreamTest, HoldsTheServerBackWhileTheHandlerIsSlow) {
  constexpr std::size_t kTotal = 96UL * 1024 * 1024;
  std::atomic<std::size_t> sent{0};
  const std::string block(64UL * 1024, 'b');
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write(kChunkedHead);
    while (sent < kTotal && connection.write(chunk(block))) sent += block.size();
    connection.write(kLastChunk);
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  std::size_t received = 0;
  recorder.on_data_hook = [&](std::string_view bytes) {
    opened.wait();
    received += bytes.size();
  };
  open(recorder);
  ASSERT_TRUE(recorder.wait_data(1));
  // The server fills what the kernel holds and then stands still.
  std::size_t last = 0;
  auto since = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] {
    const auto time = std::chrono::steady_clock::now();
    if (sent != last) {
      last = sent;
      since = time;
    }
    return time - since > milliseconds(300);
  }));
  EXPECT_LT(sent, kTotal / 2);
  gate.set_value();
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.error(), std::nullopt);
  thread_.call([&] { EXPECT_EQ(received, kTotal); });
}

TEST_P(BeastStreamTest, CallsNothingAfterCancel) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    while (connection.write(chunk("more"))) {
    }
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  const StreamId id = open(recorder);
  ASSERT_TRUE(recorder.wait_data(1000));
  int callbacks = 0;
  thread_.call([&] {
    transport_->cancel(id);
    transport_->cancel(id);  // ended: ignored
    callbacks = recorder.callbacks();
  });
  // Another whole exchange gives late callbacks their chance.
  Recorder& other = new_recorder();
  const StreamId other_id = open(other);
  ASSERT_TRUE(other.wait_data(1000));
  thread_.call([&] { transport_->cancel(other_id); });
  EXPECT_EQ(recorder.callbacks(), callbacks);
  EXPECT_EQ(recorder.ends(), 0);
}

TEST_P(BeastStreamTest, MayBeCancelledInsideItsOwnCallback) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    while (connection.write(chunk("more"))) {
    }
  });
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  StreamId id = 0;
  std::promise<int> cancelled;
  recorder.on_data_hook = [&](std::string_view) {
    transport_->cancel(id);
    cancelled.set_value(recorder.callbacks());
  };
  thread_.call([&] { id = transport_->open(watch(), recorder); });
  std::future<int> callbacks = cancelled.get_future();
  ASSERT_EQ(callbacks.wait_for(kPatience), std::future_status::ready);
  thread_.call([] {});
  EXPECT_EQ(recorder.callbacks(), callbacks.get());
}

TEST_P(BeastStreamTest, MayBeDestroyedWithStreamsOpen) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    connection.read_request();
    connection.write(kChunkedHead);
    connection.wait_for_close();
  });
  connect(access(server.port()));
  Recorder& begun = new_recorder();
  Recorder& just_opened = new_recorder();
  open(begun);
  ASSERT_TRUE(begun.wait_head());
  thread_.call([&] {
    transport_->open(watch(), just_opened);
    transport_.reset();
  });
  thread_.call([] {});
  EXPECT_EQ(begun.ends(), 0);
  EXPECT_EQ(just_opened.callbacks(), 0);
}

TEST_P(BeastStreamTest, SurvivesAThousandCancelsAtAnyMoment) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.write(kChunkedHead);
    while (connection.write(chunk("more"))) {
    }
  });
  connect(access(server.port()));
  constexpr int kStreams = 1000;
  int late = 0;
  int started = 0;
  for (int i = 0; i < kStreams; ++i) {
    Recorder recorder;
    const StreamId id = open(recorder);
    switch (i % 8) {
      case 0:  // before it begins
      case 1:  // while it connects
        break;
      case 2:
      case 3:
      case 4:
      case 5: {  // somewhere in the TLS handshake
        for (int turn = 0; turn < i % 40; ++turn) thread_.call([] {});
        break;
      }
      case 6:
        started += recorder.wait_head() ? 1 : 0;
        break;
      default:
        started += recorder.wait_data(1000) ? 1 : 0;
        break;
    }
    int callbacks = 0;
    thread_.call([&] {
      transport_->cancel(id);
      callbacks = recorder.callbacks();
    });
    thread_.call([] {});
    if (recorder.callbacks() != callbacks || recorder.ends() != 0) ++late;
  }
  EXPECT_EQ(late, 0);
  EXPECT_EQ(started, kStreams / 8 * 2);
}

// Opens the next stream where the last one ended, inside its callback, as a watch is resumed.
class Reopener final : public StreamHandler {
 public:
  Reopener(StreamTransport& transport, StreamRequest request, int times)
      : transport_(transport), request_(std::move(request)), left_(times) {}
  void open() {
    --left_;
    id_ = transport_.open(request_, *this);
  }
  void on_head(const StreamHead& head) override { heads_ += head.status == 200 ? 1 : 0; }
  void on_data(std::string_view bytes) override {
    // Some are given up in the middle, the others wait for what the server does.
    if (left_ % 5 != 0 || bytes.empty()) return;
    transport_.cancel(id_);
    again();
  }
  void on_end(std::optional<KubeError> error) override {
    errors_ += error ? 1 : 0;
    again();
  }
  [[nodiscard]] bool done() const { return done_; }
  [[nodiscard]] int heads() const { return heads_; }
  [[nodiscard]] int errors() const { return errors_; }

 private:
  void again() {
    if (left_ > 0) {
      open();
    } else {
      done_ = true;
    }
  }

  StreamTransport& transport_;
  const StreamRequest request_;
  StreamId id_ = 0;
  int left_;
  int heads_ = 0;  // these two on the loop's thread, read when done
  int errors_ = 0;
  std::atomic<bool> done_{false};
};

class Thrower final : public StreamHandler {
 public:
  void on_head(const StreamHead&) override {}
  void on_data(std::string_view) override {}
  void on_end(std::optional<KubeError>) override { throw std::runtime_error("a bug of ours"); }
};

TEST_P(BeastStreamTest, HasTheLoopCountWhatTheLastCallbackThrows) {
  ScriptedServer server(server_options(), [&](ServerConnection& connection) {
    if (connection.read_request()) connection.answer(200, "{}");
  });
  connect(access(server.port()));
  Thrower thrower;
  thread_.call([&] { transport_->open(watch(), thrower); });
  EXPECT_TRUE(eventually([&] { return thread_.loop().caught_exceptions() == 1; }));
}

// A server that resets and closes wherever it likes, and eight watches that come back each time.
TEST_P(BeastStreamTest, ReopensAThousandWatchesThatAreCutAnywhere) {
  ScriptedServer server(server_options(), [](ServerConnection& connection) {
    const int kind = connection.number() % 6;
    if (kind == 0) return connection.reset();
    if (!connection.read_request() || kind == 1) return;
    connection.write(kChunkedHead);
    if (kind == 2) return connection.reset();
    connection.write(chunk("more"));
    if (kind == 3) return connection.reset();
    if (kind == 4) connection.write("8\r\nhal");
    if (kind == 5) connection.write(kLastChunk);
  });
  connect(access(server.port()));
  constexpr int kWatches = 8;
  constexpr int kTimes = 125;
  std::list<Reopener> watches;
  for (int i = 0; i < kWatches; ++i) watches.emplace_back(*transport_, watch(), kTimes);
  thread_.call([&] {
    for (Reopener& each : watches) each.open();
  });
  const bool all_done = eventually([&] {
    return std::all_of(watches.begin(), watches.end(),
                       [](const auto& each) { return each.done(); });
  });
  thread_.call([this] { transport_.reset(); });
  EXPECT_TRUE(all_done);
  for (const Reopener& each : watches) {
    EXPECT_GT(each.heads(), 0);
    EXPECT_GT(each.errors(), 0);
  }
}

// --- TLS only -----------------------------------------------------------------------------------

class BeastStreamTlsTest : public BeastStreamTest {};
INSTANTIATE_TEST_SUITE_P(Transport, BeastStreamTlsTest, ::testing::Values(true));

TEST_P(BeastStreamTlsTest, RefusesACertificateOfAnotherCa) {
  const TestAuthority other;
  ServerOptions options;
  options.certificate = other.issue("server", kLoopbackNames);
  ScriptedServer server(options, [](ServerConnection&) {});
  connect(access(server.port()));
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kTls);
  EXPECT_THAT(recorder.error()->message,
              HasSubstr("not signed by the configured CA (certificate-authority)"));
  EXPECT_THAT(recorder.error()->message, HasSubstr("127.0.0.1:"));
}

TEST_P(BeastStreamTlsTest, RefusesACertificateForAnotherName) {
  ServerOptions options;
  options.certificate = test_authority().issue("server", "DNS:elsewhere,IP:127.0.0.2");
  ScriptedServer server(options, [](ServerConnection& connection) {
    connection.read_request();
    connection.answer(200, "{}");
  });
  ClusterAccess to = access(server.port());
  for (const std::string name : {"127.0.0.1", "localhost"}) {
    to.endpoint.server_name = name;
    connect(to);
    Recorder& recorder = new_recorder();
    open(recorder);
    ASSERT_TRUE(recorder.wait_end());
    ASSERT_TRUE(recorder.error()) << name;
    EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kTls);
    EXPECT_THAT(recorder.error()->message, HasSubstr("is not for \"" + name + "\""));
  }
  to.endpoint.server_name = "elsewhere";  // tls-server-name
  connect(to);
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.error(), std::nullopt);
}

TEST_P(BeastStreamTlsTest, SkipsTheCheckOnlyWhereTold) {
  const TestAuthority other;
  ServerOptions options;
  options.certificate = other.issue("server", "DNS:elsewhere");
  ScriptedServer server(options, [](ServerConnection& connection) {
    connection.read_request();
    connection.answer(200, "{}");
  });
  ClusterAccess to = access(server.port());
  to.endpoint.insecure_skip_verify = true;
  connect(to);
  Recorder& recorder = new_recorder();
  open(recorder);
  ASSERT_TRUE(recorder.wait_end());
  EXPECT_EQ(recorder.error(), std::nullopt);
}

TEST_P(BeastStreamTlsTest, ShowsItsClientCertificate) {
  ServerOptions options = tls_server();
  options.client_ca_pem = test_authority().ca_pem();
  ScriptedServer server(options, [](ServerConnection& connection) {
    if (!connection.read_request()) return;
    connection.answer(200, "known");
  });
  connect(access(server.port()));
  Recorder& anonymous = new_recorder();
  open(anonymous);
  ASSERT_TRUE(anonymous.wait_end());
  ASSERT_TRUE(anonymous.error());
  EXPECT_FALSE(anonymous.head());

  const KeyPair mine = test_authority().issue("client", "");
  credentials_->material.certificate_pem = mine.certificate_pem;
  credentials_->material.key_pem = mine.key_pem;
  connect(access(server.port()));
  Recorder& known = new_recorder();
  open(known);
  ASSERT_TRUE(known.wait_end());
  EXPECT_EQ(known.error(), std::nullopt);
  EXPECT_EQ(known.data(), "known");
}

TEST_P(BeastStreamTlsTest, EndsWithConnectTimeoutWhenTheHandshakeStalls) {
  ScriptedServer plain(ServerOptions{}, [](ServerConnection& connection) {
    connection.wait_for_close();  // never answers the ClientHello
  });
  connect(access(plain.port()));
  Recorder& recorder = new_recorder();
  StreamRequest request = watch();
  request.header_timeout = milliseconds(300);
  open(recorder, request);
  ASSERT_TRUE(recorder.wait_end());
  ASSERT_TRUE(recorder.error());
  EXPECT_EQ(recorder.error()->kind, KubeErrorKind::kConnectTimeout);
}

}  // namespace
}  // namespace loglink::testing
