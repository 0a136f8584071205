#include "lib/model/kube_error.h"

namespace loglink {

std::string_view to_string(KubeErrorKind kind) {
  switch (kind) {
    case KubeErrorKind::kCancelled:
      return "Cancelled";
    case KubeErrorKind::kRefused:
      return "Refused";
    case KubeErrorKind::kDns:
      return "Dns";
    case KubeErrorKind::kTls:
      return "Tls";
    case KubeErrorKind::kConnectTimeout:
      return "ConnectTimeout";
    case KubeErrorKind::kIdleTimeout:
      return "IdleTimeout";
    case KubeErrorKind::kDeadline:
      return "Deadline";
    case KubeErrorKind::kTruncated:
      return "Truncated";
    case KubeErrorKind::kProtocol:
      return "Protocol";
    case KubeErrorKind::kUnauthorized:
      return "Unauthorized";
    case KubeErrorKind::kForbidden:
      return "Forbidden";
    case KubeErrorKind::kNotFound:
      return "NotFound";
    case KubeErrorKind::kNotServed:
      return "NotServed";
    case KubeErrorKind::kConflict:
      return "Conflict";
    case KubeErrorKind::kAlreadyExists:
      return "AlreadyExists";
    case KubeErrorKind::kGone:
      return "Gone";
    case KubeErrorKind::kTooLargeVersion:
      return "TooLargeVersion";
    case KubeErrorKind::kInvalid:
      return "Invalid";
    case KubeErrorKind::kTooManyRequests:
      return "TooManyRequests";
    case KubeErrorKind::kServerError:
      return "ServerError";
    case KubeErrorKind::kUnexpected:
      return "Unexpected";
  }
  __builtin_unreachable();
}

}  // namespace loglink
