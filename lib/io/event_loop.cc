#include "lib/io/event_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <list>
#include <utility>  // Asio 1.74 forgets it

#include "lib/io/log.h"

namespace loglink {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// A descriptor that its owner keeps: it is only lent to Asio.
struct Watch {
  asio::posix::stream_descriptor descriptor;
  std::function<void()> ready;

  Watch(asio::io_context& context, int fd, std::function<void()> call)
      : descriptor(context, fd), ready(std::move(call)) {}
  ~Watch() { descriptor.release(); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void wait() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read, [this](error_code error) {
      if (error) return;
      // Armed again first: a callback that throws must not end the watch.
      wait();
      ready();
    });
  }
};

std::chrono::steady_clock::time_point steady(MonotonicTime time) {
  return std::chrono::steady_clock::time_point(
      std::chrono::duration_cast<std::chrono::steady_clock::duration>(time.since_epoch));
}

}  // namespace

struct EventLoop::Implementation {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  asio::steady_timer alarm{context};
  std::uint64_t alarm_number = 0;
  std::list<Watch> watches;
  std::atomic<std::uint64_t> caught{0};
};

EventLoop::EventLoop() : implementation_(std::make_unique<Implementation>()) {}
EventLoop::~EventLoop() = default;

void EventLoop::post(std::function<void()> task) {
  asio::post(implementation_->context, std::move(task));
}

void EventLoop::post_at(MonotonicTime at, std::function<void()> task) {
  const auto timer = std::make_shared<asio::steady_timer>(implementation_->context, steady(at));
  // The wait keeps its timer.
  timer->async_wait([timer, task = std::move(task)](error_code error) {
    if (!error) task();
  });
}

void EventLoop::set_alarm(MonotonicTime at, std::function<void()> wake) {
  Implementation& loop = *implementation_;
  // A wait that has already expired is queued and cannot be cancelled; its number tells it apart.
  const std::uint64_t number = ++loop.alarm_number;
  loop.alarm.cancel();
  if (at == MonotonicTime::never()) return;
  loop.alarm.expires_at(steady(at));
  loop.alarm.async_wait([&loop, number, wake = std::move(wake)](error_code error) {
    if (!error && number == loop.alarm_number) wake();
  });
}

void EventLoop::on_readable(int fd, std::function<void()> ready) {
  implementation_->watches.emplace_back(implementation_->context, fd, std::move(ready)).wait();
}

void EventLoop::run() {
  Implementation& loop = *implementation_;
  while (!loop.context.stopped()) {
    try {
      loop.context.run();
    } catch (const std::exception& exception) {
      ++loop.caught;
      log(LogLevel::kError, "a task of the event loop failed", {{"error", exception.what()}});
    }
  }
}

void EventLoop::stop() { implementation_->context.stop(); }

std::uint64_t EventLoop::caught_exceptions() const { return implementation_->caught; }

void* EventLoop::native_context() { return &implementation_->context; }

namespace {

// What a signal handler may touch: a lock-free number and write(2).
std::atomic<int> stop_descriptor{-1};
std::atomic<int> stop_signals{0};

extern "C" void on_stop_signal(int /*signal*/) {
  if (stop_signals.fetch_add(1) > 0) _exit(1);
  const std::uint64_t one = 1;
  // An eventfd takes it unless its counter overflows, which one signal cannot cause.
  [[maybe_unused]] const ssize_t written = write(stop_descriptor.load(), &one, sizeof one);
}

}  // namespace

void handle_stop_signals(EventLoop& loop, std::function<void()> stop) {
  std::signal(SIGPIPE, SIG_IGN);  // NOLINT: a broken connection is an error value for us
  const int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor < 0) std::abort();  // no descriptor at the very start: nothing would work
  stop_descriptor = descriptor;
  loop.on_readable(descriptor, [descriptor, stop = std::move(stop)] {
    std::uint64_t count = 0;
    if (read(descriptor, &count, sizeof count) == sizeof count) stop();
  });
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGINT, &action, nullptr);
}

}  // namespace loglink
