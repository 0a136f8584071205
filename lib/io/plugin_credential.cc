#include "lib/io/plugin_credential.h"

#include <algorithm>
#include <exception>
#include <system_error>
#include <utility>

namespace loglink {
namespace {

using std::chrono::seconds;

// A credential is not used in its last seconds: the request still has to travel.
constexpr Duration kExpiryLeeway = seconds(10);
// Renewed so long before it expires that a plugin may hang once (15 s), and fail a few times.
constexpr Duration kRenewAhead = seconds(60);
// Used at least so long, whatever its expiry and whatever the server says of it: a plugin that only
// has bad credentials is not run for each request, and what refused the one before does not count.
constexpr Duration kYoung = seconds(5);
constexpr Duration kPauseFirst = seconds(1);
constexpr Duration kPauseMax = seconds(60);

bool expires_within(const ExecCredential& credential, WallTime now, Duration ahead) {
  return credential.expires && *credential.expires <= now + ahead;
}

}  // namespace

bool PluginCredential::young(const Now& now) const {
  return credential_ && now.monotonic - fetched_at_ < kYoung;
}

bool PluginCredential::usable(const Now& now) const {
  if (!credential_) return false;
  return young(now) || (!refused_ && !expires_within(*credential_, now.wall, kExpiryLeeway));
}

void PluginCredential::renew_where_due(const Now& now) {
  if (running_ || now.monotonic < next_run_ || young(now)) return;
  if (credential_ && !refused_ && !expires_within(*credential_, now.wall, kRenewAhead)) return;
  try {
    // Joins the run before, which has done all but return.
    thread_ = std::jthread([this](const std::stop_token& stop) noexcept { renew(stop); });
    running_ = true;
  } catch (const std::system_error& error) {
    store(fail_errno(error.code().value(), name_ + ": a thread to run it"));
  }
}

bool PluginCredential::ready(const Now& now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  renew_where_due(now);
  return usable(now) || failure_ || !running_;
}

Expected<ExecCredential> PluginCredential::get(const Now& now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  renew_where_due(now);
  if (usable(now)) return *credential_;
  if (failure_) return tl::unexpected<Error>(*failure_);
  return fail(ErrorCode::kFailedPrecondition, name_ + ": it has not answered yet");
}

void PluginCredential::invalidate() {
  const std::lock_guard<std::mutex> lock(mutex_);
  refused_ = true;
}

void PluginCredential::renew(const std::stop_token& stop) noexcept {
  Expected<ExecCredential> answer = guarded_run(stop);
  const std::lock_guard<std::mutex> lock(mutex_);
  store(std::move(answer));
  running_ = false;
}

Expected<ExecCredential> PluginCredential::guarded_run(const std::stop_token& stop) const {
  try {
    return run_(stop);
  } catch (const std::exception& exception) {
    return fail(ErrorCode::kInternal, name_ + ": " + exception.what());
  }
}

void PluginCredential::store(Expected<ExecCredential> answer) {
  const MonotonicTime now = SystemClock().now().monotonic;
  if (answer) {
    credential_ = std::move(*answer);
    fetched_at_ = now;
    refused_ = false;
    failure_.reset();
    pause_ = Duration(0);
    next_run_ = now;
  } else {
    failure_ = std::move(answer).error();
    pause_ = std::clamp(pause_ * 2, kPauseFirst, kPauseMax);
    next_run_ = now + pause_;
  }
}

}  // namespace loglink
