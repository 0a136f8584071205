// Pods that wait for a write: each from its own time on, and namespaces in turn, so that one with
// thousands of pods does not keep another's waiting.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "lib/base/clock.h"
#include "lib/model/pod_view.h"

namespace loglink {

class TurnQueue {
 public:
  // Waits until `due`; replaces an earlier call's time.
  void add(const ObjectKey& key, MonotonicTime due);
  void remove(const ObjectKey& key);
  // Removes and returns a key that is due: of the next namespace in turn the one that is due
  // longest.
  std::optional<ObjectKey> take(MonotonicTime now);
  // Where not all have room: removes and returns the key that is due last of the namespace with
  // the most of them, so that none can take the room of the others. nullopt when nothing waits.
  std::optional<ObjectKey> drop();

  // When take() will next return something; never() when nothing waits.
  [[nodiscard]] MonotonicTime next_due() const;
  [[nodiscard]] std::size_t size() const { return due_.size(); }

 private:
  void change_length(const std::string& namespace_name, std::size_t before, std::size_t after);

  using Lane = std::set<std::pair<MonotonicTime, std::string>>;
  std::map<std::string, Lane> lanes_;                      // by namespace; never an empty lane
  std::set<std::pair<std::size_t, std::string>> lengths_;  // of the lanes
  std::map<ObjectKey, MonotonicTime> due_;
  std::string last_served_;
};

}  // namespace loglink
