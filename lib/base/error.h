// Errors as values: a closed set of codes, a sentence for a person, and errno where there was one.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace loglink {

enum class ErrorCode {
  kInvalidArgument,  // bad input of a user: a flag, a file, an annotation
  kNotFound,
  kAlreadyExists,
  kPermissionDenied,
  kFailedPrecondition,  // the world is not as this call needs it (a foreign link directory, a held
                        // lock)
  kUnsupported,         // kernel, file system or server lacks something
  kResourceExhausted,   // a bound of ours or of the system
  kIo,
  kInternal,
};

struct Error {
  ErrorCode code = ErrorCode::kInternal;
  // One line: what thing, why, and what cures it where we know. No trailing newline or full stop.
  std::string message;
  int system_errno = 0;  // 0 when no system call failed

  bool operator==(const Error&) const = default;
};

template <class T>
using Expected = tl::expected<T, Error>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message, int system_errno = 0) {
  return tl::unexpected<Error>(Error{code, std::move(message), system_errno});
}

// "context: strerror(error)", with the code that fits the errno.
tl::unexpected<Error> fail_errno(int error, const std::string& context);

}  // namespace loglink

// Evaluates an Expected<T>; returns its error from the enclosing function, or yields nothing.
#define LOGLINK_TRY(expression)                                     \
  do {                                                              \
    auto loglink_try_result = (expression);                         \
    if (!loglink_try_result) {                                      \
      return tl::unexpected(std::move(loglink_try_result).error()); \
    }                                                               \
  } while (false)

#define LOGLINK_CONCAT_INNER(a, b) a##b
#define LOGLINK_CONCAT(a, b) LOGLINK_CONCAT_INNER(a, b)
// LOGLINK_ASSIGN_OR_RETURN(auto x, f()); returns f()'s error or assigns its value.
#define LOGLINK_ASSIGN_OR_RETURN(lhs, expression) \
  LOGLINK_ASSIGN_OR_RETURN_INNER(LOGLINK_CONCAT(loglink_value_, __LINE__), lhs, expression)
#define LOGLINK_ASSIGN_OR_RETURN_INNER(result, lhs, expression)  \
  auto result = (expression);                                    \
  if (!result) return tl::unexpected(std::move(result).error()); \
  lhs = std::move(result).value()
