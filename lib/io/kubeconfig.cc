#include "lib/io/kubeconfig.h"

#include <yaml-cpp/yaml.h>

#include <exception>
#include <initializer_list>
#include <map>

#include "lib/base/text.h"
#include "lib/io/address.h"
#include "lib/io/base64.h"

namespace loglink {
namespace {

// A node with the file that it came from, for messages and relative paths.
struct Place {
  std::string file;
  YAML::Node node;
};

std::string where(const Place& place) {
  const YAML::Mark mark = place.node.Mark();
  if (mark.is_null()) return place.file;
  return place.file + " (line " + std::to_string(mark.line + 1) + ")";
}

tl::unexpected<Error> fail_at(const Place& place, const std::string& message,
                              ErrorCode code = ErrorCode::kInvalidArgument) {
  return fail(code, sanitize(where(place) + ": " + message, 2048));
}

bool present(const YAML::Node& node) { return node.IsDefined() && !node.IsNull(); }

// The child of a map; an undefined node where there is none.
Place child(const Place& place, const std::string& key) {
  if (!place.node.IsMap()) return {place.file, YAML::Node(YAML::NodeType::Undefined)};
  const YAML::Node& map = place.node;  // operator[] of a const node never inserts
  return {place.file, map[key]};
}

Expected<std::string> text_at(const Place& place, const std::string& key) {
  const Place value = child(place, key);
  if (!present(value.node)) return std::string();
  if (!value.node.IsScalar()) return fail_at(value, key + " must be a string");
  return value.node.Scalar();
}

Expected<bool> flag_at(const Place& place, const std::string& key) {
  LOGLINK_ASSIGN_OR_RETURN(const std::string text, text_at(place, key));
  if (text.empty() || text == "false") return false;
  if (text == "true") return true;
  return fail_at(child(place, key), key + " must be true or false");
}

std::string beside(const std::string& file, const std::string& path) {
  if (path.empty() || path.front() == '/') return path;
  const std::size_t slash = file.rfind('/');
  if (slash == std::string::npos) return path;
  return file.substr(0, slash + 1) + path;
}

// `key` names a file, `key`-data is the text itself, in base64, and wins.
Expected<PemSource> pem_at(const Place& place, const std::string& key) {
  LOGLINK_ASSIGN_OR_RETURN(const std::string data, text_at(place, key + "-data"));
  LOGLINK_ASSIGN_OR_RETURN(const std::string path, text_at(place, key));
  if (data.empty() && path.empty()) return PemSource{};
  if (data.empty()) {
    return PemSource{beside(place.file, path), "", where(child(place, key)) + ": " + key};
  }
  const std::optional<std::string> text = base64_decode(data);
  if (!text || text->empty()) {
    return fail_at(child(place, key + "-data"), key + "-data is not base64");
  }
  return PemSource{"", *text};
}

// What the merged files say. The maps hold the value under `cluster`, `user` and `context`.
struct Merged {
  std::map<std::string, Place> clusters;
  std::map<std::string, Place> users;
  std::map<std::string, Place> contexts;
  std::optional<Place> current_context;
};

Expected<void> merge_list(const Place& root, const std::string& list_key,
                          const std::string& item_key, std::map<std::string, Place>& into) {
  const Place list = child(root, list_key);
  if (!present(list.node)) return {};
  if (!list.node.IsSequence()) return fail_at(list, list_key + " must be a list");
  for (const YAML::Node& node : list.node) {
    const Place item{root.file, node};
    if (!node.IsMap()) return fail_at(item, "an item of " + list_key + " must be a map");
    LOGLINK_ASSIGN_OR_RETURN(const std::string name, text_at(item, "name"));
    if (name.empty()) return fail_at(item, "an item of " + list_key + " has no name");
    Place value = child(item, item_key);
    if (!present(value.node)) {
      // kubectl writes users without credentials as `user: {}` or not at all.
      value.node = YAML::Node(YAML::NodeType::Map);
    } else if (!value.node.IsMap()) {
      return fail_at(value, item_key + " must be a map");
    }
    into.emplace(name, value);
  }
  return {};
}

Expected<void> merge_file(const KubeconfigFile& file, Merged& merged) {
  Place root{file.path, {}};
  try {
    root.node = YAML::Load(file.text);
  } catch (const YAML::Exception& exception) {
    const std::string line =
        exception.mark.is_null() ? "" : " (line " + std::to_string(exception.mark.line + 1) + ")";
    return fail(ErrorCode::kInvalidArgument,
                sanitize(file.path + line + ": not YAML: " + exception.msg));
  }
  if (!present(root.node)) return {};  // an empty file is a valid part of a list
  if (!root.node.IsMap()) return fail_at(root, "not a kubeconfig: a map is expected");
  LOGLINK_TRY(merge_list(root, "clusters", "cluster", merged.clusters));
  LOGLINK_TRY(merge_list(root, "users", "user", merged.users));
  LOGLINK_TRY(merge_list(root, "contexts", "context", merged.contexts));
  LOGLINK_ASSIGN_OR_RETURN(const std::string current, text_at(root, "current-context"));
  if (!current.empty() && !merged.current_context) {
    merged.current_context = child(root, "current-context");
  }
  return {};
}

Expected<ExecPlugin> read_exec(const Place& exec) {
  ExecPlugin plugin;
  LOGLINK_ASSIGN_OR_RETURN(plugin.api_version, text_at(exec, "apiVersion"));
  if (plugin.api_version != "client.authentication.k8s.io/v1" &&
      plugin.api_version != "client.authentication.k8s.io/v1beta1") {
    return fail_at(exec, "exec.apiVersion \"" + plugin.api_version +
                             "\" is not supported; use client.authentication.k8s.io/v1 or v1beta1");
  }
  LOGLINK_ASSIGN_OR_RETURN(plugin.command, text_at(exec, "command"));
  if (plugin.command.empty()) return fail_at(exec, "exec has no command");
  if (plugin.command.find('/') != std::string::npos) {
    plugin.command = beside(exec.file, plugin.command);
  }
  LOGLINK_ASSIGN_OR_RETURN(const std::string mode, text_at(exec, "interactiveMode"));
  if (mode == "Always") {
    return fail_at(exec,
                   "exec.interactiveMode is Always, but there is no terminal; use a plugin "
                   "that can run without one");
  }
  LOGLINK_ASSIGN_OR_RETURN(plugin.install_hint, text_at(exec, "installHint"));
  LOGLINK_ASSIGN_OR_RETURN(plugin.provide_cluster_info, flag_at(exec, "provideClusterInfo"));
  const Place arguments = child(exec, "args");
  if (present(arguments.node)) {
    if (!arguments.node.IsSequence()) return fail_at(arguments, "exec.args must be a list");
    for (const YAML::Node& argument : arguments.node) {
      if (!argument.IsScalar()) {
        return fail_at({exec.file, argument}, "exec.args must be strings");
      }
      plugin.arguments.push_back(argument.Scalar());
    }
  }
  const Place variables = child(exec, "env");
  if (present(variables.node)) {
    if (!variables.node.IsSequence()) return fail_at(variables, "exec.env must be a list");
    for (const YAML::Node& variable : variables.node) {
      const Place item{exec.file, variable};
      LOGLINK_ASSIGN_OR_RETURN(std::string name, text_at(item, "name"));
      LOGLINK_ASSIGN_OR_RETURN(std::string value, text_at(item, "value"));
      if (name.empty()) return fail_at(item, "an item of exec.env has no name");
      plugin.environment.emplace_back(std::move(name), std::move(value));
    }
  }
  return plugin;
}

Expected<void> read_cluster(const Place& cluster, KubeconfigAccess& access) {
  LOGLINK_ASSIGN_OR_RETURN(const std::string proxy, text_at(cluster, "proxy-url"));
  if (!proxy.empty()) {
    return fail_at(child(cluster, "proxy-url"),
                   "proxy-url is not supported; use a server that is reached directly",
                   ErrorCode::kUnsupported);
  }
  LOGLINK_ASSIGN_OR_RETURN(access.server_url, text_at(cluster, "server"));
  if (access.server_url.empty()) return fail_at(cluster, "the cluster has no server");
  Expected<Endpoint> endpoint = parse_server_url(access.server_url);
  if (!endpoint) return fail_at(child(cluster, "server"), endpoint.error().message);
  access.endpoint = *endpoint;
  LOGLINK_ASSIGN_OR_RETURN(const std::string name, text_at(cluster, "tls-server-name"));
  if (!name.empty()) access.endpoint.server_name = name;
  LOGLINK_ASSIGN_OR_RETURN(access.endpoint.insecure_skip_verify,
                           flag_at(cluster, "insecure-skip-tls-verify"));
  LOGLINK_ASSIGN_OR_RETURN(access.ca, pem_at(cluster, "certificate-authority"));
  if (access.endpoint.insecure_skip_verify && !access.ca.empty()) {
    return fail_at(cluster,
                   "certificate-authority and insecure-skip-tls-verify exclude each "
                   "other; remove insecure-skip-tls-verify");
  }
  return {};
}

Expected<void> read_user(const Place& user, KubeconfigAccess& access) {
  for (const char* const key : {"auth-provider", "as", "as-uid", "as-groups", "as-user-extra"}) {
    const Place value = child(user, key);
    if (present(value.node)) {
      return fail_at(value,
                     std::string(key) +
                         " is not supported; use a token, a client "
                         "certificate or an exec plugin",
                     ErrorCode::kUnsupported);
    }
  }
  LOGLINK_ASSIGN_OR_RETURN(access.certificate, pem_at(user, "client-certificate"));
  LOGLINK_ASSIGN_OR_RETURN(access.key, pem_at(user, "client-key"));
  if (access.certificate.empty() != access.key.empty()) {
    return fail_at(user, "client-certificate and client-key must be given together");
  }
  LOGLINK_ASSIGN_OR_RETURN(access.token, text_at(user, "token"));
  LOGLINK_ASSIGN_OR_RETURN(const std::string token_file, text_at(user, "tokenFile"));
  access.token_file = beside(user.file, token_file);
  LOGLINK_ASSIGN_OR_RETURN(access.username, text_at(user, "username"));
  LOGLINK_ASSIGN_OR_RETURN(access.password, text_at(user, "password"));
  const bool has_token = !access.token.empty() || !access.token_file.empty();
  if (has_token && !access.username.empty()) {
    return fail_at(user, "token and username exclude each other; remove one of them");
  }
  const Place exec = child(user, "exec");
  if (!present(exec.node)) return {};
  if (!exec.node.IsMap()) return fail_at(exec, "exec must be a map");
  LOGLINK_ASSIGN_OR_RETURN(access.exec, read_exec(exec));
  return {};
}

Expected<KubeconfigAccess> resolve(const std::vector<KubeconfigFile>& files) {
  Merged merged;
  for (const KubeconfigFile& file : files) LOGLINK_TRY(merge_file(file, merged));
  if (!merged.current_context) {
    return fail(ErrorCode::kInvalidArgument,
                files.front().path +
                    ": no current-context; set one with `kubectl config use-context NAME`");
  }
  const Place& current = *merged.current_context;
  const auto context = merged.contexts.find(current.node.Scalar());
  if (context == merged.contexts.end()) {
    return fail_at(current, "current-context \"" + current.node.Scalar() +
                                "\" is not in contexts; set another with `kubectl config "
                                "use-context NAME`");
  }
  KubeconfigAccess access;
  LOGLINK_ASSIGN_OR_RETURN(const std::string cluster_name, text_at(context->second, "cluster"));
  LOGLINK_ASSIGN_OR_RETURN(const std::string user_name, text_at(context->second, "user"));
  LOGLINK_ASSIGN_OR_RETURN(const std::string name_space, text_at(context->second, "namespace"));
  if (!name_space.empty()) access.namespace_name = name_space;
  const auto cluster = merged.clusters.find(cluster_name);
  if (cluster == merged.clusters.end()) {
    return fail_at(context->second, "cluster \"" + cluster_name + "\" is not in clusters");
  }
  LOGLINK_TRY(read_cluster(cluster->second, access));
  if (user_name.empty()) return access;  // anonymous
  const auto user = merged.users.find(user_name);
  if (user == merged.users.end()) {
    return fail_at(context->second, "user \"" + user_name + "\" is not in users");
  }
  LOGLINK_TRY(read_user(user->second, access));
  return access;
}

}  // namespace

Expected<KubeconfigAccess> resolve_kubeconfig(const std::vector<KubeconfigFile>& files) {
  try {
    return resolve(files);
  } catch (const std::exception& exception) {
    // yaml-cpp throws for shapes that the checks above did not think of.
    return fail(ErrorCode::kInvalidArgument,
                sanitize(files.front().path + ": not a kubeconfig: " + exception.what()));
  }
}

}  // namespace loglink
