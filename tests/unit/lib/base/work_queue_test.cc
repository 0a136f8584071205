#include "lib/base/work_queue.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MonotonicTime at(Duration time) { return MonotonicTime{time}; }
constexpr BackoffPolicy kRetry{seconds(1), 2, seconds(8), 0};

TEST(WorkQueue, GivesKeysInTheOrderOfTheirTimes) {
  WorkQueue queue(kRetry);
  queue.add("b", at(seconds(2)));
  queue.add("a", at(seconds(3)));
  queue.add("c", at(seconds(1)));
  EXPECT_EQ(queue.next_due(), at(seconds(1)));
  EXPECT_EQ(queue.take(at(milliseconds(999))), std::nullopt);
  EXPECT_EQ(queue.take(at(seconds(9))), "c");
  EXPECT_EQ(queue.take(at(seconds(9))), "b");
  EXPECT_EQ(queue.take(at(seconds(9))), "a");
  EXPECT_EQ(queue.take(at(seconds(9))), std::nullopt);
  EXPECT_EQ(queue.next_due(), MonotonicTime::never());
}

TEST(WorkQueue, LetsSomeGoFirstAndNobodyWaitForEver) {
  using Turn = WorkQueue::Turn;
  WorkQueue queue(kRetry);
  queue.add("busy", at(seconds(1)), Turn::kLast);
  queue.add("busier", at(seconds(1)), Turn::kLast);
  queue.add("quiet", at(seconds(2)));
  EXPECT_EQ(queue.next_due(), at(seconds(1)));
  EXPECT_EQ(queue.take(at(seconds(1))), "busier") << "nobody else is due";
  EXPECT_EQ(queue.take(at(seconds(2))), "quiet");
  queue.done("quiet");
  queue.done("busier");
  queue.add("busier", at(seconds(40)), Turn::kLast);
  for (const char* key : {"c", "d", "e"}) queue.add(key, at(seconds(20)));
  EXPECT_EQ(queue.take(at(seconds(30))), "c");
  EXPECT_EQ(queue.take(at(seconds(31))), "busy") << "due for half a minute";
  EXPECT_EQ(queue.take(at(seconds(31))), "d");
  EXPECT_EQ(queue.take(at(seconds(90))), "e") << "in turns";
  EXPECT_EQ(queue.take(at(seconds(90))), "busier");
  EXPECT_EQ(queue.take(at(seconds(90))), std::nullopt);
}

TEST(WorkQueue, WhatComesBackKeepsItsTurn) {
  using Turn = WorkQueue::Turn;
  WorkQueue queue(kRetry);
  queue.add("a", at(seconds(1)));
  ASSERT_EQ(queue.take(at(seconds(1))), "a");
  queue.add("a", at(seconds(2)), Turn::kLast);
  queue.done("a");
  queue.add("b", at(seconds(3)));
  EXPECT_EQ(queue.take(at(seconds(3))), "b");
  EXPECT_EQ(queue.take(at(seconds(3))), "a");
}

TEST(WorkQueue, ABurstOfTheSameKeyIsOnePieceOfWorkAtItsEarliestTime) {
  WorkQueue queue(kRetry);
  queue.add("a", at(seconds(5)));
  queue.add("a", at(seconds(2)));
  queue.add("a", at(seconds(9)));
  EXPECT_EQ(queue.size(), 1U);
  EXPECT_EQ(queue.take(at(seconds(2))), "a");
  queue.done("a");
  EXPECT_EQ(queue.size(), 0U);
}

TEST(WorkQueue, AKeyIsNeverWorkedOnTwiceAtOnce) {
  WorkQueue queue(kRetry);
  queue.add("a", at(seconds(1)));
  ASSERT_EQ(queue.take(at(seconds(1))), "a");
  queue.add("a", at(seconds(3)));
  queue.add("a", at(seconds(2)));
  EXPECT_EQ(queue.take(at(seconds(9))), std::nullopt);
  EXPECT_EQ(queue.next_due(), MonotonicTime::never());
  queue.done("a");
  EXPECT_EQ(queue.next_due(), at(seconds(2)));
  EXPECT_EQ(queue.take(at(seconds(2))), "a");
}

TEST(WorkQueue, DoneOfAKeyThatIsNotInWorkIsIgnored) {
  WorkQueue queue(kRetry);
  queue.done("a");
  queue.add("a", at(seconds(1)));
  queue.done("a");
  EXPECT_EQ(queue.take(at(seconds(1))), "a");
}

TEST(WorkQueue, FailedWorkComesBackAfterAGrowingBackoff) {
  SeededRandom random(1);
  WorkQueue queue(kRetry);
  MonotonicTime now = at(seconds(0));
  queue.add("a", now);
  for (const auto delay : {seconds(1), seconds(2), seconds(4), seconds(8), seconds(8)}) {
    ASSERT_EQ(queue.take(now), "a");
    queue.retry("a", now, random);
    EXPECT_EQ(queue.next_due(), now + delay);
    now = now + delay;
  }
  ASSERT_EQ(queue.take(now), "a");
  queue.forget("a");
  queue.done("a");
  queue.add("a", now);
  ASSERT_EQ(queue.take(now), "a");
  queue.retry("a", now, random);
  EXPECT_EQ(queue.next_due(), now + seconds(1));
}

