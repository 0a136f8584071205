#include "lib/io/exec_credential.h"

#include <nlohmann/json.hpp>

#include "lib/base/text.h"
#include "lib/base/time_text.h"
#include "lib/io/base64.h"
#include "lib/io/process.h"

namespace loglink {
namespace {

constexpr Duration kTimeout = std::chrono::seconds(15);
constexpr std::size_t kOutputBytes = 1024 * 1024;

using Json = nlohmann::json;

// The member's text; "" where it is absent, null or something else.
std::string text_of(const Json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

std::string described(const ExecPlugin& plugin, const std::string& what) {
  std::string message = exec_plugin_name(plugin) + ": " + what;
  if (!plugin.install_hint.empty()) message += " (" + plugin.install_hint + ")";
  return sanitize(message, 1024);
}

}  // namespace

std::string exec_plugin_name(const ExecPlugin& plugin) {
  return sanitize("exec plugin \"" + plugin.command + "\"", 512);
}

std::string encode_exec_info(const ExecPlugin& plugin, const KubeconfigAccess& access,
                             const std::string& ca_pem) {
  Json spec = {{"interactive", false}};
  if (plugin.provide_cluster_info) {
    Json cluster = {{"server", access.server_url}};
    if (access.endpoint.server_name != access.endpoint.host) {
      cluster["tls-server-name"] = access.endpoint.server_name;
    }
    if (access.endpoint.insecure_skip_verify) cluster["insecure-skip-tls-verify"] = true;
    if (!ca_pem.empty()) cluster["certificate-authority-data"] = base64_encode(ca_pem);
    spec["cluster"] = cluster;
  }
  const Json document = {
      {"apiVersion", plugin.api_version}, {"kind", "ExecCredential"}, {"spec", spec}};
  return document.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Expected<ExecCredential> decode_exec_credential(std::string_view json,
                                                const std::string& api_version) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object()) return fail(ErrorCode::kInvalidArgument, "its output is not JSON");
  if (text_of(document, "kind") != "ExecCredential" ||
      text_of(document, "apiVersion") != api_version) {
    return fail(ErrorCode::kInvalidArgument,
                "its output is not an ExecCredential of " + api_version);
  }
  const auto status = document.find("status");
  if (status == document.end() || !status->is_object()) {
    return fail(ErrorCode::kInvalidArgument, "its output has no status");
  }
  ExecCredential credential;
  credential.token = text_of(*status, "token");
  credential.certificate_pem = text_of(*status, "clientCertificateData");
  credential.key_pem = text_of(*status, "clientKeyData");
  if (credential.certificate_pem.empty() != credential.key_pem.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "its output has only one of clientCertificateData and clientKeyData");
  }
  if (credential.token.empty() && credential.certificate_pem.empty()) {
    return fail(ErrorCode::kInvalidArgument, "its output has neither a token nor a certificate");
  }
  const std::string expires = text_of(*status, "expirationTimestamp");
  if (!expires.empty()) {
    LOGLINK_ASSIGN_OR_RETURN(credential.expires, parse_any_time(expires));
  }
  return credential;
}

Expected<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const KubeconfigAccess& access,
                                         const std::string& ca_pem, const std::stop_token& stop) {
  ProcessRequest request;
  request.command = plugin.command;
  request.arguments = plugin.arguments;
  request.environment = plugin.environment;
  request.environment.emplace_back("KUBERNETES_EXEC_INFO",
                                   encode_exec_info(plugin, access, ca_pem));
  request.timeout = kTimeout;
  request.output_bytes_max = kOutputBytes;
  request.stop = stop;
  const Expected<ProcessResult> result = run_process(request);
  if (!result) {
    return fail(result.error().code, described(plugin, result.error().message),
                result.error().system_errno);
  }
  if (result->exit_code != 0) {
    return fail(ErrorCode::kFailedPrecondition,
                described(plugin, "it failed with exit code " + std::to_string(result->exit_code) +
                                      ": " + result->errors));
  }
  Expected<ExecCredential> credential = decode_exec_credential(result->output, plugin.api_version);
  if (!credential) {
    return fail(credential.error().code, described(plugin, credential.error().message));
  }
  return credential;
}

}  // namespace loglink
