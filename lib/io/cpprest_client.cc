#include "lib/io/cpprest_client.h"

#include <cpprest/astreambuf.h>
#include <cpprest/http_client.h>
#include <openssl/ssl.h>
#include <pplx/threadpool.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "lib/io/address.h"
#include "lib/io/answer.h"
#include "lib/io/cpprest_trouble.h"
#include "lib/io/http_clients.h"
#include "lib/io/http_text.h"
#include "lib/io/socket_options.h"
#include "lib/io/system_trust.h"
#include "lib/io/tls_context.h"
#include "lib/io/transport_error.h"
#include "lib/io/unary_lane.h"
#include "lib/model/limits.h"

// Rules, each from a crash or a loss of cpprestsdk 2.10.18: one pool thread; a request is cancelled
// on that thread only; every chain of tasks ends in get() on a thread of ours; nothing is
// compressed; bodies go through a sink with a bound.

namespace loglink {
namespace {

namespace http = web::http;

constexpr std::size_t kQueueLength = 4096;
// Idle time inside cpprestsdk; the deadlines of the calls are far shorter and are kept here.
constexpr std::chrono::seconds kIdle(60);

std::atomic<std::uint64_t> caught_exceptions{0};

// Takes a body up to its bound. Called on the pool's thread, read after the last task has ended.
class BodySink final : public concurrency::streams::details::streambuf_state_manager<std::uint8_t> {
 public:
  BodySink() : streambuf_state_manager(std::ios_base::out) {}

  std::string take() { return std::move(body_); }
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  // The base class waits here for a continuation, which needs the pool's thread - and is called on
  // the pool's thread, the only one: a failing write would hang for ever.
  pplx::task<void> close(std::ios_base::openmode /*mode*/) override {
    m_stream_can_read = false;
    m_stream_can_write = false;
    return pplx::task_from_result();
  }
  pplx::task<void> close(std::ios_base::openmode mode, std::exception_ptr error) override {
    if (m_currentException == nullptr) m_currentException = std::move(error);
    return close(mode);
  }

  [[nodiscard]] bool can_seek() const override { return false; }
  [[nodiscard]] bool has_size() const override { return false; }
  [[nodiscard]] std::size_t buffer_size(std::ios_base::openmode) const override { return 0; }
  void set_buffer_size(std::size_t, std::ios_base::openmode) override {}
  [[nodiscard]] std::size_t in_avail() const override { return 0; }
  [[nodiscard]] pos_type getpos(std::ios_base::openmode) const override { return traits::eof(); }
  pos_type seekpos(pos_type, std::ios_base::openmode) override { return traits::eof(); }
  pos_type seekoff(off_type, std::ios_base::seekdir, std::ios_base::openmode) override {
    return traits::eof();
  }
  bool acquire(std::uint8_t*& block, std::size_t& count) override {
    block = nullptr;
    count = 0;
    return false;
  }
  void release(std::uint8_t*, std::size_t) override {}

 protected:
  pplx::task<int_type> _putc(std::uint8_t byte) override {
    return append(&byte, 1) ? pplx::task_from_result<int_type>(byte) : refuse<int_type>();
  }
  // An exception that left this function would end the process; a failed task ends the request.
  pplx::task<std::size_t> _putn(const std::uint8_t* bytes, std::size_t count) override {
    return append(bytes, count) ? pplx::task_from_result<std::size_t>(count)
                                : refuse<std::size_t>();
  }
  pplx::task<bool> _sync() override { return pplx::task_from_result(true); }
  pplx::task<int_type> _bumpc() override { return no_reading(); }
  int_type _sbumpc() override { return traits::eof(); }
  pplx::task<int_type> _getc() override { return no_reading(); }
  int_type _sgetc() override { return traits::eof(); }
  pplx::task<int_type> _nextc() override { return no_reading(); }
  pplx::task<int_type> _ungetc() override { return no_reading(); }
  pplx::task<std::size_t> _getn(std::uint8_t*, std::size_t) override {
    return pplx::task_from_result<std::size_t>(0);
  }
  std::size_t _scopy(std::uint8_t*, std::size_t) override { return 0; }
  std::uint8_t* _alloc(std::size_t) override { return nullptr; }
  void _commit(std::size_t) override {}

