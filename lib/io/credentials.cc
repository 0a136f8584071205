#include "lib/io/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <mutex>
#include <vector>

#include "lib/base/text.h"
#include "lib/io/address.h"
#include "lib/io/base64.h"
#include "lib/io/exec_credential.h"
#include "lib/io/kubeconfig.h"
#include "lib/io/plugin_credential.h"
#include "lib/io/text_file.h"
#include "lib/io/tls_context.h"

namespace loglink {
namespace {

constexpr Duration kReadAgain = std::chrono::seconds(60);
constexpr Duration kReadAhead = std::chrono::seconds(45);  // by refresh()
constexpr std::size_t kFileBytes = 1024 * 1024;

Expected<std::string> read_file(const std::string& path) {
  return read_text_file(path, kFileBytes);
}

// A token goes into a header: one with a line break would forge another header.
Expected<std::string> checked_token(std::string token, const std::string& origin) {
  while (!token.empty() && (token.back() == '\n' || token.back() == '\r' || token.back() == ' ')) {
    token.pop_back();
  }
  if (token.empty()) return fail(ErrorCode::kInvalidArgument, origin + " holds no token");
  for (const char c : token) {
    if (c <= ' ' || c >= '\x7f') {
      return fail(ErrorCode::kInvalidArgument, origin + " holds something that is not a token");
    }
  }
  return token;
}

Expected<std::string> pem_of(const PemSource& source) {
  if (source.path.empty()) return source.text;
  Expected<std::string> text = read_file(source.path);
  if (text && text->empty()) text = fail(ErrorCode::kInvalidArgument, source.path + " is empty");
  if (text || source.origin.empty()) return text;
  const Error& error = text.error();
  return fail(error.code, source.origin + ": " + error.message, error.system_errno);
}

// A value that is renewed each minute; the last good one stays while renewing fails.
template <class T>
class Renewed {
 public:
  template <class Read>
  Expected<T> get(MonotonicTime now, const Read& read) {
    if (value_ && !expired_ && now - read_at_ < kReadAgain) return *value_;
    expired_ = false;
    Expected<T> fresh = read();
    if (fresh) {
      value_ = std::move(*fresh);
      read_at_ = now;
    } else if (!value_) {
      return fresh;
    }
    return *value_;
  }
  [[nodiscard]] bool is_due(MonotonicTime now) const {
    return value_ && now - read_at_ >= kReadAhead;
  }
  // What was read ahead; of no use where the old value was dropped meanwhile.
  void renew(const Expected<T>& fresh, MonotonicTime now) {
    if (!value_ || !fresh) return;
    value_ = *fresh;
    read_at_ = now;
  }
  void drop() { value_.reset(); }
  // Read again at the next get(); the value stays while that fails.
  void expire() { expired_ = true; }

 private:
  std::optional<T> value_;
  MonotonicTime read_at_;
  bool expired_ = false;
};

class KubeconfigCredentials final : public CredentialSource {
 public:
  explicit KubeconfigCredentials(KubeconfigAccess access) : access_(std::move(access)) {
    if (!access_.exec) return;
    plugin_.emplace(exec_plugin_name(*access_.exec),
                    [this](const std::stop_token& stop) { return run_plugin(stop); });
  }

  bool ready(MonotonicTime now) override { return !plugin_ || plugin_->ready(with_wall(now)); }

  Expected<std::string> authorization(MonotonicTime now) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!access_.username.empty()) {
      return "Basic " + base64_encode(access_.username + ":" + access_.password);
    }
    if (!access_.token_file.empty()) {
      LOGLINK_ASSIGN_OR_RETURN(const std::string token,
                               token_.get(now, [this] { return read_token(); }));
      return "Bearer " + token;
    }
    if (!access_.token.empty()) {
      LOGLINK_ASSIGN_OR_RETURN(const std::string token,
                               checked_token(access_.token, "the kubeconfig's token"));
      return "Bearer " + token;
    }
    if (!plugin_) return std::string();
    LOGLINK_ASSIGN_OR_RETURN(const ExecCredential credential, plugin_->get(with_wall(now)));
    if (credential.token.empty()) return std::string();
    LOGLINK_ASSIGN_OR_RETURN(const std::string token,
                             checked_token(credential.token, "the exec plugin's answer"));
    return "Bearer " + token;
  }

