#include "tests/contract/api_contract.h"

#include <cstdlib>
#include <random>

namespace loglink {
namespace {

std::unique_ptr<ApiSession> make_session(ApiKind kind) {
  switch (kind) {
    case ApiKind::kSim:
      return make_sim_session();
    case ApiKind::kEmbedded:
      return make_embedded_session();
    case ApiKind::kReal:
      return make_real_session();
  }
  __builtin_unreachable();
}

}  // namespace

void ApiContract::SetUp() {
  session_ = make_session(GetParam());
  if (session_ == nullptr && GetParam() == ApiKind::kReal) {
    GTEST_SKIP() << "needs a real API server: scripts/e2e-api runs it";
  }
  ASSERT_NE(session_, nullptr);
  space_ = "contract-" + std::to_string(std::random_device()());
  must(Method::kPost, "/api/v1/namespaces", {{"metadata", {{"name", space_}}}});
}

bool ApiContract::has_watch_list() {
  const char* const gate = std::getenv("LOGLINK_TEST_WATCH_LIST");
  return GetParam() != ApiKind::kReal || gate == nullptr || std::string(gate) != "off";
}

void ApiContract::TearDown() {
  if (session_ == nullptr || GetParam() != ApiKind::kReal) return;
  for (const std::string& name : names_of(get(pods()).json())) {
    call(Method::kDelete, pods() + "/" + name + "?gracePeriodSeconds=0");
  }
  const std::string mine = std::string(kSets) + "?labelSelector=space%3D" + space_;
  for (const std::string& name : names_of(get(mine).json())) {
    call(Method::kDelete, std::string(kSets) + "/" + name);
  }
  call(Method::kDelete, "/api/v1/nodes/" + space_);
  call(Method::kDelete, "/api/v1/namespaces/" + space_);
}

UnaryResult ApiContract::call(Method method, const std::string& target, const Json& body,
                              const std::string& content_type) {
  UnaryRequest request;
  request.method = method;
  request.target = target;
  if (!body.is_null()) {
    request.content_type = content_type;
    request.body = body.is_string() ? body.get<std::string>() : body.dump();
  }
  request.deadline = std::chrono::seconds(10);
  return session_->call(std::move(request));
}

Json ApiContract::must(Method method, const std::string& target, const Json& body,
                       const std::string& content_type) {
  const UnaryResult result = call(method, target, body, content_type);
  if (!result) {
    ADD_FAILURE() << to_string(method) << " " << target << ": " << result.error().message;
    return Json::object();
  }
  return Json::parse(result->body);
}

KubeError ApiContract::refused(Method method, const std::string& target, const Json& body,
                               const std::string& content_type) {
  const UnaryResult result = call(method, target, body, content_type);
  if (result) {
    ADD_FAILURE() << to_string(method) << " " << target << " was not refused: " << result->body;
    return {};
  }
  return result.error();
}

Answer ApiContract::get(const std::string& target, const std::string& accept) {
  StreamRequest request;
  request.target = target;
  request.accept = accept;
  const auto stream = session_->open(request);
  EXPECT_TRUE(stream->wait([](const Heard& heard) { return heard.ended; })) << target;
  const Heard heard = stream->heard();
  if (!heard.head) {
    ADD_FAILURE() << target << ": " << (heard.error ? heard.error->message : "no answer");
    return {};
  }
  return {heard.head->status, heard.head->content_type, heard.body, heard.head->retry_after};
}

std::unique_ptr<OpenStream> ApiContract::watch(const std::string& target) {
  StreamRequest request;
  request.target = target + (target.find('?') == std::string::npos ? "?watch=1" : "&watch=1");
  request.accept = "application/json";
  auto stream = session_->open(request);
  EXPECT_TRUE(stream->wait([](const Heard& heard) { return heard.head || heard.ended; })) << target;
  return stream;
}

Json ApiContract::pod(const std::string& name, Json labels) const {
  Json spec = Json::parse(R"({
    "nodeName": "node-a", "automountServiceAccountToken": false,
    "containers": [{"name": "app", "image": "app:1",
                    "volumeMounts": [{"name": "logs", "mountPath": "/var/log/app"}]}],
    "volumes": [{"name": "logs", "emptyDir": {}}]})");
  return {{"metadata", {{"name", name}, {"labels", std::move(labels)}}}, {"spec", std::move(spec)}};
}

