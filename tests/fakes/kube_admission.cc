#include "tests/fakes/kube_admission.h"

#include <algorithm>
#include <cctype>

#include "lib/base/text.h"
#include "tests/fakes/kube_status.h"

namespace loglink::fakes {
namespace {

using Causes = std::vector<StatusCause>;

void append(Causes& causes, const Causes& more) {
  causes.insert(causes.end(), more.begin(), more.end());
}

void set_if_absent(Json& object, const char* key, Json value) {
  if (!object.contains(key)) object[key] = std::move(value);
}

bool is_alphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_lower_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_subdomain(const std::string& name) {
  if (name.empty() || name.size() > 253) return false;
  for (const std::string& label : split(name, '.')) {
    if (label.empty() || !is_lower_alphanumeric(label.front()) ||
        !is_lower_alphanumeric(label.back())) {
      return false;
    }
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return c == '-' || is_lower_alphanumeric(c); })) {
      return false;
    }
  }
  return true;
}

bool is_key_name(const std::string& name) {
  return !name.empty() && name.size() <= 63 && is_alphanumeric(name.front()) &&
         is_alphanumeric(name.back()) && std::all_of(name.begin(), name.end(), [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
         });
}

constexpr char kKeyNameRule[] =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end "
    "with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
constexpr char kSubdomainRule[] =
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    "for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";

Causes validate_keys(const Json& map, const std::string& field) {
  Causes causes;
  for (const auto& [key, value] : map.items()) {
    const std::size_t slash = key.find('/');
    const std::string name = slash == std::string::npos ? key : key.substr(slash + 1);
    if (!is_key_name(name)) causes.push_back(cause_invalid(field, key, kKeyNameRule));
  }
  return causes;
}

// The layout of Go's time package that a MicroTime must have, or nullopt when `time` has it.
std::optional<std::string> micro_time_error(const std::string& time) {
  constexpr std::size_t kSeconds = 19;  // "2006-01-02T15:04:05"
  const std::string rest = time.size() > kSeconds ? time.substr(kSeconds) : time;
  const bool six_digits = rest.size() >= 8 && rest[0] == '.' &&
                          std::all_of(rest.begin() + 1, rest.begin() + 7,
                                      [](char c) { return c >= '0' && c <= '9'; }) &&
                          (rest[7] == 'Z' || rest[7] == '+' || rest[7] == '-');
  if (six_digits) return std::nullopt;
  return "parsing time \"" + time + "\" as \"2006-01-02T15:04:05.000000Z07:00\": cannot parse \"" +
         rest + "\" as \".000000\"";
}

std::vector<std::string> micro_times(const KubeType& type) {
  if (type.plural == "leases") return {"/spec/acquireTime", "/spec/renewTime"};
  if (type.plural == "events") return {"/eventTime", "/series/lastObservedTime"};
  return {};
}

void default_container(Json& container) {
  set_if_absent(container, "resources", Json::object());
  set_if_absent(container, "terminationMessagePath", "/dev/termination-log");
  set_if_absent(container, "terminationMessagePolicy", "File");
  set_if_absent(
      container, "imagePullPolicy",
      text_at(container, "/image").find(':') == std::string::npos ? "Always" : "IfNotPresent");
}

Json toleration(const std::string& key) {
  return {{"key", "node.kubernetes.io/" + key},
          {"operator", "Exists"},
          {"effect", "NoExecute"},
          {"tolerationSeconds", 300}};
}

void default_pod(Json& pod) {
  Json& spec = pod["spec"];
  if (!spec.is_object()) return;
  for (const char* list : {"containers", "initContainers"}) {
    if (!spec.contains(list) || !spec[list].is_array()) continue;
    for (Json& container : spec[list]) default_container(container);
  }
  set_if_absent(spec, "restartPolicy", "Always");
  set_if_absent(spec, "terminationGracePeriodSeconds", 30);
  set_if_absent(spec, "dnsPolicy", "ClusterFirst");
  set_if_absent(spec, "securityContext", Json::object());
  set_if_absent(spec, "schedulerName", "default-scheduler");
  set_if_absent(spec, "tolerations",
                Json::array({toleration("not-ready"), toleration("unreachable")}));
  set_if_absent(spec, "priority", 0);
  set_if_absent(spec, "enableServiceLinks", true);
  set_if_absent(spec, "preemptionPolicy", "PreemptLowerPriority");
}

Causes validate_pod(const Json& pod) {
  Causes causes;
  const Json& containers = at_path(pod, "/spec/containers");
  if (!containers.is_array() || containers.empty()) {
    causes.push_back(cause_required("spec.containers"));
    return causes;
  }
  std::vector<std::string> volumes;
  for (const Json& volume : at_path(pod, "/spec/volumes")) {
    volumes.push_back(text_at(volume, "/name"));
  }
  for (std::size_t c = 0; c < containers.size(); ++c) {
    const std::string field = "spec.containers[" + std::to_string(c) + "]";
    if (text_at(containers[c], "/name").empty()) {
      causes.push_back(cause_required(field + ".name"));
    }
    const Json& mounts = at_path(containers[c], "/volumeMounts");
    for (std::size_t m = 0; m < mounts.size(); ++m) {
      const std::string name = text_at(mounts[m], "/name");
      if (std::find(volumes.begin(), volumes.end(), name) != volumes.end()) continue;
      causes.push_back({"FieldValueNotFound", "Not found: " + dump(name),
                        field + ".volumeMounts[" + std::to_string(m) + "].name"});
    }
  }
  return causes;
}