 private:
  static pplx::task<int_type> no_reading() {
    return pplx::task_from_result<int_type>(traits::eof());
  }
  template <class T>
  static pplx::task<T> refuse() {
    return pplx::task_from_exception<T>(std::runtime_error("the body is too large"));
  }
  bool append(const std::uint8_t* bytes, std::size_t count) {
    overflowed_ = overflowed_ || body_.size() + count > limits::kUnaryBodyBytes;
    if (!overflowed_) body_.append(bytes, bytes + count);
    return !overflowed_;
  }

  std::string body_;
  bool overflowed_ = false;
};

// Why the last handshake failed: cpprestsdk keeps only a number of OpenSSL's.
struct HandshakeNote {
  std::mutex mutex;
  std::string trouble;
  Endpoint endpoint;
};
using SharedNote = std::shared_ptr<HandshakeNote>;

void free_note(void* /*parent*/, void* note, CRYPTO_EX_DATA* /*data*/, int /*index*/, long /*argl*/,
               void* /*argp*/) {
  delete static_cast<SharedNote*>(note);
}

int note_index() {
  static const int kIndex =
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL_CTX, 0, nullptr, nullptr, nullptr, free_note);
  return kIndex;
}

// cpprestsdk's, of a TLS connection: it belongs to what owns the SSL, too.
using Socket = boost::asio::ip::tcp::socket;

int socket_index() {
  static const int kIndex =
      CRYPTO_get_ex_new_index(CRYPTO_EX_INDEX_SSL, 0, nullptr, nullptr, nullptr, nullptr);
  return kIndex;
}

// As HttpConnection::reusable() does: what a server says unasked is no answer to what comes next.
// The request then fails at its first write, as a stale one.
template <class Stream>
void close_unless_silent(Stream& stream, Socket& socket) {
  boost::system::error_code error;
  socket.non_blocking(true, error);
  char byte = 0;
  if (!error) stream.read_some(boost::asio::buffer(&byte, 1), error);
  if (error != boost::asio::error::would_block) socket.close(error);
}

// Called with the connection of each request that is about to be sent. A new one has no descriptor
// yet, so that on_handshake() sets its options.
void on_request(void* handle, bool tls) {
  Socket* socket = static_cast<Socket*>(handle);
  if (tls) {
    auto* const stream = static_cast<boost::asio::ssl::stream<Socket&>*>(handle);
    socket = &stream->next_layer();
    SSL_set_ex_data(stream->native_handle(), socket_index(), socket);
    if (socket->is_open()) close_unless_silent(*stream, *socket);
  } else if (socket->is_open()) {
    close_unless_silent(*socket, *socket);
  }
  if (socket->is_open()) set_connection_options(socket->native_handle(), ConnectionUse::kUnary);
}

void on_handshake(const SSL* connection, int where, int result) {
  if ((where & SSL_CB_HANDSHAKE_START) != 0) {
    auto* const socket = static_cast<Socket*>(SSL_get_ex_data(connection, socket_index()));
    if (socket != nullptr) {
      set_connection_options(socket->native_handle(), ConnectionUse::kUnary);
    }
  }
  if ((where & SSL_CB_EXIT) == 0 || result > 0) return;
  const auto* const note =
      static_cast<SharedNote*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(connection), note_index()));
  if (note == nullptr) return;
  const std::string trouble = certificate_trouble(connection, (*note)->endpoint);
  if (trouble.empty()) return;  // it only waits for the network
  const std::lock_guard<std::mutex> lock((*note)->mutex);
  (*note)->trouble = trouble;
}

