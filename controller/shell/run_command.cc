#include "controller/shell/run_command.h"

#include <memory>
#include <random>
#include <string>

#include "controller/shell/controller_loop.h"
#include "controller/shell/loop_driver.h"
#include "controller/shell/metrics.h"
#include "lib/base/sha256.h"
#include "lib/io/cpprest_client.h"
#include "lib/io/event_loop.h"
#include "lib/io/http_clients.h"
#include "lib/io/http_endpoint.h"
#include "lib/io/log.h"
#include "lib/kube/requests.h"

namespace loglink {
namespace {

// For reads of Nodes; Leases and answers on pods have threads of their own.
constexpr int kThreads = 2;
constexpr int kSpecWritesAtOnce = 4;
const std::string kUserAgent = "loglink-controller/" LOGLINK_VERSION;

EndpointAnswer answer_probe(const ControllerLoop& controller, ControllerMetrics& metrics,
                            const std::string& path) {
  if (path == "/metrics") return {200, Metrics::kContentType, metrics.text(controller)};
  if (path == "/healthz") return {200, "text/plain; charset=utf-8", "ok\n"};
  if (path == "/readyz") {
    const std::string why_not = controller.not_ready_because();
    if (!why_not.empty()) return {503, "text/plain; charset=utf-8", why_not + "\n"};
    const std::string trouble = controller.trouble();
    return {200, "text/plain; charset=utf-8",
            trouble.empty() ? "ok\n" : "ok, but the API server: " + trouble + "\n"};
  }
  return {404, "text/plain; charset=utf-8", "there are /metrics, /healthz and /readyz\n"};
}

// Between an annotation and its link no thread has to be woken: NodeLinkSets are written by the
// loop itself, all else by threads.
class SpecsFromTheLoop final : public UnaryClient {
 public:
  SpecsFromTheLoop(UnaryClient& loop, UnaryClient& threads) : loop_(loop), threads_(threads) {}

  void send(UnaryRequest request, std::function<void(UnaryResult)> done) override {
    const bool is_spec = request.target.starts_with(kNodeLinkSetsPath);
    (is_spec ? loop_ : threads_).send(std::move(request), std::move(done));
  }

 private:
  UnaryClient& loop_;
  UnaryClient& threads_;
};

// Who this process is among all that ever ran.
std::string instance_name(const std::string& host, Random& random) {
  return host + "_" + sha256_hex(std::to_string(random.next())).substr(0, 8);
}

}  // namespace

void log_remark(const Remark& remark) {
  const LogLevel level = [&] {
    switch (remark.level) {
      case RemarkLevel::kDebug:
        return LogLevel::kDebug;
      case RemarkLevel::kInfo:
        return LogLevel::kInfo;
      case RemarkLevel::kWarning:
        return LogLevel::kWarning;
    }
    __builtin_unreachable();
  }();
  log(level, remark.message, remark.fields);
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32) | device();
}

void run_controller(const ControllerConfig& config, const ClusterAccess& access,
                    const std::string& host) {
  EventLoop loop;
  SystemClock clock;
  SeededRandom random(random_seed());
  // Declared before what uses it: called only while the loop runs.
  std::unique_ptr<ControllerLoop> controller;
  LoopDriver driver(loop, [&] {
    controller->step();
    if (controller->finished()) loop.stop();
    return controller->next_wakeup();
  });
  handle_stop_signals(loop, [&] { controller->shut_down(); });

  const auto streams = make_beast_stream_transport(loop, access, kUserAgent);
  const auto specs = make_parallel_beast_unary_client(loop, access, kUserAgent, kSpecWritesAtOnce);
  const auto others = make_cpprest_unary_client(loop, access, kUserAgent, kThreads);
  SpecsFromTheLoop writes(*specs, *others);
  controller =
      std::make_unique<ControllerLoop>(config, instance_name(host, random),
                                       ControllerPorts{*streams, writes, *others, clock, random},
                                       log_remark, [&] { driver.wake(); });
  ControllerMetrics metrics;
  std::unique_ptr<HttpEndpoint> endpoint;
  if (!config.metrics_address.empty()) {
    endpoint = serve_http(
        loop, config.metrics_address,
        [&](const std::string& path) { return answer_probe(*controller, metrics, path); },
        [&](const std::string& trouble) {
          if (trouble.empty()) {
            log(LogLevel::kInfo, "serving metrics", {{"address", config.metrics_address}});
          } else {
            log(LogLevel::kWarning, "cannot serve metrics, trying again",
                {{"address", config.metrics_address}, {"error", trouble}});
          }
        });
  }
  log(LogLevel::kInfo, "loglink-controller starts",
      {{"version", LOGLINK_VERSION}, {"server", access.endpoint.host}});
  controller->start();
  loop.run();
  controller.reset();
  log(LogLevel::kInfo, "loglink-controller ends");
}

}  // namespace loglink
