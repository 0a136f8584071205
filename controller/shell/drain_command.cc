#include "controller/shell/drain_command.h"

#include <memory>
#include <string>

#include "controller/shell/drain_loop.h"
#include "controller/shell/loop_driver.h"
#include "lib/base/time_text.h"
#include "lib/io/cpprest_client.h"
#include "lib/io/event_loop.h"
#include "lib/io/http_clients.h"
#include "lib/io/log.h"

namespace loglink {
namespace {

constexpr std::size_t kNamedNodes = 20;
constexpr int kWriteThreads = 4;
const std::string kUserAgent = "loglink-controller/" LOGLINK_VERSION;

std::string describe(const std::vector<DrainLoop::Unfinished>& nodes) {
  std::string text;
  for (std::size_t i = 0; i < nodes.size() && i < kNamedNodes; ++i) {
    if (i > 0) text += ", ";
    text += nodes[i].node + (nodes[i].answered
                                 ? " (" + std::to_string(nodes[i].links) + " links linger)"
                                 : " (no answer)");
  }
  if (nodes.size() > kNamedNodes) {
    text += " and " + std::to_string(nodes.size() - kNamedNodes) + " more";
  }
  return text;
}

}  // namespace

Expected<void> drain_cluster(const ControllerConfig& config, const ClusterAccess& access,
                             Duration timeout) {
  if (!config.leader_election.enabled) {
    return fail(
        ErrorCode::kFailedPrecondition,
        "leaderElection is off in the configuration, so that a running controller could not "
        "be held back and would link again; stop it, and drain with leaderElection on");
  }
  EventLoop loop;
  SystemClock clock;
  SeededRandom random(random_seed());
  std::unique_ptr<DrainLoop> drain;
  LoopDriver driver(loop, [&] {
    drain->step();
    if (drain->finished()) loop.stop();
    return drain->next_wakeup();
  });
  handle_stop_signals(loop, [&] { drain->give_up(); });
  const auto streams = make_beast_stream_transport(loop, access, kUserAgent);
  const auto writes = make_cpprest_unary_client(loop, access, kUserAgent, kWriteThreads);
  drain = std::make_unique<DrainLoop>(config, timeout,
                                      ControllerPorts{*streams, *writes, *writes, clock, random},
                                      log_remark, [&] { driver.wake(); });
  drain->start();
  loop.run();

  if (!drain->broken_off().empty()) {
    return fail(ErrorCode::kFailedPrecondition,
                "the drain was broken off: " + drain->broken_off() +
                    "; what was withdrawn is linked again; drain again if links are to go");
  }
  if (!drain->emptying()) {
    return fail(ErrorCode::kFailedPrecondition,
                "nothing is drained within " + format_duration(timeout) + ": " + drain->trouble());
  }
  const std::vector<DrainLoop::Unfinished> left = drain->unfinished();
  if (drain->drained()) {
    log(LogLevel::kInfo, "drained: no agent holds a link");
    return {};
  }
  if (left.empty()) {
    return fail(ErrorCode::kFailedPrecondition,
                "the drain was ended before the former leader's time was over; drain again");
  }
  return fail(ErrorCode::kFailedPrecondition,
              "not all links are gone after " + format_duration(timeout) + ": " + describe(left) +
                  "; drain again, or delete the Lease " + config.leader_election.lease_namespace +
                  "/" + config.leader_election.lease_name +
                  " to have the controller link again: it is held for ten minutes");
}

}  // namespace loglink
