// POST, PUT, PATCH and DELETE.
#include <algorithm>

#include "lib/base/time_text.h"
#include "tests/fakes/fake_kube_state.h"
#include "tests/fakes/kube_admission.h"
#include "tests/fakes/kube_patch.h"
#include "tests/fakes/kube_status.h"

namespace loglink::fakes {
namespace {

constexpr char kCrdPlural[] = "customresourcedefinitions";
constexpr char kCrdName[] = "nodelinksets.loglink.io";

bool is_number(const std::string& text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// What counts as a change of spec: everything but metadata and status.
Json spec_part(Json object) {
  object.erase("metadata");
  object.erase("status");
  return object;
}

void copy_or_erase(Json& to, const Json& from, const char* key) {
  if (from.contains(key)) {
    to[key] = from[key];
  } else {
    to.erase(key);
  }
}

// The decoded body, or the server's 400.
std::variant<Json, FakeResponse> parse_body(const Call& call) {
  Json body = Json::parse(call.request.body, nullptr, false);
  if (body.is_discarded() || !body.is_object()) {
    return bad_request("the object provided is unrecognized (must be of type " + call.type->kind +
                       "): couldn't get version/kind; json parse error: unexpected end of JSON "
                       "input (" +
                       call.request.body.substr(0, 30) + ")");
  }
  const std::string kind = text_at(body, "/kind");
  if (call.type->custom && kind.empty()) {
    return bad_request("the object provided is unrecognized (must be of type " + call.type->kind +
                       "): Object 'Kind' is missing in '" + call.request.body + "'");
  }
  if (call.type->custom && kind != call.type->kind) {
    return invalid(kind + "." + call.type->group, call.type->group, kind,
                   text_at(body, "/metadata/name"),
                   {cause_invalid("kind", kind, "must be " + call.type->kind)});
  }
  if (!call.type->custom) {
    body.erase("kind");
    body.erase("apiVersion");
  }
  if (!body.contains("metadata") || !body["metadata"].is_object()) {
    body["metadata"] = Json::object();
  }
  body["metadata"].erase("managedFields");
  body["metadata"].erase("selfLink");
  for (const char* map : {"labels", "annotations"}) {
    if (at_path(body, std::string("/metadata/") + map).empty()) body["metadata"].erase(map);
  }
  return body;
}

FakeResponse deleted_status(const KubeType& type, const KubeObject& object) {
  Json details = {{"name", text_at(object.value(), "/metadata/name")},
                  {"kind", type.plural},
                  {"uid", text_at(object.value(), "/metadata/uid")}};
  if (!type.group.empty()) details["group"] = type.group;
  return json_response(200, {{"kind", "Status"},
                             {"apiVersion", "v1"},
                             {"metadata", Json::object()},
                             {"status", "Success"},
                             {"details", details}});
}

// Fields of metadata that only the server writes.
void keep_system_fields(Json& metadata, const Json& stored) {
  for (const char* key : {"creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
                          "generation", "resourceVersion", "uid"}) {
    copy_or_erase(metadata, stored, key);
  }
}

// A PUT or PATCH of status changes nothing else: for custom resources no metadata either, for
// built-in types metadata but not the owners.
Json only_status(const KubeType& type, const Json& stored, const Json& object) {
  Json result = stored;
  copy_or_erase(result, object, "status");
  if (type.custom) return result;
  result["metadata"] = object["metadata"];
  copy_or_erase(result["metadata"], stored["metadata"], "ownerReferences");
  return result;
}

std::optional<PatchType> patch_type(const std::string& content_type, bool custom) {
  const std::string media = content_type.substr(0, content_type.find(';'));
  if (media == "application/merge-patch+json") return PatchType::kMerge;
  if (media == "application/json-patch+json") return PatchType::kJson;
  if (media == "application/strategic-merge-patch+json" && !custom) return PatchType::kStrategic;
  return std::nullopt;
}

void established(Json& definition, const std::string& now) {
  const auto condition = [&](const char* type, const char* reason) {
    return Json{{"type", type},
                {"status", "True"},
                {"lastTransitionTime", now},
                {"reason", reason},
                {"message", ""}};
  };
  definition["status"] = {{"acceptedNames", definition["spec"]["names"]},
                          {"storedVersions", {"v1alpha1"}},
                          {"conditions",
                           {condition("NamesAccepted", "NoConflicts"),
                            condition("Established", "InitialNamesAccepted")}}};
}

}  // namespace

std::string FakeKube::Implementation::new_uid() {
  static constexpr char kDigits[] = "0123456789abcdef";
  const std::string shape = "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx";
  std::string uid;
  for (const char c : shape) uid += c == 'x' ? kDigits[random.below(16)] : c;
  return uid;
}

std::optional<FakeResponse> FakeKube::Implementation::complete(const Call& call, Json& object) {
  const KubeType& type = *call.type;
  if (auto error = decoding_error(type, object)) return bad_request(*error);
  std::vector<StatusCause> causes;
  const std::string name = text_at(object, "/metadata/name");
  if (type.custom) {
    const std::vector<std::string> dropped = schema->normalise(object);
    if (!dropped.empty() && parameter(call.route.query, "fieldValidation") == "Strict") {
      std::string unknown;
      for (const std::string& field : dropped) {
        unknown += (unknown.empty() ? "" : ", ") + ("unknown field " + dump(field));
      }
      return bad_request(type.kind + " in version \"" + type.version +
                         "\" cannot be handled as a " + type.kind +
                         ": strict decoding error: " + unknown);
    }
    causes = validate_metadata(object);
    for (const StatusCause& cause : schema->validate(object)) causes.push_back(cause);
  } else {
    set_defaults(type, object);
    causes = validate_metadata(object);
    for (const StatusCause& cause : validate(type, object)) causes.push_back(cause);
  }
  if (!causes.empty()) return invalid_object(type, name, causes);
  return std::nullopt;
}

FakeResponse FakeKube::Implementation::create(const Call& call) {
  if (call.type->plural == "events" && call.type->group.empty()) return method_not_allowed();
  auto parsed = parse_body(call);
  if (auto* refusal = std::get_if<FakeResponse>(&parsed)) return *refusal;
  Json& object = std::get<Json>(parsed);
  if (!text_at(object, "/metadata/resourceVersion").empty()) {
    return internal_error("resourceVersion should not be set on objects to be created");
  }
  Json& metadata = object["metadata"];
  if (call.type->namespaced) {
    const std::string& space = call.route.namespace_name;
    const std::string said = text_at(metadata, "/namespace");
    if (!said.empty() && said != space) {
      return bad_request(
          "the namespace of the provided object does not match the namespace sent on the request");
    }
    metadata["namespace"] = space;
    if (store.find("namespaces", space) == nullptr) {
      return not_found(*find_type("", "v1", "namespaces"), space);
    }
  }
  const std::string generate = text_at(metadata, "/generateName");
  if (text_at(metadata, "/name").empty() && !generate.empty()) {
    static constexpr char kLetters[] = "bcdfghjklmnpqrstvwxz2456789";
    std::string name = generate;
    for (int i = 0; i < 5; ++i) name += kLetters[random.below(sizeof(kLetters) - 1)];
    metadata["name"] = name;
  }
  return store_new(call, std::move(object));
}

FakeResponse FakeKube::Implementation::store_new(const Call& call, Json object) {
  const KubeType& type = *call.type;
  for (const char* key : {"deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion"}) {
    object["metadata"].erase(key);
  }
  if (type.has_status && type.plural != "nodes") object.erase("status");
  if (type.plural == "pods") object["status"] = {{"phase", "Pending"}, {"qosClass", "BestEffort"}};
  if (auto refusal = complete(call, object)) return *refusal;
  Json& metadata = object["metadata"];
  Route route = call.route;
  route.name = text_at(metadata, "/name");
  const std::string key = type.namespaced ? route.namespace_name + "/" + route.name : route.name;
  if (store.find(type.plural, key) != nullptr) return already_exists(type, route.name);
  metadata["uid"] = new_uid();
  metadata["creationTimestamp"] = format_time(call.now.wall);
  metadata.erase("generation");
  if (type.has_generation) metadata["generation"] = 1;
  if (type.plural == kCrdPlural) {
    const auto known = StructuralSchema::of(object);
    if (!known) {
      return invalid_object(type, route.name,
                            {cause_invalid("spec.versions", "", known.error().message)});
    }
    established(object, format_time(call.now.wall));
  }
  if (call.dry_run()) return answer(call, 201, KubeObject(std::move(object), store.version()));
  const ObjectPtr stored = store.put(type.plural, key, std::move(object));
  after_write(type, key, call.now);
  return answer(call, 201, *stored);
}

void FakeKube::Implementation::after_write(const KubeType& type, const std::string& key,
                                           Now /*now*/) {
  if (type.plural != kCrdPlural || key != kCrdName) return;
  const ObjectPtr definition = store.find(kCrdPlural, kCrdName);
  if (definition == nullptr) {
    schema.reset();
    for (const auto& [name, object] : KubeStore::Objects(store.objects("nodelinksets"))) {
      store.erase("nodelinksets", name);
    }
    return;
  }
  const bool was_served = schema.has_value();
  auto parsed = StructuralSchema::of(definition->value());
  if (parsed) schema = *std::move(parsed);
  // The watch cache of a new resource begins now.
  if (!was_served) store.forget_changes("nodelinksets");
}

FakeResponse FakeKube::Implementation::update(const Call& call) {
  const KubeType& type = *call.type;
  auto parsed = parse_body(call);
  if (auto* refusal = std::get_if<FakeResponse>(&parsed)) return *refusal;
  Json& object = std::get<Json>(parsed);
  Json& metadata = object["metadata"];
  const std::string name = text_at(metadata, "/name");
  if (name != call.route.name) {
    return bad_request("the name of the object (" + name +
                       ") does not match the name on the URL (" + call.route.name + ")");
  }
  if (type.namespaced) metadata["namespace"] = call.route.namespace_name;
  if (auto error = decoding_error(type, object)) return bad_request(*error);
  const ObjectPtr stored = store.find(type.plural, call.key());
  if (stored == nullptr) {
    if (!type.put_creates || !call.route.subresource.empty()) return not_found(type, name);
    if (store.find("namespaces", call.route.namespace_name) == nullptr) {
      return not_found(*find_type("", "v1", "namespaces"), call.route.namespace_name);
    }
    return store_new(call, std::move(object));
  }
  const std::string version = text_at(metadata, "/resourceVersion");
  if (version.empty() || version == "0") {
    if (type.put_needs_version) return version_required(type, name);
  } else if (!is_number(version)) {
    return internal_error("strconv.ParseUint: parsing " + dump(version) + ": invalid syntax");
  } else if (version != std::to_string(stored->version())) {
    return conflict(type, name);
  }
  const std::string uid = text_at(metadata, "/uid");
  const std::string stored_uid = text_at(stored->value(), "/metadata/uid");
  if (!uid.empty() && uid != stored_uid) {
    return conflict(
        type, name,
        "Precondition failed: UID in precondition: " + uid + ", UID in object meta: " + stored_uid);
  }
  return store_changed(call, stored, std::move(object));
}

FakeResponse FakeKube::Implementation::store_changed(const Call& call, const ObjectPtr& stored,
                                                     Json object) {
  const KubeType& type = *call.type;
  const Json& before = stored->value();
  const bool status = call.route.subresource == "status";
  if (status) {
    object = only_status(type, before, object);
  } else if (type.has_status) {
    copy_or_erase(object, before, "status");
  }
  keep_system_fields(object["metadata"], before["metadata"]);
  for (const char* map : {"labels", "annotations", "finalizers"}) {
    if (at_path(object, std::string("/metadata/") + map).empty()) object["metadata"].erase(map);
  }
  if (auto refusal = complete(call, object)) return *refusal;
  const std::vector<StatusCause> causes = validate_update(type, before, object);
  if (!causes.empty()) return invalid_object(type, call.route.name, causes);
  if (object == before) return answer(call, 200, *stored);
  if (type.has_generation && spec_part(object) != spec_part(before)) {
    object["metadata"]["generation"] = object["metadata"]["generation"].get<std::int64_t>() + 1;
  }
  if (call.dry_run()) return answer(call, 200, KubeObject(std::move(object), stored->version()));
  const bool leaving = object["metadata"].contains("deletionTimestamp");
  const bool released = at_path(object, "/metadata/finalizers").empty();
  const bool waits_for_kubelet = type.plural == "pods";
  const ObjectPtr written = store.put(type.plural, call.key(), std::move(object));
  if (leaving && released && !waits_for_kubelet) store.erase(type.plural, call.key());
  after_write(type, call.key(), call.now);
  return answer(call, 200, *written);
}

FakeResponse FakeKube::Implementation::patch(const Call& call) {
  const KubeType& type = *call.type;
  const auto format = patch_type(call.request.content_type, type.custom);
  if (!format) {
    return unsupported_media_type(std::string("application/json-patch+json, ") +
                                  "application/merge-patch+json, " +
                                  (type.custom ? "" : "application/strategic-merge-patch+json, ") +
                                  "application/apply-patch+yaml");
  }
  const Json body = Json::parse(call.request.body, nullptr, false);
  if (body.is_discarded()) {
    return bad_request("error decoding patch: unexpected end of JSON input");
  }
  const ObjectPtr stored = store.find(type.plural, call.key());
  if (stored == nullptr) return not_found(type, call.route.name);
  auto patched = apply_patch(*format, stored->value(), body);
  if (!patched) return bad_request(patched.error());
  Json& object = *patched;
  const std::string name = text_at(object, "/metadata/name");
  if (name != call.route.name) {
    return bad_request("the name of the object (" + name +
                       ") does not match the name on the URL (" + call.route.name + ")");
  }
  if (text_at(object, "/metadata/resourceVersion") != std::to_string(stored->version())) {
    return conflict(type, call.route.name);
  }
  const std::string uid = text_at(object, "/metadata/uid");
  const bool metadata_counts = !type.custom || call.route.subresource.empty();
  if (metadata_counts && uid != text_at(stored->value(), "/metadata/uid")) {
    const StatusCause immutable = cause_invalid("metadata.uid", uid, "field is immutable");
    return invalid_object(type, name, {immutable, immutable});
  }
  return store_changed(call, stored, std::move(object));
}

ObjectPtr FakeKube::Implementation::mark_deleted(const Call& call, const ObjectPtr& stored,
                                                 std::int64_t grace_seconds) {
  Json object = stored->value();
  Json& metadata = object["metadata"];
  if (!metadata.contains("deletionTimestamp") && metadata.contains("generation")) {
    metadata["generation"] = metadata["generation"].get<std::int64_t>() + 1;
  }
  metadata["deletionTimestamp"] = format_time(call.now.wall + std::chrono::seconds(grace_seconds));
  metadata["deletionGracePeriodSeconds"] = grace_seconds;
  return store.put(call.type->plural, call.key(), std::move(object));
}

FakeResponse FakeKube::Implementation::remove(const Call& call) {
  const KubeType& type = *call.type;
  const std::string& name = call.route.name;
  ObjectPtr stored = store.find(type.plural, call.key());
  if (stored == nullptr) return not_found(type, name);
  const Json given = Json::parse(call.request.body, nullptr, false);
  const std::string wanted_uid = text_at(given, "/preconditions/uid");
  const std::string uid = text_at(stored->value(), "/metadata/uid");
  if (!wanted_uid.empty() && wanted_uid != uid) {
    return conflict(type, name,
                    "the UID in the precondition (" + wanted_uid +
                        ") does not match the UID in record (" + uid +
                        "). The object might have been deleted and then recreated");
  }
  const std::string wanted_version = text_at(given, "/preconditions/resourceVersion");
  if (!wanted_version.empty() && wanted_version != std::to_string(stored->version())) {
    return conflict(type, name);
  }
  if (call.dry_run()) return deleted_status(type, *stored);
  if (!at_path(stored->value(), "/metadata/finalizers").empty()) {
    return answer(call, 200, *mark_deleted(call, stored, 0));
  }
  if (type.plural == "pods") {
    std::int64_t grace = 0;
    const Json& own = at_path(stored->value(), "/spec/terminationGracePeriodSeconds");
    const bool scheduled = !text_at(stored->value(), "/spec/nodeName").empty();
    if (scheduled && own.is_number()) grace = own.get<std::int64_t>();
    const std::string asked = parameter(call.route.query, "gracePeriodSeconds");
    if (is_number(asked)) grace = std::stoll(asked);
    const Json& in_body = at_path(given, "/gracePeriodSeconds");
    if (in_body.is_number()) grace = in_body.get<std::int64_t>();
    const bool already = !text_at(stored->value(), "/metadata/deletionTimestamp").empty();
    if (grace == 0 || !already) stored = mark_deleted(call, stored, grace);
    if (grace == 0 || this->options.pod_deletion == PodDeletion::kAtOnce)
      store.erase(type.plural, call.key());
    return answer(call, 200, *stored);
  }
  store.erase(type.plural, call.key());
  if (type.plural == "namespaces") erase_namespace_contents(name);
  after_write(type, call.key(), call.now);
  return deleted_status(type, *stored);
}

void FakeKube::Implementation::erase_namespace_contents(const std::string& name) {
  for (const KubeType& type : kube_types()) {
    if (!type.namespaced) continue;
    for (const auto& [key, object] : KubeStore::Objects(store.objects(type.plural))) {
      if (key.rfind(name + "/", 0) == 0) store.erase(type.plural, key);
    }
  }
}

}  // namespace loglink::fakes
