#include "agent/core/agent.h"

#include <algorithm>

#include "lib/model/link_name.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

constexpr std::size_t kNoticesPerStep = 512;
constexpr std::size_t kProbesPerStep = 256;
// A process that only waits for a processor has not stood still.
constexpr Duration kStoodStillLeast = std::chrono::seconds(10);
constexpr std::uint64_t kRelistEvery = 20;  // rescans

// A plan tells the memory which files are in use; where nothing changes for a week it would forget
// them.
constexpr Duration kPlanAtLeastEvery = std::chrono::hours(1);
// After a start much comes late: pods of the set, while a controller is down, and mounts, whose
// directories are empty before. The node may have been off for weeks, so that no file was used; a
// day is enough to mend what is amiss, and adds little to the week. By the monotonic clock, which
// does not jump when the node's time is set.
constexpr Duration kForgetNothingFor = std::chrono::hours(24);
// A second look at an unsafe root, before links are taken away.
constexpr Duration kRootRecheck = std::chrono::seconds(1);
constexpr Duration kAbsentAtLeast = std::chrono::minutes(5);
constexpr Duration kLinksRetry = std::chrono::seconds(1);

}  // namespace

Agent::Agent(FilePort& port, Random& random, AgentOptions options)
    : port_(port),
      random_(random),
      options_(std::move(options)),
      spelling_(options_.config, port),
      scanner_(port, options_.config, options_.watch_limit),
      sources_(std::make_unique<SourceIndex>()) {
  scanner_.set_sources(*sources_);
}

void Agent::start(const Now& now) {
  pace_.start(now.monotonic);
  started_at_ = now.monotonic;
  stepped_at_ = now.monotonic;
  restore_memory();
  check_roots(now);
  relist_links(now);
  restore_desired();
  rescan_at_ = now.monotonic + random_.between(Duration(0), options_.config.rescan_interval);
  plan_wanted_ = true;
}

// The desired set.

void Agent::set_desired(NodeLinkSet desired, const Now& now) {
  absent_since_.reset();
  const bool same = set_observed_ && desired_ && desired_->spec == desired.spec;
  if (same && desired_->uid == desired.uid && desired_->generation == desired.generation) return;
  if (same) {
    // It may be another object that asks for the same: generations count within one.
    desired_->uid = desired.uid;
    desired_->generation = desired.generation;
    plan_wanted_ = true;
    desired_dirty_ = true;
    return;
  }
  adopt_set(std::move(desired), now);
}

void Agent::adopt_set(NodeLinkSet desired, const Now& now) {
  // Until the new set has a plan, the answer is the one about the old set.
  if (!status_before_ && planned_generation_ != 0) status_before_ = status(now);
  desired_ = std::move(desired);
  set_observed_ = true;
  desired_dirty_ = true;
  auto index = std::make_unique<SourceIndex>(desired_->spec, options_.config);
  scanner_.set_sources(*index);
  sources_ = std::move(index);
  // Plans of the old set name their sources by place.
  operations_.clear();
  pending_names_.clear();
  pending_files_.clear();
  outcomes_.assign(sources_->sources().size(), {});
  counts_ = {};
  plan_wanted_ = true;
}

void Agent::set_absent(const Now& now) {
  if (!absent_since_) absent_since_ = now.monotonic;
}

void Agent::expire_absent(const Now& now) {
  if (!absent_since_) return;
  const Duration wait = std::max(options_.config.linger, kAbsentAtLeast);
  if (now.monotonic - *absent_since_ <= wait) return;
  if (set_observed_ && desired_ && desired_->spec.sources.empty()) return;
  note(LogNote::Level::kWarning, "object does not exist, set is empty now", {});
  NodeLinkSet empty;
  empty.name = options_.config.node_name;
  adopt_set(std::move(empty), now);
}

// The step.

bool Agent::step(const Now& now) {
  pace_.step(now.monotonic);
  // While the process stood still nobody looked: what was missing before may have been there since.
  const Duration pause = now.monotonic - std::exchange(stepped_at_, now.monotonic);
  if (pause > std::max(options_.config.rescan_interval * 2, kStoodStillLeast)) {
    clocks_.missing_since.clear();
  }
  expire_absent(now);
  take_notices(now);
  if (now.monotonic >= rescan_at_) run_rescan(now);
  if (now.monotonic >= roots_recheck_at_) check_roots(now);
  if ((links_dirty_ || !links_known_) && now.monotonic >= links_retry_at_) relist_links(now);
  scanner_.scan_slice(now);
  for (const InodeKey& key : scanner_.take_deleted()) memory_.forget(key);
  if (scanner_.take_changed()) plan_wanted_ = true;
  // The set's first plan may have come while a directory was being read that is as it was.
  if (!is_answered() && !scanner_.has_unread()) plan_wanted_ = true;
  if (now.monotonic >= apply_retry_at_) {
    apply_retry_at_ = MonotonicTime::never();
    plan_wanted_ = true;
  }
  run_probes();
  if (may_plan(now)) run_plan(now);
  apply_slice(now);
  end_own_changes();
  run_probes();
  store_when_due(now);
  const bool applying = !operations_.empty() && !options_.dry_run;
  return scanner_.has_work() || applying || !probe_queue_.empty() || pace_.is_measuring() ||
         may_plan(now);
}

