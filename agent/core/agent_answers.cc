// What an Agent says of itself: status, readiness, refusals, and what is linked to what.
#include <algorithm>
#include <utility>

#include "agent/core/agent.h"
#include "agent/core/link_listing.h"
#include "lib/base/text.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr std::size_t kNotesKept = 1000;

Reason condition_reason(FileErrorKind kind) {
  if (kind == FileErrorKind::kNoSpace) return Reason::kDiskFull;
  if (kind == FileErrorKind::kPermissionDenied || kind == FileErrorKind::kReadOnly) {
    return Reason::kPermissionDenied;
  }
  return Reason::kReadError;
}

constexpr const char* kMountCure =
    "; run `loglink-agent mount`, the agent's init container, and see what it says";

}  // namespace

// Before any source asks for it: the kubelet's directory is on each node, so that its safe root is
// absent only where the mounter has not run. Other roots may be of other nodes, but one has to be.
std::optional<std::string> Agent::missing_safe_root() const {
  if (options_.config.link_mode == LinkMode::kDirect || roots_.empty()) return std::nullopt;
  const auto is_absent = [](const auto& root) { return root.second == RootState::kAbsent; };
  const auto pods = roots_.find(std::string(names::kKubeletPodsRoot));
  if (pods != roots_.end() && is_absent(*pods)) return pods->first;
  if (std::all_of(roots_.begin(), roots_.end(), is_absent)) return roots_.begin()->first;
  for (const IndexedSource& each : sources_->sources()) {
    const auto root = roots_.find(each.source.root);
    if (!each.refusal && root != roots_.end() && is_absent(*root)) return root->first;
  }
  return std::nullopt;
}

std::optional<Agent::Blocker> Agent::blocker() const {
  if (links_error_) {
    return Blocker{std::string(to_string(condition_reason(*links_error_))),
                   "the link directory cannot be read: " + std::string(describe(*links_error_))};
  }
  if (!links_known_) {
    return Blocker{std::string(names::kReasonStarting), "the link directory has not been read yet"};
  }
  for (const auto& [name, state] : roots_) {
    const bool unsafe = state == RootState::kUnsafe || unsafe_readings_.at(name) > 0;
    if (unsafe) {
      return Blocker{std::string(to_string(Reason::kUnsafeRoot)),
                     "root " + name + " is not mounted nosymfollow and read-only" + kMountCure};
    }
  }
  if (const std::optional<std::string> root = missing_safe_root()) {
    return Blocker{std::string(to_string(Reason::kUnsafeRoot)),
                   "root " + *root + " has no safe mount on this node" + kMountCure};
  }
  if (apply_error_) {
    return Blocker{std::string(to_string(condition_reason(*apply_error_))),
                   "the link directory cannot be changed: " + std::string(describe(*apply_error_))};
  }
  return std::nullopt;
}

StatusInput Agent::status_input() const {
  return {*sources_,
          outcomes_,
          [this](SourceId id) { return scanner_.troubles(id); },
          [this](SourceId id) { return scanner_.is_unread(id); },
          roots_,
          link_count_,
          planned_generation_,
          options_.config.link_mode == LinkMode::kSafe};
}

NodeLinkSetStatus Agent::status(const Now& now) {
  NodeLinkSetStatus status;
  if (status_before_) {
    status = *status_before_;
  } else {
    status = build_status(status_input());
  }
  const std::int64_t generation = status.observed_generation;
  const std::optional<Blocker> blocked = blocker();
  Condition ready{std::string(names::kConditionReady),
                  "True",
                  std::string(names::kReasonReady),
                  "",
                  generation,
                  {}};
  if (options_.config.link_mode == LinkMode::kDirect) {
    ready.reason = names::kReasonDirectMode;
    ready.message = "links point at host paths, without protection against swapped files";
  }
  if (blocked) {
    ready.status = "False";
    ready.reason = blocked->reason;
    ready.message = blocked->message;
  }
  set_condition(conditions_, std::move(ready), now.wall);
  const auto set_or_clear = [&](bool is_so, Reason reason, std::string message) {
    const std::string type(to_string(reason));
    if (is_so) {
      set_condition(conditions_, {type, "True", type, std::move(message), generation, {}},
                    now.wall);
    } else {
      clear_condition(conditions_, type);
    }
  };
  set_or_clear(no_birth_time_, Reason::kNoBirthTime,
               "a file system keeps no birth times: rotated files may be linked again");
  set_or_clear(equal_inodes_, Reason::kEqualInodes,
               "two linked files have one inode number on different devices: collectors that know "
               "files by inode alone confuse them");
  status.conditions = conditions_;
  return status;
}

