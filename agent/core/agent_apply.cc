// How an Agent carries a plan out: one operation after the other, each answered by what the link
// directory says.
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/agent.h"

namespace loglink {
namespace {

constexpr std::size_t kOperationsPerStep = 128;
constexpr std::size_t kDurationsKept = 20'000;
constexpr Duration kFirstApplyRetry = std::chrono::seconds(1);
constexpr Duration kLastApplyRetry = std::chrono::seconds(30);

// The link directory cannot be written, whatever the file: another try soon is no use.
bool blocks_all(FileErrorKind kind) {
  return kind == FileErrorKind::kNoSpace || kind == FileErrorKind::kReadOnly ||
         kind == FileErrorKind::kPermissionDenied;
}

}  // namespace

void Agent::apply_slice(const Now& now) {
  if (options_.dry_run) return;
  for (std::size_t i = 0; i < kOperationsPerStep && !operations_.empty(); ++i) {
    const Operation operation = std::move(operations_.front());
    operations_.pop_front();
    pending_names_.erase(operation.name);
    apply(operation, now);
  }
  if (!operations_.empty()) return;
  pending_files_.clear();
  // A plan that was carried out to its end, or that had nothing left to do.
  if (apply_error_ && !plan_failed_) {
    apply_error_.reset();
    apply_failures_ = 0;
  }
}

void Agent::apply(const Operation& operation, const Now& now) {
  const bool waits =
      apply_error_ && blocks_all(*apply_error_) && apply_retry_at_ != MonotonicTime::never();
  if (operation.only_if_gone) {
    const std::optional<Target> old = spelling_.parse(operation.old_target);
    if (old && !is_still_gone(*old)) {
      give_place_back(operation);
      return keep(operation, *old, now);
    }
  }
  FileExpected<void> done;
  begin_own_changes();
  switch (operation.kind) {
    case OperationKind::kMake:
      if (waits || !has_place(operation)) {
        plan_failed_ = true;
        return;
      }
      done = port_.make_link(operation.name, operation.new_target);
      break;
    case OperationKind::kReplace:
      if (waits) {
        plan_failed_ = true;
        return;
      }
      done = port_.replace_link(operation.name, operation.old_target, operation.new_target);
      break;
    case OperationKind::kRemove:
      done = port_.remove_link(operation.name, operation.old_target);
      break;
  }
  if (done) {
    applied(operation, now);
  } else {
    give_place_back(operation);
    failed(operation, done.error(), now);
  }
}

// A file may be made anew between the last look at its directory and the time at which its link is
// to go: that is as long as a rescan where no notice came. A link taken away under a file that is
// there, and made again, has it sent twice.
bool Agent::is_still_gone(const Target& target) {
  const auto root = roots_.find(target.root);
  if (root == roots_.end() || root->second != RootState::kUsable) return false;
  switch (view_of(port_.stat(target.root, target.path)).state) {
    case TargetState::kMissing:
    case TargetState::kFifo:
    case TargetState::kOther:
      return true;
    case TargetState::kUnknown:
    case TargetState::kRegular:
      return false;
  }
  __builtin_unreachable();
}

void Agent::keep(const Operation& operation, const Target& target, const Now& now) {
  note(LogNote::Level::kInfo, "link kept, its target is back",
       {{"link", operation.name}, {"target", operation.old_target}});
  clocks_.missing_since.erase(operation.name);
  scanner_.look_at(target, now);
  if (probes_.find(target) != probes_.end()) probe_queue_.insert(target);
  // Not at once: what cannot be asked now would be asked again without end.
  apply_retry_at_ = std::min(apply_retry_at_, now.monotonic + kFirstApplyRetry);
  plan_failed_ = true;
}

// The plan gave the place of a link that stays after all to newcomers, under its limits.
void Agent::give_place_back(const Operation& operation) {
  if (operation.kind == OperationKind::kMake || counts_.per_source.empty()) return;
  if (operation.kind == OperationKind::kReplace) counts_.add(*sources_, operation.source, -1);
  if (operation.old_owner) {
    counts_.add(*sources_, *operation.old_owner, 1);
  } else {
    counts_.add_orphan(operation.name, 1);
  }
  places_given_back_ = true;
}

bool Agent::has_place(const Operation& make) {
  if (!places_given_back_) return true;
  counts_.add(*sources_, make.source, -1);
  const bool admitted = counts_.admits(*sources_, make.source, options_.config.limits);
  if (admitted) counts_.add(*sources_, make.source, 1);
  return admitted;
}

void Agent::count_links(const Operation& operation, int links) {
  outcomes_[operation.source].links += links;
  link_count_ += links;
}

void Agent::applied(const Operation& operation, const Now& now) {
  std::vector<std::pair<std::string, std::string>> fields = {
      {"link", operation.name}, {"reason", std::string(to_string(operation.reason))}};
  switch (operation.kind) {
    case OperationKind::kMake:
      ++counters_.links_made;
      count_links(operation, 1);
      fields.emplace_back("target", operation.new_target);
      note(LogNote::Level::kDebug, "link made", std::move(fields));
      break;
    case OperationKind::kReplace:
      ++counters_.links_replaced;
      fields.emplace_back("target", operation.new_target);
      fields.emplace_back("oldTarget", operation.old_target);
      note(LogNote::Level::kInfo, "link re-pointed", std::move(fields));
      break;
    case OperationKind::kRemove:
      ++counters_.links_removed[operation.reason];
      if (apply_error_ == FileErrorKind::kNoSpace) {
        // There is room again.
        apply_retry_at_ = std::min(apply_retry_at_, now.monotonic + kFirstApplyRetry);
      }
      links_.erase(operation.name);
      // The next link of that name has a grace of its own, also when no plan comes before it.
      clocks_.missing_since.erase(operation.name);
      uncount_before(operation.name);
      fields.emplace_back("target", operation.old_target);
      note(LogNote::Level::kInfo, "link removed", std::move(fields));
      return;
  }
  links_.set({operation.name, true, operation.new_target});
  const std::optional<InodeKey> key = inode_key(operation.file.root, operation.info);
  if (!key) return;
  memory_.remember(*key, operation.file.path, now.wall);
  const Duration age = now.wall.time_since_epoch() - Duration(key->birth_ns);
  const bool is_new = operation.reason == OperationReason::kNewFile && age >= Duration(0);
  if (is_new && create_to_link_.size() < kDurationsKept) create_to_link_.push_back(age);
}

void Agent::failed(const Operation& operation, const FileError& error, const Now& now) {
  ++counters_.operations_failed;
  plan_failed_ = true;
  const FileErrorKind kind = error.kind;
  if (kind == FileErrorKind::kAlreadyExists || kind == FileErrorKind::kNotOurs) {
    // Somebody was faster; what is there now decides.
    reread_link(operation.name);
    plan_wanted_ = true;
    return;
  }
  if (!apply_error_) {
    note(LogNote::Level::kWarning, "link directory cannot be changed",
         {{"link", operation.name}, {"error", std::string(describe(kind))}});
  }
  apply_error_ = kind;
  if (apply_retry_at_ != MonotonicTime::never()) return;
  ++apply_failures_;
  Duration delay = kFirstApplyRetry;
  for (int i = 1; i < apply_failures_ && delay < kLastApplyRetry; ++i) delay *= 2;
  apply_retry_at_ = now.monotonic + std::min(delay, kLastApplyRetry);
}

}  // namespace loglink