MonotonicTime Agent::next_wakeup() const {
  MonotonicTime next = std::min(rescan_at_, scanner_.next_wakeup());
  next = std::min({next, roots_recheck_at_, apply_retry_at_});
  if (links_dirty_ || !links_known_) {
    // No plan without the link directory.
    next = std::min(next, links_retry_at_);
  } else {
    const MonotonicTime ready = pace_.ready_at(false);
    next = std::min(next, std::max(next_change_, ready));
    if (plan_wanted_) next = std::min(next, ready);
  }
  if (desired_dirty_) next = std::min(next, desired_store_at_);
  if (memory_.version() != stored_memory_version_) next = std::min(next, memory_store_at_);
  if (absent_since_ && desired_ && !desired_->spec.sources.empty()) {
    const Duration wait = std::max(options_.config.linger, kAbsentAtLeast);
    next = std::min(next, *absent_since_ + wait + Duration(1));
  }
  return next;
}

void Agent::take_notices(const Now& now) {
  for (const FileNotice& notice : port_.take_notices(kNoticesPerStep)) {
    ++counters_.notices;
    if (notice.kind == FileNotice::Kind::kLinkDirectory) {
      if (notice.name.empty()) {
        links_dirty_ = true;
      } else {
        reread_link(notice.name);
      }
      continue;
    }
    if (notice.kind == FileNotice::Kind::kOverflow) {
      ++counters_.overflows;
      links_dirty_ = true;
    }
    const std::optional<AppearedFile> appeared = scanner_.take(notice, now);
    if (appeared) try_fast_path(*appeared, now);
  }
}

void Agent::run_rescan(const Now& now) {
  ++counters_.rescans;
  const Duration interval = options_.config.rescan_interval;
  rescan_at_ = now.monotonic + random_.between(interval * 9 / 10, interval * 11 / 10 + Duration(1));
  check_roots(now);
  scanner_.rescan(growing_);
  for (const auto& [target, view] : probes_) probe_queue_.insert(target);
  // What files are still in use only a plan knows.
  expire_due_ = true;
  if (now.monotonic - pace_.last_end() >= kPlanAtLeastEvery) plan_wanted_ = true;
  ++rescans_;
  const FileExpected<std::int64_t> version = port_.link_directory_version();
  const bool same = version && links_version_ == *version;
  if (!same || rescans_ % kRelistEvery == 0) links_dirty_ = true;
}

void Agent::check_roots(const Now& now) {
  roots_recheck_at_ = MonotonicTime::never();
  for (const Root& root : options_.config.roots) {
    RootState state = port_.check_root(root.name);
    if (state == RootState::kUnsafe) {
      // Once may be a mount in the making; links are taken away at the second reading.
      if (++unsafe_readings_[root.name] < 2) {
        state = RootState::kAbsent;
        roots_recheck_at_ = now.monotonic + kRootRecheck;
      }
    } else {
      unsafe_readings_[root.name] = 0;
    }
    const auto known = roots_.find(root.name);
    if (known != roots_.end() && known->second == state) continue;
    if (state != RootState::kUsable) {
      // At the start it may be one that this node has not got: readiness says what is amiss.
      const bool is_news = known != roots_.end();
      note(is_news ? LogNote::Level::kWarning : LogNote::Level::kInfo, "root is not usable",
           {{"root", root.name}});
    }
    roots_[root.name] = state;
    scanner_.set_root(root.name, state == RootState::kUsable);
    for (const auto& [target, view] : probes_) {
      if (target.root == root.name) probe_queue_.insert(target);
    }
    plan_wanted_ = true;
  }
}

void Agent::run_probes() {
  for (std::size_t i = 0; i < kProbesPerStep && !probe_queue_.empty(); ++i) {
    const Target target = *probe_queue_.begin();
    probe_queue_.erase(probe_queue_.begin());
    const auto root = roots_.find(target.root);
    TargetView view;
    if (root != roots_.end() && root->second == RootState::kUsable) {
      view = view_of(port_.stat(target.root, target.path));
    }
    const auto known = probes_.find(target);
    if (known != probes_.end() && known->second == view) continue;
    probes_[target] = view;
    plan_wanted_ = true;
  }
}

