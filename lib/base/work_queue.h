// Keys that need work: client-go's workqueue as a value (dirty and processing sets, delays, backoff
// per key), without threads or clocks.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"

namespace loglink {

// A key is in one of four states: absent, waiting (until a time), processing, or processing and
// dirty (it comes back when done). However often it is added, it is worked on once.
// Of the keys that are due, those of Turn::kLast come after the others; those that have been due
// for kPatience alternate with them, so that nothing waits for ever.
class WorkQueue {
 public:
  enum class Turn { kFirst, kLast };
  static constexpr Duration kPatience = std::chrono::seconds(30);

  explicit WorkQueue(BackoffPolicy retry) : retry_(retry) {}

  // Needs work at `at`; an earlier time wins over a later one, but never over the backoff of a key
  // whose work failed: news about a key must not undercut what a busy server asked for.
  void add(const std::string& key, MonotonicTime at, Turn turn = Turn::kFirst);
  // The key whose turn it is, the earliest of its kind, in state processing; nullopt when none is
  // due.
  std::optional<std::string> take(MonotonicTime now);
  // Work ended. A key that was added meanwhile waits again.
  void done(const std::string& key);
  // Work failed: done, and again after the key's backoff, but no later than `at_most` and no
  // earlier than `at_least`. The backoff grows with each call until forget().
  struct Bounds {
    Duration at_least{};
    Duration at_most = Duration::max();
    Turn turn = Turn::kFirst;
  };
  void retry(const std::string& key, MonotonicTime now, Random& random, Bounds bounds);
  void retry(const std::string& key, MonotonicTime now, Random& random) {
    retry(key, now, random, Bounds());
  }
  // Work succeeded: forgets the key's backoff. To be called before done().
  void forget(const std::string& key) { failures_.erase(key); }

  // When take() will next return something; never() when nothing waits.
  [[nodiscard]] MonotonicTime next_due() const;
  [[nodiscard]] std::size_t size() const { return waiting_.size() + processing_.size(); }

 private:
  struct Due {
    MonotonicTime at;
    Turn turn = Turn::kFirst;
  };
  struct Failure {
    Backoff backoff;
    MonotonicTime not_before;
  };

  BackoffPolicy retry_;
  using Order = std::set<std::pair<MonotonicTime, std::string>>;
  Order& order(Turn turn) { return orders_[static_cast<std::size_t>(turn)]; }
  [[nodiscard]] const Order& order(Turn turn) const {
    return orders_[static_cast<std::size_t>(turn)];
  }

  std::map<std::string, Due> waiting_;
  std::array<Order, 2> orders_;
  std::map<std::string, std::optional<Due>> processing_;  // value: dirty, due then
  std::map<std::string, Failure> failures_;
  bool patience_is_next_ = true;  // where both have somebody to take
};

}  // namespace loglink
