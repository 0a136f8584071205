// errno as the closed sets of agent/core/file_port.h.
#pragma once

#include <cerrno>

#include "agent/core/file_port.h"

namespace loglink {

FileErrorKind file_error_kind(int error);

inline tl::unexpected<FileError> file_failure(int error) {
  return tl::unexpected<FileError>(FileError{file_error_kind(error), error});
}

// Calls a system call wrapper again as long as it is interrupted by a signal.
template <class Call>
auto retry_interrupted(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) result = call();
  return result;
}

}  // namespace loglink
