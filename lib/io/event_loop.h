// One Asio io_context on one thread, which owns all state of a program. Asio stays in the .cc file.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "lib/base/clock.h"

namespace loglink {

class EventLoop {
 public:
  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // Runs `task` on the loop thread, later. Thread-safe.
  void post(std::function<void()> task);
  // Runs `task` on the loop thread at `at`, unless the loop has ended. Loop thread only.
  void post_at(MonotonicTime at, std::function<void()> task);
  // One alarm a loop needs: calls `wake` on the loop thread at `at` (or soon, if that is past).
  // Setting it again replaces it; MonotonicTime::never() only takes it away. Loop thread only.
  void set_alarm(MonotonicTime at, std::function<void()> wake);
  // Calls `ready` on the loop thread whenever fd is readable, until the loop ends. The owner keeps
  // the descriptor open as long. Loop thread only.
  void on_readable(int fd, std::function<void()> ready);

  // Runs until stop(). Returns at once when stop() was called before. An exception that a callback
  // lets out is logged and counted; the loop goes on.
  void run();
  void stop();  // thread-safe
  [[nodiscard]] std::uint64_t caught_exceptions() const;

  // For the other .cc files of lib/io: the boost::asio::io_context.
  void* native_context();

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// SIGTERM and SIGINT call `stop` on the loop thread; a second one ends the process at once with
// exit code 1, whatever the loop does. SIGPIPE is ignored. Call once, before threads are started.
void handle_stop_signals(EventLoop& loop, std::function<void()> stop);

}  // namespace loglink