// Runs for each new connection, on the pool's thread. What it throws fails the request.
void set_up_context(SSL_CTX* context, const TlsMaterial& material, const SharedNote& note) {
  const Expected<void> done = configure_tls_context(context, note->endpoint, material);
  if (!done) throw std::runtime_error(done.error().message);
  // cpprestsdk checks the name of the URL; this checks tls-server-name, and gives the reason.
  const std::string& name = note->endpoint.server_name;
  X509_VERIFY_PARAM* const parameters = SSL_CTX_get0_param(context);
  const int set = is_ip_address(name)
                      ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str())
                      : X509_VERIFY_PARAM_set1_host(parameters, name.c_str(), name.size());
  if (set != 1) throw std::runtime_error("the server's name cannot be checked");
  SSL_CTX_set_ex_data(context, note_index(), new SharedNote(note));
  SSL_CTX_set_info_callback(context, on_handshake);
}

http::method method_of(Method method) {
  switch (method) {
    case Method::kGet:
      return http::methods::GET;
    case Method::kPut:
      return http::methods::PUT;
    case Method::kPatch:
      return http::methods::PATCH;
    case Method::kPost:
      return http::methods::POST;
    case Method::kDelete:
      return http::methods::DEL;
  }
  __builtin_unreachable();
}

// Wakes a thread whose call has ended, or shall.
struct Signal {
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
};

std::chrono::steady_clock::time_point steady(MonotonicTime time) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(time.since_epoch));
}

// The calls of one thread; blocking.
class Caller {
 public:
  Caller(const ClusterAccess& access, const std::string& user_agent, std::shared_ptr<Signal> signal)
      : access_(access), user_agent_(user_agent), signal_(std::move(signal)) {
    note_->endpoint = access_.endpoint;
  }

  UnaryResult call(const UnaryRequest& request, MonotonicTime deadline) {
    bool new_connection = false;
    bool new_credentials = false;
    while (true) {
      Attempt attempt = attempt_once(request, deadline);
      // The server had closed the pooled connection: reads are repeated by cpprestsdk, writes not.
      if (attempt.stale && !std::exchange(new_connection, true)) continue;
      if (attempt.error) {
        // A CA or certificate file may have been corrected meanwhile.
        if (attempt.error->kind == KubeErrorKind::kTls) access_.credentials->invalidate();
        return tl::unexpected<KubeError>(std::move(*attempt.error));
      }
      if (attempt.head.status == 401) {
        access_.credentials->invalidate();
        client_.reset();  // the certificate may be what was refused
        if (!std::exchange(new_credentials, true)) continue;
      }
      // cpprestsdk takes "103 Early Hints" for the answer and would take what follows it for the
      // next one: the connection, which only a new client forgets, is not used again.
      if (attempt.head.status < 200) client_.reset();
      return unary_result(attempt.head, std::move(attempt.body));
    }
  }

 private:
  struct Attempt {
    std::optional<KubeError> error;
    bool stale = false;
    StreamHead head;
    std::string body;
  };

  Attempt attempt_once(const UnaryRequest& request, MonotonicTime deadline) {
    Attempt attempt;
    const MonotonicTime until = std::min(deadline, request.not_after);
    const std::optional<MonotonicTime> ready = wait_for_credentials(until);
    const MonotonicTime start = SystemClock().now().monotonic;
    if (start > request.not_after) {
      attempt.error = too_late_to_send();
      return attempt;
    }
    if (!ready || start >= deadline) {
      attempt.error = ready ? no_time_to_send() : credential_late();
      return attempt;
    }
    Expected<std::string> authorization = access_.credentials->authorization(start);
    if (!authorization) {
      attempt.error = credential_error(KubeErrorKind::kUnauthorized, authorization.error());
      return attempt;
    }
    const Expected<void> prepared = prepare_client(start);
    if (!prepared) {
      attempt.error = credential_error(KubeErrorKind::kTls, prepared.error());
      return attempt;
    }
    if (!is_target(request.target)) {
      attempt.error = malformed_request(request.target);
      return attempt;
    }
    const auto sink = std::make_shared<BodySink>();
    http::http_request message = message_of(request, *authorization, sink);
    // Credentials may have taken time (a plugin, files), so the clock is read again, last thing.
    if (SystemClock().now().monotonic > request.not_after) {
      attempt.error = too_late_to_send();
      return attempt;
    }
    run(message, *sink, request.target, until, attempt);
    return attempt;
  }

