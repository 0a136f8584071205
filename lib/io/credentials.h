// Where the API server is and who we are: kubeconfig files and in-cluster service accounts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/error.h"

namespace loglink {

// Immutable for the life of the program.
struct Endpoint {
  std::string host;  // without brackets
  std::uint16_t port = 443;
  std::string base_path;    // "" or "/prefix"
  bool tls = true;          // false only for http:// in a kubeconfig (tests)
  std::string server_name;  // for SNI and the certificate check; the host unless overridden
  bool insecure_skip_verify = false;

  auto operator<=>(const Endpoint&) const = default;
};

// What goes into one connection. PEM texts; "" where there is none. Without a CA the system's are
// trusted, as kubectl has it; with one, that one only.
struct TlsMaterial {
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;

  auto operator<=>(const TlsMaterial&) const = default;
};

// Credentials that may change while we run. Thread-safe. No call waits for a kubeconfig's exec
// plugin: it runs on a thread of its own, for 15 s at most, and is killed by the destructor.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  // False while an exec plugin is at work and nothing can be given or told before it ends: the
  // caller asks again after kCredentialAgain. The other calls give an error meanwhile.
  virtual bool ready(MonotonicTime /*now*/) { return true; }
  // The Authorization header's value ("Bearer …", "Basic …"), "" for none. Re-reads a token file
  // when the last read is 60 s old; keeps the old token when that fails.
  virtual Expected<std::string> authorization(MonotonicTime now) = 0;
  // CA and client certificate; files are re-read when the last read is 60 s old. Files that are
  // unreadable or do not fit each other (a rotation half done) leave the old ones in use.
  virtual Expected<TlsMaterial> tls(MonotonicTime now) = 0;
  // Reads again what was read 45 s ago. For the moment after an answer, so that no request has to
  // wait for it.
  virtual void refresh(MonotonicTime /*now*/) {}
  // The server said 401, or the handshake failed: a token is not used again, files are read again.
  virtual void invalidate() = 0;
};

inline constexpr Duration kCredentialAgain = std::chrono::milliseconds(20);

struct ClusterAccess {
  Endpoint endpoint;
  std::shared_ptr<CredentialSource> credentials;
  std::string default_namespace;
};

// What load_cluster_access asks of its surroundings.
struct AccessEnvironment {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  std::string service_account_dir = "/var/run/secrets/kubernetes.io/serviceaccount";
};

// --kubeconfig F, else $KUBECONFIG (a colon list), else in-cluster, else ~/.kube/config. The error
// names the file (and line) or the variables that are missing, and what cures it. Everything that
// is named is read once here, so that a wrong file ends the program at its start.
Expected<ClusterAccess> load_cluster_access(const std::string& kubeconfig_flag);
Expected<ClusterAccess> load_cluster_access(const std::string& kubeconfig_flag,
                                            const AccessEnvironment& environment);

}  // namespace loglink
