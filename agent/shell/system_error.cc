#include "agent/shell/system_error.h"

namespace loglink {

FileErrorKind file_error_kind(int error) {
  switch (error) {
    case ENOENT:
      return FileErrorKind::kNotFound;
    case EACCES:
    case EPERM:
      return FileErrorKind::kPermissionDenied;
    case ENOTDIR:
      return FileErrorKind::kNotADirectory;
    case ELOOP:
      return FileErrorKind::kSymlinkInPath;
    case EXDEV:
      return FileErrorKind::kCrossesMount;
    case ENAMETOOLONG:
      return FileErrorKind::kNameTooLong;
    case EEXIST:
      return FileErrorKind::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
      return FileErrorKind::kNoSpace;
    case EMFILE:
    case ENFILE:
      return FileErrorKind::kTooManyOpenFiles;
    case EROFS:
      return FileErrorKind::kReadOnly;
    case ENOSYS:
    case EOPNOTSUPP:
      return FileErrorKind::kUnsupported;
    default:
      return FileErrorKind::kIo;
  }
}

}  // namespace loglink