Causes validate_lease(const Json& lease) {
  Causes causes;
  const Json& duration = at_path(lease, "/spec/leaseDurationSeconds");
  if (duration.is_number() && duration <= 0) {
    causes.push_back(
        cause_invalid("spec.leaseDurationSeconds", duration, "must be greater than 0"));
  }
  const Json& transitions = at_path(lease, "/spec/leaseTransitions");
  if (transitions.is_number() && transitions < 0) {
    causes.push_back(
        cause_invalid("spec.leaseTransitions", transitions, "must be greater than or equal to 0"));
  }
  return causes;
}

Causes validate_event(const Json& event) {
  Causes causes;
  const std::string space = text_at(event, "/metadata/namespace");
  // Events about cluster-scoped objects live in "default"; another namespace is not compared.
  if (text_at(event, "/regarding/namespace").empty() && space != "default") {
    causes.push_back(
        cause_invalid("involvedObject.namespace", "", "does not match event.namespace"));
  }
  if (text_at(event, "/eventTime").empty()) causes.push_back(cause_required("eventTime"));
  for (const char* field : {"reportingController", "reportingInstance", "action", "reason"}) {
    if (text_at(event, std::string("/") + field).empty()) causes.push_back(cause_required(field));
  }
  const std::string kind = text_at(event, "/type");
  if (kind != "Normal" && kind != "Warning") {
    causes.push_back(cause_invalid("type", "", "has invalid value: " + kind));
  }
  constexpr std::size_t kNoteMax = 1024;
  if (text_at(event, "/note").size() > kNoteMax) {
    causes.push_back(cause_invalid("message", "", "can have at most 1024 characters"));
  }
  const Json& count = at_path(event, "/series/count");
  if (count.is_number() && count < 2) {
    causes.push_back(cause_invalid("series.count", "", "should be at least 2"));
  }
  return causes;
}

constexpr char kPodSpecRule[] =
    "pod updates may not change fields other than "
    "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec."
    "tolerations` (only additions to existing "
    "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
    "previously negative)";

Json without_mutable_fields(Json spec) {
  if (!spec.is_object()) return spec;
  spec.erase("tolerations");
  spec.erase("activeDeadlineSeconds");
  for (const char* list : {"containers", "initContainers"}) {
    if (!spec.contains(list)) continue;
    for (Json& container : spec[list]) container.erase("image");
  }
  return spec;
}

}  // namespace

std::optional<std::string> decoding_error(const KubeType& type, const Json& object) {
  for (const std::string& pointer : micro_times(type)) {
    const Json& time = at_path(object, pointer);
    if (!time.is_string()) continue;
    const auto error = micro_time_error(time.get<std::string>());
    if (error) {
      return type.kind + " in version \"" + type.version + "\" cannot be handled as a " +
             type.kind + ": " + *error;
    }
  }
  return std::nullopt;
}

void set_defaults(const KubeType& type, Json& object) {
  if (type.plural == "pods") {
    default_pod(object);
  } else if (type.plural == "namespaces") {
    object["metadata"]["labels"]["kubernetes.io/metadata.name"] = object["metadata"]["name"];
    object["spec"]["finalizers"] = Json::array({"kubernetes"});
    object["status"]["phase"] = "Active";
  } else if (type.plural == "events") {
    set_if_absent(object, "deprecatedSource", Json::object());
    set_if_absent(object, "deprecatedFirstTimestamp", nullptr);
    set_if_absent(object, "deprecatedLastTimestamp", nullptr);
  } else if (type.plural == "nodes") {
    set_if_absent(object, "spec", Json::object());
    set_if_absent(object, "status", Json::object());
  }
}

std::vector<StatusCause> validate_metadata(const Json& object) {
  Causes causes;
  const std::string name = text_at(object, "/metadata/name");
  if (name.empty()) {
    causes.push_back(cause_required("metadata.name", "name or generateName is required"));
  } else if (!is_subdomain(name)) {
    causes.push_back(cause_invalid("metadata.name", name, kSubdomainRule));
  }
  append(causes, validate_keys(at_path(object, "/metadata/labels"), "metadata.labels"));
  append(causes, validate_keys(at_path(object, "/metadata/annotations"), "metadata.annotations"));
  constexpr std::size_t kAnnotationsMax = 256 * 1024;
  std::size_t total = 0;
  for (const auto& [key, value] : at_path(object, "/metadata/annotations").items()) {
    total += key.size() + (value.is_string() ? value.get_ref<const std::string&>().size() : 0);
  }
  if (total > kAnnotationsMax) {
    causes.push_back({"FieldValueTooLong", "Too long: may not be more than 262144 bytes",
                      "metadata.annotations"});
  }
  return causes;
}

std::vector<StatusCause> validate(const KubeType& type, const Json& object) {
  if (type.plural == "pods") return validate_pod(object);
  if (type.plural == "leases") return validate_lease(object);
  if (type.plural == "events") return validate_event(object);
  return {};
}

std::vector<StatusCause> validate_update(const KubeType& type, const Json& before,
                                         const Json& after) {
  Causes causes;
  if (type.plural == "pods" && without_mutable_fields(at_path(before, "/spec")) !=
                                   without_mutable_fields(at_path(after, "/spec"))) {
    causes.push_back(cause_forbidden("spec", kPodSpecRule));
  }
  if (type.plural == "events" && text_at(before, "/note") != text_at(after, "/note")) {
    causes.push_back(cause_invalid("message", text_at(after, "/note"), "field is immutable"));
  }
  return causes;
}

}  // namespace loglink::fakes