// The link directory.

void Agent::relist_links(const Now& now) {
  // Before the listing: what changes meanwhile shows as another version at the next rescan.
  const FileExpected<std::int64_t> version = port_.link_directory_version();
  FileExpected<std::vector<LinkEntry>> listed = port_.list_links();
  if (!listed) {
    if (!links_error_) {
      note(LogNote::Level::kWarning, "link directory cannot be read",
           {{"error", std::string(describe(listed.error().kind))}});
    }
    links_error_ = listed.error().kind;
    links_dirty_ = true;
    links_retry_at_ = now.monotonic + kLinksRetry;
    return;
  }
  links_error_.reset();
  links_dirty_ = false;
  links_version_.reset();
  if (version) links_version_ = *version;
  // Nearly always it is as it was, and then no second table is needed to see that.
  if (links_known_ && links_.is(*listed)) return;
  std::uint64_t lost = 0;
  LinkTable fresh;
  fresh.assign(std::move(*listed));
  for (const auto& [name, entry] : links_.links()) {
    const LinkEntry* const now_there = fresh.find(name);
    const bool as_it_was = now_there != nullptr && *now_there == entry;
    if (!as_it_was && is_own(entry)) ++lost;
  }
  count_lost(lost);
  links_ = std::move(fresh);
  links_known_ = true;
  plan_wanted_ = true;
}

// Our own changes make another version of the link directory. When it was the known one just before
// them, it needs no listing because of them; a stranger's change in their midst is told by inotify,
// or found by the next of the regular listings.
void Agent::begin_own_changes() {
  if (version_before_changes_) return;
  version_before_changes_ = port_.link_directory_version();
}

void Agent::end_own_changes() {
  if (!version_before_changes_) return;
  const FileExpected<std::int64_t> before = *std::exchange(version_before_changes_, std::nullopt);
  if (!before || links_version_ != *before) return;
  const FileExpected<std::int64_t> after = port_.link_directory_version();
  if (after) links_version_ = *after;
}

bool Agent::is_own(const LinkEntry& entry) const {
  return entry.is_link && has_link_name_form(entry.name) && spelling_.parse(entry.target);
}

void Agent::count_lost(std::uint64_t links) {
  if (links == 0) return;
  counters_.links_lost += links;
  note(LogNote::Level::kWarning, "links were taken away by somebody else, making them again",
       {{"links", std::to_string(links)}});
}

void Agent::reread_link(const std::string& name) {
  FileExpected<LinkEntry> entry = port_.read_link(name);
  const LinkEntry* const known = links_.find(name);
  const bool was_own = known != nullptr && is_own(*known);
  if (entry) {
    if (known != nullptr && *known == *entry) return;
    if (was_own) count_lost(1);
    links_.set(std::move(*entry));
    plan_wanted_ = true;
  } else if (entry.error().kind == FileErrorKind::kNotFound) {
    if (known == nullptr) return;
    if (was_own) count_lost(1);
    links_.erase(name);
    plan_wanted_ = true;
  } else {
    links_dirty_ = true;
  }
}

// The fast path: a new file, and nothing about it that needs a whole plan to decide.

void Agent::try_fast_path(const AppearedFile& file, const Now& now) {
  const std::optional<Operation> operation = fast_operation(file);
  if (!operation) {
    scanner_.mark_changed();
    return;
  }
  const LinkEntry* const existing = links_.find(operation->name);
  if (existing != nullptr) {
    // Rotated behind its link: the file is another one, the link stays.
    clocks_.missing_since.erase(operation->name);
    memory_.refresh(*inode_key(operation->file.root, operation->info), operation->file.path,
                    now.wall);
    return;
  }
  begin_own_changes();
  const FileExpected<void> made = port_.make_link(operation->name, operation->new_target);
  if (!made) {
    failed(*operation, made.error(), now);
    scanner_.mark_changed();
    return;
  }
  counts_.add(*sources_, operation->source, 1);
  applied(*operation, now);
}

