#include "agent/shell/run_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <random>
#include <tuple>
#include <utility>

#include "agent/shell/agent_loop.h"
#include "agent/shell/agent_metrics.h"
#include "agent/shell/commands.h"
#include "agent/shell/node_files.h"
#include "lib/io/event_loop.h"
#include "lib/io/http_clients.h"
#include "lib/io/http_endpoint.h"
#include "lib/io/log.h"
#include "lib/model/names.h"
#include "lib/model/reason.h"

namespace loglink {
namespace {

const std::string kUserAgent = std::string(names::kAgentName) + "/" LOGLINK_VERSION;
constexpr const char* kPlainText = "text/plain; charset=utf-8";
constexpr Duration kLockEvery = std::chrono::seconds(1);
constexpr Duration kFileEvery = std::chrono::seconds(1);
// SIGTERM must end the program in less than five seconds, however slow the disk is.
constexpr Duration kFlushAtMost = std::chrono::seconds(3);

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32U) | device();
}

void write_log(const LogNote& note) {
  switch (note.level) {
    case LogNote::Level::kDebug:
      return log(LogLevel::kDebug, note.message, note.fields);
    case LogNote::Level::kInfo:
      return log(LogLevel::kInfo, note.message, note.fields);
    case LogNote::Level::kWarning:
      return log(LogLevel::kWarning, note.message, note.fields);
  }
}

// Tells a file that was written or replaced from one that was not.
using FileStamp =
    std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;

FileStamp stamp_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  return {status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec,
          status.st_mtim.tv_nsec};
}

class AgentProgram {
 public:
  // `file_set`: what options.from_file says, when it had that stamp.
  AgentProgram(const RunOptions& options, std::unique_ptr<NodeFiles> files,
               std::optional<NodeLinkSet> file_set, const FileStamp& file_stamp)
      : options_(options),
        files_(std::move(files)),
        random_(random_seed()),
        metrics_(options.config.link_mode),
        file_set_(std::move(file_set)),
        file_stamp_(file_stamp) {
    AgentLoopOptions loop_options;
    loop_options.config = options.config;
    loop_options.watch_limit = affordable_watches();
    loop_options.wake = [this] { wake(); };
    if (options.access) {
      transport_ = make_beast_stream_transport(loop_, *options.access, kUserAgent);
      client_ = make_beast_unary_client(loop_, *options.access, kUserAgent);
      agent_ = std::make_unique<AgentLoop>(std::move(loop_options), *transport_, *client_, *files_,
                                           clock_, random_);
    } else {
      agent_ = std::make_unique<AgentLoop>(std::move(loop_options), *files_, clock_, random_);
    }
  }

  Expected<void> run() {
    handle_stop_signals(loop_, [this] { stop(); });
    serve();
    wake();
    loop_.run();
    if (!files_->flush_state(kFlushAtMost)) {
      log(LogLevel::kWarning, "the disk is too slow to keep what is known",
          {{"directory", options_.config.state_dir}});
      std::_Exit(0);
    }
    return {};
  }

 private:
  void wake() {
    if (scheduled_) return;
    scheduled_ = true;
    loop_.post([this] { pump(); });
  }

  void pump() {
    scheduled_ = false;
    const Now now = clock_.now();
    if (!started_ && !start()) {
      loop_.set_alarm(now.monotonic + kLockEvery, [this] { pump(); });
      return;
    }
    if (!options_.from_file.empty() && now.monotonic >= file_at_) reread_file(now);
    const bool has_more = agent_->step() || files_->has_notices();
    listen_for_notices();
    for (const LogNote& note : agent_->take_notes()) write_log(note);
    tell_state_trouble();
    metrics_.observe_durations(agent_->agent());
    if (has_more) {
      wake();
      return;
    }
    loop_.set_alarm(std::min(agent_->next_wakeup(), file_at_), [this] { pump(); });
  }

  // inotify may be had only later.
  void listen_for_notices() {
    if (listens_ || files_->notice_descriptor() < 0) return;
    listens_ = true;
    loop_.on_readable(files_->notice_descriptor(), [this] { wake(); });
  }

  // The link directory has one owner; until that is us there is nothing to do.
  bool start() {
    const auto locked = files_->try_lock();
    std::string waiting;
    if (!locked) {
      waiting = locked.error().message;
    } else if (!*locked) {
      waiting = std::string(to_string(Reason::kAnotherAgent)) + ": another process owns linkDir " +
                options_.config.link_dir;
    }
    if (waiting != waiting_ && !waiting.empty()) {
      log(LogLevel::kWarning, "waiting for the link directory", {{"reason", waiting}});
    }
    waiting_ = waiting;
    if (!waiting.empty()) return false;
    started_ = true;
    agent_->start();
    if (file_set_) agent_->set_from_file(*std::exchange(file_set_, std::nullopt));
    if (!options_.from_file.empty()) file_at_ = clock_.now().monotonic + kFileEvery;
    return true;
  }

