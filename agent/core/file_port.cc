#include "agent/core/file_port.h"

namespace loglink {

std::string_view describe(FileErrorKind kind) {
  switch (kind) {
    case FileErrorKind::kNotFound:
      return "not found";
    case FileErrorKind::kPermissionDenied:
      return "permission denied";
    case FileErrorKind::kNotADirectory:
      return "not a directory";
    case FileErrorKind::kSymlinkInPath:
      return "symbolic link in the path";
    case FileErrorKind::kCrossesMount:
      return "another mount in the path";
    case FileErrorKind::kNameTooLong:
      return "name too long";
    case FileErrorKind::kAlreadyExists:
      return "already exists";
    case FileErrorKind::kNoSpace:
      return "no space left";
    case FileErrorKind::kTooManyOpenFiles:
      return "too many open files";
    case FileErrorKind::kReadOnly:
      return "read-only file system";
    case FileErrorKind::kNotOurs:
      return "it belongs to somebody else";
    case FileErrorKind::kWatchLimit:
      return "no watch left";
    case FileErrorKind::kUnsupported:
      return "not supported";
    case FileErrorKind::kIo:
      return "input/output error";
  }
  __builtin_unreachable();
}

}  // namespace loglink
