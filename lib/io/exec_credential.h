// Credential plugins of kubeconfig files: the ExecCredential that they read and write.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/io/kubeconfig.h"

namespace loglink {

struct ExecCredential {
  std::string token;  // "" when the plugin gave a certificate only
  std::string certificate_pem;
  std::string key_pem;
  std::optional<WallTime> expires;

  auto operator<=>(const ExecCredential&) const = default;
};

// The value of KUBERNETES_EXEC_INFO. `ca_pem` is told only where the kubeconfig asks for it.
std::string encode_exec_info(const ExecPlugin& plugin, const KubeconfigAccess& access,
                             const std::string& ca_pem);

// What the plugin wrote to stdout; its apiVersion must be the one that was asked for.
Expected<ExecCredential> decode_exec_credential(std::string_view json,
                                                const std::string& api_version);

// "exec plugin "aws"", for messages.
std::string exec_plugin_name(const ExecPlugin& plugin);

// Runs the plugin; blocks for up to 15 s, or until it is told to stop.
Expected<ExecCredential> run_exec_plugin(const ExecPlugin& plugin, const KubeconfigAccess& access,
                                         const std::string& ca_pem, const std::stop_token& stop);

}  // namespace loglink
