// The agent's side of the API: watches the one NodeLinkSet that is named like the node, hands its
// spec to the engine, and writes the engine's status back.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/agent.h"
#include "agent/core/status_pacer.h"
#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/kube/list_watch.h"

namespace loglink {

struct SessionCounters {
  std::map<std::string, std::uint64_t> watch_restarts;  // by reason
  std::map<std::string, std::uint64_t> status_writes;   // by outcome: "OK" or the error's kind

  auto operator<=>(const SessionCounters&) const = default;
};

// Loop thread only. Neither copied nor moved: the transport keeps a reference.
class NodeLinkSetSession final : private ListWatchListener<NodeLinkSet> {
 public:
  // All references outlive it; `wake` is called whenever next_wakeup() may have become earlier.
  NodeLinkSetSession(std::string node_name, StreamTransport& transport, UnaryClient& client,
                     const Clock& clock, Random& random, Agent& agent, std::function<void()> wake);

  void start(const Now& now);
  // After the engine's own step. `engine_moved`: its status may be another.
  void step(const Now& now, bool engine_moved);
  [[nodiscard]] MonotonicTime next_wakeup() const;
  // No callback comes after it.
  void stop();

  // The API has answered, if only that there is no such object.
  [[nodiscard]] bool observed() const { return observed_; }
  [[nodiscard]] bool confirmed_absent() const { return confirmed_absent_; }
  // What the API server does not answer as it should; nullopt when it does.
  [[nodiscard]] const std::optional<KubeError>& trouble() const { return trouble_; }
  [[nodiscard]] const SessionCounters& counters() const { return counters_; }
  std::vector<LogNote> take_notes();

 private:
  enum class Pending { kNothing, kRead, kWrite };

  void on_replaced(std::vector<Decoded<NodeLinkSet>> objects,
                   const std::string& resource_version) override;
  void on_upserted(Decoded<NodeLinkSet> object) override;
  void on_deleted(const ObjectKey& key, const std::string& uid) override;
  void on_trouble(const std::optional<KubeError>& error) override;
  void on_restart(std::string_view reason) override;
  void on_wakeup() override { wake_(); }

  // The object as the API has it now.
  void adopt(NodeLinkSet object, const Now& now);
  // Than what is known, which only a server does whose storage was restored.
  [[nodiscard]] bool is_older(const NodeLinkSet& object) const;
  void missed(const Now& now);
  void send_read(const Now& now);
  void read_answered(const UnaryResult& result);
  void send_write(const Now& now);
  void write_answered(const NodeLinkSetStatus& sent, const UnaryResult& result);
  void back_off(const KubeError& error, const Now& now);
  void refresh_status(const Now& now);
  [[nodiscard]] MonotonicTime write_due(const Now& now) const;
  void note_write_trouble(const std::optional<KubeError>& error);
  void note(LogNote::Level level, std::string message,
            std::vector<std::pair<std::string, std::string>> fields);

  const std::string node_name_;
  UnaryClient& client_;
  const Clock& clock_;
  Random& random_;
  Agent& agent_;
  std::function<void()> wake_;
  ListWatch<NodeLinkSet> watch_;
  StatusPacer pacer_;
  Backoff backoff_{BackoffPolicy{}};
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // answers that come later are dropped

  std::optional<NodeLinkSet> object_;
  bool observed_ = false;
  bool confirmed_absent_ = false;
  Pending pending_ = Pending::kNothing;
  MonotonicTime read_at_ = MonotonicTime::never();
  bool read_older_ = false;   // the last read brought an older version than is known
  MonotonicTime retry_at_{};  // nothing unary is sent before
  NodeLinkSetStatus status_;  // the engine's, as last looked at
  bool has_status_ = false;
  bool status_dirty_ = false;
  MonotonicTime status_seen_at_{};
  MonotonicTime write_at_ = MonotonicTime::never();

  std::optional<KubeError> trouble_;
  std::string write_trouble_;  // as last told
  SessionCounters counters_;
  std::vector<LogNote> notes_;
};

}  // namespace loglink