  // When they were there; nullopt at the deadline, or when the client is being destroyed.
  std::optional<MonotonicTime> wait_for_credentials(MonotonicTime deadline) {
    const bool never = false;
    while (true) {
      const MonotonicTime now = SystemClock().now().monotonic;
      if (access_.credentials->ready(now)) return now;
      if (now >= deadline || stopping()) return std::nullopt;
      wait(never, std::min(deadline, now + kCredentialAgain));
    }
  }

  bool stopping() {
    const std::lock_guard<std::mutex> lock(signal_->mutex);
    return signal_->stopping;
  }

  // A client per thread, made anew when certificates change. It keeps connections.
  Expected<void> prepare_client(MonotonicTime now) {
    const Endpoint& endpoint = access_.endpoint;
    TlsMaterial material;
    if (endpoint.tls) {
      LOGLINK_ASSIGN_OR_RETURN(material, access_.credentials->tls(now));
    }
    if (client_ && material == material_) return {};
    http::client::http_client_config config;
    config.set_timeout(kIdle);
    // A redirect would take the token along; and its follower, which cpprestsdk makes after the
    // request has been sent, reads the answer's headers while the pool's thread writes them.
    config.set_max_redirects(0);
    config.set_validate_certificates(!endpoint.insecure_skip_verify);
    config.set_tlsext_sni_enabled(!is_ip_address(endpoint.server_name));
    config.set_ssl_context_callback([material, note = note_](boost::asio::ssl::context& context) {
      set_up_context(context.native_handle(), material, note);
    });
    config.set_nativehandle_options(
        [tls = endpoint.tls](http::client::native_handle handle) { on_request(handle, tls); });
    const std::string url = std::string(endpoint.tls ? "https://" : "http://") +
                            host_and_port(endpoint.host, endpoint.port);
    client_ = std::make_unique<http::client::http_client>(web::uri(url), config);
    material_ = std::move(material);
    return {};
  }

  http::http_request message_of(const UnaryRequest& request, const std::string& authorization,
                                const std::shared_ptr<BodySink>& sink) const {
    http::http_request message(method_of(request.method));
    message.set_request_uri(web::uri(access_.endpoint.base_path + request.target));
    http::http_headers& headers = message.headers();
    headers.add("Accept", "application/json");
    headers.add("User-Agent", user_agent_);
    if (!authorization.empty()) headers.add("Authorization", authorization);
    // The name that cpprestsdk sends and checks in TLS is the Host header's.
    if (access_.endpoint.server_name != access_.endpoint.host) {
      headers.add("Host", access_.endpoint.server_name);
    }
    if (!request.body.empty()) message.set_body(request.body, request.content_type);
    message.set_response_stream(
        concurrency::streams::streambuf<std::uint8_t>(sink).create_ostream());
    return message;
  }

  void run(const http::http_request& message, BodySink& sink, const std::string& target,
           MonotonicTime until, Attempt& attempt) {
    {
      const std::lock_guard<std::mutex> lock(note_->mutex);
      note_->trouble.clear();
    }
    pplx::cancellation_token_source cancel;
    const pplx::task<http::http_response> whole =
        client_->request(message, cancel.get_token()).then([](const http::http_response& response) {
          return response.content_ready();
        });
    const std::shared_ptr<bool> ended = watch(whole);
    const bool in_time = wait(*ended, until);
    if (!in_time) cancel_and_wait(cancel, *ended);
    TransportTrouble trouble{TransportStage::kHead, TransportFault::kDeadline, 0, "", false};
    try {
      const http::http_response response = whole.get();
      attempt.head = head_of(response);
      attempt.body = sink.take();
      return;
    } catch (const http::http_exception& exception) {
      const std::lock_guard<std::mutex> lock(note_->mutex);
      if (in_time) {
        trouble = cpprest_trouble(exception.error_code().value(), exception.what(), note_->trouble);
      }
    } catch (const pplx::task_canceled&) {
      // the deadline
    } catch (const std::exception& exception) {
      trouble = {TransportStage::kHead, TransportFault::kProtocol, 0, exception.what(), true};
    }
    attempt.error = transport_error(trouble, access_.endpoint);
    attempt.stale = is_stale(trouble);
    if (sink.overflowed()) attempt.error = oversized_answer(target);
  }

