// The agent's decision: what the link directory should become, as a function of values alone.
//
// Applied in order and up to any prefix, the operations never displace a correct link, never touch
// what is not ours and never exceed a limit; applied in full, the next plan is empty.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "agent/core/inode_memory.h"
#include "agent/core/operation.h"
#include "agent/core/source_index.h"
#include "agent/core/target.h"
#include "agent/core/target_view.h"
#include "lib/base/clock.h"
#include "lib/model/config.h"
#include "lib/model/reason.h"

namespace loglink {

enum class DirectoryKnowledge {
  kUnknown,  // unreadable, or not read yet: keep its links, make none, start no clock
  kMissing,  // not there
  kKnown,
};

// What was seen of one directory.
struct ObservedDirectory {
  DirectoryKnowledge knowledge = DirectoryKnowledge::kUnknown;
  bool truncated = false;               // there are entries that were not looked at
  std::vector<DirectoryEntry> entries;  // those that a source wants, sorted by name

  auto operator<=>(const ObservedDirectory&) const = default;
};

using ObservedDirectories = std::map<Target, ObservedDirectory>;
using LinkMap = std::map<std::string, LinkEntry, std::less<>>;

// A remembered file that was seen under another name while its own name was absent.
struct Rotation {
  MonotonicTime absent_since{};
  std::uint64_t size = 0;  // when it was first seen so

  auto operator<=>(const Rotation&) const = default;
};

// What time alone moves. Goes into a plan and comes out of it.
struct PlanClocks {
  std::map<std::string, MonotonicTime> withdrawn_since;  // by IndexedSource::identity
  std::map<std::string, MonotonicTime> missing_since;    // by link name: its target is gone
  std::map<std::string, MonotonicTime> orphan_since;     // by link name: no source asks for it
  std::map<InodeKey, Rotation> rotations;

  auto operator<=>(const PlanClocks&) const = default;
};

// Links per source, pod, namespace and node.
struct LinkCounts {
  std::vector<int> per_source;
  std::map<std::string, int, std::less<>> per_pod;  // by uid
  std::map<std::string, int, std::less<>> per_namespace;
  // Links that no source has any more, by "<pod>_<namespace>"; also in per_namespace and per_node.
  std::map<std::string, int, std::less<>> orphans_per_pod;
  int per_node = 0;

  // A link without a source. `name` begins as link_name() makes it.
  void add_orphan(const std::string& name, int links);
  void add(const SourceIndex& sources, SourceId id, int links);
  // One more for that source: below its own bound, and below the shared ones or within the few
  // that each source has beyond them. Orphans of its pod count, or a pod that changes its patterns
  // again and again would have those few anew each time.
  [[nodiscard]] bool admits(const SourceIndex& sources, SourceId id,
                            const AgentLimits& limits) const;
};

// One kind of trouble of a source: how many files, and a sentence about the first ones.
struct FileTrouble {
  int files = 0;
  std::vector<std::string> examples;  // at most kTroubleExamples, not sanitized

  auto operator<=>(const FileTrouble&) const = default;
};
inline constexpr std::size_t kTroubleExamples = 3;

struct SourceOutcome {
  int links = 0;  // existing ones that stay, and those about to be made
  std::map<Reason, FileTrouble> refusals;
  int rotated = 0;     // files that were linked under their earlier name
  int duplicates = 0;  // files that the same pod has linked already

  auto operator<=>(const SourceOutcome&) const = default;
};

struct PlanInput {
  const SourceIndex& sources;
  // False until a desired set was seen from its origin: a restored one may be old, so that a link
  // without a source proves nothing yet.
  bool set_observed = false;
  const ObservedDirectories& directories;
  // By root name; one that is not in here is absent. kUnsafe: confirmed by a second reading.
  const std::map<std::string, RootState>& roots;
  const LinkMap& links;
  const InodeMemory& memory;
  const PlanClocks& clocks;
  const std::map<Target, TargetView>& probes;
  const TargetSpelling& spelling;
  const AgentConfig& config;
  Now now;
};

struct PlanResult {
  std::vector<Operation> operations;    // removals, then replacements, then new links
  std::vector<SourceOutcome> outcomes;  // by SourceId
  PlanClocks clocks;
  // Targets that no directory listing decides: to be looked at one by one, now and at each rescan.
  std::set<Target> probes;
  // Directories with a rotated file whose growth decides; their entries' sizes must stay fresh.
  std::set<Target> growing;
  // Files that links mean, to be kept in the inode memory.
  std::vector<std::pair<InodeKey, std::string>> linked;
  LinkCounts counts;
  int links = 0;  // of ours
  bool no_birth_time = false;
  bool equal_inodes = false;
  // When a plan of the same world differs by time alone.
  MonotonicTime next_change = MonotonicTime::never();
};

PlanResult plan(const PlanInput& input);

// The time at which a withdrawn source's links go.
MonotonicTime withdrawal_time(const Source& source, MonotonicTime first_seen, const Now& now,
                              Duration linger);

// Links that each source may have beyond the shared pools.
inline constexpr int kGuaranteedLinks = 10;
// A target that is gone for good does not hold a link of a withdrawn or finished pod for longer.
inline constexpr Duration kGoneGrace = std::chrono::seconds(60);
// A wrong clock of the controller's never makes a link outlive its linger by more.
inline constexpr Duration kLingerSlack = std::chrono::minutes(10);
// A renamed file whose old name stays absent for this long, and that grows, was renamed into place.
inline constexpr Duration kRenamedIntoPlace = std::chrono::seconds(60);

}  // namespace loglink
