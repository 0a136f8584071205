// What the tests of both transports share: a loop on a thread, credentials, recorders.
#pragma once

#include <poll.h>

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lib/io/address.h"
#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/kube/api_port.h"
#include "tests/integration/lib_io/scripted_server.h"

namespace loglink::testing {

// Beyond this a test fails instead of hanging. Far above what a busy machine needs.
inline constexpr std::chrono::seconds kPatience(60);

class LoopThread {
 public:
  LoopThread() : thread_([this] { loop_.run(); }) {}
  ~LoopThread() {
    loop_.stop();
    thread_.join();
  }
  LoopThread(const LoopThread&) = delete;
  LoopThread& operator=(const LoopThread&) = delete;

  EventLoop& loop() { return loop_; }
  // Runs `task` on the loop and waits for it.
  void call(const std::function<void()>& task) {
    std::promise<void> done;
    loop_.post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  EventLoop loop_;
  std::thread thread_;
};

// A token that a test changes, as a rotated file does.
class TestCredentials final : public CredentialSource {
 public:
  TlsMaterial material;  // before use

  bool ready(MonotonicTime /*now*/) override {
    ++asked_;
    return ready_;
  }
  Expected<std::string> authorization(MonotonicTime /*now*/) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    return token_.empty() ? "" : "Bearer " + token_;
  }
  Expected<TlsMaterial> tls(MonotonicTime /*now*/) override { return material; }
  void refresh(MonotonicTime /*now*/) override { ++refreshes_; }
  void invalidate() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++invalidations_;
    if (!next_token_.empty()) token_ = next_token_;
  }
  // The second is what there is after an invalidate().
  void set_tokens(const std::string& token, const std::string& next) {
    const std::lock_guard<std::mutex> lock(mutex_);
    token_ = token;
    next_token_ = next;
  }
  // As while an exec plugin is at work.
  void set_ready(bool ready) { ready_ = ready; }
  // How often somebody asked whether they are ready.
  int asked() { return asked_; }
  int refreshes() { return refreshes_; }
  int invalidations() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return invalidations_;
  }

 private:
  std::mutex mutex_;
  std::string token_;
  std::string next_token_;
  int invalidations_ = 0;
  std::atomic<bool> ready_{true};
  std::atomic<int> asked_{0};
  std::atomic<int> refreshes_{0};
};

inline constexpr const char* kLoopbackNames = "DNS:localhost,IP:127.0.0.1,IP:::1";

// One CA for the whole run: making keys takes time.
inline const TestAuthority& test_authority() {
  static const TestAuthority authority;
  return authority;
}
inline const KeyPair& server_certificate() {
  static const KeyPair pair = test_authority().issue("server", kLoopbackNames);
  return pair;
}
inline ServerOptions tls_server() {
  ServerOptions options;
  options.certificate = server_certificate();
  return options;
}

// Access to 127.0.0.1:port that trusts test_authority().
inline ClusterAccess access_to(std::uint16_t port, std::shared_ptr<TestCredentials> credentials,
                               bool tls = true) {
  ClusterAccess access;
  access.endpoint.host = "127.0.0.1";
  access.endpoint.server_name = "127.0.0.1";
  access.endpoint.port = port;
  access.endpoint.tls = tls;
  if (credentials->material.ca_pem.empty())
    credentials->material.ca_pem = test_authority().ca_pem();
  access.credentials = std::move(credentials);
  return access;
}

// Waits until `condition` is true; false when it does not come true in time.
template <class Condition>
bool eventually(const Condition& condition) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    ::poll(nullptr, 0, 1);  // between two looks
  }
  return true;
}

// "4\r\nabcd\r\n"
inline std::string chunk(std::string_view data) {
  char size[32];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return std::string(size).append(data).append("\r\n");
}
inline constexpr std::string_view kChunkedHead =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace loglink::testing
