// Puts the controller together: two list-watches and a leader elector feed the state machine of
// controller/core, whose effects become requests. Knows no event loop: production drives it by
// EventLoop, the simulator by hand.
//
// Loop thread only. After anything has happened it calls `wake`; the owner then calls step() soon,
// and again at next_wakeup().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "controller/core/controller.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/kube/api_port.h"
#include "lib/kube/leader_elector.h"
#include "lib/kube/list_watch.h"

namespace loglink {

// All must outlive the loop.
struct ControllerPorts {
  StreamTransport& streams;
  UnaryClient& writes;
  // May be the same client, if no backlog of writes delays a renewal there.
  UnaryClient& leases;
  const Clock& clock;
  Random& random;
};

// What the metrics count, besides ControllerFigures.
struct ControllerCounters {
  // (kind of request, "OK" or a KubeErrorKind) -> answers.
  std::map<std::pair<std::string, std::string>, std::uint64_t> api_requests;
  // (resource, reason) -> streams that had to be opened again.
  std::map<std::pair<std::string, std::string>, std::uint64_t> watch_restarts;
  std::uint64_t leader_changes = 0;  // times this process began to lead
};

class ControllerLoop {
 public:
  // `instance` names this process: in the Lease and in Events.
  ControllerLoop(ControllerConfig config, std::string instance, ControllerPorts ports,
                 std::function<void(const Remark&)> log, std::function<void()> wake);
  ~ControllerLoop();
  ControllerLoop(const ControllerLoop&) = delete;
  ControllerLoop& operator=(const ControllerLoop&) = delete;

  // Once.
  void start();
  void step();
  [[nodiscard]] MonotonicTime next_wakeup() const;

  // Ends watching and writing, waits for what is under way, gives the lease up; all within
  // kShutdownMax. Then finished() is true. With a write that hangs the lease is not given up.
  static constexpr Duration kShutdownMax = std::chrono::milliseconds(3500);
  void shut_down();
  [[nodiscard]] bool finished() const { return finished_; }

  // "" when ready (both lists are known, and we lead or could); else one line that says why not.
  [[nodiscard]] std::string not_ready_because() const;
  // What the API server does not answer as it should, each with what it is about, "" when it does;
  // a synced controller stays ready meanwhile.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] bool leading() const;
  // `loglink-controller drain` holds the lease: nothing is linked until it ends.
  [[nodiscard]] bool drained() const;
  [[nodiscard]] const Controller& controller() const { return controller_; }
  [[nodiscard]] const ControllerCounters& counters() const { return counters_; }

 private:
  template <class T>
  class Listener;

  enum class Part { kPods, kNodeLinkSets, kLease };
  [[nodiscard]] static std::string name_of(Part part);
  void trouble(Part part, const std::optional<KubeError>& error);
  void lease_answered(bool is_write, const tl::expected<Lease, KubeError>& lease);
  [[nodiscard]] std::string cure_of(Part part, const KubeError& error) const;
  [[nodiscard]] std::string describe_with_cure(Part part, const KubeError& error) const;
  void restarted(Part part, std::string_view reason);
  void elect(Now now);
  void send_lease(const LeaderElector::Request& request);
  void storage_went_back();
  void list_again(Now now);
  void perform(Effect effect);
  void send(std::string kind, UnaryRequest request, std::function<void(UnaryResult, Now)> done);
  void step_shutdown(Now now);
  void remark(RemarkLevel level, std::string message,
              std::vector<std::pair<std::string, std::string>> fields = {});

  ControllerConfig config_;
  std::string instance_;
  ControllerPorts ports_;
  std::function<void(const Remark&)> log_;
  std::function<void()> wake_;

  Controller controller_;
  LeaderElector elector_;
  std::unique_ptr<Listener<PodView>> pod_listener_;
  std::unique_ptr<Listener<NodeLinkSet>> object_listener_;
  std::unique_ptr<ListWatch<PodView>> pods_;
  std::unique_ptr<ListWatch<NodeLinkSet>> objects_;

  std::map<Part, KubeError> troubles_;
  ControllerCounters counters_;
  bool lease_write_failed_ = false;  // and no other one, nor another holder, has been seen since
  std::optional<Lease> seen_lease_;
  bool was_synced_ = false;
  bool was_leading_ = false;
  bool was_drained_ = false;
  int under_way_ = 0;  // writes without an answer yet
  std::optional<MonotonicTime> shutdown_since_;
  bool lease_given_up_ = false;
  bool finished_ = false;
  bool list_again_wanted_ = false;
  MonotonicTime list_again_at_{};  // not before
  // Answers that come after the loop is gone find this expired.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace loglink
