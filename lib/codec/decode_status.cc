#include <algorithm>
#include <string_view>

#include "lib/base/text.h"
#include "lib/codec/decode_object.h"
#include "lib/codec/kube_json.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

constexpr std::string_view kTooLargeVersion = "Too large resource version";
// Nobody means to make a client wait longer than this.
constexpr std::int64_t kRetryAfterSecondsMax = 3600;

// What a Status says beyond the code. All empty for a body that is no Status.
struct StatusWords {
  bool names_object = false;
  bool version_too_large = false;
};

KubeErrorKind conflict_kind(std::string_view reason) {
  if (reason == "AlreadyExists") return KubeErrorKind::kAlreadyExists;
  return KubeErrorKind::kConflict;
}

KubeErrorKind kind_of(int code, std::string_view reason, const StatusWords& words) {
  switch (code) {
    case 400:
    case 422:
      return KubeErrorKind::kInvalid;
    case 401:
      return KubeErrorKind::kUnauthorized;
    case 403:
      return KubeErrorKind::kForbidden;
    case 404:
      if (words.names_object) return KubeErrorKind::kNotFound;
      return KubeErrorKind::kNotServed;
    case 409:
      return conflict_kind(reason);
    case 410:
      return KubeErrorKind::kGone;
    case 429:
      return KubeErrorKind::kTooManyRequests;
    case 504:
      if (words.version_too_large) return KubeErrorKind::kTooLargeVersion;
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
  // Proxies answer in HTML, a server that was asked for protobuf alone in protobuf: neither is
  // for a person.
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

KubeError read_status(const JsonReader& status, int http_status) {
  KubeError error;
  error.http_status = http_status;
  if (http_status == 0) error.http_status = status.count("code");
  error.reason = sanitize(status.text("reason"), limits::kReasonBytes);
  const std::string message = status.text("message");
  error.message = sanitize(message);
  StatusWords words;
  words.version_too_large = message.find(kTooLargeVersion) != std::string::npos;
  const JsonReader details = status.child("details");
  words.names_object = !details.text("name").empty();
  const int seconds = details.count("retryAfterSeconds");
  if (seconds > 0) {
    error.retry_after =
        std::chrono::seconds(std::min<std::int64_t>(seconds, kRetryAfterSecondsMax));
  }
  details.each("causes", [&](const JsonReader& cause) {
    StatusCause out{cause.text("reason"), sanitize(cause.text("message")), cause.text("field")};
    if (out.reason == "ResourceVersionTooLarge") words.version_too_large = true;
    error.causes.push_back(std::move(out));
  });
  error.kind = kind_of(error.http_status, error.reason, words);
  if (error.message.empty()) error.message = "HTTP " + std::to_string(error.http_status);
  return error;
}

KubeError decode_error(int status, std::string_view content_type, std::string_view body) {
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
