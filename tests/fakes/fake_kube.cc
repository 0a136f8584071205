#include "tests/fakes/fake_kube.h"

#include <algorithm>

#include "tests/fakes/fake_kube_state.h"
#include "tests/fakes/kube_discovery.h"
#include "tests/fakes/kube_protobuf.h"
#include "tests/fakes/kube_status.h"

namespace loglink::fakes {
namespace {

constexpr char kCrdName[] = "nodelinksets.loglink.io";
constexpr char kBearer[] = "Bearer ";

std::string verb_of(const FakeRequest& request, const Route& route) {
  if (request.method == "POST") return "create";
  if (request.method == "PUT") return "update";
  if (request.method == "PATCH") return "patch";
  if (request.method == "DELETE") return "delete";
  if (FakeKube::is_watch(request)) return "watch";
  return route.name.empty() ? "list" : "get";
}

bool listed(const std::vector<std::string>& list, const std::string& wanted) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& one) { return one == "*" || one == wanted; });
}

// A list or watch of one name is a request for that name.
std::string requested_name(const Route& route) {
  if (!route.name.empty()) return route.name;
  const std::string selector = parameter(route.query, "fieldSelector");
  const std::string prefix = "metadata.name=";
  return selector.rfind(prefix, 0) == 0 ? selector.substr(prefix.size()) : "";
}

bool allows(const AllowRule& rule, const std::string& verb, const Route& route,
            const std::string& resource) {
  return listed(rule.verbs, verb) && listed(rule.resources, resource) &&
         (rule.names.empty() || listed(rule.names, requested_name(route))) &&
         (rule.namespaces.empty() || listed(rule.namespaces, route.namespace_name));
}

FakeResponse forbidden(const std::string& user, const std::string& verb, const Route& route,
                       const std::string& resource) {
  const std::string scope = route.namespace_name.empty()
                                ? "at the cluster scope"
                                : "in the namespace \"" + route.namespace_name + "\"";
  const std::string qualified =
      route.group.empty() ? route.plural : route.plural + "." + route.group;
  const std::string name = requested_name(route);
  Json details = {{"kind", route.plural}};
  if (!route.group.empty()) details["group"] = route.group;
  if (!name.empty()) details["name"] = name;
  return status_response(403, "Forbidden",
                         qualified + (name.empty() ? "" : " \"" + name + "\"") +
                             " is forbidden: User \"" + user + "\" cannot " + verb +
                             " resource \"" + resource + "\" in API group \"" + route.group +
                             "\" " + scope,
                         details);
}

}  // namespace

std::string Call::key() const {
  return type->namespaced ? route.namespace_name + "/" + route.name : route.name;
}

FakeWatch::FakeWatch(std::unique_ptr<State> state) : state_(std::move(state)) {}
FakeWatch::FakeWatch(FakeWatch&&) noexcept = default;
FakeWatch& FakeWatch::operator=(FakeWatch&&) noexcept = default;
FakeWatch::~FakeWatch() = default;

std::string FakeWatch::content_type() const {
  return state_->as_protobuf ? "application/vnd.kubernetes.protobuf;stream=watch"
                             : "application/json";
}

MonotonicTime FakeWatch::next_wake() const {
  return std::min(state_->deadline, state_->next_bookmark);
}

FakeKube::Implementation::Implementation(FakeKubeOptions given)
    : options(std::move(given)), random(options.seed), store(options.history_events_max) {
  if (!options.admin_token.empty()) users[options.admin_token] = {"admin", true, {}};
}

std::optional<FakeResponse> FakeKube::Implementation::refuse(const FakeRequest& request,
                                                             const Route& route,
                                                             const KubeType* type) const {
  std::string user = "system:anonymous";
  std::vector<AllowRule> rules;
  if (request.authorization.rfind(kBearer, 0) == 0) {
    const auto found = users.find(request.authorization.substr(sizeof(kBearer) - 1));
    if (found == users.end()) return status_response(401, "Unauthorized", "Unauthorized");
    if (found->second.admin) return std::nullopt;
    user = found->second.name;
    rules = found->second.rules;
  }
  // Discovery and health are open to all, as system:public-info-viewer makes them.
  if (type == nullptr) return std::nullopt;
  const std::string verb = verb_of(request, route);
  const std::string resource =
      route.subresource.empty() ? route.plural : route.plural + "/" + route.subresource;
  for (const AllowRule& rule : rules) {
    if (allows(rule, verb, route, resource)) return std::nullopt;
  }
  return forbidden(user, verb, route, resource);
}

