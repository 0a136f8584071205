#include "tests/fakes/kube_faults.h"

#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_status.h"

namespace loglink::fakes {
namespace {

bool matches(const Fault& fault, const FakeRequest& request) {
  if (!fault.method.empty() && fault.method != request.method) return false;
  if (request.target.rfind(fault.path_prefix, 0) != 0) return false;
  return !fault.watch || *fault.watch == FakeKube::is_watch(request);
}

// Throws Json::exception on a member of the wrong type.
Fault read_fault(const Json& json) {
  Fault fault;
  fault.method = json.value("method", "");
  fault.path_prefix = json.value("path_prefix", "");
  if (json.contains("watch")) fault.watch = json.at("watch").get<bool>();
  fault.count = json.value("count", std::size_t{1});
  fault.status = json.value("status", 0);
  if (json.contains("retry_after_seconds")) {
    fault.retry_after_seconds = json.at("retry_after_seconds").get<int>();
  }
  fault.refuse = json.value("refuse", false);
  fault.lose_answer = json.value("lose_answer", false);
  fault.delay_ms = json.value("delay_ms", std::size_t{0});
  if (json.contains("cut_after_bytes")) {
    fault.cut_after_bytes = json.at("cut_after_bytes").get<std::size_t>();
  }
  if (json.contains("stall_after_bytes")) {
    fault.stall_after_bytes = json.at("stall_after_bytes").get<std::size_t>();
  }
  fault.chunk_bytes = json.value("chunk_bytes", std::size_t{0});
  return fault;
}

FakeResponse plain_fault_answer(int status) {
  switch (status) {
    case 401:
      return status_response(401, "Unauthorized", "Unauthorized");
    case 403:
      return status_response(403, "Forbidden", "forbidden by the test");
    case 404:
      return page_not_found();
    case 409:
      return status_response(409, "Conflict", "Operation cannot be fulfilled");
    case 410:
      return status_response(410, "Expired",
                             "The resourceVersion for the provided list is too old.");
    case 429:
      return text_response(429, "Too many requests, please try again later.\n");
    case 500:
      return status_response(500, "InternalError", "Internal error occurred: test");
    case 503:
      return status_response(503, "ServiceUnavailable",
                             "the server is currently unable to handle the request");
    case 504:
      return status_response(504, "Timeout", "Timeout: request did not complete");
    default:
      return text_response(status, "fault\n");
  }
}

}  // namespace

std::optional<Fault> FaultPlan::take(const FakeRequest& request) {
  for (auto fault = faults_.begin(); fault != faults_.end(); ++fault) {
    if (!matches(*fault, request)) continue;
    Fault taken = *fault;
    if (--fault->count == 0) faults_.erase(fault);
    return taken;
  }
  return std::nullopt;
}

FakeResponse fault_answer(const Fault& fault) {
  FakeResponse response = plain_fault_answer(fault.status);
  if (fault.retry_after_seconds) {
    response.headers.emplace_back("Retry-After", std::to_string(*fault.retry_after_seconds));
  }
  return response;
}

Expected<std::vector<Fault>> parse_faults(const std::string& json) {
  const Json parsed = Json::parse(json, nullptr, false);
  std::vector<Fault> faults;
  try {
    if (parsed.is_object()) faults.push_back(read_fault(parsed));
    if (parsed.is_array()) {
      for (const Json& one : parsed) faults.push_back(read_fault(one));
    }
  } catch (const Json::exception& error) {
    return fail(ErrorCode::kInvalidArgument, error.what());
  }
  for (const Fault& fault : faults) {
    if (fault.count == 0) return fail(ErrorCode::kInvalidArgument, "count must be at least 1");
  }
  if (faults.empty()) return fail(ErrorCode::kInvalidArgument, "a fault or an array of faults");
  return faults;
}

}  // namespace loglink::fakes
