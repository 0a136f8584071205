#include "tests/fakes/kube_table.h"

#include "lib/base/time_text.h"

namespace loglink::fakes {
namespace {

std::string age(const Json& object, WallTime now) {
  const auto created = parse_time(text_at(object, "/metadata/creationTimestamp"));
  if (!created) return "<unknown>";
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - *created).count();
  if (seconds < 120) return std::to_string(std::max<std::int64_t>(seconds, 0)) + "s";
  if (seconds < 7200) return std::to_string(seconds / 60) + "m";
  if (seconds < 172800) return std::to_string(seconds / 3600) + "h";
  return std::to_string(seconds / 86400) + "d";
}

Json column(const std::string& name, const std::string& type, int priority) {
  return {{"name", name},
          {"type", type},
          {"format", name == "Name" ? "name" : ""},
          {"description", ""},
          {"priority", priority}};
}

// The two forms that the CRD uses: ".status.links" and
// ".status.conditions[?(@.type==\"Ready\")].reason".
const Json& json_path(const Json& object, const std::string& path) {
  std::string pointer = path;
  for (char& c : pointer) c = c == '.' ? '/' : c;
  const std::size_t bracket = path.find('[');
  if (bracket == std::string::npos) return at_path(object, pointer);
  const std::size_t quote = path.find('"');
  const std::string wanted = path.substr(quote + 1, path.find('"', quote + 1) - quote - 1);
  const std::string last = "/" + path.substr(path.rfind('.') + 1);
  for (const Json& item : at_path(object, pointer.substr(0, bracket))) {
    if (text_at(item, "/type") == wanted) return at_path(item, last);
  }
  return at_path(Json::object(), "/none");
}

Json custom_cells(const Json& columns, const Json& object, WallTime now) {
  Json cells = Json::array({text_at(object, "/metadata/name")});
  for (const Json& one : columns) {
    if (text_at(one, "/type") == "date") {
      cells.push_back(age(object, now));
    } else {
      cells.push_back(json_path(object, text_at(one, "/jsonPath")));
    }
  }
  return cells;
}

Json custom_columns(const Json& columns) {
  Json result = Json::array({column("Name", "string", 0)});
  for (const Json& one : columns) {
    const Json& priority = at_path(one, "/priority");
    result.push_back(column(text_at(one, "/name"), text_at(one, "/type"),
                            priority.is_number() ? priority.get<int>() : 0));
  }
  return result;
}

Json pod_cells(const Json& pod) {
  std::size_t ready = 0;
  std::int64_t restarts = 0;
  for (const Json& status : at_path(pod, "/status/containerStatuses")) {
    ready += at_path(status, "/ready") == true ? 1U : 0U;
    const Json& count = at_path(status, "/restartCount");
    restarts += count.is_number() ? count.get<std::int64_t>() : 0;
  }
  const bool leaving = !text_at(pod, "/metadata/deletionTimestamp").empty();
  return Json::array(
      {std::to_string(ready) + "/" + std::to_string(at_path(pod, "/spec/containers").size()),
       leaving ? "Terminating" : text_at(pod, "/status/phase"), std::to_string(restarts)});
}

Json builtin_columns(const KubeType& type) {
  Json columns = Json::array({column("Name", "string", 0)});
  const auto add = [&](const char* name, int priority = 0) {
    columns.push_back(column(name, "string", priority));
  };
  if (type.plural == "pods") {
    for (const char* name : {"Ready", "Status", "Restarts"}) add(name);
  } else if (type.plural == "namespaces") {
    add("Status");
  } else if (type.plural == "leases") {
    add("Holder");
  } else if (type.plural == "events") {
    columns = Json::array();
    for (const char* name : {"Last Seen", "Type", "Reason", "Object", "Message"}) add(name);
    return columns;
  }
  add("Age");
  if (type.plural == "pods") {
    for (const char* name : {"IP", "Node"}) add(name, 1);
  }
  return columns;
}

Json builtin_cells(const KubeType& type, const Json& object, WallTime now) {
  if (type.plural == "events") {
    const std::string about = type.group.empty() ? "/involvedObject" : "/regarding";
    return Json::array({age(object, now), text_at(object, "/type"), text_at(object, "/reason"),
                        text_at(object, about + "/kind") + "/" + text_at(object, about + "/name"),
                        text_at(object, type.group.empty() ? "/message" : "/note")});
  }
  Json cells = Json::array({text_at(object, "/metadata/name")});
  if (type.plural == "pods") {
    for (const Json& cell : pod_cells(object)) cells.push_back(cell);
  } else if (type.plural == "namespaces") {
    cells.push_back(text_at(object, "/status/phase"));
  } else if (type.plural == "leases") {
    cells.push_back(text_at(object, "/spec/holderIdentity"));
  }
  cells.push_back(age(object, now));
  if (type.plural == "pods") {
    cells.push_back(text_at(object, "/status/podIP"));
    cells.push_back(text_at(object, "/spec/nodeName"));
  }
  return cells;
}

}  // namespace

Json make_table(const KubeType& type, const Json& columns, const std::vector<const Json*>& objects,
                const std::string& resource_version, WallTime now, bool with_head) {
  Json table = {{"kind", "Table"},
                {"apiVersion", "meta.k8s.io/v1"},
                {"metadata", {{"resourceVersion", resource_version}}},
                {"columnDefinitions", nullptr},
                {"rows", Json::array()}};
  if (with_head) {
    table["columnDefinitions"] = type.custom ? custom_columns(columns) : builtin_columns(type);
  }
  for (const Json* object : objects) {
    const Json cells =
        type.custom ? custom_cells(columns, *object, now) : builtin_cells(type, *object, now);
    table["rows"].push_back({{"cells", cells},
                             {"object",
                              {{"kind", "PartialObjectMetadata"},
                               {"apiVersion", "meta.k8s.io/v1"},
                               {"metadata", at_path(*object, "/metadata")}}}});
  }
  return table;
}

}  // namespace loglink::fakes