// An answer about the old set claims no link that has gone since. Its sources are not those of the
// plan: the name says whose link it was.
void Agent::uncount_before(const std::string& name) {
  if (!status_before_) return;
  status_before_->links = std::max(status_before_->links - 1, 0);
  for (PodLinks& pod : status_before_->pods) {
    const std::string prefix = pod.pod + "_" + pod.namespace_name + "_";
    if (pod.links == 0 || name.compare(0, prefix.size(), prefix) != 0) continue;
    --pod.links;
    return;
  }
}

std::map<Reason, int> Agent::refusals() const {
  std::map<Reason, int> counts;
  const StatusInput input = status_input();
  for (SourceId id = 0; id < sources_->sources().size(); ++id) {
    for (const SourceTrouble& trouble : troubles_of(input, id)) {
      counts[trouble.reason] += std::max(1, trouble.refused);
    }
  }
  return counts;
}

std::map<Reason, int> Agent::skips() const {
  std::map<Reason, int> counts = {{Reason::kRotated, 0}, {Reason::kAlreadyLinked, 0}};
  for (const SourceOutcome& outcome : outcomes_) {
    counts[Reason::kRotated] += outcome.rotated;
    counts[Reason::kAlreadyLinked] += outcome.duplicates;
  }
  return counts;
}

namespace {

void add_troubles(const StatusInput& input, SourceId id, std::vector<std::string>& lines) {
  for (const SourceTrouble& trouble : troubles_of(input, id)) {
    lines.push_back("  " + std::string(to_string(trouble.reason)) + ": " + trouble.text);
  }
}

std::vector<std::string> sanitized(std::vector<std::string> lines) {
  for (std::string& line : lines) line = sanitize(line, 4096);
  return lines;
}

}  // namespace

std::vector<std::string> Agent::explain_troubles() const {
  std::vector<std::string> lines;
  const StatusInput input = status_input();
  for (SourceId id = 0; id < sources_->sources().size(); ++id) add_troubles(input, id, lines);
  return sanitized(std::move(lines));
}

std::vector<std::string> Agent::explain() const {
  std::vector<std::string> lines;
  const StatusInput input = status_input();
  const LinkListing links = list_links(*sources_, links_.links(), spelling_);
  for (SourceId id = 0; id < sources_->sources().size(); ++id) {
    const Source& source = sources_->at(id).source;
    lines.push_back(source.namespace_name + "/" + source.pod + " " + source.container + " " +
                    source.root + ":" + source.path + (source.withdrawn() ? " (withdrawn)" : ""));
    add_troubles(input, id, lines);
    for (const std::string& line : links.lines[id]) lines.push_back("  " + line);
  }
  return sanitized(std::move(lines));
}

// Notes.

void Agent::note(LogNote::Level level, std::string message,
                 std::vector<std::pair<std::string, std::string>> fields) {
  if (notes_.size() >= kNotesKept) return;
  for (auto& [key, value] : fields) value = sanitize(value, 1024);
  notes_.push_back({level, std::move(message), std::move(fields)});
}

std::vector<LogNote> Agent::take_notes() { return std::exchange(notes_, {}); }

std::vector<Duration> Agent::take_create_to_link() { return std::exchange(create_to_link_, {}); }

}  // namespace loglink
