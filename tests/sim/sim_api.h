// The API as one process sees it, with a crash at any write: before it is sent, right after, or
// when its answer comes; and with a freeze.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "lib/base/random.h"
#include "tests/fakes/sim_kube.h"
#include "tests/sim/sim_files.h"

namespace loglink::sim {

class SimApi final : public StreamTransport, public UnaryClient {
 public:
  SimApi(std::unique_ptr<fakes::SimKubeClient> client, Random& random)
      : client_(std::move(client)), random_(random) {}

  // The process dies at its `nth` write from now; the caller of step() gets a Crash.
  void crash_at_write(int nth) { crash_in_ = nth; }
  // The process freezes at its `nth` write from now: `freeze` is called once it is to be sent.
  void freeze_at_write(int nth, std::function<void()> freeze) {
    freeze_in_ = nth;
    freeze_ = std::move(freeze);
  }
  fakes::SimKubeClient& client() { return *client_; }
  // Told of each write before it is sent.
  void set_observer(std::function<void(const UnaryRequest&)> observer) {
    observer_ = std::move(observer);
  }

  StreamId open(StreamRequest request, StreamHandler& handler) override {
    return client_->open(std::move(request), handler);
  }
  void cancel(StreamId id) override { client_->cancel(id); }

  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    const bool is_write = request.method != Method::kGet;
    const bool dies = is_write && crash_in_ > 0 && --crash_in_ == 0;
    if (is_write && observer_) observer_(request);
    if (is_write && freeze_in_ > 0 && --freeze_in_ == 0) freeze_();
    if (!dies) return client_->send(std::move(request), std::move(done));
    switch (random_.below(3)) {
      case 0:
        throw Crash{this};
      case 1:
        client_->send(std::move(request), std::move(done));
        throw Crash{this};
      default:
        client_->send(std::move(request), [this](const UnaryResult&) { throw Crash{this}; });
    }
  }

 private:
  std::unique_ptr<fakes::SimKubeClient> client_;
  Random& random_;
  int crash_in_ = 0;
  int freeze_in_ = 0;
  std::function<void()> freeze_;
  std::function<void(const UnaryRequest&)> observer_;
};

}  // namespace loglink::sim