std::variant<const KubeType*, FakeResponse> FakeKube::Implementation::resolve(
    const Route& route) const {
  if (!route.is_resource) return page_not_found();
  const KubeType* type = find_type(route.group, route.version, route.plural);
  const bool shape = type != nullptr && (route.subresource.empty() ||
                                         (route.subresource == "status" && type->has_status));
  if (shape && (!type->custom || schema)) return type;
  const bool known_group =
      std::any_of(kube_types().begin(), kube_types().end(), [&](const KubeType& one) {
        return one.group == route.group && one.version == route.version && !one.custom;
      });
  if (!known_group) return page_not_found();
  return status_response(404, "NotFound", "the server could not find the requested resource",
                         Json::object());
}

FakeResponse FakeKube::Implementation::handle(const FakeRequest& request, Now now) {
  const Route route = parse_target(request.target);
  const KubeType* type =
      route.is_resource ? find_type(route.group, route.version, route.plural) : nullptr;
  if (auto refusal = refuse(request, route, type)) return *refusal;
  if (!route.is_resource) {
    auto answer = discovery_answer(route.path, schema.has_value());
    return answer ? *answer : page_not_found();
  }
  auto resolved = resolve(route);
  if (auto* refusal = std::get_if<FakeResponse>(&resolved)) return *refusal;
  Call call{request, route, std::get<const KubeType*>(resolved), now,
            request.accept.find("as=Table") != std::string::npos};
  return dispatch(call);
}

bool FakeKube::Implementation::wants_protobuf(const FakeRequest& request) const {
  const std::size_t protobuf = request.accept.find("application/vnd.kubernetes.protobuf");
  const bool preferred = protobuf < request.accept.find("application/json") &&
                         request.accept.find("as=Table") == std::string::npos;
  if (!options.protobuf || !preferred || request.method != "GET") return false;
  const Route route = parse_target(request.target);
  return route.is_resource && route.group.empty() && route.plural == "pods";
}

FakeResponse FakeKube::Implementation::dispatch(const Call& call) {
  const std::string& method = call.request.method;
  const bool named = !call.route.name.empty();
  // Objects of a namespaced type are only listed without a namespace.
  if (call.type->namespaced && call.route.namespace_name.empty() && (named || method != "GET")) {
    return method_not_allowed();
  }
  const bool needs_body = method == "POST" || method == "PUT";
  if (method == "POST" && call.request.content_type == "application/vnd.kubernetes.protobuf") {
    if (const std::optional<Json> body = namespace_of_protobuf(call.request.body)) {
      FakeRequest in_json = call.request;
      in_json.content_type = "application/json";
      in_json.body = dump(*body);
      return dispatch({in_json, call.route, call.type, call.now, call.as_table});
    }
  }
  if (needs_body && call.request.content_type.find("json") == std::string::npos &&
      !call.request.content_type.empty()) {
    return unsupported_media_type(
        "application/json, application/yaml, application/vnd.kubernetes.protobuf");
  }
  if (method == "GET") return named ? get(call) : list(call);
  if (method == "POST" && !named) return create(call);
  if (method == "PUT" && named) return update(call);
  if (method == "PATCH" && named) return patch(call);
  if (method == "DELETE" && named) return remove(call);
  return method_not_allowed();
}

