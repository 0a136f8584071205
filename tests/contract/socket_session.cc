// Sessions through lib/io's clients: an embedded server, or a real one.
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <fstream>
#include <future>
#include <mutex>
#include <thread>

#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/io/http_clients.h"
#include "tests/contract/api_session.h"
#include "tests/fakes/embedded_server.h"

namespace loglink {
namespace {

class FixedCredentials final : public CredentialSource {
 public:
  FixedCredentials(std::string token, TlsMaterial material)
      : authorization_("Bearer " + std::move(token)), material_(std::move(material)) {}
  Expected<std::string> authorization(MonotonicTime) override { return authorization_; }
  Expected<TlsMaterial> tls(MonotonicTime) override { return material_; }
  void invalidate() override {}

 private:
  std::string authorization_;
  TlsMaterial material_;
};

// The loop on its own thread, with the clients that live there.
class LoopThread {
 public:
  explicit LoopThread(const ClusterAccess& access)
      : streams_(make_beast_stream_transport(loop_, access, "loglink-contract")),
        unary_(make_beast_unary_client(loop_, access, "loglink-contract")),
        thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    run([&] {
      streams_.reset();
      unary_.reset();
    });
    loop_.stop();
    thread_.join();
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  void run(const std::function<void()>& task) {
    std::promise<void> done;
    loop_.post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }
  StreamTransport& streams() { return *streams_; }
  UnaryClient& unary() { return *unary_; }

 private:
  EventLoop loop_;
  std::unique_ptr<StreamTransport> streams_;
  std::unique_ptr<UnaryClient> unary_;
  std::thread thread_;
};

class SocketStream final : public OpenStream, public StreamHandler {
 public:
  SocketStream(std::shared_ptr<LoopThread> loop, StreamRequest request) : loop_(std::move(loop)) {
    loop_->run([&] { id_ = loop_->streams().open(std::move(request), *this); });
  }
  ~SocketStream() override {
    loop_->run([&] { loop_->streams().cancel(id_); });
  }

  void on_head(const StreamHead& head) override {
    change([&] { heard_.head = head; });
  }
  void on_data(std::string_view bytes) override {
    change([&] { heard_.body += bytes; });
  }
  void on_end(std::optional<KubeError> error) override {
    change([&] {
      heard_.ended = true;
      heard_.error = std::move(error);
    });
  }

  bool wait(const std::function<bool(const Heard&)>& enough) override {
    std::unique_lock<std::mutex> lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return enough(heard_); });
  }
  Heard heard() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return heard_;
  }

 private:
  void change(const std::function<void()>& how) {
    const std::lock_guard<std::mutex> lock(mutex_);
    how();
    changed_.notify_all();
  }

  std::shared_ptr<LoopThread> loop_;
  StreamId id_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  Heard heard_;
};

class SocketSession final : public ApiSession {
 public:
  SocketSession(std::shared_ptr<fakes::EmbeddedServer> server, ClusterAccess access)
      : server_(std::move(server)),
        access_(std::move(access)),
        loop_(std::make_shared<LoopThread>(access_)) {}

  UnaryResult call(UnaryRequest request) override {
    std::promise<UnaryResult> result;
    loop_->run([&] {
      loop_->unary().send(std::move(request),
                          [&](UnaryResult got) { result.set_value(std::move(got)); });
    });
    return result.get_future().get();
  }
  std::unique_ptr<OpenStream> open(StreamRequest request) override {
    return std::make_unique<SocketStream>(loop_, std::move(request));
  }
  std::unique_ptr<ApiSession> as(const std::string& token) override {
    ClusterAccess other = access_;
    TlsMaterial material = access_.credentials->tls(SystemClock().now().monotonic).value();
    material.certificate_pem.clear();
    material.key_pem.clear();
    other.credentials = std::make_shared<FixedCredentials>(token, material);
    return std::make_unique<SocketSession>(server_, other);
  }
  bool script(const std::function<void(fakes::FakeKube&, Now)>& use) override {
    if (server_ == nullptr) return false;
    server_->with_kube(use);
    return true;
  }
  bool add_fault(fakes::Fault fault) override {
    if (server_ == nullptr) return false;
    server_->add_fault(std::move(fault));
    return true;
  }

 private:
  std::shared_ptr<fakes::EmbeddedServer> server_;  // null: a real one
  ClusterAccess access_;
  std::shared_ptr<LoopThread> loop_;
};

std::unique_ptr<ApiSession> session_for(std::shared_ptr<fakes::EmbeddedServer> server,
                                        const std::string& kubeconfig) {
  Expected<ClusterAccess> access = load_cluster_access(kubeconfig);
  if (!access) {
    std::fprintf(stderr, "%s: %s\n", kubeconfig.c_str(), access.error().message.c_str());
    return nullptr;
  }
  return std::make_unique<SocketSession>(std::move(server), *std::move(access));
}

}  // namespace

std::unique_ptr<ApiSession> make_embedded_session() {
  fakes::EmbeddedServerOptions options;
  options.kube.pod_deletion = fakes::PodDeletion::kWhenFinished;
  auto started = fakes::EmbeddedServer::start(options);
  if (!started) return nullptr;
  const std::shared_ptr<fakes::EmbeddedServer> server = *std::move(started);
  char directory[] = "/tmp/loglink-contract-XXXXXX";
  if (::mkdtemp(directory) == nullptr) return nullptr;
  const std::string path = directory;
  const auto written = fakes::write_access_files(*server, options.kube.admin_token, path);
  auto session = written ? session_for(server, path + "/kubeconfig") : nullptr;
  for (const char* file : {"/kubeconfig", "/token", "/ca.crt"}) ::unlink((path + file).c_str());
  ::rmdir(directory);
  return session;
}

std::unique_ptr<ApiSession> make_real_session() {
  const char* kubeconfig = std::getenv("LOGLINK_TEST_KUBECONFIG");
  return kubeconfig == nullptr ? nullptr : session_for(nullptr, kubeconfig);
}

}  // namespace loglink
