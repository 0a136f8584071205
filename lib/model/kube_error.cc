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

bool passes(KubeErrorKind kind) {
  switch (kind) {
    case KubeErrorKind::kRefused:
    case KubeErrorKind::kDns:
    case KubeErrorKind::kTls:
    case KubeErrorKind::kConnectTimeout:
    case KubeErrorKind::kIdleTimeout:
    case KubeErrorKind::kDeadline:
    case KubeErrorKind::kTruncated:
    case KubeErrorKind::kProtocol:
    case KubeErrorKind::kUnauthorized:
    case KubeErrorKind::kConflict:
    case KubeErrorKind::kTooManyRequests:
    case KubeErrorKind::kServerError:
      return true;
    case KubeErrorKind::kCancelled:
    case KubeErrorKind::kForbidden:
    case KubeErrorKind::kNotFound:
    case KubeErrorKind::kNotServed:
    case KubeErrorKind::kAlreadyExists:
    case KubeErrorKind::kGone:
    case KubeErrorKind::kTooLargeVersion:
    case KubeErrorKind::kInvalid:
    case KubeErrorKind::kUnexpected:
      return false;
  }
  __builtin_unreachable();
}

}  // namespace loglink
