#include "agent/core/plan.h"

#include <algorithm>
#include <unordered_map>

#include "lib/model/link_name.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

struct FileIdHash {
  std::size_t operator()(const FileId& id) const {
    return std::hash<std::uint64_t>()(id.inode * 0x9e3779b97f4a7c15ULL ^ id.device);
  }
};

struct TargetHash {
  std::size_t operator()(const Target& target) const {
    return std::hash<std::string>()(target.path) ^ std::hash<std::string>()(target.root) * 31;
  }
};

// Who has a file: the link's name, and the source that the link belongs to.
struct Holder {
  std::string name;
  std::optional<SourceId> owner;
};

// A link of ours as it is now.
struct OwnLink {
  const LinkEntry* entry = nullptr;
  Target target;
  TargetView view;
  std::optional<SourceId> owner;
  std::optional<SourceId> former;  // without an owner: whose pod the lingering link is counted for
  bool kept_by_refused = false;
  std::optional<OperationReason> removal;  // due now
};

// What is known of a directory, and who walks there.
struct Surroundings {
  std::vector<SourceId> walking;
  const ObservedDirectory* observed = nullptr;  // null where no source looks
};

// A wanted file without a link, and the sources that want it, best first.
struct Newcomer {
  std::vector<SourceId> candidates;
  Target file;
  const FileInfo* info = nullptr;
};

// Of what is not linked because it is no regular file, as far as is known.
Reason reason_against(FileKind kind) {
  return kind == FileKind::kUnknown ? Reason::kReadError : Reason::kNotARegularFile;
}

const DirectoryEntry* find_entry(const ObservedDirectory& directory, std::string_view name) {
  const auto found = std::lower_bound(
      directory.entries.begin(), directory.entries.end(), name,
      [](const DirectoryEntry& entry, std::string_view wanted) { return entry.name < wanted; });
  if (found == directory.entries.end() || found->name != name) return nullptr;
  return &*found;
}

class Planner {
 public:
  explicit Planner(const PlanInput& input) : in_(input) {
    result_.outcomes.resize(in_.sources.sources().size());
    result_.counts.per_source.resize(in_.sources.sources().size());
  }

  PlanResult run() {
    own_.reserve(in_.links.size());
    by_target_.reserve(in_.links.size());
    by_inode_.reserve(in_.links.size());
    result_.linked.reserve(in_.links.size());
    time_withdrawals();
    for (const auto& [name, entry] : in_.links) consider_link(name, entry);
    index_kept_links();
    collect_newcomers();
    for (const Newcomer& newcomer : newcomers_) place(newcomer);
    emit();
    return std::move(result_);
  }

 private:
  // Sources.

  void time_withdrawals() {
    const std::vector<IndexedSource>& sources = in_.sources.sources();
    withdrawal_.assign(sources.size(), MonotonicTime::never());
    for (SourceId id = 0; id < sources.size(); ++id) {
      const IndexedSource& each = sources[id];
      if (!each.source.withdrawn()) continue;
      const auto known = in_.clocks.withdrawn_since.find(each.identity);
      MonotonicTime first_seen = in_.now.monotonic;
      if (known != in_.clocks.withdrawn_since.end()) first_seen = known->second;
      result_.clocks.withdrawn_since[each.identity] = first_seen;
      withdrawal_[id] = withdrawal_time(each.source, first_seen, in_.now, in_.config.linger);
    }
  }

  [[nodiscard]] bool is_over(SourceId id) const { return withdrawal_[id] <= in_.now.monotonic; }

  // Links of one directory mostly follow each other: it is looked up once for all of them.
  const Surroundings& around(std::string_view root, std::string_view directory) {
    if (last_ != nullptr && last_->first.root == root && last_->first.path == directory) {
      return last_->second;
    }
    const auto [found, is_new] =
        surroundings_.try_emplace(Target{std::string(root), std::string(directory)});
    if (is_new) {
      found->second.walking = in_.sources.walking(root, directory);
      const auto observed = in_.directories.find(found->first);
      if (observed != in_.directories.end()) found->second.observed = &observed->second;
    }
    last_ = &*found;
    return found->second;
  }