  Expected<TlsMaterial> tls(MonotonicTime now) override {
    const std::lock_guard<std::mutex> lock(mutex_);
    LOGLINK_ASSIGN_OR_RETURN(TlsMaterial material,
                             files_.get(now, [this] { return read_material(); }));
    if (!plugin_ || !material.certificate_pem.empty()) return material;
    LOGLINK_ASSIGN_OR_RETURN(const ExecCredential credential, plugin_->get(with_wall(now)));
    material.certificate_pem = credential.certificate_pem;
    material.key_pem = credential.key_pem;
    return material;
  }

  // Without the lock while it reads: other threads' requests go on with what there is.
  void refresh(MonotonicTime now) override {
    bool token_due = false;
    bool files_due = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      token_due = token_.is_due(now);
      files_due = files_.is_due(now);
    }
    if (token_due) {
      const Expected<std::string> token = read_token();
      const std::lock_guard<std::mutex> lock(mutex_);
      token_.renew(token, now);
    }
    if (files_due) {
      const Expected<TlsMaterial> material = read_material();
      const std::lock_guard<std::mutex> lock(mutex_);
      files_.renew(material, now);
    }
  }

  void invalidate() override {
    const std::lock_guard<std::mutex> lock(mutex_);
    token_.drop();
    files_.expire();
    if (plugin_) plugin_->invalidate();
  }

  // Reads all files once. An exec plugin is not run: what it cannot give now (its identity provider
  // may be away), it may give later, and that does not end the program.
  Expected<void> check(MonotonicTime now) {
    if (!plugin_) LOGLINK_TRY(authorization(now));
    const std::lock_guard<std::mutex> lock(mutex_);
    LOGLINK_TRY(files_.get(now, [this] { return read_material(); }));
    return {};
  }

 private:
  [[nodiscard]] Expected<std::string> read_token() const {
    LOGLINK_ASSIGN_OR_RETURN(std::string text, read_file(access_.token_file));
    return checked_token(std::move(text), access_.token_file);
  }

  // The texts are tried in a context, so that a half-done rotation never replaces good ones.
  [[nodiscard]] Expected<TlsMaterial> read_material() const {
    TlsMaterial material;
    LOGLINK_ASSIGN_OR_RETURN(material.ca_pem, pem_of(access_.ca));
    LOGLINK_ASSIGN_OR_RETURN(material.certificate_pem, pem_of(access_.certificate));
    LOGLINK_ASSIGN_OR_RETURN(material.key_pem, pem_of(access_.key));
    const auto context = make_tls_context(access_.endpoint, material);
    if (context) return material;
    std::string files;
    for (const PemSource* source : {&access_.ca, &access_.certificate, &access_.key}) {
      if (!source->path.empty()) files += (files.empty() ? " (" : ", ") + source->path;
    }
    if (!files.empty()) files += ")";
    return fail(context.error().code, context.error().message + files);
  }

  // Expiry is a time of the calendar; all else goes by the time that callers give.
  static Now with_wall(MonotonicTime now) { return {now, SystemClock().now().wall}; }

  // On the plugin's thread.
  [[nodiscard]] Expected<ExecCredential> run_plugin(const std::stop_token& stop) const {
    LOGLINK_ASSIGN_OR_RETURN(const std::string ca_pem, pem_of(access_.ca));
    return run_exec_plugin(*access_.exec, access_, ca_pem, stop);
  }

  const KubeconfigAccess access_;
  std::mutex mutex_;
  Renewed<std::string> token_;
  Renewed<TlsMaterial> files_;
  std::optional<PluginCredential> plugin_;  // last: its thread uses access_
};

