// `loglink-controller drain`: takes the lease, so that no controller publishes any more, withdraws
// every source at once (feature remove-now), waits until the agents hold no link, and empties the
// NodeLinkSets. Knows no event loop, as ControllerLoop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "controller/core/effects.h"
#include "controller/shell/controller_loop.h"
#include "lib/model/lease.h"

namespace loglink {

class DrainLoop final : private ListWatchListener<NodeLinkSet> {
 public:
  // How long the lease stays held after the last renewal, so that a controller that is still there
  // does not link again.
  static constexpr Duration kHold = std::chrono::minutes(10);

  // `timeout`: for the lease, and then as long for the agents.
  DrainLoop(ControllerConfig config, Duration timeout, ControllerPorts ports,
            std::function<void(const Remark&)> log, std::function<void()> wake);
  ~DrainLoop() override;

  void start();
  void step();
  [[nodiscard]] MonotonicTime next_wakeup() const;
  [[nodiscard]] bool finished() const { return finished_; }
  // It ends early too when another has taken the Lease from it, which is how it is broken off. Asks
  // it to end early; nodes that are not done are then named.
  void give_up();

  struct Unfinished {
    std::string node;
    bool answered = false;  // the agent has seen what is asked for, but still holds links
    int links = 0;
    auto operator<=>(const Unfinished&) const = default;
  };
  // After finished(): nothing when every agent holds no link.
  [[nodiscard]] std::vector<Unfinished> unfinished() const;
  // "" once the lease is ours and the objects are known; else what was in the way last.
  [[nodiscard]] const std::string& trouble() const { return trouble_; }
  [[nodiscard]] bool emptying() const { return writes_from_ && synced_; }
  // Each agent has said that it holds no link, and nobody else could write.
  [[nodiscard]] bool drained() const { return drained_; }
  // Why it ended before its time; "" when it did not.
  [[nodiscard]] const std::string& broken_off() const { return broken_off_; }

 private:
  void on_replaced(std::vector<Decoded<NodeLinkSet>> objects, const std::string&) override;
  void on_upserted(Decoded<NodeLinkSet> object) override;
  void on_deleted(const ObjectKey& key, const std::string&) override;
  void on_trouble(const std::optional<KubeError>& error) override;

  void take_lease(Now now);
  void lease_answered(UnaryResult result, bool was_write);
  void lease_taken(MonotonicTime now, Lease written);
  void break_off(std::string why);
  void empty_objects(Now now);
  void object_answered(const std::string& node, const NodeLinkSetSpec& sent,
                       const UnaryResult& result);
  void adopt_written(const std::string& node, NodeLinkSet written);
  void say(const std::string& about, const KubeError& error);

  ControllerConfig config_;
  Duration timeout_;
  ControllerPorts ports_;
  std::function<void(const Remark&)> log_;
  std::function<void()> wake_;
  std::unique_ptr<ListWatch<NodeLinkSet>> watch_;
  std::map<std::string, NodeLinkSet> objects_;
  bool synced_ = false;

  MonotonicTime deadline_{};
  std::optional<Lease> lease_;              // as read or written last; the next write replaces it
  Lease sent_;                              // by the last write
  bool lease_asked_ = false;                // a request is under way
  std::optional<WallTime> lease_acquired_;  // by our latest try, which may have arrived
  bool has_former_holder_ = false;          // who may go on writing for a while
  bool lease_read_ = false;
  MonotonicTime lease_again_{};
  MonotonicTime lease_sent_{};
  MonotonicTime writes_until_{};  // another may take the Lease later, if we do not renew it
  // From then on nobody else may write: the former leader's right has ended.
  std::optional<MonotonicTime> writes_from_;
  std::map<std::string, MonotonicTime> retry_at_;
  std::set<std::string> under_way_;
  std::string trouble_ = "the lease is not taken yet";
  std::string broken_off_;
  bool given_up_ = false;
  bool drained_ = false;
  bool finished_ = false;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
};

}  // namespace loglink
