// kubeconfig files as values: reading, merging as kubectl does, and choosing the current context.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"
#include "lib/io/credentials.h"

namespace loglink {

// A PEM text that is in the kubeconfig itself or in a file of its own; both "" for none.
struct PemSource {
  std::string path;
  std::string text;
  std::string origin = {};  // where the path is written: "config (line 7): certificate-authority"

  [[nodiscard]] bool empty() const { return path.empty() && text.empty(); }
  auto operator<=>(const PemSource&) const = default;
};

// A credential plugin (client.authentication.k8s.io).
struct ExecPlugin {
  std::string api_version;
  std::string command;  // a path, or a name for $PATH
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::string install_hint;
  bool provide_cluster_info = false;

  auto operator<=>(const ExecPlugin&) const = default;
};

// The current context, resolved. Paths are absolute or relative to the working directory.
struct KubeconfigAccess {
  Endpoint endpoint;
  std::string server_url;
  std::string namespace_name = "default";
  PemSource ca;
  PemSource certificate;
  PemSource key;
  std::string token;
  std::string token_file;  // wins over token
  std::string username;
  std::string password;
  std::optional<ExecPlugin> exec;

  auto operator<=>(const KubeconfigAccess&) const = default;
};

struct KubeconfigFile {
  std::string path;
  std::string text;
};

// REQUIRES: files not empty. The first file that names a cluster, user, context or the current
// context wins; relative paths count from the file that they are in.
Expected<KubeconfigAccess> resolve_kubeconfig(const std::vector<KubeconfigFile>& files);

}  // namespace loglink
