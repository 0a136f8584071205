#include "tests/fakes/kube_status.h"

#include <algorithm>

namespace loglink::fakes {
namespace {

Json name_details(const KubeType& type, const std::string& name) {
  Json details = {{"kind", type.plural}};
  if (!name.empty()) details["name"] = name;
  if (!type.group.empty()) details["group"] = type.group;
  return details;
}

std::string quoted(const std::string& text) { return "\"" + text + "\""; }

}  // namespace

Json status_object(int code, const std::string& reason, const std::string& message,
                   const Json& details) {
  Json status = {{"kind", "Status"},    {"apiVersion", "v1"}, {"metadata", Json::object()},
                 {"status", "Failure"}, {"message", message}, {"code", code}};
  if (!reason.empty()) status["reason"] = reason;
  if (!details.is_null()) status["details"] = details;
  return status;
}

FakeResponse json_response(int code, const Json& body) {
  FakeResponse response;
  response.status = code;
  response.body = dump(body) + "\n";
  return response;
}

FakeResponse text_response(int code, std::string body) {
  FakeResponse response;
  response.status = code;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(body);
  return response;
}

FakeResponse status_response(int code, const std::string& reason, const std::string& message,
                             const Json& details) {
  FakeResponse response = json_response(code, status_object(code, reason, message, details));
  const Json& retry = at_path(details, "/retryAfterSeconds");
  if (retry.is_number()) response.headers.emplace_back("Retry-After", dump(retry));
  return response;
}

FakeResponse page_not_found() { return text_response(404, "404 page not found\n"); }

FakeResponse bad_request(const std::string& message) {
  return status_response(400, "BadRequest", message);
}

FakeResponse internal_error(const std::string& message) {
  return status_response(500, "", message);
}

FakeResponse not_found(const KubeType& type, const std::string& name) {
  return status_response(404, "NotFound",
                         type.qualified_plural() + " " + quoted(name) + " not found",
                         name_details(type, name));
}

FakeResponse already_exists(const KubeType& type, const std::string& name) {
  return status_response(409, "AlreadyExists",
                         type.qualified_plural() + " " + quoted(name) + " already exists",
                         name_details(type, name));
}

FakeResponse conflict(const KubeType& type, const std::string& name, const std::string& why) {
  const std::string reason =
      why.empty() ? "the object has been modified; please apply your changes to the latest version "
                    "and try again"
                  : why;
  return status_response(409, "Conflict",
                         "Operation cannot be fulfilled on " + type.qualified_plural() + " " +
                             quoted(name) + ": " + reason,
                         name_details(type, name));
}

FakeResponse method_not_allowed() {
  return status_response(405, "MethodNotAllowed",
                         "the server does not allow this method on the requested resource",
                         Json::object());
}

FakeResponse unsupported_media_type(const std::string& accepted) {
  return status_response(415, "UnsupportedMediaType",
                         "the body of the request was in an unknown format - accepted media types "
                         "include: " +
                             accepted);
}

FakeResponse invalid(const std::string& subject, const std::string& group, const std::string& kind,
                     const std::string& name, const std::vector<StatusCause>& causes) {
  Json details = {{"kind", kind}, {"causes", Json::array()}};
  if (!name.empty()) details["name"] = name;
  if (!group.empty()) details["group"] = group;
  std::vector<std::string> lines;
  for (const StatusCause& cause : causes) {
    const std::string line = cause.field + ": " + cause.message;
    // The same complaint twice is one line of the message, but two causes.
    if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(line);
    details["causes"].push_back(
        {{"reason", cause.reason}, {"message", cause.message}, {"field", cause.field}});
  }
  std::string message = subject + " " + quoted(name) + " is invalid: ";
  if (lines.size() > 1) message += "[";
  for (std::size_t i = 0; i < lines.size(); ++i) message += (i == 0 ? "" : ", ") + lines[i];
  if (lines.size() > 1) message += "]";
  return status_response(422, "Invalid", message, details);
}

FakeResponse invalid_object(const KubeType& type, const std::string& name,
                            const std::vector<StatusCause>& causes) {
  // Events complain in the voice of their old API.
  const bool event = type.plural == "events";
  return invalid(event ? type.kind : type.qualified_kind(), event ? "" : type.group, type.kind,
                 name, causes);
}

FakeResponse invalid_list_options(const std::vector<StatusCause>& causes) {
  return invalid("ListOptions.meta.k8s.io", "meta.k8s.io", "ListOptions", "", causes);
}

FakeResponse version_required(const KubeType& type, const std::string& name) {
  const StatusCause cause{"FieldValueInvalid", "Invalid value: 0: must be specified for an update",
                          "metadata.resourceVersion"};
  return invalid(type.qualified_plural(), type.group, type.plural, name, {cause});
}

Json too_large_version(std::uint64_t asked, std::uint64_t current) {
  Json details = {{"causes", Json::array({{{"reason", "ResourceVersionTooLarge"},
                                           {"message", "Too large resource version"}}})},
                  {"retryAfterSeconds", 1}};
  return status_object(504, "Timeout",
                       "Timeout: Too large resource version: " + std::to_string(asked) +
                           ", current: " + std::to_string(current),
                       details);
}

Json too_old_version(std::uint64_t asked, std::uint64_t oldest) {
  return status_object(
      410, "Expired",
      "too old resource version: " + std::to_string(asked) + " (" + std::to_string(oldest) + ")");
}

StatusCause cause_invalid(std::string field, const Json& value, const std::string& why) {
  return {"FieldValueInvalid", "Invalid value: " + dump(value) + ": " + why, std::move(field)};
}

StatusCause cause_required(std::string field, const std::string& why) {
  return {"FieldValueRequired", "Required value" + (why.empty() ? "" : ": " + why),
          std::move(field)};
}

StatusCause cause_forbidden(std::string field, const std::string& why) {
  return {"FieldValueForbidden", "Forbidden: " + why, std::move(field)};
}

}  // namespace loglink::fakes