  LinkName name_for(SourceId id, const Target& file) {
    const Source& source = in_.sources.at(id).source;
    const bool plain = source.plain_names && parent_path(file.path) == source.path;
    return link_name(source.naming, LinkTarget{source.namespace_name, source.pod, source.container,
                                               file.root, file.path, plain});
  }

  // Files.

  [[nodiscard]] RootState root_state(const std::string& root) const {
    const auto found = in_.roots.find(root);
    if (found == in_.roots.end()) return RootState::kAbsent;
    return found->second;
  }

  TargetView probe(const Target& file) {
    result_.probes.insert(file);
    const auto found = in_.probes.find(file);
    if (found == in_.probes.end()) return {};
    return found->second;
  }

  TargetView view(const Target& file) {
    if (root_state(file.root) != RootState::kUsable) return {};
    const Surroundings& here = around(file.root, parent_path(file.path));
    if (here.observed == nullptr) return probe(file);
    switch (here.observed->knowledge) {
      case DirectoryKnowledge::kUnknown:
        return {};
      case DirectoryKnowledge::kMissing:
        return {TargetState::kMissing, {}};
      case DirectoryKnowledge::kKnown:
        break;
    }
    const std::string_view base = base_name(file.path);
    const DirectoryEntry* const entry = find_entry(*here.observed, base);
    if (entry != nullptr) return {state_of(entry->info.kind), entry->info};
    // A listing keeps only what a source wants: about other names it says nothing.
    const bool listed = std::any_of(here.walking.begin(), here.walking.end(),
                                    [&](SourceId id) { return in_.sources.wants(id, base); });
    if (!listed || here.observed->truncated) return probe(file);
    return {TargetState::kMissing, {}};
  }

  // Existing links.

  void consider_link(const std::string& name, const LinkEntry& entry) {
    if (!entry.is_link || !has_link_name_form(name)) return;
    std::optional<Target> target = in_.spelling.parse(entry.target);
    if (!target) return;
    OwnLink link;
    link.entry = &entry;
    link.target = std::move(*target);
    link.owner = owner_of(name, link.target);
    if (!link.owner) link.former = former_owner_of(name, link.target);
    link.kept_by_refused = !link.owner && in_.sources.kept_by_refused(name, link.target);
    link.view = view(link.target);
    link.removal = removal_of(name, link);
    own_.push_back(std::move(link));
  }

  // The best source that wants exactly this link; one whose time is over only if no other does.
  std::optional<SourceId> owner_of(const std::string& name, const Target& target) {
    std::optional<SourceId> over;
    const std::string_view base = base_name(target.path);
    for (const SourceId id : around(target.root, parent_path(target.path)).walking) {
      if (!in_.sources.wants(id, base) || name_for(id, target).text != name) continue;
      if (!is_over(id)) return id;
      if (!over) over = id;
    }
    return over;
  }

  // The source that has made this link, and whose patterns have been narrowed since.
  std::optional<SourceId> former_owner_of(const std::string& name, const Target& target) {
    for (const SourceId id : around(target.root, parent_path(target.path)).walking) {
      if (name_for(id, target).text == name) return id;
    }
    return std::nullopt;
  }

