// When a changed status is worth a write: changes of state soon, counts seldom.
#pragma once

#include <optional>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/base/token_bucket.h"
#include "lib/model/node_link_set.h"

namespace loglink {

// True when they differ in more than counts and messages.
bool differs_in_state(const NodeLinkSetStatus& a, const NodeLinkSetStatus& b);

class StatusPacer {
 public:
  explicit StatusPacer(Random& random) : random_(random) {}

  // When `current` may be written: never() if it is what the API has. A change of state: at once,
  // but at least a second after the last write, four in a row, then one per 10 s. Counts alone:
  // about 30 s after the last write.
  [[nodiscard]] MonotonicTime due(const NodeLinkSetStatus& current, const Now& now) const;
  // A write was tried; it counts against the pace.
  void tried(const Now& now);
  // It was not taken, and that passes: it does not count. Backoffs are the caller's.
  void failed() { bucket_.give_back(); }
  // The API has this.
  void written(NodeLinkSetStatus status);
  // The API has something else, or nothing: the next status is a change of state.
  void forget() { written_.reset(); }

 private:
  Random& random_;
  std::optional<NodeLinkSetStatus> written_;
  std::optional<MonotonicTime> last_;
  Duration counts_after_ = std::chrono::seconds(30);
  TokenBucket bucket_{0.1, 4};
};

}  // namespace loglink
