#include "tests/sim/node_checker.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

namespace loglink::sim {
namespace {

// Within this time an agent has looked at a directory again, whatever notices were lost.
constexpr Duration kSeenWithin = std::chrono::seconds(75);
constexpr Duration kGoneGrace = std::chrono::seconds(60);
// A set that has been seen is on disk after this time, if the agent runs.
constexpr Duration kStoredWithin = std::chrono::seconds(5);

// What identifies a source over its life.
Source identity(Source source) {
  source.remove_after.reset();
  source.since.reset();
  source.finished = false;
  return source;
}

bool is_same_directory(const Source& a, const Source& b) {
  return std::tie(a.namespace_name, a.pod, a.uid, a.container, a.root, a.path) ==
         std::tie(b.namespace_name, b.pod, b.uid, b.container, b.root, b.path);
}

std::string base_of(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace

void NodeChecker::observe(const std::optional<NodeLinkSet>& desired) {
  if (!desired) return;
  const bool same_object = desired_ && desired_->uid == desired->uid;
  goes_by_older_ = same_object && desired->generation < desired_->generation;
  if (goes_by_older_) return observe_stored(*desired);
  if (same_object && desired_->generation == desired->generation &&
      desired_->spec == desired->spec) {
    return note_seen(desired->spec);
  }
  if (!same_object) seen_.clear();
  note_seen(desired->spec);
  const MonotonicTime now = clock_.now().monotonic;
  std::erase_if(withdrawn_at_start_, [&](const auto& each) {
    return std::none_of(desired->spec.sources.begin(), desired->spec.sources.end(),
                        [&](const Source& source) {
                          return source.withdrawn() && is_same_directory(source, each.first);
                        });
  });
  if (desired_) {
    for (const Source& source : desired_->spec.sources) {
      if (!source.withdrawn()) last_live_[identity(source)] = now;
    }
  }
  desired_ = desired;
  std::map<Source, MonotonicTime> withdrawn_before = std::exchange(withdrawn_since_, {});
  for (const Source& source : desired_->spec.sources) {
    if (!source.withdrawn()) continue;
    const auto before = withdrawn_before.find(identity(source));
    withdrawn_since_[identity(source)] = before == withdrawn_before.end() ? now : before->second;
  }
  for (const Source& source : desired_->spec.sources) observed_.insert(identity(source));
}

void NodeChecker::note_seen(const NodeLinkSetSpec& spec) {
  if (!has_seen_) {
    // What only a process before has seen, this one need not have stored.
    while (!seen_.empty() && !(stored_ && seen_.back().spec == stored_->spec)) seen_.pop_back();
    has_seen_ = true;
  }
  stored_.reset();
  if (seen_.empty() || seen_.back().spec != spec) seen_.push_back({spec, clock_.now().monotonic});
}

// An agent that starts goes by the last set that it had stored. That is no older than what it may
// leave unstored; what it has withdrawn lingers from then on, unless the present set asks for it.
void NodeChecker::observe_stored(const NodeLinkSet& stored) {
  if (stored_ && stored_->spec == stored.spec) return;
  stored_ = stored;
  for (const Source& source : stored.spec.sources) {
    if (source.withdrawn())
      withdrawn_at_start_.try_emplace(identity(source), clock_.now().monotonic);
  }
  const auto found = std::find_if(seen_.rbegin(), seen_.rend(),
                                  [&](const SeenSpec& seen) { return seen.spec == stored.spec; });
  if (found == seen_.rbegin() || found == seen_.rend()) return;
  const Duration unstored = ended_at_ - std::prev(found)->at;
  if (unstored <= kStoredWithin) return;
  const auto text = std::chrono::duration_cast<std::chrono::milliseconds>(unstored).count();
  complain_("a set that came " + std::to_string(text) + " ms before the agent's end is not stored");
}

std::optional<FileKind> NodeChecker::kind_of(const std::string& target) const {
  TargetText parsed;
  if (!parse_target(target, parsed)) return std::nullopt;
  const auto info = files_.inspect(parsed.root, parsed.path);
  if (info) return info->kind;
  if (info.error().kind == FileErrorKind::kPermissionDenied) return std::nullopt;
  return FileKind::kUnknown;  // nothing is there
}

void NodeChecker::note_target(const std::string& target) {
  const std::optional<FileKind> kind = kind_of(target);
  if (!kind) return;
  const MonotonicTime now = clock_.now().monotonic;
  const bool regular = *kind == FileKind::kRegular;
  const auto [entry, is_new] = targets_.try_emplace(target);
  TargetHistory& history = entry->second;
  if (is_new) history = {true, MonotonicTime{}, std::nullopt, std::nullopt, MonotonicTime{}};
  if (!regular && history.regular) {
    const bool long_there = now - history.regular_since > kSeenWithin;
    if (!history.gone_since || long_there) history.gone_since = now;
  }
  if (regular && !history.regular) history.regular_since = now;
  history.regular = regular;
  if (!regular) history.id.reset();
  if (!regular) return;
  TargetText parsed;
  parse_target(target, parsed);
  const auto info = files_.inspect(parsed.root, parsed.path);
  if (history.id != info->id) {
    history.id = info->id;
    history.id_since = now;
  }
  linked_[{info->id, info->birth_ns.value_or(0)}].insert(target);
}

void NodeChecker::note_files() {
  for (const auto& [name, entry] : files_.link_directory()) {
    if (foreign_.count(name) == 0) note_target(entry.target);
  }
}

bool NodeChecker::covers(const Source& source, const std::string& name,
                         const std::string& target) const {
  TargetText parsed;
  if (!parse_target(target, parsed) || parsed.root != source.root) return false;
  const int level = level_below(source.path, parsed.path);
  if (level == 0 || level > source.max_depth) return false;
  const std::string file = base_of(parsed.path);
  const auto match = [&](const std::string& pattern) { return matches(pattern, file); };
  if (std::none_of(source.include.begin(), source.include.end(), match)) return false;
  if (std::any_of(source.exclude.begin(), source.exclude.end(), match)) return false;
  const bool plain = source.plain_names && level == 1 && may_be_plain(file);
  const NameForm wanted = plain ? NameForm::kPlain : NameForm::kHashed;
  return name_form(name, source.pod, source.namespace_name, source.container, file) == wanted;
}

// S1, S3, S4: what a link that is made may be.
void NodeChecker::check_new(const std::string& name, const std::string& target) {
  TargetText parsed;
  if (!parse_target(target, parsed)) return complain("S1 a target outside the roots", name, target);
  const bool known = std::any_of(observed_.begin(), observed_.end(), [&](const Source& source) {
    return covers(source, name, target);
  });
  if (!known) complain("S4 no observed source asks for this link", name, target);
  if (parsed.root != kPodsRoot) return;
  const auto pod = pods_.find(parsed.path.substr(0, parsed.path.find('/')));
  if (pod == pods_.end()) return complain("S3 a directory of no pod", name, target);
  const std::string prefix = pod->second.second + "_" + pod->second.first + "_";
  if (name.compare(0, prefix.size(), prefix) != 0) {
    complain("S3 another pod's directory", name, target);
  }
}

// No line is sent twice: of several names of a file one is linked. An agent cannot know of names
// that have just changed hands.
void NodeChecker::check_once(const std::string& name, const std::string& target) {
  const MonotonicTime now = clock_.now().monotonic;
  TargetText parsed;
  if (now - disturbed_at_ < kSeenWithin || !parse_target(target, parsed)) return;
  const auto info = files_.inspect(parsed.root, parsed.path);
  if (!info) return;
  for (const auto& [other, entry] : files_.link_directory()) {
    if (other == name || foreign_.count(other) > 0) continue;
    const auto history = targets_.find(entry.target);
    if (history == targets_.end() || history->second.id != info->id) continue;
    if (now - history->second.id_since < kSeenWithin) continue;
    complain("once: a file is linked twice, it has " + other, name, target);
  }
}

// For so long that its link may go. An agent may have missed that a target was back for a short
// time; that it is back now it may not: it looks once more before it takes a link away.
bool NodeChecker::is_gone(const std::string& target, Duration grace) const {
  const auto found = targets_.find(target);
  if (found == targets_.end() || !found->second.gone_since || found->second.regular) return false;
  return clock_.now().monotonic - *found->second.gone_since >= grace;
}

bool NodeChecker::is_live(const NodeLinkSet& set, const std::string& name,
                          const std::string& target) const {
  return std::any_of(set.spec.sources.begin(), set.spec.sources.end(), [&](const Source& source) {
    return !source.withdrawn() && covers(source, name, target);
  });
}

// Until the agent has seen the present set it does not know that this asks for the link again.
bool NodeChecker::is_withdrawn_in_stored(const std::string& name, const std::string& target) const {
  if (!stored_ || is_live(*stored_, name, target)) return false;
  return std::any_of(stored_->spec.sources.begin(), stored_->spec.sources.end(),
                     [&](const Source& source) { return covers(source, name, target); });
}

bool NodeChecker::has_lingered_since_start(const std::string& name,
                                           const std::string& target) const {
  const MonotonicTime now = clock_.now().monotonic;
  return std::any_of(withdrawn_at_start_.begin(), withdrawn_at_start_.end(), [&](const auto& each) {
    return now - each.second >= config_.linger && covers(each.first, name, target);
  });
}

// A link that several sources had goes with the withdrawn one that is still in the set, even if
// another of them was changed meanwhile; and the stored set may have asked the same directory for
// other names.
bool NodeChecker::has_lingered(const std::string& name, const std::string& target) const {
  const MonotonicTime now = clock_.now().monotonic;
  const bool since_start = has_lingered_since_start(name, target);
  const auto is_over_since_start = [&](const Source& source) {
    return std::any_of(
        withdrawn_at_start_.begin(), withdrawn_at_start_.end(), [&](const auto& each) {
          return now - each.second >= config_.linger && is_same_directory(source, each.first);
        });
  };
  return std::any_of(withdrawn_since_.begin(), withdrawn_since_.end(), [&](const auto& each) {
    return covers(each.first, name, target) &&
           (since_start || now - each.second >= config_.linger || is_over_since_start(each.first));
  });
}

// S5, and the linger: when a link of ours may go.
void NodeChecker::check_gone(const std::string& name, const std::string& target, bool replaced) {
  if (kind_of(target) == FileKind::kFifo) return;
  bool live = false;
  bool finished = true;
  if (desired_) {
    for (const Source& source : desired_->spec.sources) {
      if (source.withdrawn() || !covers(source, name, target)) continue;
      live = true;
      finished = finished && source.finished;
    }
  }
  const bool ends_by_stored = is_withdrawn_in_stored(name, target);
  if (ends_by_stored) live = false;
  Duration grace = live && !finished ? config_.missing_target_grace : kGoneGrace;
  if (replaced) grace = Duration(0);
  if (is_gone(target, grace)) return;
  if (live) return complain("S5 a wanted link is taken away", name, target);
  if (ends_by_stored) {
    if (has_lingered_since_start(name, target)) return;
    return complain("S5 a link goes before its linger from the start", name, target);
  }
  if (has_lingered(name, target)) return;
  const MonotonicTime now = clock_.now().monotonic;
  for (const auto& [source, since] : last_live_) {
    if (covers(source, name, target) && now - since < config_.linger) {
      const auto after = std::chrono::duration_cast<std::chrono::milliseconds>(now - since);
      complain("S5 a link goes " + std::to_string(after.count()) + " ms after " + source.root +
                   ":" + source.path + " was live" + (replaced ? ", re-pointed" : ""),
               name, target);
    }
  }
}

// S6, when a link is added.
void NodeChecker::check_limits(const std::string& name, const std::string& target) {
  std::size_t sources = 0;
  if (desired_) sources = desired_->spec.sources.size();
  // Sources that are gone had their ten too, and their links linger.
  std::set<std::string> left_behind;
  for (const auto& [other, entry] : files_.link_directory()) {
    if (foreign_.count(other) > 0) continue;
    const bool is_wanted =
        desired_ &&
        std::any_of(desired_->spec.sources.begin(), desired_->spec.sources.end(),
                    [&](const Source& source) { return covers(source, other, entry.target); });
    if (!is_wanted) left_behind.insert(entry.target.substr(0, entry.target.rfind('/')));
  }
  const std::size_t most =
      static_cast<std::size_t>(config_.limits.links_per_node) + 10 * (sources + left_behind.size());
  if (own_links() > most) complain("S6 too many links on the node", name, target);
  // A set that an earlier process had not stored may have given more of them to a source.
  if (!desired_ || goes_by_older_) return;
  for (const Source& source : desired_->spec.sources) {
    if (source.root != kPodsRoot || !covers(source, name, target)) continue;
    int links = 0;
    for (const auto& [other, entry] : files_.link_directory()) {
      if (foreign_.count(other) == 0 && covers(source, other, entry.target)) ++links;
    }
    if (links > config_.limits.links_per_source) {
      complain("S6 too many links of a source", name, target);
    }
  }
}

void NodeChecker::before_change(const LinkChange& change) {
  if (foreign_.count(change.name) > 0 && change.kind != LinkChange::Kind::kMake) {
    complain("S2 a foreign entry is touched", change.name, change.old_target);
  }
  note_files();
  switch (change.kind) {
    case LinkChange::Kind::kMake:
      if (removed_in_step_.count(change.name) > 0) {
        complain("S5 a name is taken away and made again", change.name, change.new_target);
      }
      return;
    case LinkChange::Kind::kReplace:
      if (change.old_target == change.new_target) {
        complain("S5 a right link is made again", change.name, change.new_target);
      }
      return check_gone(change.name, change.old_target, true);
    case LinkChange::Kind::kRemove:
      removed_in_step_.insert(change.name);
      return check_gone(change.name, change.old_target, false);
  }
}

void NodeChecker::after_change(const LinkChange& change) {
  if (change.kind == LinkChange::Kind::kRemove) return;
  check_new(change.name, change.new_target);
  check_once(change.name, change.new_target);
  if (change.kind == LinkChange::Kind::kMake) check_limits(change.name, change.new_target);
  note_target(change.new_target);
}

void NodeChecker::stranger_removed(const std::string& name) {
  removed_by_strangers_[name] = clock_.now().monotonic;
}

void NodeChecker::agent_starts() {
  disturb();
  if (std::exchange(has_seen_, false)) ended_at_ = worked_at_;
  stored_.reset();
  withdrawn_at_start_.clear();
}

void NodeChecker::agent_was_frozen() {
  disturb();
  for (auto& [name, time] : removed_by_strangers_) time = clock_.now().monotonic;
}

void NodeChecker::check_foreign() {
  for (const auto& [name, entry] : foreign_) {
    const auto found = files_.link_directory().find(name);
    if (found == files_.link_directory().end() || found->second != entry) {
      complain_("S2 a foreign entry is touched: " + name);
    }
  }
}

void NodeChecker::check_status(int links, int links_of_pods) {
  const MonotonicTime now = clock_.now().monotonic;
  std::erase_if(removed_by_strangers_,
                [&](const auto& each) { return now - each.second > kSeenWithin; });
  const int most = static_cast<int>(own_links() + removed_by_strangers_.size());
  if (std::max(links, links_of_pods) > most) {
    complain_("S6 the status claims " + std::to_string(links) + " links (" +
              std::to_string(links_of_pods) + " by pod), there are " + std::to_string(own_links()));
  }
}

bool NodeChecker::was_linked_elsewhere(const FileInfo& file, const std::string& target) const {
  const auto found = linked_.find({file.id, file.birth_ns.value_or(0)});
  if (found == linked_.end()) return false;
  return found->second.size() > 1 || found->second.count(target) == 0;
}

}  // namespace loglink::sim