  std::optional<OperationReason> removal_of(const std::string& name, const OwnLink& link) {
    const bool direct = in_.config.link_mode == LinkMode::kDirect;
    if (root_state(link.target.root) == RootState::kUnsafe) return OperationReason::kUnsafeRoot;
    if (link.view.state == TargetState::kFifo) return OperationReason::kNotARegularFile;
    if (link.view.state == TargetState::kOther && direct) return OperationReason::kNotARegularFile;
    if (link.kept_by_refused) return std::nullopt;
    if (link.owner) {
      const SourceId id = *link.owner;
      if (is_over(id)) return OperationReason::kWithdrawn;
      result_.next_change = std::min(result_.next_change, withdrawal_[id]);
      const Source& source = in_.sources.at(id).source;
      const bool final = source.withdrawn() || source.finished;
      return missing_removal(name, link, final ? kGoneGrace : in_.config.missing_target_grace);
    }
    if (!in_.set_observed) return std::nullopt;
    const MonotonicTime since = clock(in_.clocks.orphan_since, result_.clocks.orphan_since, name);
    if (is_due(since + in_.config.linger)) return OperationReason::kNoSource;
    return missing_removal(name, link, kGoneGrace);
  }

  std::optional<OperationReason> missing_removal(const std::string& name, const OwnLink& link,
                                                 Duration grace) {
    const TargetState state = link.view.state;
    if (state == TargetState::kUnknown || state == TargetState::kRegular) return std::nullopt;
    const MonotonicTime since = clock(in_.clocks.missing_since, result_.clocks.missing_since, name);
    if (is_due(since + grace)) return OperationReason::kTargetGone;
    return std::nullopt;
  }

  MonotonicTime clock(const std::map<std::string, MonotonicTime>& before,
                      std::map<std::string, MonotonicTime>& after, const std::string& name) {
    const auto known = before.find(name);
    MonotonicTime since = in_.now.monotonic;
    if (known != before.end()) since = known->second;
    after[name] = since;
    return since;
  }

  bool is_due(MonotonicTime time) {
    if (time <= in_.now.monotonic) return true;
    result_.next_change = std::min(result_.next_change, time);
    return false;
  }

  void index_kept_links() {
    std::vector<FileId> ids;
    for (const OwnLink& link : own_) {
      const std::string& name = link.entry->name;
      const bool frees_its_place = link.removal || link.view.state == TargetState::kMissing ||
                                   link.view.state == TargetState::kOther;
      if (link.owner && frees_its_place) may_shrink_.insert(*link.owner);
      if (link.removal) continue;
      ++result_.links;
      by_target_[link.target].push_back({name, link.owner});
      count(link, 1);
      if (link.view.state != TargetState::kRegular) continue;
      hold_inode(link.view.info.id, Holder{name, link.owner});
      note_linked(link.target, link.view.info);
      ids.push_back(link.view.info.id);
    }
    find_equal_inodes(std::move(ids));
  }

  void hold_inode(const FileId& id, Holder holder) { by_inode_.emplace(id, std::move(holder)); }

  void note_linked(const Target& file, const FileInfo& info) {
    std::optional<InodeKey> key = inode_key(file.root, info);
    if (key) {
      result_.linked.emplace_back(std::move(*key), file.path);
    } else {
      result_.no_birth_time = true;
    }
  }

  void find_equal_inodes(std::vector<FileId> ids) {
    std::sort(ids.begin(), ids.end(), [](const FileId& a, const FileId& b) {
      return std::tie(a.inode, a.device) < std::tie(b.inode, b.device);
    });
    result_.equal_inodes =
        std::adjacent_find(ids.begin(), ids.end(), [](const FileId& a, const FileId& b) {
          return a.inode == b.inode && a.device != b.device;
        }) != ids.end();
  }

  void count(SourceId owner, int links) {
    result_.counts.add(in_.sources, owner, links);
    result_.outcomes[owner].links += links;
  }

  void count(const OwnLink& link, int links) {
    if (link.owner) return count(*link.owner, links);
    result_.counts.add_orphan(link.entry->name, links);
    if (link.former) result_.outcomes[*link.former].links += links;
  }

  // Newcomers.