Expected<ClusterAccess> finish(KubeconfigAccess access) {
  ClusterAccess cluster;
  cluster.endpoint = access.endpoint;
  cluster.default_namespace = access.namespace_name;
  const auto credentials = std::make_shared<KubeconfigCredentials>(std::move(access));
  LOGLINK_TRY(credentials->check(SystemClock().now().monotonic));
  cluster.credentials = credentials;
  return cluster;
}

// Files of a list may be absent, as kubectl has it; a file that was asked for by itself may not.
Expected<ClusterAccess> from_files(const std::vector<std::string>& paths,
                                   const std::string& origin) {
  std::vector<KubeconfigFile> files;
  for (const std::string& path : paths) {
    if (path.empty()) continue;
    Expected<std::string> text = read_file(path);
    if (text) {
      files.push_back({path, std::move(*text)});
    } else if (text.error().code != ErrorCode::kNotFound || paths.size() == 1) {
      return fail(text.error().code, text.error().message + " (" + origin + ")",
                  text.error().system_errno);
    }
  }
  if (files.empty()) {
    return fail(ErrorCode::kNotFound, origin + " names no file that exists: " + join(paths, ":"));
  }
  LOGLINK_ASSIGN_OR_RETURN(KubeconfigAccess access, resolve_kubeconfig(files));
  return finish(std::move(access));
}

Expected<ClusterAccess> in_cluster(const std::string& host, const std::string& port,
                                   const std::string& directory) {
  KubeconfigAccess access;
  // Kubernetes gives IPv6 without brackets.
  const bool bare_ipv6 = host.find(':') != std::string::npos && host.front() != '[';
  access.server_url = "https://" + (bare_ipv6 ? "[" + host + "]" : host) + ":" + port;
  Expected<Endpoint> endpoint = parse_server_url(access.server_url);
  if (!endpoint) {
    return fail(endpoint.error().code,
                "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT: " + endpoint.error().message);
  }
  access.endpoint = *endpoint;
  access.token_file = directory + "/token";
  access.ca.path = directory + "/ca.crt";
  const Expected<std::string> name_space = read_file(directory + "/namespace");
  if (name_space && !name_space->empty()) {
    access.namespace_name = name_space->substr(0, name_space->find('\n'));
  }
  Expected<ClusterAccess> cluster = finish(std::move(access));
  if (!cluster) {
    return fail(cluster.error().code,
                cluster.error().message +
                    "; the pod needs a mounted service account (automountServiceAccountToken)",
                cluster.error().system_errno);
  }
  return cluster;
}

}  // namespace

Expected<ClusterAccess> load_cluster_access(const std::string& kubeconfig_flag,
                                            const AccessEnvironment& environment) {
  if (!kubeconfig_flag.empty()) return from_files({kubeconfig_flag}, "--kubeconfig");
  const std::string list = environment.variable("KUBECONFIG").value_or("");
  if (!list.empty()) return from_files(split(list, ':'), "KUBECONFIG");
  const std::string host = environment.variable("KUBERNETES_SERVICE_HOST").value_or("");
  const std::string port = environment.variable("KUBERNETES_SERVICE_PORT").value_or("");
  if (!host.empty() && !port.empty()) {
    return in_cluster(host, port, environment.service_account_dir);
  }
  const std::string home = environment.variable("HOME").value_or("");
  const std::string path = home + "/.kube/config";
  if (!home.empty() && access(path.c_str(), F_OK) == 0) return from_files({path}, path);
  return fail(ErrorCode::kNotFound,
              "no API server is configured: give --kubeconfig, set KUBECONFIG, or run in a pod "
              "(KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set)");
}

Expected<ClusterAccess> load_cluster_access(const std::string& kubeconfig_flag) {
  AccessEnvironment environment;
  environment.variable = [](const std::string& name) -> std::optional<std::string> {
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
  return load_cluster_access(kubeconfig_flag, environment);
}

}  // namespace loglink
