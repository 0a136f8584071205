#include "agent/core/target_view.h"

namespace loglink {

TargetState state_of(FileKind kind) {
  switch (kind) {
    case FileKind::kRegular:
      return TargetState::kRegular;
    case FileKind::kFifo:
      return TargetState::kFifo;
    case FileKind::kDirectory:
    case FileKind::kSymlink:
    case FileKind::kSocket:
    case FileKind::kDevice:
      return TargetState::kOther;
    case FileKind::kUnknown:
      return TargetState::kUnknown;
  }
  __builtin_unreachable();
}

TargetView view_of(const FileExpected<FileInfo>& info) {
  if (info) return {state_of(info->kind), *info};
  const FileErrorKind kind = info.error().kind;
  const bool missing = kind == FileErrorKind::kNotFound || kind == FileErrorKind::kNotADirectory ||
                       kind == FileErrorKind::kSymlinkInPath;
  if (missing) return {TargetState::kMissing, {}};
  return {};
}

}  // namespace loglink
