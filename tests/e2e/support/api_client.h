// A blocking client of an API server for tests, over the same transport as the agent's.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "lib/io/event_loop.h"
#include "lib/kube/api_port.h"

namespace loglink::testing {

using Json = nlohmann::json;

class ApiClient {
 public:
  explicit ApiClient(const std::string& kubeconfig);
  ~ApiClient();
  ApiClient(const ApiClient&) = delete;
  ApiClient& operator=(const ApiClient&) = delete;

  UnaryResult send(Method method, const std::string& target, const std::string& content_type = "",
                   const std::string& body = "");

  // The object, or nullopt when there is none; any other failure fails the running test.
  std::optional<Json> get(const std::string& target);
  // As get(), but a server that fails is one that does not say: nullopt.
  std::optional<Json> peek(const std::string& target);
  void create(const std::string& collection, const Json& object);
  void merge_patch(const std::string& target, const Json& patch);
  // Without a grace period; absent is done.
  void remove(const std::string& target);

 private:
  EventLoop loop_;
  std::unique_ptr<UnaryClient> client_;
  std::thread thread_;
};

}  // namespace loglink::testing
