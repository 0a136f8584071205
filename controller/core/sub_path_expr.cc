#include "controller/core/sub_path_expr.h"

#include <functional>
#include <map>
#include <optional>
#include <string_view>

#include "lib/model/names.h"

namespace loglink {
namespace {

// A path has at most 1,024 bytes and nesting doubles a value at each step: beyond this it is not
// worth having.
constexpr std::size_t kValueBytes = 4096;
// Of all values of one container: a few bytes of each variable can stand for kValueBytes.
constexpr std::size_t kEnvironmentBytes = 1024 * 1024;

// What a container's environment variable is, or why that cannot be known here.
struct Value {
  std::string text;
  std::string unknown;  // "" when text is known
};

using Environment = std::map<std::string, Value, std::less<>>;
using Lookup = std::function<Value(std::string_view name)>;

// Replaces references by what `lookup` says; the first unknown one makes the whole unknown.
Value expand(std::string_view input, const Lookup& lookup) {
  Value result;
  std::size_t i = 0;
  while (i < input.size()) {
    if (result.text.size() > kValueBytes) return {"", "is longer than 4096 characters"};
    if (input[i] != '$' || i + 1 == input.size()) {
      result.text += input[i++];
      continue;
    }
    const char next = input[i + 1];
    if (next == '$') {
      result.text += '$';
      i += 2;
      continue;
    }
    const std::size_t close = next == '(' ? input.find(')', i) : std::string_view::npos;
    if (close == std::string_view::npos) {
      // Neither an escape nor a closed reference: both characters stand for themselves.
      result.text += '$';
      result.text += next;
      i += 2;
      continue;
    }
    const Value value = lookup(input.substr(i + 2, close - i - 2));
    if (!value.unknown.empty()) return value;
    result.text += value.text;
    i = close + 1;
  }
  if (result.text.size() > kValueBytes) return {"", "is longer than 4096 characters"};
  return result;
}

std::string reference(std::string_view name) { return "$(" + std::string(name) + ")"; }

Value undefined(std::string_view name, const ContainerView& container) {
  if (container.has_env_from) {
    return {"", reference(name) + " may come from envFrom, which can change and is not read"};
  }
  return {"", reference(name) + " is not defined before it is used in the container's env"};
}

Value field(const EnvironmentVariable& variable, const PodView& pod, const std::string& pod_id) {
  if (variable.value == "metadata.name") return {pod.name, ""};
  if (variable.value == "metadata.namespace") return {pod.namespace_name, ""};
  if (variable.value == "metadata.uid") return {pod_id, ""};
  if (variable.value == "spec.nodeName") {
    if (pod.node_name.empty()) return {std::string(names::kUnscheduledNode), ""};
    return {pod.node_name, ""};
  }
  if (variable.value == "spec.serviceAccountName") {
    // A manifest that leaves it out gets this one from the API server; a static pod has none.
    const bool is_static = pod.annotations.count(std::string(names::kConfigMirror)) != 0;
    if (pod.service_account.empty() && !is_static) return {"default", ""};
    return {pod.service_account, ""};
  }
  return {"", reference(variable.name) + " is the field " + variable.value +
                  ", which can change while the pod lives"};
}

Environment environment(const ContainerView& container, const PodView& pod,
                        const std::string& pod_id) {
  Environment known;
  const auto lookup = [&](std::string_view name) {
    const auto found = known.find(name);
    // It may also be one of the variables that the kubelet makes of the namespace's Services.
    if (found == known.end()) return undefined(name, container);
    return found->second;
  };
  std::size_t bytes = 0;
  for (const EnvironmentVariable& variable : container.env) {
    Value value;
    switch (variable.kind) {
      case EnvironmentVariable::Kind::kLiteral:
        value = expand(variable.value, lookup);
        break;
      case EnvironmentVariable::Kind::kField:
        value = field(variable, pod, pod_id);
        break;
      case EnvironmentVariable::Kind::kOther:
        value = {"", reference(variable.name) +
                         " comes from a configMap, a secret or a resource, which is not read"};
        break;
    }
    bytes += value.text.size();
    if (bytes > kEnvironmentBytes) value = {"", "the container's env is longer than 1 MiB"};
    known[variable.name] = std::move(value);
  }
  return known;
}

}  // namespace

Expected<std::string> expand_sub_path_expr(const std::string& expression,
                                           const ContainerView& container, const PodView& pod,
                                           const std::string& pod_id) {
  const Environment known = environment(container, pod, pod_id);
  const Value expanded = expand(expression, [&](std::string_view name) -> Value {
    const auto found = known.find(name);
    if (found == known.end()) return undefined(name, container);
    // The kubelet does not start a container whose subPathExpr names an empty variable.
    if (found->second.unknown.empty() && found->second.text.empty()) {
      return {"", reference(name) + " is empty"};
    }
    return found->second;
  });
  if (!expanded.unknown.empty()) {
    return fail(ErrorCode::kInvalidArgument,
                "subPathExpr: " + expanded.unknown +
                    "; use literals or a fieldRef to metadata.name, metadata.namespace, "
                    "metadata.uid, spec.nodeName or spec.serviceAccountName");
  }
  return expanded.text;
}

}  // namespace loglink