  // Turns true, under the signal's lock, when `whole` has ended. The outcome is not looked at here:
  // get() on our own thread does.
  std::shared_ptr<bool> watch(const pplx::task<http::http_response>& whole) {
    auto ended = std::make_shared<bool>(false);
    whole.then([ended, signal = signal_](const pplx::task<http::http_response>&) noexcept {
      const std::lock_guard<std::mutex> lock(signal->mutex);
      *ended = true;
      signal->changed.notify_all();
    });
    return ended;
  }

  // False at `until`, or when the client is being destroyed.
  bool wait(const bool& ended, MonotonicTime until) {
    std::unique_lock<std::mutex> lock(signal_->mutex);
    signal_->changed.wait_until(lock, steady(until), [&] { return ended || signal_->stopping; });
    return ended;
  }

  // After this nothing of the request is left in the pool's queue.
  void cancel_and_wait(const pplx::cancellation_token_source& cancel, const bool& ended) {
    // From any other thread this crashes inside TLS.
    crossplat::threadpool::shared_instance().service().post([cancel] { cancel.cancel(); });
    std::unique_lock<std::mutex> lock(signal_->mutex);
    signal_->changed.wait(lock, [&] { return ended; });
  }

  static StreamHead head_of(const http::http_response& response) {
    StreamHead head;
    head.status = response.status_code();
    response.headers().match("Content-Type", head.content_type);
    std::string retry_after;
    if (response.headers().match("Retry-After", retry_after)) {
      head.retry_after = parse_retry_after(retry_after);
    }
    return head;
  }

  const ClusterAccess& access_;
  const std::string& user_agent_;
  const std::shared_ptr<Signal> signal_;
  const SharedNote note_ = std::make_shared<HandshakeNote>();
  TlsMaterial material_;
  std::unique_ptr<http::client::http_client> client_;
};

struct Job {
  UnaryRequest request;
  std::function<void(UnaryResult)> done;
};

// Jobs from the loop to threads; bounded. A job goes to the thread that worked last: its connection
// is open, and no other thread is woken.
class Lane {
 public:
  // False, and `job` is as before, when the queue is full.
  bool push(Job& job) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (jobs_.size() >= kQueueLength) return false;
    jobs_.push_back(std::move(job));
    if (idle_.empty()) return true;
    idle_.back()->notify_one();
    idle_.pop_back();
    return true;
  }
  // Blocks; nullopt after stop().
  std::optional<Job> pop() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (!stopping_ && jobs_.empty()) {
      std::condition_variable woken;
      idle_.push_back(&woken);
      woken.wait(lock);
      std::erase(idle_, &woken);  // it may have woken by itself
    }
    if (stopping_) return std::nullopt;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }
  void stop() {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
    for (std::condition_variable* const each : idle_) each->notify_one();
  }

 private:
  std::mutex mutex_;
  std::deque<Job> jobs_;
  std::vector<std::condition_variable*> idle_;  // of threads in pop(); who worked last is last
  bool stopping_ = false;
};

class CpprestUnaryClient final : public UnaryClient {
 public:
  CpprestUnaryClient(EventLoop& loop, ClusterAccess access, std::string user_agent, int workers)
      : loop_(loop), access_(std::move(access)), user_agent_(std::move(user_agent)) {
    start(leases_);
    for (int i = 0; i < kAnswerCallsAtOnce; ++i) start(answers_);
    for (int i = 0; i < workers; ++i) start(others_);
  }

