// What all parts of the API contract suite share: one fresh space on the server per case, and short
// words for requests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/contract/api_session.h"

namespace loglink {

using Json = nlohmann::json;

inline constexpr char kSets[] = "/apis/loglink.io/v1alpha1/nodelinksets";
inline constexpr char kMergePatch[] = "application/merge-patch+json";

enum class ApiKind { kSim, kEmbedded, kReal };

// The body of an answer that is read as a stream.
struct Answer {
  int status = 0;
  std::string content_type;
  std::string body;
  std::optional<Duration> retry_after;

  [[nodiscard]] Json json() const { return Json::parse(body, nullptr, false); }
};

class ApiContract : public testing::TestWithParam<ApiKind> {
 protected:
  void SetUp() override;
  void TearDown() override;

  ApiSession& api() { return *session_; }
  // False for a real server that was started without the WatchList feature, as
  // LOGLINK_TEST_WATCH_LIST=off says.
  [[nodiscard]] static bool has_watch_list();
  // Unique on the server: the case's namespace, and a prefix and label value for cluster-scoped
  // ones.
  [[nodiscard]] const std::string& space() const { return space_; }
  [[nodiscard]] std::string pods() const { return "/api/v1/namespaces/" + space_ + "/pods"; }
  [[nodiscard]] std::string leases() const {
    return "/apis/coordination.k8s.io/v1/namespaces/" + space_ + "/leases";
  }
  [[nodiscard]] std::string events() const {
    return "/apis/events.k8s.io/v1/namespaces/" + space_ + "/events";
  }
  [[nodiscard]] std::string set_name(const std::string& suffix) const {
    return space_ + "-" + suffix;
  }
  [[nodiscard]] std::string set_path(const std::string& suffix) const {
    return std::string(kSets) + "/" + set_name(suffix);
  }

  UnaryResult call(Method method, const std::string& target, const Json& body = nullptr,
                   const std::string& content_type = "application/json");
  // A call that must succeed.
  Json must(Method method, const std::string& target, const Json& body = nullptr,
            const std::string& content_type = "application/json");
  // A call that must fail.
  KubeError refused(Method method, const std::string& target, const Json& body = nullptr,
                    const std::string& content_type = "application/json");
  Answer get(const std::string& target, const std::string& accept = "application/json");
  std::unique_ptr<OpenStream> watch(const std::string& target);

  // Objects, not yet stored.
  [[nodiscard]] Json pod(const std::string& name, Json labels = Json::object()) const;
  [[nodiscard]] Json set(const std::string& suffix, Json sources = Json::array()) const;
  static Json source();
  [[nodiscard]] Json event(const std::string& name) const;

  Json create_pod(const std::string& name, Json labels = Json::object());
  Json create_set(const std::string& suffix, Json sources = Json::array());

 private:
  std::unique_ptr<ApiSession> session_;
  std::string space_;
};

std::vector<Json> lines(const std::string& body);
std::string version_of(const Json& object);
std::vector<std::string> names_of(const Json& list);
// "ADDED a", "DELETED b", …; bookmarks and errors by their type alone.
std::vector<std::string> events_of(const std::string& body);
// Waits for that many lines.
std::vector<std::string> wait_events(OpenStream& stream, std::size_t count);
// The object of the event at `index`, which must have come already.
Json object_of(OpenStream& stream, std::size_t index);
std::vector<std::string> fields_of(const KubeError& error);

}  // namespace loglink
