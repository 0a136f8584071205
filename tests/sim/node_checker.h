// Watches one node's link directory for what must never happen (docs/design/0002-simulator.md, S1
// to S6), by rules of its own.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/model/config.h"
#include "lib/model/node_link_set.h"
#include "tests/fakes/fake_files.h"
#include "tests/sim/pod_fact.h"
#include "tests/sim/sim_files.h"

namespace loglink::sim {

// uid -> (namespace, name) of every pod that ever was.
using PodRegistry = std::map<std::string, std::pair<std::string, std::string>>;

class NodeChecker {
 public:
  // All outlive this; `clock` is the node's. `complain` is called with each violation.
  NodeChecker(const FakeFiles& files, const Clock& clock, const AgentConfig& config,
              const PodRegistry& pods, std::function<void(std::string)> complain)
      : files_(files),
        clock_(clock),
        config_(config),
        pods_(pods),
        complain_(std::move(complain)) {}

  // The set that the agent goes by now. Cheap when it is the same.
  void observe(const std::optional<NodeLinkSet>& desired);
  // Around every change of the node's files by others than the agent, and when time has passed.
  void note_files();
  // A stretch of the agent's work in which the world stands still, and which it may not survive.
  void begin_step() { removed_in_step_.clear(); }
  void end_step() { worked_at_ = clock_.now().monotonic; }
  void before_change(const LinkChange& change);
  void after_change(const LinkChange& change);

  // Entries that are not ours.
  void add_foreign(const LinkEntry& entry) { foreign_[entry.name] = entry; }
  void forget_foreign(const std::string& name) { foreign_.erase(name); }
  // A stranger has deleted a link of ours.
  void stranger_removed(const std::string& name);
  void agent_starts();
  // The agent could not see all that there was: it may not know yet what is.
  void disturb() { disturbed_at_ = clock_.now().monotonic; }
  // What happened while the agent was frozen, it may not have seen yet.
  void agent_was_frozen();
  [[nodiscard]] const std::map<std::string, LinkEntry>& foreign() const { return foreign_; }
  void check_foreign();

  // A status that the agent is about to write.
  void check_status(int links, int links_of_pods);

  [[nodiscard]] std::size_t own_links() const {
    return files_.link_directory().size() - foreign_.size();
  }
  // Whether a file was linked once, under another path than this.
  [[nodiscard]] bool was_linked_elsewhere(const FileInfo& file, const std::string& target) const;

 private:
  using Inode = std::pair<FileId, std::int64_t>;
  struct TargetHistory {
    bool regular = false;
    MonotonicTime regular_since{};
    std::optional<MonotonicTime> gone_since;  // the present gap, or the last one
    std::optional<FileId> id;                 // while it is regular
    MonotonicTime id_since{};
  };
  struct SeenSpec {
    NodeLinkSetSpec spec;
    MonotonicTime at;
  };

  // The kind of what a target means; nullopt: it cannot be seen now.
  [[nodiscard]] std::optional<FileKind> kind_of(const std::string& target) const;
  [[nodiscard]] bool covers(const Source& source, const std::string& name,
                            const std::string& target) const;
  void note_target(const std::string& target);
  void check_new(const std::string& name, const std::string& target);
  void check_once(const std::string& name, const std::string& target);
  void check_gone(const std::string& name, const std::string& target, bool replaced);
  void check_limits(const std::string& name, const std::string& target);
  void note_seen(const NodeLinkSetSpec& spec);
  void observe_stored(const NodeLinkSet& stored);
  [[nodiscard]] bool is_live(const NodeLinkSet& set, const std::string& name,
                             const std::string& target) const;
  [[nodiscard]] bool is_withdrawn_in_stored(const std::string& name,
                                            const std::string& target) const;
  [[nodiscard]] bool has_lingered(const std::string& name, const std::string& target) const;
  [[nodiscard]] bool has_lingered_since_start(const std::string& name,
                                              const std::string& target) const;
  [[nodiscard]] bool is_gone(const std::string& target, Duration grace) const;
  void complain(const std::string& rule, const std::string& name, const std::string& target) {
    complain_(rule + ": " + name + " -> " + target);
  }

  const FakeFiles& files_;
  const Clock& clock_;
  const AgentConfig& config_;
  const PodRegistry& pods_;
  std::function<void(std::string)> complain_;

  std::optional<NodeLinkSet> desired_;
  bool goes_by_older_ = false;                       // after a restart, than desired_
  std::map<Source, MonotonicTime> last_live_;        // observed sources without their times
  std::map<Source, MonotonicTime> withdrawn_since_;  // of the present set
  // What an agent that has started goes by until it has seen the present set.
  std::optional<NodeLinkSet> stored_;
  // Of that set, as long as the present one has withdrawn the same directory.
  std::map<Source, MonotonicTime> withdrawn_at_start_;
  std::vector<SeenSpec> seen_;  // of the present object, each but the last replaced by the next
  MonotonicTime worked_at_{};   // the end of the agent's last step
  bool has_seen_ = false;       // this process: the present set
  MonotonicTime ended_at_{};    // of the last process that had
  std::set<Source> observed_;
  std::map<std::string, LinkEntry> foreign_;
  std::map<std::string, TargetHistory> targets_;
  std::map<Inode, std::set<std::string>> linked_;
  std::set<std::string> removed_in_step_;
  std::map<std::string, MonotonicTime> removed_by_strangers_;
  MonotonicTime disturbed_at_{};
};

}  // namespace loglink::sim
