// The closed table of reasons: at once status text, metric label, log field and docs heading.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace loglink {

enum class Reason {
  // The controller refuses one watch dir.
  kInvalidDirectory,
  kUnknownContainer,
  kNotOnAVolume,
  kVolumeKindNotSupported,
  kHostPathNotAllowed,
  kNotADirectory,
  kDirectoryReserved,
  kPathNotSupported,
  kUnresolvedSubPathExpr,
  kStaticPod,
  kNamespaceNotAllowed,
  kRejectedByServer,
  // The controller refuses the whole annotation (one refusal, watch dir "").
  kTooManyDirectories,
  kNoWatchDir,
  kInvalidPattern,
  kInvalidDepth,
  // Told, the status word is unchanged.
  kUnknownAnnotation,
  // Limits, decided by the controller.
  kPodLimitReached,
  kNamespaceLimitReached,
  kNodeLimitReached,
  // A condition of the controller.
  kCRDOutdated,
  // The agent refuses one watch dir.
  kUnknownRoot,
  kAgentTooOld,
  kPermissionDenied,
  kReadError,
  kUnsupportedFileSystem,
  kMountBelowRoot,
  // The agent waits for the directory.
  kDirectoryNotFound,
  // The agent refuses a file.
  kNotARegularFile,
  kNameTaken,
  kNameCollision,
  kNameTooLong,
  kAlreadyLinked,
  // A skip, never counted as refused.
  kRotated,
  // Limits, decided by the agent.
  kLinkLimitReached,
  kTooManySubdirectories,
  kTooManyFiles,
  kWatchLimitReached,
  // Conditions of the agent.
  kUnsafeRoot,
  kDiskFull,
  kAnotherAgent,
  kNoBirthTime,
  kEqualInodes,
};

enum class Decider { kController, kAgent };

// How a reason moves the pod's status word, in falling severity.
enum class Severity {
  kSource,     // refuses a watch dir: Degraded, or Invalid if none is left
  kLimit,      // Degraded
  kMissing,    // Pending
  kFile,       // counted and named, the word stays
  kSkip,       // neither counted nor named
  kTold,       // named, the word stays
  kCondition,  // about the node or the installation, not about a pod
};

// "HostPathNotAllowed" and so on: the constant without its k.
std::string_view to_string(Reason reason);
// nullopt for a word that is not in the table.
std::optional<Reason> reason_from_string(std::string_view word);
Decider decided_by(Reason reason);
Severity severity(Reason reason);
// The whole table in declaration order, for docs and tests.
const std::vector<Reason>& all_reasons();

// loglink/status.
enum class StatusWord { kInvalid, kDegraded, kPending, kLinked };
std::string_view to_string(StatusWord word);
std::optional<StatusWord> status_word_from_string(std::string_view word);

}  // namespace loglink
