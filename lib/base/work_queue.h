// Keys that need work: client-go's workqueue as a value (dirty and processing sets, delays, backoff
// per key), without threads or clocks.
#pragma once

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
class WorkQueue {
 public:
  explicit WorkQueue(BackoffPolicy retry) : retry_(retry) {}

  // Needs work at `at`; an earlier time wins over a later one, but never over the backoff of a key
  // whose work failed: news about a key must not undercut what a busy server asked for.
  void add(const std::string& key, MonotonicTime at);
  // The key whose time came first, in state processing; nullopt when none is due.
  std::optional<std::string> take(MonotonicTime now);
  // Work ended. A key that was added meanwhile waits again.
  void done(const std::string& key);
  // Work failed: done, and again after the key's backoff, but no later than `at_most` and no
  // earlier than `at_least`. The backoff grows with each call until forget().
  struct Bounds {
    Duration at_least{};
    Duration at_most = Duration::max();
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
  struct Failure {
    Backoff backoff;
    MonotonicTime not_before;
  };

  BackoffPolicy retry_;
  std::map<std::string, MonotonicTime> waiting_;
  std::set<std::pair<MonotonicTime, std::string>> order_;
  std::map<std::string, std::optional<MonotonicTime>> processing_;  // value: dirty, due then
  std::map<std::string, Failure> failures_;
};

}  // namespace loglink
