#include "agent/core/directory_trouble.h"

#include <string_view>

namespace loglink {
namespace {

Reason reason_of(FileErrorKind kind) {
  switch (kind) {
    case FileErrorKind::kNotFound:
      return Reason::kDirectoryNotFound;
    case FileErrorKind::kPermissionDenied:
      return Reason::kPermissionDenied;
    case FileErrorKind::kCrossesMount:
      return Reason::kMountBelowRoot;
    case FileErrorKind::kUnsupported:
      return Reason::kUnsupportedFileSystem;
    case FileErrorKind::kNotADirectory:
    case FileErrorKind::kSymlinkInPath:
    case FileErrorKind::kNameTooLong:
    case FileErrorKind::kAlreadyExists:
    case FileErrorKind::kNoSpace:
    case FileErrorKind::kTooManyOpenFiles:
    case FileErrorKind::kReadOnly:
    case FileErrorKind::kNotOurs:
    case FileErrorKind::kWatchLimit:
    case FileErrorKind::kIo:
      return Reason::kReadError;
  }
  __builtin_unreachable();
}

std::string_view explain(FileErrorKind kind) {
  switch (kind) {
    case FileErrorKind::kNotFound:
      return "no such directory yet; check its spelling, or wait until the application makes it";
    case FileErrorKind::kPermissionDenied:
      return "the agent may not read it; give it and its parents mode 0755";
    case FileErrorKind::kCrossesMount:
      return "another file system is mounted there, which is not entered; mount an emptyDir or an "
             "allowed hostPath";
    case FileErrorKind::kUnsupported:
      return "the file system does not support what the agent needs; mount an emptyDir or an "
             "allowed "
             "hostPath";
    case FileErrorKind::kNotADirectory:
      return "it is not a directory; name the directory of the log files";
    case FileErrorKind::kSymlinkInPath:
      return "it is or lies below a symbolic link, which is never followed; use a real directory";
    case FileErrorKind::kNameTooLong:
      return "its name is too long; shorten it";
    case FileErrorKind::kTooManyOpenFiles:
      return "the agent has too many open files; ask the administrator";
    case FileErrorKind::kAlreadyExists:
    case FileErrorKind::kNoSpace:
    case FileErrorKind::kReadOnly:
    case FileErrorKind::kNotOurs:
    case FileErrorKind::kWatchLimit:
    case FileErrorKind::kIo:
      return "it cannot be read; ask the administrator to look at the node's disk";
  }
  __builtin_unreachable();
}

}  // namespace

DirectoryKnowledge knowledge_after(FileErrorKind error) {
  switch (error) {
    case FileErrorKind::kNotFound:
    case FileErrorKind::kNotADirectory:
    case FileErrorKind::kSymlinkInPath:
      return DirectoryKnowledge::kMissing;
    case FileErrorKind::kPermissionDenied:
    case FileErrorKind::kCrossesMount:
    case FileErrorKind::kNameTooLong:
    case FileErrorKind::kAlreadyExists:
    case FileErrorKind::kNoSpace:
    case FileErrorKind::kTooManyOpenFiles:
    case FileErrorKind::kReadOnly:
    case FileErrorKind::kNotOurs:
    case FileErrorKind::kWatchLimit:
    case FileErrorKind::kUnsupported:
    case FileErrorKind::kIo:
      return DirectoryKnowledge::kUnknown;
  }
  __builtin_unreachable();
}

DirectoryTrouble cannot_be_read(const std::string& directory, FileErrorKind error) {
  return {reason_of(error), directory + ": " + std::string(explain(error))};
}

DirectoryTrouble has_unknown_entry(const std::string& directory) {
  return {Reason::kReadError,
          directory +
              ": an entry cannot be looked at, so it is not known whether it is a "
              "directory; remove it, or lower loglink/max-depth"};
}

DirectoryTrouble has_too_many_files(const std::string& directory, int most) {
  return {Reason::kTooManyFiles,
          directory + ": more than " + std::to_string(most) +
              " entries, here or in all of its directories; the rest is not looked at; remove old "
              "ones"};
}

DirectoryTrouble is_not_watched(const std::string& directory) {
  return {Reason::kWatchLimitReached,
          directory +
              ": too many directories are watched on the node, so new files are found with "
              "a delay; lower loglink/max-depth"};
}

DirectoryTrouble has_too_many_subdirectories(const std::string& directory, int most) {
  return {Reason::kTooManySubdirectories,
          directory + ": more than " + std::to_string(most) +
              " directories, and the rest is not looked at; lower loglink/max-depth or name them "
              "one by one"};
}

}  // namespace loglink
