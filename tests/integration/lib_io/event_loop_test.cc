#include "lib/io/event_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <thread>
#include <vector>

#include "lib/base/unique_fd.h"

namespace loglink {
namespace {

MonotonicTime in(Duration delay) { return SystemClock().now().monotonic + delay; }

TEST(EventLoopTest, RunsPostedTasksInOrderOnItsThread) {
  EventLoop loop;
  std::vector<int> order;
  std::thread::id ran_on;
  std::thread poster([&] {
    for (int i = 0; i < 100; ++i) loop.post([&order, i] { order.push_back(i); });
    loop.post([&] {
      ran_on = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  poster.join();
  ASSERT_EQ(order.size(), 100U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(EventLoopTest, ReturnsAtOnceWhenItWasStoppedBefore) {
  EventLoop loop;
  bool ran = false;
  loop.post([&] { ran = true; });
  loop.stop();
  loop.run();
  EXPECT_FALSE(ran);
}

TEST(EventLoopTest, WakesAtTheLastAlarmThatWasSet) {
  EventLoop loop;
  int first = 0;
  const MonotonicTime at = in(std::chrono::milliseconds(20));
  loop.set_alarm(in(std::chrono::milliseconds(1)), [&] { ++first; });
  loop.set_alarm(at, [&] { loop.stop(); });
  loop.run();
  EXPECT_EQ(first, 0);
  EXPECT_GE(SystemClock().now().monotonic, at);
}

TEST(EventLoopTest, ReplacesAnAlarmThatIsDueAlready) {
  EventLoop loop;
  int wrong = 0;
  loop.set_alarm(in(-std::chrono::seconds(1)), [&] { ++wrong; });
  loop.post([&] {
    loop.set_alarm(in(-std::chrono::seconds(1)), [&] { ++wrong; });
    loop.set_alarm(MonotonicTime::never(), [&] { ++wrong; });
    loop.set_alarm(in(std::chrono::milliseconds(5)), [&] { loop.stop(); });
  });
  loop.run();
  EXPECT_LE(wrong, 1);  // only the first, if the loop came to it before the post
}

TEST(EventLoopTest, RunsEachTaskAtItsTime) {
  std::vector<int> order;
  const auto unrun = std::make_shared<int>(0);
  {
    EventLoop loop;
    const MonotonicTime at = in(std::chrono::milliseconds(20));
    loop.post_at(at, [&] {
      order.push_back(2);
      EXPECT_GE(SystemClock().now().monotonic, at);
      loop.stop();
    });
    loop.post_at(in(std::chrono::milliseconds(1)), [&] { order.push_back(1); });
    loop.post_at(in(std::chrono::hours(1)), [&order, unrun] { order.push_back(3); });
    loop.run();
  }
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_EQ(unrun.use_count(), 1) << "a task that never ran was not dropped with its loop";
}

TEST(EventLoopTest, CallsAgainWhileTheDescriptorIsReadable) {
  EventLoop loop;
  const UniqueFd fd(eventfd(3, EFD_SEMAPHORE | EFD_CLOEXEC));
  int calls = 0;
  loop.on_readable(fd.get(), [&] {
    std::uint64_t one = 0;
    // One of three: what is left makes it ready again.
    ASSERT_EQ(read(fd.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
    if (++calls == 3) loop.stop();
  });
  loop.run();
  EXPECT_EQ(calls, 3);
}

TEST(EventLoopTest, LeavesTheDescriptorToItsOwner) {
  const UniqueFd fd(eventfd(0, EFD_CLOEXEC));
  {
    EventLoop loop;
    loop.on_readable(fd.get(), [] {});
  }
  const std::uint64_t one = 1;
  EXPECT_EQ(write(fd.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
}

TEST(EventLoopTest, CountsAnExceptionAndGoesOn) {
  EventLoop loop;
  ::testing::internal::CaptureStderr();
  loop.post([] { throw std::runtime_error("boom"); });
  loop.post([&] { loop.stop(); });
  loop.run();
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), ::testing::HasSubstr("boom"));
  EXPECT_EQ(loop.caught_exceptions(), 1U);
}

// In a child, whose signals are its own.
int exit_code_of(const std::function<int()>& body) {
  const pid_t child = fork();
  if (child == 0) _exit(body());
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(StopSignalsTest, StopOnceAndIgnoreABrokenPipe) {
  for (const int signal : {SIGTERM, SIGINT}) {
    EXPECT_EQ(exit_code_of([signal] {
                EventLoop loop;
                int stops = 0;
                handle_stop_signals(loop, [&] {
                  ++stops;
                  loop.stop();
                });
                std::raise(SIGPIPE);
                loop.post([signal] { std::raise(signal); });
                loop.run();
                return 40 + stops;
              }),
              41);
  }
}

TEST(StopSignalsTest, EndTheProcessAtTheSecondEvenWhenTheLoopHangs) {
  EXPECT_EQ(exit_code_of([] {
              EventLoop loop;
              handle_stop_signals(loop, [] {});
              loop.post([] {
                std::raise(SIGTERM);
                std::raise(SIGTERM);
                for (;;) pause();
              });
              loop.run();
              return 40;
            }),
            1);
}

}  // namespace
}  // namespace loglink
