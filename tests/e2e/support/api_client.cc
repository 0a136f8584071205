#include "tests/e2e/support/api_client.h"

#include <gtest/gtest.h>

#include <future>

#include "lib/io/credentials.h"
#include "lib/io/http_clients.h"

namespace loglink::testing {

ApiClient::ApiClient(const std::string& kubeconfig) {
  Expected<ClusterAccess> access = load_cluster_access(kubeconfig);
  if (!access) throw std::runtime_error(access.error().message);
  client_ = make_beast_unary_client(loop_, *access, "loglink-test");
  thread_ = std::thread([this] { loop_.run(); });
}

ApiClient::~ApiClient() {
  // The client belongs to the loop's thread.
  std::promise<void> gone;
  loop_.post([&] {
    client_.reset();
    gone.set_value();
  });
  gone.get_future().wait();
  loop_.stop();
  thread_.join();
}

UnaryResult ApiClient::send(Method method, const std::string& target,
                            const std::string& content_type, const std::string& body) {
  std::promise<UnaryResult> answer;
  loop_.post([&] {
    UnaryRequest request;
    request.method = method;
    request.target = target;
    request.content_type = content_type;
    request.body = body;
    client_->send(std::move(request),
                  [&](UnaryResult result) { answer.set_value(std::move(result)); });
  });
  return answer.get_future().get();
}

std::optional<Json> ApiClient::get(const std::string& target) {
  const UnaryResult result = send(Method::kGet, target);
  if (result) return Json::parse(result->body);
  if (result.error().http_status != 404) {
    ADD_FAILURE() << "GET " << target << ": " << result.error().message;
  }
  return std::nullopt;
}

std::optional<Json> ApiClient::peek(const std::string& target) {
  const UnaryResult result = send(Method::kGet, target);
  if (!result) return std::nullopt;
  return Json::parse(result->body);
}

void ApiClient::create(const std::string& collection, const Json& object) {
  const UnaryResult result = send(Method::kPost, collection, "application/json", object.dump());
  if (!result && result.error().kind != KubeErrorKind::kAlreadyExists) {
    ADD_FAILURE() << "POST " << collection << ": " << result.error().message;
  }
}

void ApiClient::merge_patch(const std::string& target, const Json& patch) {
  const UnaryResult result =
      send(Method::kPatch, target, "application/merge-patch+json", patch.dump());
  if (!result) ADD_FAILURE() << "PATCH " << target << ": " << result.error().message;
}

void ApiClient::remove(const std::string& target) {
  const UnaryResult result = send(Method::kDelete, target + "?gracePeriodSeconds=0");
  if (!result && result.error().http_status != 404) {
    ADD_FAILURE() << "DELETE " << target << ": " << result.error().message;
  }
}

}  // namespace loglink::testing
