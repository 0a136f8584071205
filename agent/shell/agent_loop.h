// The agent's loop without an event loop: engine, API and files behind step() and next_wakeup(), so
// that Asio and the simulator drive the same code.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/agent.h"
#include "agent/shell/node_link_set_session.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/kube/api_port.h"
#include "lib/model/config.h"

namespace loglink {

struct AgentLoopOptions {
  AgentConfig config;
  std::size_t watch_limit = 4096;
  // Called on the loop thread when next_wakeup() may have become earlier outside of step().
  std::function<void()> wake = [] {};
};

// One thread. All references outlive it.
class AgentLoop {
 public:
  // With an API server. The client must not answer any more once this is destroyed, or be destroyed
  // after it; answers under way are dropped.
  AgentLoop(AgentLoopOptions options, StreamTransport& transport, UnaryClient& client,
            FilePort& files, const Clock& clock, Random& random);
  // With a set that comes from a file.
  AgentLoop(AgentLoopOptions options, FilePort& files, const Clock& clock, Random& random);

  // Once. REQUIRES: the link directory is locked.
  void start();
  // The file says this. REQUIRES: made without an API server.
  void set_from_file(NodeLinkSet desired);
  // One bounded piece of work. True: there is more to do at once.
  bool step();
  // When step() is to be called again, unless the FilePort has notices or wake() is called before.
  [[nodiscard]] MonotonicTime next_wakeup() const;
  // Stores what is not stored, and stops talking. Links stay.
  void stop();

  // Why the program is not ready: "Reason: message", or nothing.
  [[nodiscard]] std::optional<std::string> not_ready_because();
  // What the API server does not answer as it should, with the cure; "" when it does. An agent that
  // has links to keep stays ready meanwhile.
  [[nodiscard]] std::string trouble() const;
  [[nodiscard]] Agent& agent() { return agent_; }
  [[nodiscard]] const NodeLinkSetSession* session() const { return session_.get(); }
  std::vector<LogNote> take_notes();

 private:
  void note_readiness();

  const Clock& clock_;
  Agent agent_;
  std::unique_ptr<NodeLinkSetSession> session_;
  bool first_pass_done_ = false;
  std::optional<std::string> told_unready_ = "";
  std::vector<LogNote> notes_;
};

// The set as it is kept in stateDir. The decoder refuses what another version wrote.
std::string encode_desired(const NodeLinkSet& desired);
Expected<NodeLinkSet> decode_desired(std::string_view text);

}  // namespace loglink
