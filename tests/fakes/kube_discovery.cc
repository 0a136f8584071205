#include "tests/fakes/kube_discovery.h"

#include <set>

#include "lib/base/text.h"
#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_status.h"
#include "tests/fakes/kube_types.h"

namespace loglink::fakes {
namespace {

bool served(const KubeType& type, bool crd_installed) { return !type.custom || crd_installed; }

Json group_entry(const KubeType& type) {
  const Json version = {{"groupVersion", type.api_version()}, {"version", type.version}};
  return {
      {"name", type.group}, {"versions", Json::array({version})}, {"preferredVersion", version}};
}

FakeResponse groups(bool crd_installed) {
  Json list = {{"kind", "APIGroupList"}, {"apiVersion", "v1"}, {"groups", Json::array()}};
  std::set<std::string> seen;
  for (const KubeType& type : kube_types()) {
    if (type.group.empty() || !served(type, crd_installed)) continue;
    if (seen.insert(type.group).second) list["groups"].push_back(group_entry(type));
  }
  return json_response(200, list);
}

FakeResponse group(const std::string& name, bool crd_installed) {
  for (const KubeType& type : kube_types()) {
    if (type.group.empty() || type.group != name || !served(type, crd_installed)) continue;
    Json entry = group_entry(type);
    entry["kind"] = "APIGroup";
    entry["apiVersion"] = "v1";
    return json_response(200, entry);
  }
  return page_not_found();
}

FakeResponse resources(const std::string& api_version, bool crd_installed) {
  Json list = {{"kind", "APIResourceList"},
               {"apiVersion", "v1"},
               {"groupVersion", api_version},
               {"resources", Json::array()}};
  for (const KubeType& type : kube_types()) {
    if (type.api_version() != api_version || !served(type, crd_installed)) continue;
    Json entry = {{"name", type.plural},
                  {"singularName", type.singular},
                  {"namespaced", type.namespaced},
                  {"kind", type.kind},
                  {"verbs", {"create", "delete", "get", "list", "patch", "update", "watch"}}};
    if (!type.short_names.empty()) entry["shortNames"] = type.short_names;
    list["resources"].push_back(entry);
    if (!type.has_status) continue;
    list["resources"].push_back({{"name", type.plural + "/status"},
                                 {"singularName", ""},
                                 {"namespaced", type.namespaced},
                                 {"kind", type.kind},
                                 {"verbs", {"get", "patch", "update"}}});
  }
  return list["resources"].empty() ? page_not_found() : json_response(200, list);
}

// kubectl wants to know one thing here: may it leave the check of unknown fields to the server.
FakeResponse openapi(const std::string& path, bool crd_installed) {
  Json document = {{"openapi", "3.0.0"},
                   {"info", {{"title", "Kubernetes"}, {"version", "v1.36.3"}}},
                   {"paths", Json::object()}};
  const std::string base = path.substr(std::string("/openapi/v3").size());
  for (const KubeType& type : kube_types()) {
    const std::string root = (type.group.empty() ? "/api/" : "/apis/") + type.api_version();
    if (root != base || !served(type, crd_installed)) continue;
    const std::string item =
        root + (type.namespaced ? "/namespaces/{namespace}/" : "/") + type.plural + "/{name}";
    const Json parameter = {
        {"name", "fieldValidation"}, {"in", "query"}, {"schema", {{"type", "string"}}}};
    document["paths"][item]["patch"] = {
        {"parameters", Json::array({parameter})},
        {"responses", Json::object()},
        {"x-kubernetes-group-version-kind",
         {{"group", type.group}, {"version", type.version}, {"kind", type.kind}}}};
  }
  return document["paths"].empty() ? page_not_found() : json_response(200, document);
}

FakeResponse openapi_index(bool crd_installed) {
  Json index = {{"paths", Json::object()}};
  for (const KubeType& type : kube_types()) {
    if (!served(type, crd_installed)) continue;
    const std::string root = (type.group.empty() ? "api/" : "apis/") + type.api_version();
    index["paths"][root] = {{"serverRelativeURL", "/openapi/v3/" + root}};
  }
  return json_response(200, index);
}

}  // namespace

std::optional<FakeResponse> discovery_answer(const std::string& path, bool crd_installed) {
  if (path == "/healthz" || path == "/livez" || path == "/readyz") return text_response(200, "ok");
  if (path == "/version") {
    return json_response(
        200,
        {{"major", "1"}, {"minor", "36"}, {"gitVersion", "v1.36.3"}, {"platform", "linux/amd64"}});
  }
  if (path == "/api" || path == "/api/") {
    return json_response(200, {{"kind", "APIVersions"},
                               {"versions", {"v1"}},
                               {"serverAddressByClientCIDRs", Json::array()}});
  }
  if (path == "/apis" || path == "/apis/") return groups(crd_installed);
  if (path == "/api/v1") return resources("v1", crd_installed);
  if (path == "/openapi/v3") return openapi_index(crd_installed);
  if (path.rfind("/openapi/v3/", 0) == 0) return openapi(path, crd_installed);
  const std::vector<std::string> parts = split(path, '/');
  if (parts.size() == 3 && parts[1] == "apis") return group(parts[2], crd_installed);
  if (parts.size() == 4 && parts[1] == "apis") {
    return resources(parts[2] + "/" + parts[3], crd_installed);
  }
  return std::nullopt;
}

}  // namespace loglink::fakes
