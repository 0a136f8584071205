#include "tests/contract/api_session.h"
#include "tests/fakes/sim_kube.h"

namespace loglink {
namespace {

// Time passes only when nothing is due.
class SimWorld final : public Clock {
 public:
  SimWorld() {
    fakes::SimNetwork network;
    network.delay_max = std::chrono::milliseconds(5);
    network.split = 300;
    sim.set_network(network);
  }

  [[nodiscard]] Now now() const override { return now_; }

  bool pump(const std::function<bool()>& done) {
    const MonotonicTime limit = now_.monotonic + std::chrono::seconds(10);
    while (!done()) {
      if (sim.step(now_)) continue;
      const MonotonicTime next = sim.next_due();
      if (next > limit) return false;
      const Duration passed = std::max<Duration>(next - now_.monotonic, Duration(1));
      now_.monotonic = now_.monotonic + passed;
      now_.wall += passed;
    }
    return true;
  }

 private:
  static fakes::FakeKubeOptions options() {
    fakes::FakeKubeOptions result;
    result.pod_deletion = fakes::PodDeletion::kWhenFinished;
    return result;
  }

  Now now_{{std::chrono::seconds(1000)}, WallTime(std::chrono::seconds(1'790'000'000))};

 public:
  fakes::SimKube sim{options(), 7, now_};
};

class SimStream final : public OpenStream, public StreamHandler {
 public:
  SimStream(std::shared_ptr<SimWorld> world, std::shared_ptr<fakes::SimKubeClient> client,
            StreamRequest request)
      : world_(std::move(world)), client_(std::move(client)) {
    id_ = client_->open(std::move(request), *this);
  }
  ~SimStream() override { client_->cancel(id_); }

  void on_head(const StreamHead& head) override { heard_.head = head; }
  void on_data(std::string_view bytes) override { heard_.body += bytes; }
  void on_end(std::optional<KubeError> error) override {
    heard_.ended = true;
    heard_.error = std::move(error);
  }

  bool wait(const std::function<bool(const Heard&)>& enough) override {
    return world_->pump([&] { return enough(heard_); });
  }
  Heard heard() override { return heard_; }

 private:
  std::shared_ptr<SimWorld> world_;
  std::shared_ptr<fakes::SimKubeClient> client_;
  StreamId id_ = 0;
  Heard heard_;
};

class SimSession final : public ApiSession {
 public:
  SimSession(std::shared_ptr<SimWorld> world, const std::string& token)
      : world_(std::move(world)), client_(world_->sim.connect(token, *world_)) {}

  UnaryResult call(UnaryRequest request) override {
    std::optional<UnaryResult> result;
    client_->send(std::move(request), [&](UnaryResult got) { result = std::move(got); });
    world_->pump([&] { return result.has_value(); });
    return *std::move(result);
  }
  std::unique_ptr<OpenStream> open(StreamRequest request) override {
    return std::make_unique<SimStream>(world_, client_, std::move(request));
  }
  std::unique_ptr<ApiSession> as(const std::string& token) override {
    return std::make_unique<SimSession>(world_, token);
  }
  bool script(const std::function<void(fakes::FakeKube&, Now)>& use) override {
    use(world_->sim.server(), world_->now());
    return true;
  }
  bool add_fault(fakes::Fault fault) override {
    world_->sim.faults().add(std::move(fault));
    return true;
  }

 private:
  std::shared_ptr<SimWorld> world_;
  std::shared_ptr<fakes::SimKubeClient> client_;
};

}  // namespace

std::unique_ptr<ApiSession> make_sim_session() {
  return std::make_unique<SimSession>(std::make_shared<SimWorld>(),
                                      fakes::FakeKubeOptions().admin_token);
}

}  // namespace loglink
