#include <algorithm>
#include <string_view>

#include "lib/base/text.h"
#include "lib/codec/decode_object.h"
#include "lib/codec/kube_json.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

constexpr std::string_view kTooLargeVersion = "Too large resource version";

// What a Status says beyond code and reason. All empty for a body that is no Status.
struct StatusHints {
  bool names_object = false;
  bool version_too_large = false;
};

KubeErrorKind conflict_kind(std::string_view reason) {
  if (reason == "AlreadyExists") return KubeErrorKind::kAlreadyExists;
  return KubeErrorKind::kConflict;
}

KubeErrorKind kind_of(int code, std::string_view reason, const StatusHints& hints) {
  switch (code) {
    case 400:
    case 422:
      return KubeErrorKind::kInvalid;
    case 401:
      return KubeErrorKind::kUnauthorized;
    case 403:
      return KubeErrorKind::kForbidden;
    case 404:
      if (hints.names_object) return KubeErrorKind::kNotFound;
      return KubeErrorKind::kNotServed;
    case 409:
      return conflict_kind(reason);
    case 410:
      return KubeErrorKind::kGone;
    case 429:
      return KubeErrorKind::kTooManyRequests;
    case 504:
      if (hints.version_too_large) return KubeErrorKind::kTooLargeVersion;
      return KubeErrorKind::kServerError;
    default:
      if (code >= 500 && code <= 599) return KubeErrorKind::kServerError;
      return KubeErrorKind::kUnexpected;
  }
}

KubeError error_without_status(int code, std::string message) {
  KubeError error;
  error.kind = kind_of(code, "", {});
  error.http_status = code;
  error.message = std::move(message);
  return error;
}

std::string plain_message(int code, std::string_view content_type, std::string_view body) {
  std::string message = "HTTP " + std::to_string(code);
  // Proxies answer in HTML, which is not for a person.
  if (!content_type.starts_with("text/plain")) return message;
  const std::string line = sanitize(trim_spaces(body.substr(0, body.find_first_of("\r\n"))));
  if (line.empty()) return message;
  return message + ": " + line;
}

}  // namespace

KubeError protocol_error(std::string message) {
  KubeError error;
  error.kind = KubeErrorKind::kProtocol;
  error.message = sanitize(message);
  return error;
}

KubeError status_error(StatusWords status, int http_status) {
  KubeError error;
  error.http_status = http_status;
  if (http_status == 0) error.http_status = status.code;
  error.reason = sanitize(status.reason, limits::kReasonBytes);
  error.message = sanitize(status.message);
  StatusHints hints;
  hints.names_object = status.names_object;
  hints.version_too_large = status.message.find(kTooLargeVersion) != std::string::npos;
  if (status.retry_after_seconds > 0) {
    const std::int64_t most = limits::kRetryAfterMax.count();
    error.retry_after = std::chrono::seconds(std::min(status.retry_after_seconds, most));
  }
  for (StatusCause& cause : status.causes) {
    cause.message = sanitize(cause.message);
    if (cause.reason == "ResourceVersionTooLarge") hints.version_too_large = true;
    error.causes.push_back(std::move(cause));
  }
  error.kind = kind_of(error.http_status, error.reason, hints);
  if (error.message.empty()) error.message = "HTTP " + std::to_string(error.http_status);
  return error;
}

KubeError read_status(const JsonReader& status, int http_status) {
  StatusWords words;
  if (http_status == 0) words.code = status.count("code");
  words.reason = status.text("reason");
  words.message = status.text("message");
  const JsonReader details = status.child("details");
  words.names_object = !details.text("name").empty();
  words.retry_after_seconds = details.count("retryAfterSeconds");
  details.each("causes", [&](const JsonReader& cause) {
    words.causes.push_back({cause.text("reason"), cause.text("message"), cause.text("field")});
  });
  return status_error(std::move(words), http_status);
}

KubeError decode_error(int status, std::string_view content_type, std::string_view body) {
  if (content_type.starts_with(kProtobufMediaType)) {
    if (std::optional<KubeError> error = decode_protobuf_status(body, status)) return *error;
    return error_without_status(status, plain_message(status, content_type, body));
  }
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  const bool json = body.find('{') != std::string_view::npos &&
                    parser.parse(body.data(), body.size()).get(root) == simdjson::SUCCESS;
  if (json) {
    DecodeProblem problem;
    const JsonReader reader(root, problem);
    if (root.is_object() && reader.text("kind") == "Status") {
      KubeError error = read_status(reader, status);
      if (!problem.found()) return error;
    }
  }
  return error_without_status(status, plain_message(status, content_type, body));
}

}  // namespace loglink