  void collect_newcomers() {
    for (const auto& [where, directory] : in_.directories) {
      if (directory.knowledge != DirectoryKnowledge::kKnown) continue;
      if (root_state(where.root) != RootState::kUsable) continue;
      const std::vector<SourceId>& ids = around(where.root, where.path).walking;
      for (const DirectoryEntry& entry : directory.entries) collect(where, ids, entry);
    }
    const auto precedes = [](const Newcomer& a, const Newcomer& b) {
      return std::tie(a.candidates.front(), a.file) < std::tie(b.candidates.front(), b.file);
    };
    // Those of one large directory are in order already.
    if (std::is_sorted(newcomers_.begin(), newcomers_.end(), precedes)) return;
    std::sort(newcomers_.begin(), newcomers_.end(), precedes);
  }

  void collect(const Target& where, const std::vector<SourceId>& ids, const DirectoryEntry& entry) {
    Newcomer newcomer;
    for (const SourceId id : ids) {
      if (!is_over(id) && in_.sources.wants(id, entry.name)) newcomer.candidates.push_back(id);
    }
    if (newcomer.candidates.empty()) return;
    newcomer.file = {where.root, join_path(where.path, entry.name)};
    newcomer.info = &entry.info;
    const auto held = by_target_.find(newcomer.file);
    if (held == by_target_.end()) {
      newcomers_.push_back(std::move(newcomer));
      return;
    }
    // More than one link means this file only where histories have left it so.
    const std::vector<Holder>& holders = held->second;
    for (const SourceId id : newcomer.candidates) {
      const bool has = std::any_of(holders.begin(), holders.end(),
                                   [id](const Holder& holder) { return holder.owner == id; });
      if (!has) refuse_held(id, newcomer.file, holders.front());
    }
    if (entry.info.kind != FileKind::kRegular) {
      refuse(holders.front().owner.value_or(newcomer.candidates.front()),
             reason_against(entry.info.kind), newcomer.file.path);
    }
  }

  void place(const Newcomer& newcomer) {
    if (newcomer.info->kind != FileKind::kRegular) {
      for (const SourceId id : newcomer.candidates) {
        refuse(id, reason_against(newcomer.info->kind), newcomer.file.path);
      }
      return;
    }
    const auto held = by_inode_.find(newcomer.info->id);
    if (held != by_inode_.end()) {
      const Holder holder = held->second;
      for (const SourceId id : newcomer.candidates) refuse_held(id, newcomer.file, holder);
      return;
    }
    if (is_rotated(newcomer)) {
      for (const SourceId id : newcomer.candidates) ++result_.outcomes[id].rotated;
      return;
    }
    for (std::size_t i = 0; i < newcomer.candidates.size(); ++i) {
      if (!try_place(newcomer, newcomer.candidates[i])) continue;
      const Holder holder = by_inode_.find(newcomer.info->id)->second;
      for (std::size_t rest = i + 1; rest < newcomer.candidates.size(); ++rest) {
        refuse_held(newcomer.candidates[rest], newcomer.file, holder);
      }
      return;
    }
  }

  // Full, and no link of its own can be handed over: its file needs no name to be refused. A
  // tenant's many files must not cost as many names.
  [[nodiscard]] bool is_full(SourceId id) const {
    return result_.counts.per_source[id] >= in_.config.limits.links_per_source &&
           may_shrink_.count(id) == 0;
  }

  bool try_place(const Newcomer& newcomer, SourceId id) {
    if (is_full(id)) {
      refuse(id, Reason::kLinkLimitReached, newcomer.file.path);
      return false;
    }
    const LinkName name = name_for(id, newcomer.file);
    const bool too_deep = in_.spelling.text(newcomer.file).size() > kTargetBytesMax;
    if (name.error || too_deep) {
      refuse(id, Reason::kNameTooLong, newcomer.file.path);
      return false;
    }
    if (made_.count(name.text) > 0) {
      refuse(id, Reason::kNameCollision, newcomer.file.path);
      return false;
    }
    const auto existing = in_.links.find(name.text);
    if (existing == in_.links.end()) {
      if (!admit(id, newcomer.file)) return false;
      make(newcomer, id, name.text, OperationKind::kMake, OperationReason::kNewFile, "");
      return true;
    }
    OwnLink* const own = find_own(name.text);
    if (own == nullptr) {
      refuse(id, Reason::kNameTaken, newcomer.file.path);
      return false;
    }
    return try_replace(newcomer, id, *own);
  }