FakeKube::FakeKube(FakeKubeOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {
  const Now start = implementation_->options.start;
  for (const char* name : {"default", "kube-system"}) {
    Json space = {{"metadata", {{"name", name}}}};
    FakeRequest request{"POST", "/api/v1/namespaces", "", "application/json", "", dump(space)};
    const Call call{request, parse_target(request.target), find_type("", "v1", "namespaces"), start,
                    false};
    implementation_->create(call);
  }
  if (implementation_->options.install_crd) install_crd(start);
}

FakeKube::~FakeKube() = default;

bool FakeKube::is_watch(const FakeRequest& request) {
  if (request.method != "GET" || request.target.find("watch=") == std::string::npos) return false;
  const std::string watch = parameter(parse_target(request.target).query, "watch");
  return watch == "1" || watch == "true";
}

namespace {

FakeResponse in_protobuf(FakeResponse response) {
  if (response.content_type != "application/json") return response;
  response.body = protobuf_object(Json::parse(response.body));
  response.content_type = "application/vnd.kubernetes.protobuf";
  return response;
}

// Lines to frames.
std::string in_frames(const std::string& lines) {
  std::string frames;
  std::size_t begin = 0;
  for (std::size_t end = lines.find('\n'); end != std::string::npos;
       end = lines.find('\n', begin)) {
    frames += protobuf_frame(Json::parse(lines.substr(begin, end - begin)));
    begin = end + 1;
  }
  return frames;
}

}  // namespace

FakeResponse FakeKube::handle(const FakeRequest& request, Now now) {
  FakeResponse response = implementation_->handle(request, now);
  if (!implementation_->wants_protobuf(request)) return response;
  return in_protobuf(std::move(response));
}

std::variant<FakeWatch, FakeResponse> FakeKube::open_watch(const FakeRequest& request, Now now) {
  auto opened = implementation_->open_watch(request, now);
  if (!implementation_->wants_protobuf(request)) return opened;
  if (auto* refusal = std::get_if<FakeResponse>(&opened)) return in_protobuf(std::move(*refusal));
  std::get<FakeWatch>(opened).state().as_protobuf = true;
  return opened;
}

FakeKube::Pulled FakeKube::pull(FakeWatch& watch, Now now) {
  Pulled pulled = implementation_->pull(watch.state(), now);
  if (watch.state().as_protobuf) pulled.bytes = in_frames(pulled.bytes);
  return pulled;
}

void FakeKube::set_user(const std::string& token, const std::string& user,
                        std::vector<AllowRule> rules) {
  implementation_->users[token] = {user, false, std::move(rules)};
}

void FakeKube::remove_user(const std::string& token) { implementation_->users.erase(token); }

void FakeKube::compact() { implementation_->store.forget_all_changes(); }

void FakeKube::expire_continue_tokens() {
  implementation_->continue_floor = implementation_->store.version();
}

void FakeKube::drop_watches() { ++implementation_->drops; }

void FakeKube::send_bookmarks() { ++implementation_->bookmark_calls; }

void FakeKube::set_watch_list(bool enabled) { implementation_->options.watch_list = enabled; }

void FakeKube::install_crd(Now now) {
  if (implementation_->schema) return;
  FakeRequest request;
  request.method = "POST";
  request.target = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  request.body = dump(crd_of_this_tree());
  const Route route = parse_target(request.target);
  const Call call{request, route, find_type(route.group, route.version, route.plural), now, false};
  implementation_->create(call);
}

void FakeKube::remove_crd(Now now) {
  FakeRequest request;
  request.method = "DELETE";
  request.target =
      std::string("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/") + kCrdName;
  const Route route = parse_target(request.target);
  const Call call{request, route, find_type(route.group, route.version, route.plural), now, false};
  implementation_->remove(call);
}

bool FakeKube::finish_pod_deletion(const std::string& namespace_name, const std::string& name,
                                   Now /*now*/) {
  const std::string key = namespace_name + "/" + name;
  const ObjectPtr pod = implementation_->store.find("pods", key);
  if (pod == nullptr || text_at(pod->value(), "/metadata/deletionTimestamp").empty()) return false;
  implementation_->store.erase("pods", key);
  return true;
}

std::size_t FakeKube::collect_garbage(Now /*now*/) {
  KubeStore& store = implementation_->store;
  std::vector<std::string> living;
  for (const KubeType& type : kube_types()) {
    for (const auto& [key, object] : store.objects(type.plural)) {
      living.push_back(text_at(object->value(), "/metadata/uid"));
    }
  }
  std::size_t removed = 0;
  for (const KubeType& type : kube_types()) {
    const KubeStore::Objects objects = store.objects(type.plural);
    for (const auto& [key, object] : objects) {
      const Json& owners = at_path(object->value(), "/metadata/ownerReferences");
      const bool kept =
          owners.empty() || std::any_of(owners.begin(), owners.end(), [&](const Json& o) {
            return std::find(living.begin(), living.end(), text_at(o, "/uid")) != living.end();
          });
      if (kept) continue;
      store.erase(type.plural, key);
      ++removed;
    }
  }
  return removed;
}

std::uint64_t FakeKube::resource_version() const { return implementation_->store.version(); }

std::string FakeKube::object(const std::string& path) const {
  const Route route = parse_target(path);
  const KubeType* type = find_type(route.group, route.version, route.plural);
  if (type == nullptr) return "";
  const FakeRequest none;
  const Call call{none, route, type, Now{}, false};
  const ObjectPtr found = implementation_->store.find(type->plural, call.key());
  return found == nullptr ? "" : object_text(*type, *found);
}

std::vector<std::string> FakeKube::objects(const std::string& path) const {
  const Route route = parse_target(path);
  const KubeType* type = find_type(route.group, route.version, route.plural);
  std::vector<std::string> texts;
  if (type == nullptr) return texts;
  const std::string prefix = route.namespace_name.empty() ? "" : route.namespace_name + "/";
  for (const auto& [key, object] : implementation_->store.objects(type->plural)) {
    if (key.rfind(prefix, 0) == 0) texts.push_back(object_text(*type, *object));
  }
  return texts;
}

}  // namespace loglink::fakes
