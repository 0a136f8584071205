// What an Agent keeps on disk for the next one: the last known set, and the inode memory.
#include <string>
#include <utility>

#include "agent/core/agent.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr Duration kDesiredStoreGap = std::chrono::seconds(5);
constexpr Duration kMemoryStoreGap = std::chrono::seconds(30);

// What an earlier version could not read is kept beside, for a person to look at.
constexpr std::string_view kSetAside = ".set-aside";

}  // namespace

void Agent::restore_desired() {
  if (!options_.decode_desired) return;
  const std::string name(names::kDesiredFile);
  FileExpected<std::optional<std::string>> stored = port_.load_state(name);
  if (!stored) {
    note(LogNote::Level::kWarning, "state cannot be read, going on without it",
         {{"file", name}, {"error", std::string(describe(stored.error().kind))}});
    return;
  }
  if (!*stored) return;
  Expected<NodeLinkSet> decoded = options_.decode_desired(**stored);
  if (!decoded) {
    note(LogNote::Level::kWarning, "last known set set aside",
         {{"file", name}, {"error", decoded.error().message}});
    if (!options_.dry_run) port_.store_state(name + std::string(kSetAside), std::move(**stored));
    return;
  }
  desired_ = std::move(*decoded);
  sources_ = std::make_unique<SourceIndex>(desired_->spec, options_.config);
  scanner_.set_sources(*sources_);
}

void Agent::restore_memory() {
  const std::string name(names::kInodesFile);
  FileExpected<std::optional<std::string>> stored = port_.load_state(name);
  if (!stored) {
    note(LogNote::Level::kWarning, "state cannot be read, going on without it",
         {{"file", name}, {"error", std::string(describe(stored.error().kind))}});
    return;
  }
  if (!*stored) return;
  if (memory_.decode(**stored)) {
    stored_memory_version_ = memory_.version();
    return;
  }
  note(LogNote::Level::kWarning, "inode memory set aside", {{"file", name}});
  if (!options_.dry_run) port_.store_state(name + std::string(kSetAside), std::move(**stored));
}

void Agent::store_when_due(const Now& now) {
  if (desired_dirty_ && now.monotonic >= desired_store_at_) store_desired(now);
  if (memory_.version() != stored_memory_version_ && now.monotonic >= memory_store_at_) {
    store_memory(now);
  }
}

void Agent::store_desired(const Now& now) {
  desired_dirty_ = false;
  desired_store_at_ = now.monotonic + kDesiredStoreGap;
  if (options_.dry_run || !options_.store_desired || !options_.encode_desired) return;
  port_.store_state(std::string(names::kDesiredFile), options_.encode_desired(*desired_));
}

void Agent::store_memory(const Now& now) {
  stored_memory_version_ = memory_.version();
  memory_store_at_ = now.monotonic + kMemoryStoreGap;
  if (options_.dry_run) return;
  port_.store_state(std::string(names::kInodesFile), memory_.encode());
}

void Agent::flush(const Now& now) {
  if (desired_dirty_) store_desired(now);
  if (memory_.version() != stored_memory_version_) store_memory(now);
}

}  // namespace loglink