  OwnLink* find_own(const std::string& name) {
    const auto found = std::lower_bound(
        own_.begin(), own_.end(), name,
        [](const OwnLink& link, const std::string& wanted) { return link.entry->name < wanted; });
    if (found == own_.end() || found->entry->name != name) return nullptr;
    return &*found;
  }

  bool try_replace(const Newcomer& newcomer, SourceId id, OwnLink& old) {
    // Whatever a name means while its file may still be read stays; at its end it is handed over.
    const bool gone =
        old.view.state == TargetState::kMissing || old.view.state == TargetState::kOther;
    if (!old.removal && !gone) {
      refuse(id, Reason::kNameCollision, newcomer.file.path);
      return false;
    }
    if (!old.removal) {
      count(old, -1);
      --result_.links;
    }
    if (!admit(id, newcomer.file)) {
      if (!old.removal) {
        count(old, 1);
        ++result_.links;
      }
      return false;
    }
    const std::string& name = old.entry->name;
    result_.clocks.missing_since.erase(name);
    result_.clocks.orphan_since.erase(name);
    by_target_.erase(old.target);
    make(newcomer, id, name, OperationKind::kReplace, OperationReason::kTargetChanged,
         old.entry->target);
    replaces_.back().old_owner = old.owner;
    replaces_.back().only_if_gone = !old.removal || old.removal == OperationReason::kTargetGone;
    return true;
  }

  bool admit(SourceId id, const Target& file) {
    if (result_.counts.admits(in_.sources, id, in_.config.limits)) return true;
    refuse(id, Reason::kLinkLimitReached, file.path);
    return false;
  }

  void make(const Newcomer& newcomer, SourceId id, const std::string& name, OperationKind kind,
            OperationReason reason, const std::string& old_target) {
    Operation operation{
        kind,          reason,         name, old_target, in_.spelling.text(newcomer.file),
        newcomer.file, *newcomer.info, id,   false,      std::nullopt};
    (kind == OperationKind::kMake ? makes_ : replaces_).push_back(std::move(operation));
    made_.insert(name);
    count(id, 1);
    ++result_.links;
    hold_inode(newcomer.info->id, Holder{name, id});
    if (!newcomer.info->birth_ns) result_.no_birth_time = true;
  }

  // A file that was linked under another name is that name's rotated file, unless its old name
  // stays empty and it goes on growing: then it was renamed into place.
  bool is_rotated(const Newcomer& newcomer) {
    const std::optional<InodeKey> key = inode_key(newcomer.file.root, *newcomer.info);
    if (!key) return false;
    const InodeMemory::Entry* const known = in_.memory.find(*key);
    if (known == nullptr || known->path == newcomer.file.path) return false;
    // As long as it lies where a source wants it, it must not be forgotten.
    result_.linked.emplace_back(*key, known->path);
    const TargetView old = view({key->root, known->path});
    switch (old.state) {
      case TargetState::kRegular:
      case TargetState::kFifo:
      case TargetState::kOther:
        // The same file under both names: a hard link, and nobody has it linked.
        return old.info.id != newcomer.info->id;
      // Where its directory cannot be read, too: no line is to be lost for that.
      case TargetState::kUnknown:
      case TargetState::kMissing:
        return !was_renamed_into_place(*key, newcomer);
    }
    __builtin_unreachable();
  }

  bool was_renamed_into_place(const InodeKey& key, const Newcomer& newcomer) {
    const auto before = in_.clocks.rotations.find(key);
    Rotation rotation{in_.now.monotonic, newcomer.info->size};
    if (before != in_.clocks.rotations.end()) rotation = before->second;
    if (newcomer.info->size > rotation.size && is_due(rotation.absent_since + kRenamedIntoPlace)) {
      return true;
    }
    result_.clocks.rotations[key] = rotation;
    result_.growing.insert({newcomer.file.root, std::string(parent_path(newcomer.file.path))});
    return false;
  }