// nullopt: let the plan decide. Otherwise the link to be made, or one that is there already.
std::optional<Operation> Agent::fast_operation(const AppearedFile& file) const {
  const std::string& root = file.directory.root;
  const auto state = roots_.find(root);
  const std::optional<InodeKey> key = inode_key(root, file.info);
  const bool usable = links_known_ && !apply_error_ && !options_.dry_run && state != roots_.end() &&
                      state->second == RootState::kUsable &&
                      counts_.per_source.size() == sources_->sources().size();
  if (!usable || !key) return std::nullopt;
  std::vector<SourceId> candidates = sources_->walking(root, file.directory.path);
  std::erase_if(candidates, [&](SourceId id) { return !sources_->wants(id, file.name); });
  // Several sources, or a withdrawn one: order and clocks decide.
  if (candidates.size() != 1) return std::nullopt;
  const SourceId id = candidates.front();
  const Source& source = sources_->at(id).source;
  if (source.withdrawn()) return std::nullopt;
  Operation operation;
  operation.file = {root, join_path(file.directory.path, file.name)};
  operation.info = file.info;
  operation.source = id;
  const bool plain = source.plain_names && file.directory.path == source.path;
  LinkName name = link_name(source.naming, {source.namespace_name, source.pod, source.container,
                                            root, operation.file.path, plain});
  if (name.error) return std::nullopt;
  operation.name = std::move(name.text);
  operation.new_target = spelling_.text(operation.file);
  if (operation.new_target.size() > kTargetBytesMax) return std::nullopt;
  const LinkEntry* const existing = links_.find(operation.name);
  if (existing != nullptr) {
    const bool stays = existing->is_link && existing->target == operation.new_target &&
                       pending_names_.count(operation.name) == 0;
    if (!stays) return std::nullopt;
    return operation;
  }
  if (links_.has_target(operation.new_target) || memory_.find(*key) != nullptr ||
      pending_names_.count(operation.name) > 0 || pending_files_.count(file.info.id) > 0 ||
      !counts_.admits(*sources_, id, options_.config.limits)) {
    return std::nullopt;
  }
  return operation;
}

// The plan.

bool Agent::is_answered() const {
  return !status_before_ && planned_generation_ == (desired_ ? desired_->generation : 0);
}

bool Agent::may_plan(const Now& now) const {
  if (!links_known_ || links_dirty_) return false;
  if (!plan_wanted_ && next_change_ > now.monotonic) return false;
  // Where it still looks it knows only a part, be it of directories or of single targets.
  return now.monotonic >= pace_.ready_at(scanner_.is_scanning() || !probe_queue_.empty());
}

void Agent::run_plan(const Now& now) {
  ++counters_.plans;
  plan_wanted_ = false;
  plan_failed_ = false;
  places_given_back_ = false;
  pace_.planned(now.monotonic);
  PlanResult result = plan({*sources_, set_observed_, scanner_.observed(), roots_, links_.links(),
                            memory_, clocks_, probes_, spelling_, options_.config, now});
  for (const auto& [key, path] : result.linked) memory_.refresh(key, path, now.wall);
  std::erase_if(probes_, [&](const auto& each) { return result.probes.count(each.first) == 0; });
  for (const Target& target : result.probes) {
    if (probes_.find(target) == probes_.end()) probe_queue_.insert(target);
  }
  clocks_ = std::move(result.clocks);
  outcomes_ = std::move(result.outcomes);
  counts_ = std::move(result.counts);
  growing_ = std::move(result.growing);
  scanner_.watch_sizes(growing_);
  next_change_ = result.next_change;
  link_count_ = result.links;
  no_birth_time_ = result.no_birth_time;
  equal_inodes_ = result.equal_inodes;
  pending_names_.clear();
  pending_files_.clear();
  for (const Operation& operation : result.operations) {
    pending_names_.insert(operation.name);
    if (operation.kind != OperationKind::kRemove) pending_files_.insert(operation.info.id);
    // Counted when it is made: a status never claims a link that is not there yet, or failed.
    if (operation.kind == OperationKind::kMake && !options_.dry_run) count_links(operation, -1);
  }
  operations_.assign(std::make_move_iterator(result.operations.begin()),
                     std::make_move_iterator(result.operations.end()));
  expire_memory(now);
  // What is read anew all the time, as tenants can see to, is known well enough for an answer.
  if (scanner_.has_unread()) return;
  planned_generation_ = desired_ ? desired_->generation : 0;
  status_before_.reset();
}

// REQUIRES: a plan has just refreshed the files in use with the same clock: it may have jumped.
void Agent::expire_memory(const Now& now) {
  if (!expire_due_ || !set_observed_) return;
  const bool has_just_started = now.monotonic - started_at_ < kForgetNothingFor;
  // An agent on a node that is off each night never runs for a day.
  if (has_just_started && !memory_.is_crowded()) return;
  expire_due_ = false;
  memory_.expire(now.wall, scanner_.unseen_owners());
}

}  // namespace loglink
