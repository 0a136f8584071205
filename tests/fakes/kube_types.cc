#include "tests/fakes/kube_types.h"

#include "lib/base/text.h"

namespace loglink::fakes {
namespace {

KubeType core_type(std::string plural, std::string singular, std::string kind,
                   std::vector<std::string> short_names) {
  KubeType type;
  type.version = "v1";
  type.plural = std::move(plural);
  type.singular = std::move(singular);
  type.kind = std::move(kind);
  type.short_names = std::move(short_names);
  return type;
}

std::vector<KubeType> make_types() {
  std::vector<KubeType> types;
  KubeType pods = core_type("pods", "pod", "Pod", {"po"});
  pods.namespaced = pods.has_status = pods.has_generation = true;
  types.push_back(pods);
  KubeType nodes = core_type("nodes", "node", "Node", {"no"});
  nodes.has_status = true;
  types.push_back(nodes);
  KubeType namespaces = core_type("namespaces", "namespace", "Namespace", {"ns"});
  namespaces.has_status = true;
  types.push_back(namespaces);
  // Two views of the same stored events.
  KubeType old_events = core_type("events", "event", "Event", {"ev"});
  old_events.namespaced = true;
  types.push_back(old_events);
  KubeType events = old_events;
  events.group = "events.k8s.io";
  types.push_back(events);
  KubeType leases = core_type("leases", "lease", "Lease", {});
  leases.group = "coordination.k8s.io";
  leases.namespaced = leases.put_needs_version = leases.put_creates = true;
  types.push_back(leases);
  KubeType definitions = core_type("customresourcedefinitions", "customresourcedefinition",
                                   "CustomResourceDefinition", {"crd", "crds"});
  definitions.group = "apiextensions.k8s.io";
  definitions.has_status = definitions.has_generation = definitions.put_needs_version = true;
  types.push_back(definitions);
  KubeType sets = core_type("nodelinksets", "nodelinkset", "NodeLinkSet", {"nls"});
  sets.group = "loglink.io";
  sets.version = "v1alpha1";
  sets.has_status = sets.custom = sets.has_generation = sets.put_needs_version = true;
  types.push_back(sets);
  return types;
}

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

std::string unescape(std::string_view text, bool plus_is_space) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
        hex_digit(text[i + 2]) >= 0) {
      result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
      i += 2;
    } else if (text[i] == '+' && plus_is_space) {
      result += ' ';
    } else {
      result += text[i];
    }
  }
  return result;
}

Query parse_query(std::string_view text) {
  Query query;
  if (text.empty()) return query;
  for (const std::string& pair : split(text, '&')) {
    const std::size_t equals = pair.find('=');
    const std::string key = unescape(pair.substr(0, equals), true);
    query[key] = equals == std::string::npos ? "" : unescape(pair.substr(equals + 1), true);
  }
  return query;
}

// REQUIRES: parts are what follows the group's version in the path.
void place(const std::vector<std::string>& parts, Route& route) {
  std::size_t at = 0;
  const bool core = route.group.empty();
  if (parts.size() >= 3 && parts[0] == "namespaces" &&
      !(core && parts.size() == 3 && (parts[2] == "status" || parts[2] == "finalize"))) {
    route.namespace_name = parts[1];
    at = 2;
  }
  route.plural = parts[at];
  if (parts.size() > at + 1) route.name = parts[at + 1];
  if (parts.size() > at + 2) route.subresource = parts[at + 2];
  route.is_resource = parts.size() <= at + 3;
}

}  // namespace

std::string KubeType::api_version() const {
  return group.empty() ? version : group + "/" + version;
}

std::string KubeType::qualified_plural() const {
  return group.empty() ? plural : plural + "." + group;
}

std::string KubeType::qualified_kind() const { return group.empty() ? kind : kind + "." + group; }

const std::vector<KubeType>& kube_types() {
  static const std::vector<KubeType> types = make_types();
  return types;
}

const KubeType* find_type(std::string_view group, std::string_view version,
                          std::string_view plural) {
  for (const KubeType& type : kube_types()) {
    if (type.group == group && type.version == version && type.plural == plural) return &type;
  }
  return nullptr;
}

Route parse_target(std::string_view target) {
  Route route;
  const std::size_t question = target.find('?');
  route.path = unescape(target.substr(0, question), false);
  if (question != std::string_view::npos) route.query = parse_query(target.substr(question + 1));
  std::vector<std::string> parts;
  for (const std::string& part : split(route.path, '/')) {
    if (!part.empty()) parts.push_back(part);
  }
  if (parts.size() >= 3 && parts[0] == "api") {
    route.version = parts[1];
    place({parts.begin() + 2, parts.end()}, route);
  } else if (parts.size() >= 4 && parts[0] == "apis") {
    route.group = parts[1];
    route.version = parts[2];
    place({parts.begin() + 3, parts.end()}, route);
  }
  return route;
}

std::string parameter(const Query& query, const std::string& key) {
  const auto found = query.find(key);
  return found == query.end() ? std::string() : found->second;
}

}  // namespace loglink::fakes
