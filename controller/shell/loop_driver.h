// Drives something that has step() and next_wakeup() by an EventLoop: any number of wakes before a
// step make one step.
#pragma once

#include <functional>
#include <utility>

#include "controller/core/effects.h"
#include "lib/io/event_loop.h"

namespace loglink {

class LoopDriver {
 public:
  // `step` does what is due and says when it wants to be called again. Loop thread only; the driver
  // must outlive the loop's run().
  LoopDriver(EventLoop& loop, std::function<MonotonicTime()> step)
      : loop_(loop), step_(std::move(step)) {}

  void wake() {
    if (scheduled_) return;
    scheduled_ = true;
    loop_.post([this] { run(); });
  }

 private:
  void run() {
    scheduled_ = false;
    loop_.set_alarm(step_(), [this] { run(); });
  }

  EventLoop& loop_;
  std::function<MonotonicTime()> step_;
  bool scheduled_ = false;
};

// What the commands share.
void log_remark(const Remark& remark);
std::uint64_t random_seed();

}  // namespace loglink