Json ApiContract::source() {
  return Json::parse(R"({"namespace": "shop", "pod": "cart-0", "uid": "u1", "container": "app",
                         "root": "applogs", "path": "cart", "include": ["*.log"]})");
}

Json ApiContract::set(const std::string& suffix, Json sources) const {
  return {{"apiVersion", "loglink.io/v1alpha1"},
          {"kind", "NodeLinkSet"},
          {"metadata", {{"name", set_name(suffix)}, {"labels", {{"space", space_}}}}},
          {"spec", {{"sources", std::move(sources)}}}};
}

Json ApiContract::event(const std::string& name) const {
  return {{"metadata", {{"name", name}}},
          {"eventTime", "2026-11-22T09:00:00.000000Z"},
          {"reportingController", "loglink.io/controller"},
          {"reportingInstance", "loglink-controller-0"},
          {"action", "Link"},
          {"reason", "LinkRefused"},
          {"type", "Warning"},
          {"note", "watch-dir /opt is not on a volume"},
          {"regarding", {{"kind", "Pod"}, {"namespace", space_}, {"name", "w0"}, {"uid", "u1"}}}};
}

Json ApiContract::create_pod(const std::string& name, Json labels) {
  return must(Method::kPost, pods(), pod(name, std::move(labels)));
}

Json ApiContract::create_set(const std::string& suffix, Json sources) {
  return must(Method::kPost, kSets, set(suffix, std::move(sources)));
}

std::vector<Json> lines(const std::string& body) {
  std::vector<Json> result;
  std::size_t begin = 0;
  for (std::size_t end = body.find('\n'); end != std::string::npos; end = body.find('\n', begin)) {
    result.push_back(Json::parse(body.substr(begin, end - begin), nullptr, false));
    begin = end + 1;
  }
  return result;
}

std::string version_of(const Json& object) {
  return object.at("metadata").at("resourceVersion").get<std::string>();
}

std::vector<std::string> names_of(const Json& list) {
  std::vector<std::string> names;
  if (!list.is_object() || !list.contains("items")) return names;
  for (const Json& item : list["items"]) names.push_back(item["metadata"]["name"]);
  return names;
}

std::vector<std::string> events_of(const std::string& body) {
  std::vector<std::string> result;
  for (const Json& line : lines(body)) {
    const std::string type = line.at("type");
    const Json metadata = line.at("object").value("metadata", Json::object());
    const bool named = type != "BOOKMARK" && type != "ERROR";
    result.push_back(named ? type + " " + metadata.value("name", "") : type);
  }
  return result;
}

std::vector<std::string> wait_events(OpenStream& stream, std::size_t count) {
  EXPECT_TRUE(stream.wait([count](const Heard& heard) {
    return lines(heard.body).size() >= count;
  })) << "heard only: "
      << stream.heard().body;
  return events_of(stream.heard().body);
}

Json object_of(OpenStream& stream, std::size_t index) {
  const std::vector<Json> told = lines(stream.heard().body);
  if (index < told.size()) return told[index].value("object", Json::object());
  ADD_FAILURE() << "only " << told.size() << " events";
  return {{"metadata", {{"resourceVersion", "0"}}}};
}

std::vector<std::string> fields_of(const KubeError& error) {
  std::vector<std::string> fields;
  for (const StatusCause& cause : error.causes) fields.push_back(cause.field);
  return fields;
}

std::string kind_name(const testing::TestParamInfo<ApiKind>& info) {
  switch (info.param) {
    case ApiKind::kSim:
      return "Sim";
    case ApiKind::kEmbedded:
      return "Embedded";
    case ApiKind::kReal:
      return "Real";
  }
  __builtin_unreachable();
}

INSTANTIATE_TEST_SUITE_P(Api, ApiContract,
                         testing::Values(ApiKind::kSim, ApiKind::kEmbedded, ApiKind::kReal),
                         kind_name);

}  // namespace loglink
