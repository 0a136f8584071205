// The credential of a kubeconfig's exec plugin, which may take long or hang: a thread of its own
// runs it, and nobody waits inside a call.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/io/exec_credential.h"

namespace loglink {

// Thread-safe. The destructor stops a plugin at work.
class PluginCredential {
 public:
  // Blocks until there is an answer, or until it is told to stop.
  using Run = std::function<Expected<ExecCredential>(const std::stop_token& stop)>;

  // `name` is for messages.
  PluginCredential(std::string name, Run run) : name_(std::move(name)), run_(std::move(run)) {}
  PluginCredential(const PluginCredential&) = delete;
  PluginCredential& operator=(const PluginCredential&) = delete;

  // Never blocks; starts the plugin where its credential is to be renewed. False while it is at
  // work and there is neither a credential that still holds nor a failure to tell: ask again.
  bool ready(const Now& now);
  // As ready(); and gives what there is. Where ready() is false, an error that says so.
  Expected<ExecCredential> get(const Now& now);
  // The server refused the credential: it is not used again, unless it is only seconds old.
  void invalidate();

 private:
  [[nodiscard]] bool young(const Now& now) const;
  [[nodiscard]] bool usable(const Now& now) const;
  void renew_where_due(const Now& now);
  void renew(const std::stop_token& stop) noexcept;
  [[nodiscard]] Expected<ExecCredential> guarded_run(const std::stop_token& stop) const;
  void store(Expected<ExecCredential> answer);

  const std::string name_;
  const Run run_;
  std::mutex mutex_;  // of all below but thread_, which is begun under it too
  std::optional<ExecCredential> credential_;
  MonotonicTime fetched_at_;
  bool refused_ = false;
  std::optional<Error> failure_;  // of the last run; stays while the next one is at work
  MonotonicTime next_run_;
  Duration pause_{0};  // after the last failure
  bool running_ = false;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace loglink