  void reread_file(const Now& now) {
    file_at_ = now.monotonic + kFileEvery;
    const FileStamp stamp = stamp_of(options_.from_file);
    if (stamp == file_stamp_) return;
    file_stamp_ = stamp;
    auto desired = read_set_file(options_.from_file);
    if (desired) {
      log(LogLevel::kInfo, "the file has changed", {{"file", options_.from_file}});
      agent_->set_from_file(*std::move(desired));
    } else {
      log(LogLevel::kWarning, "the file cannot be used, going on with what it said before",
          {{"file", options_.from_file}, {"error", desired.error().message}});
    }
  }

  void serve() {
    if (options_.config.metrics_address.empty()) return;
    endpoint_ = serve_http(
        loop_, options_.config.metrics_address,
        [this](const std::string& path) { return answer(path); },
        [this](const std::string& trouble) {
          if (trouble.empty()) {
            log(LogLevel::kInfo, "serving metrics", {{"address", options_.config.metrics_address}});
          } else {
            log(LogLevel::kWarning, "cannot serve metrics, trying again",
                {{"address", options_.config.metrics_address}, {"error", trouble}});
          }
        });
  }

  EndpointAnswer answer(const std::string& path) {
    if (path == "/healthz") return {200, kPlainText, "ok\n"};
    if (path == "/readyz") {
      const std::optional<std::string> why_not = not_ready_because();
      if (why_not) return {503, kPlainText, *why_not + "\n"};
      return {200, kPlainText, "ok" + what_is_amiss() + "\n"};
    }
    if (path == "/metrics") {
      return {200, Metrics::kContentType,
              metrics_.text(agent_->agent(), agent_->session(), clock_.now())};
    }
    return {404, kPlainText, "there are /metrics, /healthz and /readyz\n"};
  }

  // What a person who asks should know although we are ready.
  [[nodiscard]] std::string what_is_amiss() const {
    std::string text;
    if (const std::string trouble = agent_->trouble(); !trouble.empty()) {
      text = ", but the API server: " + trouble;
    }
    for (const auto& [name, state] : agent_->agent().roots()) {
      if (state == RootState::kUsable) continue;
      text += (text.empty() ? ", but root " : "; root ") + name + " is not usable";
    }
    return text;
  }

  std::optional<std::string> not_ready_because() {
    if (started_) return agent_->not_ready_because();
    if (!waiting_.empty()) return waiting_;
    return std::string(names::kReasonStarting) + ": the link directory is not locked yet";
  }

  void tell_state_trouble() {
    const std::string trouble = files_->state_trouble();
    if (trouble == state_trouble_) return;
    state_trouble_ = trouble;
    if (trouble.empty()) {
      log(LogLevel::kInfo, "state is written again", {});
    } else {
      log(LogLevel::kWarning, "state cannot be written: after a restart files may repeat",
          {{"error", trouble}});
    }
  }

  void stop() {
    if (started_) agent_->stop();
    loop_.stop();
  }

  const RunOptions& options_;
  SystemClock clock_;
  EventLoop loop_;
  std::unique_ptr<NodeFiles> files_;
  SeededRandom random_;
  std::unique_ptr<StreamTransport> transport_;
  std::unique_ptr<UnaryClient> client_;
  AgentMetrics metrics_;
  std::unique_ptr<AgentLoop> agent_;
  std::unique_ptr<HttpEndpoint> endpoint_;
  bool listens_ = false;
  bool scheduled_ = false;
  bool started_ = false;
  std::string waiting_;
  std::string state_trouble_;
  std::optional<NodeLinkSet> file_set_;
  FileStamp file_stamp_;
  MonotonicTime file_at_ = MonotonicTime::never();
};

}  // namespace

Expected<void> run_agent(const RunOptions& options) {
  std::optional<NodeLinkSet> file_set;
  const FileStamp stamp = stamp_of(options.from_file);
  if (!options.from_file.empty()) {
    LOGLINK_ASSIGN_OR_RETURN(file_set, read_set_file(options.from_file));
  }
  LOGLINK_ASSIGN_OR_RETURN(auto files, NodeFiles::open(NodeFiles::options_from(
                                           options.config, LinkDirectory::Access::kWrite)));
  const bool has_api = options.from_file.empty();
  log(LogLevel::kInfo, "loglink-agent starts",
      {{"version", LOGLINK_VERSION},
       has_api ? std::pair<std::string, std::string>("node", options.config.node_name)
               : std::pair<std::string, std::string>("file", options.from_file),
       {"linkDir", options.config.link_dir}});
  if (options.config.link_mode == LinkMode::kDirect) {
    log(LogLevel::kWarning,
        "linkMode is direct: nothing protects collectors from files that are swapped for symlinks");
  }
  AgentProgram program(options, std::move(files), std::move(file_set), stamp);
  LOGLINK_TRY(program.run());
  log(LogLevel::kInfo, "loglink-agent ends, links stay");
  return {};
}

}  // namespace loglink
