#include "lib/model/reason.h"

#include <array>

namespace loglink {
namespace {

struct Row {
  Reason reason;
  std::string_view word;
  Decider decider;
  Severity severity;
};

// In the order of the enumeration: row i is Reason(i).
constexpr std::array<Row, 43> kTable = {{
    {Reason::kInvalidDirectory, "InvalidDirectory", Decider::kController, Severity::kSource},
    {Reason::kUnknownContainer, "UnknownContainer", Decider::kController, Severity::kSource},
    {Reason::kNotOnAVolume, "NotOnAVolume", Decider::kController, Severity::kSource},
    {Reason::kVolumeKindNotSupported, "VolumeKindNotSupported", Decider::kController,
     Severity::kSource},
    {Reason::kHostPathNotAllowed, "HostPathNotAllowed", Decider::kController, Severity::kSource},
    {Reason::kNotADirectory, "NotADirectory", Decider::kController, Severity::kSource},
    {Reason::kDirectoryReserved, "DirectoryReserved", Decider::kController, Severity::kSource},
    {Reason::kPathNotSupported, "PathNotSupported", Decider::kController, Severity::kSource},
    {Reason::kUnresolvedSubPathExpr, "UnresolvedSubPathExpr", Decider::kController,
     Severity::kSource},
    {Reason::kStaticPod, "StaticPod", Decider::kController, Severity::kSource},
    {Reason::kNamespaceNotAllowed, "NamespaceNotAllowed", Decider::kController, Severity::kSource},
    {Reason::kRejectedByServer, "RejectedByServer", Decider::kController, Severity::kSource},
    {Reason::kTooManyDirectories, "TooManyDirectories", Decider::kController, Severity::kSource},
    {Reason::kNoWatchDir, "NoWatchDir", Decider::kController, Severity::kSource},
    {Reason::kInvalidPattern, "InvalidPattern", Decider::kController, Severity::kSource},
    {Reason::kInvalidDepth, "InvalidDepth", Decider::kController, Severity::kSource},
    {Reason::kUnknownAnnotation, "UnknownAnnotation", Decider::kController, Severity::kTold},
    {Reason::kPodLimitReached, "PodLimitReached", Decider::kController, Severity::kLimit},
    {Reason::kNamespaceLimitReached, "NamespaceLimitReached", Decider::kController,
     Severity::kLimit},
    {Reason::kNodeLimitReached, "NodeLimitReached", Decider::kController, Severity::kLimit},
    {Reason::kCRDOutdated, "CRDOutdated", Decider::kController, Severity::kCondition},
    {Reason::kUnknownRoot, "UnknownRoot", Decider::kAgent, Severity::kSource},
    {Reason::kAgentTooOld, "AgentTooOld", Decider::kAgent, Severity::kSource},
    {Reason::kPermissionDenied, "PermissionDenied", Decider::kAgent, Severity::kSource},
    {Reason::kReadError, "ReadError", Decider::kAgent, Severity::kSource},
    {Reason::kUnsupportedFileSystem, "UnsupportedFileSystem", Decider::kAgent, Severity::kSource},
    {Reason::kMountBelowRoot, "MountBelowRoot", Decider::kAgent, Severity::kSource},
    {Reason::kDirectoryNotFound, "DirectoryNotFound", Decider::kAgent, Severity::kMissing},
    {Reason::kNotARegularFile, "NotARegularFile", Decider::kAgent, Severity::kFile},
    {Reason::kNameTaken, "NameTaken", Decider::kAgent, Severity::kFile},
    {Reason::kNameCollision, "NameCollision", Decider::kAgent, Severity::kFile},
    {Reason::kNameTooLong, "NameTooLong", Decider::kAgent, Severity::kFile},
    {Reason::kAlreadyLinked, "AlreadyLinked", Decider::kAgent, Severity::kFile},
    {Reason::kRotated, "Rotated", Decider::kAgent, Severity::kSkip},
    {Reason::kLinkLimitReached, "LinkLimitReached", Decider::kAgent, Severity::kLimit},
    {Reason::kTooManySubdirectories, "TooManySubdirectories", Decider::kAgent, Severity::kLimit},
    {Reason::kTooManyFiles, "TooManyFiles", Decider::kAgent, Severity::kLimit},
    {Reason::kWatchLimitReached, "WatchLimitReached", Decider::kAgent, Severity::kLimit},
    {Reason::kUnsafeRoot, "UnsafeRoot", Decider::kAgent, Severity::kCondition},
    {Reason::kDiskFull, "DiskFull", Decider::kAgent, Severity::kCondition},
    {Reason::kAnotherAgent, "AnotherAgent", Decider::kAgent, Severity::kCondition},
    {Reason::kNoBirthTime, "NoBirthTime", Decider::kAgent, Severity::kCondition},
    {Reason::kEqualInodes, "EqualInodes", Decider::kAgent, Severity::kCondition},
}};

constexpr bool is_in_order() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].reason) != i) return false;
  }
  return static_cast<std::size_t>(Reason::kEqualInodes) + 1 == kTable.size();
}
static_assert(is_in_order());

const Row& row(Reason reason) { return kTable[static_cast<std::size_t>(reason)]; }

}  // namespace

std::string_view to_string(Reason reason) { return row(reason).word; }
Decider decided_by(Reason reason) { return row(reason).decider; }
Severity severity(Reason reason) { return row(reason).severity; }

std::optional<Reason> reason_from_string(std::string_view word) {
  for (const Row& candidate : kTable) {
    if (candidate.word == word) return candidate.reason;
  }
  return std::nullopt;
}

const std::vector<Reason>& all_reasons() {
  static const std::vector<Reason> kReasons = [] {
    std::vector<Reason> all;
    for (const Row& each : kTable) all.push_back(each.reason);
    return all;
  }();
  return kReasons;
}

std::string_view to_string(StatusWord word) {
  switch (word) {
    case StatusWord::kInvalid:
      return "Invalid";
    case StatusWord::kDegraded:
      return "Degraded";
    case StatusWord::kPending:
      return "Pending";
    case StatusWord::kLinked:
      return "Linked";
  }
  __builtin_unreachable();
}

std::optional<StatusWord> status_word_from_string(std::string_view word) {
  for (const StatusWord candidate :
       {StatusWord::kInvalid, StatusWord::kDegraded, StatusWord::kPending, StatusWord::kLinked}) {
    if (to_string(candidate) == word) return candidate;
  }
  return std::nullopt;
}

}  // namespace loglink
