#include "lib/io/system_trust.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cstdlib>

namespace loglink {
namespace {

constexpr const char* kDistributionFile = "/etc/ssl/certs/ca-certificates.crt";

using Variables = std::vector<std::pair<std::string, std::optional<std::string>>>;

Variables& hidden() {
  static Variables variables;
  return variables;
}

std::string present_or(const char* variable, const char* built_in) {
  const char* const present = std::getenv(variable);
  if (present != nullptr && *present != '\0') return present;
  for (const auto& [name, value] : hidden()) {
    if (name == variable) return value.value_or(built_in);
  }
  return built_in;
}

}  // namespace

void trust_system(ssl_ctx_st* context) {
  std::string file = present_or(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  const std::string directory =
      present_or(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  const bool is_built_in = file == X509_get_default_cert_file();
  if (is_built_in && ::access(file.c_str(), R_OK) != 0) file = kDistributionFile;
  SSL_CTX_load_verify_file(context, file.c_str());
  SSL_CTX_load_verify_dir(context, directory.c_str());
  ERR_clear_error();  // that one of them is missing is no error
}

void hide_system_trust() {
  if (!hidden().empty()) return;
  for (const char* const name :
       {X509_get_default_cert_file_env(), X509_get_default_cert_dir_env()}) {
    const char* const value = std::getenv(name);
    std::optional<std::string> before;
    if (value != nullptr) before = value;
    hidden().emplace_back(name, std::move(before));
    ::setenv(name, "", 1);
  }
}

const Variables& hidden_variables() { return hidden(); }

}  // namespace loglink