  ~CpprestUnaryClient() override {
    for (Lane* const lane : {&leases_, &answers_, &others_}) lane->stop();
    for (const std::shared_ptr<Signal>& signal : signals_) {
      const std::lock_guard<std::mutex> lock(signal->mutex);
      signal->stopping = true;
      signal->changed.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  CpprestUnaryClient(const CpprestUnaryClient&) = delete;
  CpprestUnaryClient& operator=(const CpprestUnaryClient&) = delete;

  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    Lane& lane = lane_of(request);
    Job job{std::move(request), std::move(done)};
    if (lane.push(job)) return;
    KubeError error;
    error.kind = KubeErrorKind::kTooManyRequests;
    error.message = "too many requests wait for the API server";
    error.retry_after = std::chrono::seconds(1);
    answer(std::move(job), tl::unexpected<KubeError>(std::move(error)));
  }

 private:
  Lane& lane_of(const UnaryRequest& request) {
    switch (unary_lane(request.target)) {
      case UnaryLane::kLease:
        return leases_;
      case UnaryLane::kAnswer:
        return answers_;
      case UnaryLane::kOther:
        return others_;
    }
    __builtin_unreachable();
  }

  void start(Lane& lane) {
    const auto signal = std::make_shared<Signal>();
    signals_.push_back(signal);
    threads_.emplace_back([this, &lane, signal]() noexcept { serve(lane, signal); });
  }

  void serve(Lane& lane, const std::shared_ptr<Signal>& signal) noexcept {
    Caller caller(access_, user_agent_, signal);
    while (std::optional<Job> job = lane.pop()) {
      UnaryResult result = guarded_call(caller, *job);
      answer(std::move(*job), std::move(result));
      access_.credentials->refresh(SystemClock().now().monotonic);
    }
  }

  static UnaryResult guarded_call(Caller& caller, const Job& job) {
    try {
      return caller.call(job.request, SystemClock().now().monotonic + job.request.deadline);
    } catch (const std::exception& exception) {
      ++caught_exceptions;
      KubeError error;
      error.message = std::string("cpprestsdk: ") + exception.what();
      return tl::unexpected<KubeError>(std::move(error));
    }
  }

  void answer(Job job, UnaryResult result) {
    loop_.post([done = std::move(job.done), result = std::move(result),
                alive = std::weak_ptr<int>(alive_)]() mutable {
      if (!alive.expired()) done(std::move(result));
    });
  }

  EventLoop& loop_;
  const ClusterAccess access_;
  const std::string user_agent_;
  Lane leases_;
  Lane answers_;
  Lane others_;
  std::vector<std::shared_ptr<Signal>> signals_;  // one a thread
  const std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace

void initialize_cpprest() {
  static std::once_flag once;
  std::call_once(once, [] {
    hide_system_trust();
    // What begins first ends last: the pool's thread keeps state of OpenSSL's until it ends.
    OPENSSL_init_ssl(0, nullptr);
    crossplat::threadpool::initialize_with_threads(1);
    // Made when it is first asked for, which two of our threads must not do at once.
    pplx::get_ambient_scheduler();
  });
}

std::unique_ptr<UnaryClient> make_cpprest_unary_client(EventLoop& loop, ClusterAccess access,
                                                       std::string user_agent, int workers) {
  // cpprestsdk takes the brackets for a part of the host's name and resolves that.
  if (access.endpoint.host.find(':') != std::string::npos) {
    return make_parallel_beast_unary_client(loop, access, user_agent, workers);
  }
  return std::make_unique<CpprestUnaryClient>(loop, std::move(access), std::move(user_agent),
                                              workers);
}

std::uint64_t cpprest_caught_exceptions() { return caught_exceptions; }

}  // namespace loglink
