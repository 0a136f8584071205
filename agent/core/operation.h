// One change of the link directory, with the reason for it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/core/source_index.h"
#include "agent/core/target.h"

namespace loglink {

// At once metric label, log field and word in a dry run.
enum class OperationReason {
  // Make, or replace.
  kNewFile,  // a wanted file without a link
  // Replace only.
  kTargetChanged,  // the name must mean another file, and the old one is gone or at its time
  kModeChanged,    // the same file, spelled for the other link mode
  // Remove.
  kWithdrawn,   // its source was withdrawn, and the time is up
  kNoSource,    // no source asks for it, and the time is up
  kTargetGone,  // the file has been gone for too long
  kNotARegularFile,
  kUnsafeRoot,
};

std::string_view to_string(OperationReason reason);

enum class OperationKind { kMake, kReplace, kRemove };

std::string_view to_string(OperationKind kind);

struct Operation {
  OperationKind kind = OperationKind::kMake;
  OperationReason reason = OperationReason::kNewFile;
  std::string name;
  std::string old_target;  // of replace and remove
  std::string new_target;  // of make and replace
  // Of make and replace: what is linked, for whom.
  Target file;
  FileInfo info;
  SourceId source = 0;
  // Of replace and remove: right only while the old target is gone, which is for the last moment
  // to say.
  bool only_if_gone = false;
  // Of replace and remove: whose link it was, where that is known.
  std::optional<SourceId> old_owner;

  auto operator<=>(const Operation&) const = default;
};

// One line for a person, sanitized: "make web-0_prod_app-a.log -> /run/… (NewFile)".
std::string describe(const Operation& operation);

}  // namespace loglink