TEST(WorkQueue, ARetryAfterThatIsLongerThanTheBackoffWins) {
  SeededRandom random(1);
  WorkQueue queue(kRetry);
  queue.add("a", at(seconds(0)));
  ASSERT_EQ(queue.take(at(seconds(0))), "a");
  queue.retry("a", at(seconds(0)), random, WorkQueue::Bounds{seconds(30), Duration::max()});
  EXPECT_EQ(queue.next_due(), at(seconds(30)));
}

TEST(WorkQueue, NewsDoesNotUndercutABackoff) {
  SeededRandom random(1);
  WorkQueue queue(kRetry);
  queue.add("a", at(seconds(0)));
  ASSERT_EQ(queue.take(at(seconds(0))), "a");
  queue.add("a", at(seconds(0)));  // dirty while in work
  queue.retry("a", at(seconds(0)), random, WorkQueue::Bounds{seconds(30), Duration::max()});
  queue.add("a", at(seconds(1)));
  EXPECT_EQ(queue.next_due(), at(seconds(30)));
  // Other keys are not held up.
  queue.add("b", at(seconds(1)));
  EXPECT_EQ(queue.take(at(seconds(1))), "b");
}

// What the queue promises, in the plainest form: a list of keys.
class Model {
 public:
  struct Entry {
    std::string key;
    std::optional<MonotonicTime> due;  // waiting, or dirty while in work
    bool in_work = false;
  };

  void add(const std::string& key, MonotonicTime time) {
    Entry& entry = find(key);
    entry.due = entry.due ? std::min(*entry.due, time) : time;
  }
  std::optional<std::string> take(MonotonicTime now) {
    Entry* best = nullptr;
    for (Entry& entry : entries_) {
      if (entry.in_work || !entry.due || *entry.due > now) continue;
      if (best == nullptr || std::tie(*entry.due, entry.key) < std::tie(*best->due, best->key)) {
        best = &entry;
      }
    }
    if (best == nullptr) return std::nullopt;
    best->in_work = true;
    best->due.reset();
    return best->key;
  }
  void done(const std::string& key) { find(key).in_work = false; }
  [[nodiscard]] MonotonicTime next_due() const {
    MonotonicTime next = MonotonicTime::never();
    for (const Entry& entry : entries_) {
      if (!entry.in_work && entry.due) next = std::min(next, *entry.due);
    }
    return next;
  }
  [[nodiscard]] std::size_t size() const {
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(),
                      [](const Entry& each) { return each.in_work || each.due; }));
  }

 private:
  Entry& find(const std::string& key) {
    for (Entry& entry : entries_) {
      if (entry.key == key) return entry;
    }
    entries_.push_back({key, std::nullopt, false});
    return entries_.back();
  }
  std::vector<Entry> entries_;
};

TEST(WorkQueue, BehavesAsTheNaiveModelDoes) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    SeededRandom random(seed);
    WorkQueue queue(kRetry);
    Model model;
    std::vector<std::string> in_work;
    MonotonicTime now = at(seconds(0));
    for (int step = 0; step < 1000; ++step) {
      now = now + milliseconds(static_cast<int>(random.below(50)));
      switch (random.below(3)) {
        case 0: {
          const std::string key(1, "abcdefgh"[random.below(8)]);
          const MonotonicTime due = now + milliseconds(static_cast<int>(random.below(300)));
          queue.add(key, due);
          model.add(key, due);
          break;
        }
        case 1: {
          const std::optional<std::string> key = queue.take(now);
          ASSERT_EQ(key, model.take(now)) << "seed " << seed << " step " << step;
          if (key) in_work.push_back(*key);
          break;
        }
        default:
          if (!in_work.empty()) {
            const std::size_t which = random.below(in_work.size());
            queue.done(in_work[which]);
            model.done(in_work[which]);
            in_work.erase(in_work.begin() + static_cast<std::ptrdiff_t>(which));
          }
      }
      ASSERT_EQ(queue.next_due(), model.next_due()) << "seed " << seed << " step " << step;
      ASSERT_EQ(queue.size(), model.size());
    }
  }
}

// A server that was busy for long may be idle the next moment.
TEST(WorkQueue, ABackoffThatHasGrownIsBoundedByTheFailureAtHand) {
  WorkQueue queue(kRetry);
  SeededRandom random{1};
  MonotonicTime now;
  const auto fail = [&](WorkQueue::Bounds bounds) {
    queue.add("a", now);
    now = queue.next_due();
    ASSERT_EQ(queue.take(now), "a");
    queue.retry("a", now, random, bounds);
  };
  for (int failures = 0; failures < 6; ++failures) fail({});
  EXPECT_EQ(queue.next_due(), now + seconds(8));
  WorkQueue::Bounds bounds;
  bounds.at_most = seconds(3);
  fail(bounds);
  EXPECT_GE(queue.next_due(), now + milliseconds(1500));
  EXPECT_LE(queue.next_due(), now + seconds(3));
  bounds.at_least = seconds(5);
  fail(bounds);
  EXPECT_EQ(queue.next_due(), now + seconds(5));
}

}  // namespace
}  // namespace loglink
