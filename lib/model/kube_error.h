// What can go wrong between us and the API server, as a closed set.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"

namespace loglink {

enum class KubeErrorKind {
  kCancelled,
  kRefused,  // TCP refused, unreachable, reset before a byte of the answer
  kDns,
  kTls,  // handshake or certificate
  kConnectTimeout,
  kIdleTimeout,  // headers or bytes did not come in time
  kDeadline,
  kTruncated,      // the connection ended inside an answer
  kProtocol,       // not HTTP, JSON or protobuf as expected; too large
  kUnauthorized,   // 401
  kForbidden,      // 403
  kNotFound,       // 404 with a Status that names the object
  kNotServed,      // 404 without: the group or resource does not exist (CRD missing), API not ready
  kConflict,       // 409 reason Conflict
  kAlreadyExists,  // 409 reason AlreadyExists
  kGone,           // 410, as HTTP status or as an ERROR event
  kTooLargeVersion,  // 504 with a resourceVersion from the future
  kInvalid,          // 400, 422
  kTooManyRequests,  // 429
  kServerError,      // 5xx
  kUnexpected,       // any other status
};

// One of status.details.causes.
struct StatusCause {
  std::string reason;
  std::string message;
  std::string field;  // "" when a policy refused

  auto operator<=>(const StatusCause&) const = default;
};

struct KubeError {
  KubeErrorKind kind = KubeErrorKind::kUnexpected;
  int http_status = 0;  // 0 when there was no answer
  std::string reason;   // metav1.Status.reason
  std::string message;  // one line for a person, with host:port or the path where that helps
  std::optional<Duration> retry_after;
  std::vector<StatusCause> causes;

  auto operator<=>(const KubeError&) const = default;
};

std::string_view to_string(KubeErrorKind kind);

// Whether the same write may do soon: trouble of the server or on the way to it, not with what we
// ask.
bool passes(KubeErrorKind kind);

}  // namespace loglink
