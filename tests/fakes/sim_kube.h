// The two seams of lib/kube/api_port.h on a FakeKube, for the simulator: every delay, loss and
// order comes from one seed, and nothing happens but in step().
//
// Threads: one. Callbacks run inside step(), never inside open(), cancel() or send().
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/kube/api_port.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/kube_faults.h"

namespace loglink::fakes {

// How the network between clients and server behaves. Chances are out of 1,000.
struct SimNetwork {
  Duration delay_max{0};      // of a request, of an answer, of a piece of a stream
  unsigned refuse = 0;        // a request does not get through
  unsigned too_many = 0;      // 429, sometimes with Retry-After
  unsigned server_error = 0;  // 500, 503 or 504
  unsigned lose_answer = 0;   // a request is done, its answer lost
  unsigned send_twice = 0;    // a write reaches the server twice; the second answer counts
  unsigned split = 0;         // a piece of a stream comes in two
  unsigned cut = 0;           // a stream ends inside a piece
  unsigned stall = 0;         // a stream falls silent until its idle timeout
};

class SimKube;

// The network between one process and the server, on top of SimNetwork.
enum class SimLink {
  kUp,
  kRefused,  // connections are refused, and those that are open end
  kSilent,   // nothing gets through; what is not repeated in time is lost
  kDeaf      // requests get through, answers do not
};

// The API as one process sees it. Destroying it is the end of its connections: requests on their
// way may still be done, nobody hears of it.
//
// A request waits for a short time in the process before it leaves: then its `not_after` is
// checked, for the last time.
class SimKubeClient final : public StreamTransport, public UnaryClient {
 public:
  ~SimKubeClient() override;
  StreamId open(StreamRequest request, StreamHandler& handler) override;
  void cancel(StreamId id) override;
  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override;

  void set_link(SimLink link) { link_ = link; }
  // The process does not run: what has not left it stays, what comes for it waits; its timeouts
  // strike when it runs again.
  void set_frozen(bool frozen) { frozen_ = frozen; }
  // The process is killed: of what has not left it some still does, unless it is frozen.
  void set_dead();

 private:
  friend class SimKube;
  struct Stream;
  struct Exchange;
  SimKubeClient(SimKube& sim, std::string token, const Clock& clock);

  SimKube& sim_;
  const std::string token_;
  const std::string authorization_;
  const Clock& clock_;
  std::map<StreamId, std::unique_ptr<Stream>> streams_;
  std::map<std::uint64_t, std::unique_ptr<Exchange>> exchanges_;
  SimLink link_ = SimLink::kUp;
  bool frozen_ = false;
};

class SimKube {
 public:
  // `start` is the time until the first step(); timeouts of what is opened before count from it.
  SimKube(FakeKubeOptions options, std::uint64_t seed, Now start = {});
  ~SimKube();
  SimKube(const SimKube&) = delete;
  SimKube& operator=(const SimKube&) = delete;

  FakeKube& server() { return server_; }
  void set_network(SimNetwork network) { network_ = network; }
  // Scripted faults strike before those by chance. Of Fault, delay and chunk size are ignored.
  FaultPlan& faults() { return faults_; }

  // `clock` is the process's own (for not_after) and outlives the client. The client must not
  // outlive this.
  std::unique_ptr<SimKubeClient> connect(const std::string& token, const Clock& clock);

  // Called after each request that the server has handled, whether or not its answer gets back.
  using Handled =
      std::function<void(const std::string& token, const UnaryRequest&, const FakeResponse&)>;
  void set_after_request(Handled after_request) { after_request_ = std::move(after_request); }

  // Does one thing that is due, chosen at random: a request arrives, an answer or a piece of a
  // stream is delivered, a timeout strikes. False when nothing is due.
  bool step(Now now);
  // When something will be due if nobody writes.
  [[nodiscard]] MonotonicTime next_due() const;

  struct Counts {
    std::size_t requests = 0;
    std::size_t writes = 0;  // that changed something
    std::size_t streams = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  friend class SimKubeClient;

  bool chance(unsigned per_mille);
  Duration delay();
  void stream_step(SimKubeClient& client, SimKubeClient::Stream& stream);
  void stream_head(SimKubeClient& client, SimKubeClient::Stream& stream);
  void stream_piece(SimKubeClient& client, SimKubeClient::Stream& stream);
  void end_stream(SimKubeClient& client, SimKubeClient::Stream& stream,
                  std::optional<KubeError> error);
  bool stream_due(const SimKubeClient& client, SimKubeClient::Stream& stream);
  void exchange_step(SimKubeClient& client, SimKubeClient::Exchange& exchange);
  void leave(const SimKubeClient& client, SimKubeClient::Exchange& exchange);
  void arrive(SimKubeClient& client, SimKubeClient::Exchange& exchange);
  FakeResponse handle(const SimKubeClient& client, const UnaryRequest& asked,
                      const FakeRequest& request);
  UnaryResult perform(SimKubeClient& client, SimKubeClient::Exchange& exchange);
  std::optional<FakeResponse> random_refusal();

  FakeKube server_;
  SeededRandom random_;
  SimNetwork network_;
  FaultPlan faults_;
  Handled after_request_;
  Now now_;  // as step() was last told
  std::uint64_t last_id_ = 0;
  std::vector<SimKubeClient*> clients_;
  Counts counts_;
};

}  // namespace loglink::fakes