  // Refusals.

  void refuse(SourceId id, Reason reason, const std::string& example) {
    FileTrouble& trouble = result_.outcomes[id].refusals[reason];
    ++trouble.files;
    if (trouble.examples.size() < kTroubleExamples) trouble.examples.push_back(example);
  }

  void refuse_held(SourceId id, const Target& file, const Holder& holder) {
    const Source& mine = in_.sources.at(id).source;
    std::string example = file.path;
    if (holder.owner) {
      const Source& other = in_.sources.at(*holder.owner).source;
      if (other.uid == mine.uid && other.namespace_name == mine.namespace_name) {
        ++result_.outcomes[id].duplicates;
        return;
      }
      // Names of other namespaces are not this pod's to know.
      if (other.namespace_name == mine.namespace_name) example += " (by pod " + other.pod + ")";
    }
    refuse(id, Reason::kAlreadyLinked, example);
  }

  // Operations.

  void emit() {
    std::vector<Operation> removals;
    for (const OwnLink& link : own_) {
      const std::string& name = link.entry->name;
      if (made_.count(name) > 0) continue;
      if (link.removal) {
        removals.push_back({OperationKind::kRemove,
                            *link.removal,
                            name,
                            link.entry->target,
                            "",
                            link.target,
                            {},
                            link.owner.value_or(0),
                            link.removal == OperationReason::kTargetGone,
                            link.owner});
      } else {
        respell(name, link);
      }
    }
    result_.operations = std::move(removals);
    for (std::vector<Operation>* const list : {&replaces_, &makes_}) {
      std::move(list->begin(), list->end(), std::back_inserter(result_.operations));
    }
  }

  // Another link mode spells the same file differently.
  void respell(const std::string& name, const OwnLink& link) {
    if (!link.owner || link.view.state != TargetState::kRegular) return;
    std::string text = in_.spelling.text(link.target);
    if (text == link.entry->target || text.size() > kTargetBytesMax) return;
    replaces_.push_back({OperationKind::kReplace, OperationReason::kModeChanged, name,
                         link.entry->target, std::move(text), link.target, link.view.info,
                         *link.owner, false, link.owner});
  }

  const PlanInput& in_;
  PlanResult result_;
  std::vector<MonotonicTime> withdrawal_;  // by SourceId
  std::unordered_map<Target, Surroundings, TargetHash> surroundings_;
  const std::pair<const Target, Surroundings>* last_ = nullptr;
  std::vector<OwnLink> own_;  // by name
  std::unordered_map<Target, std::vector<Holder>, TargetHash> by_target_;
  std::unordered_map<FileId, Holder, FileIdHash> by_inode_;
  std::set<SourceId> may_shrink_;  // sources with a link that may become another's or go
  std::vector<Newcomer> newcomers_;
  std::set<std::string> made_;
  std::vector<Operation> replaces_;
  std::vector<Operation> makes_;
};

}  // namespace

MonotonicTime withdrawal_time(const Source& source, MonotonicTime first_seen, const Now& now,
                              Duration linger) {
  if (!source.withdrawn()) return MonotonicTime::never();
  // Not compared with removeAfter: the controller's clock may be ahead of ours.
  if (source.needs(names::kFeatureRemoveNow)) return first_seen;
  const MonotonicTime at_least = first_seen + linger;
  // Compared before it is added up: a forged time must not overflow.
  const Duration ahead = std::min(*source.remove_after - now.wall,
                                  Duration(linger + kLingerSlack + std::chrono::hours(1)));
  const MonotonicTime asked = now.monotonic + std::max(ahead, Duration(0));
  return std::min(std::max(asked, at_least), at_least + kLingerSlack);
}

PlanResult plan(const PlanInput& input) { return Planner(input).run(); }

}  // namespace loglink
