// What is known of the file that a link means.
#pragma once

#include "agent/core/file_port.h"

namespace loglink {

enum class TargetState { kUnknown, kRegular, kMissing, kFifo, kOther };

struct TargetView {
  TargetState state = TargetState::kUnknown;
  FileInfo info;  // of what is there

  auto operator<=>(const TargetView&) const = default;
};

// Of a file that is there. kUnknown: it could not be asked, which is no reason to take its link
// away.
TargetState state_of(FileKind kind);

// Of the answer to a stat: what is in the way of the file counts as its absence, any other error
// says nothing.
TargetView view_of(const FileExpected<FileInfo>& info);

}  // namespace loglink
