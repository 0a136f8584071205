// Directories that are to be read. Namespaces take turns, and one that has read too much waits
// alone. Within a namespace the first that asked is read first; where some are of sources that
// cause too many events, these and the others alternate.
//
// A directory that several namespaces share waits in the turns of all of them, and is read in the
// turn that comes first: whoever has read too much never holds it back from the others. It is in
// here once, and once in the turn of each of its namespaces, however often it is pushed: the queue
// never grows beyond the directories that are known and the sources that share them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/core/target.h"
#include "lib/base/clock.h"

namespace loglink {

class ScanQueue {
 public:
  ScanQueue() = default;
  ScanQueue(const ScanQueue&) = delete;  // lanes point at places
  ScanQueue& operator=(const ScanQueue&) = delete;

  // `busy`: its source causes too many events. A directory that waits already keeps its place among
  // those that asked later; it only changes the turns. REQUIRES: some namespace.
  void push(const Target& directory, std::set<std::string> namespaces, bool busy);
  void remove(const Target& directory);

  // Whose turn it is: a namespace with directories that is not blocked; nullopt if there is none.
  [[nodiscard]] std::optional<std::string> next() const;
  // Takes that namespace's next directory; the turn passes on. REQUIRES: it has one.
  Target pop(const std::string& namespace_name);

  // Nothing in the namespace's turn before `until`.
  void block(const std::string& namespace_name, MonotonicTime until);
  void unblock(MonotonicTime now);
  // It waits, and all its namespaces are blocked.
  [[nodiscard]] bool is_held_back(const Target& directory) const;

  [[nodiscard]] bool has_ready() const { return next().has_value(); }
  // When a namespace that waits may go on; never() if none waits.
  [[nodiscard]] MonotonicTime next_wakeup() const;

  // The directories in each namespace's turn, added up.
  [[nodiscard]] std::size_t size() const;

 private:
  struct Place {
    std::uint64_t number = 0;  // in the order of asking
    std::set<std::string> namespaces;
    bool busy = false;
  };
  using Places = std::map<Target, Place>;
  using Line = std::map<std::uint64_t, const Target*>;  // by Place::number
  struct Lane {
    Line quiet;
    Line busy;
    bool busy_next = false;  // they alternate where there are both
    std::optional<MonotonicTime> blocked_until;
  };

  static Line& line_of(Lane& lane, bool busy) { return busy ? lane.busy : lane.quiet; }
  void leave(const std::string& namespace_name, const Place& place);

  Places places_;
  std::map<std::string, Lane> lanes_;  // by namespace; none is empty
  std::string last_;                   // whose turn it was
  std::uint64_t pushed_ = 0;
};

}  // namespace loglink
