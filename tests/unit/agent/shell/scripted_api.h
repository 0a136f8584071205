// The two seams to an API server, played by the test's hand.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "lib/kube/api_port.h"

namespace loglink {

class ScriptedTransport final : public StreamTransport {
 public:
  StreamId open(StreamRequest request, StreamHandler& handler) override {
    requests.push_back(std::move(request));
    handler_ = &handler;
    return ++last_id_;
  }
  void cancel(StreamId id) override {
    if (id == last_id_) handler_ = nullptr;
  }

  [[nodiscard]] bool is_open() const { return handler_ != nullptr; }
  void answer_ok() { handler_->on_head({200, "application/json", std::nullopt}); }
  void send_line(const std::string& line) { handler_->on_data(line + "\n"); }
  void end(std::optional<KubeError> error) {
    StreamHandler* handler = std::exchange(handler_, nullptr);
    handler->on_end(std::move(error));
  }

  std::vector<StreamRequest> requests;

 private:
  StreamHandler* handler_ = nullptr;
  StreamId last_id_ = 0;
};

class ScriptedClient final : public UnaryClient {
 public:
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    requests.push_back(std::move(request));
    waiting_.push_back(std::move(done));
  }

  // Answers the oldest request that has no answer.
  void answer(UnaryResult result) {
    auto done = std::move(waiting_.front());
    waiting_.pop_front();
    done(std::move(result));
  }
  void answer_ok(std::string body) { answer(UnaryResponse{200, std::move(body)}); }
  void answer_error(KubeErrorKind kind) {
    KubeError error;
    error.kind = kind;
    error.message = "scripted";
    answer(tl::unexpected(error));
  }
  [[nodiscard]] std::size_t waiting() const { return waiting_.size(); }

  std::vector<UnaryRequest> requests;

 private:
  std::deque<std::function<void(UnaryResult)>> waiting_;
};

}  // namespace loglink
