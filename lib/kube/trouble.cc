#include "lib/kube/trouble.h"

namespace loglink {

std::string describe(const KubeError& error) {
  std::string text(to_string(error.kind));
  if (error.http_status != 0) text += " (" + std::to_string(error.http_status) + ")";
  if (!error.message.empty()) text += ": " + error.message;
  return text;
}

std::string cure(const KubeError& error) {
  switch (error.kind) {
    case KubeErrorKind::kUnauthorized:
      return "the API server does not accept our credentials: check the service account's token";
    case KubeErrorKind::kForbidden:
      return "grant what the chart's ClusterRole grants";
    case KubeErrorKind::kNotServed:
      return "install the CustomResourceDefinition nodelinksets.loglink.io";
    case KubeErrorKind::kTls:
      return "check the CA and the server's name";
    case KubeErrorKind::kRefused:
    case KubeErrorKind::kDns:
    case KubeErrorKind::kConnectTimeout:
      return "check the API server's address and that it runs";
    case KubeErrorKind::kCancelled:
    case KubeErrorKind::kIdleTimeout:
    case KubeErrorKind::kDeadline:
    case KubeErrorKind::kTruncated:
    case KubeErrorKind::kProtocol:
    case KubeErrorKind::kNotFound:
    case KubeErrorKind::kConflict:
    case KubeErrorKind::kAlreadyExists:
    case KubeErrorKind::kGone:
    case KubeErrorKind::kTooLargeVersion:
    case KubeErrorKind::kInvalid:
    case KubeErrorKind::kTooManyRequests:
    case KubeErrorKind::kServerError:
    case KubeErrorKind::kUnexpected:
      return "";
  }
  __builtin_unreachable();
}

std::string describe_with_cure(const KubeError& error) {
  const std::string what = cure(error);
  return describe(error) + (what.empty() ? "" : "; " + what);
}

}  // namespace loglink
