// Directories that are to be read. Namespaces take turns, and one that has read too much waits
// alone. Within a namespace the first that asked is read first; where some are of sources that
// cause too many events, these and the others alternate.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>

#include "agent/core/target.h"
#include "lib/base/clock.h"

namespace loglink {

class ScanQueue {
 public:
  // `busy`: its source causes too many events. A directory that is queued already is not the
  // queue's to know.
  void push(const std::string& namespace_name, Target directory, bool busy);

  // Whose turn it is: a namespace with directories that is not blocked; nullopt if there is none.
  [[nodiscard]] std::optional<std::string> next() const;
  // Takes that namespace's next directory; the turn passes on. REQUIRES: it has one.
  Target pop(const std::string& namespace_name);

  // Nothing of the namespace before `until`.
  void block(const std::string& namespace_name, MonotonicTime until);
  void unblock(MonotonicTime now);
  // True only while it has directories that wait.
  [[nodiscard]] bool is_blocked(const std::string& namespace_name) const;

  [[nodiscard]] bool has_ready() const { return next().has_value(); }
  // When a namespace that waits may go on; never() if none waits.
  [[nodiscard]] MonotonicTime next_wakeup() const;

 private:
  struct Lane {
    std::deque<Target> quiet;
    std::deque<Target> busy;
    bool busy_next = false;  // they alternate where there are both
    std::optional<MonotonicTime> blocked_until;
  };

  std::map<std::string, Lane> lanes_;  // none is empty
  std::string last_;                   // whose turn it was
};

}  // namespace loglink
