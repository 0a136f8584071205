// An API server as a value: objects, versions and watch history in memory, no socket, no thread, no
// clock. Time comes in with each call, uids from a seed, so the same calls give the same bytes.
//
// It answers as a real kube-apiserver 1.36 does for what loglink relies on (tests/contract holds
// both to the same suite): pods, nodes, namespaces, leases, events and NodeLinkSets, whose schema
// is taken from the CustomResourceDefinition. Known differences: objects carry no managedFields,
// deleting a Namespace removes its contents at once, and only LIST and WATCH of pods are spoken in
// protobuf, with the fields that loglink reads.
//
// Threads: none; the owner serialises calls.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/base/clock.h"

namespace loglink::fakes {

struct FakeRequest {
  std::string method;  // "GET"
  std::string target;  // path and query, escaped
  std::string accept;
  std::string content_type;
  std::string authorization;  // "Bearer …"
  std::string body;
};

struct FakeResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;  // others, as Retry-After
  std::string body;
};

// What a user may do, as an RBAC rule; "*" stands for any.
struct AllowRule {
  std::vector<std::string> verbs;       // get list watch create update patch delete
  std::vector<std::string> resources;   // "pods", "pods/status", "nodelinksets"
  std::vector<std::string> names;       // empty: any
  std::vector<std::string> namespaces;  // empty: any, and the cluster scope
};

// When a pod that is deleted with a grace period disappears.
enum class PodDeletion { kAtOnce, kWhenFinished };

struct FakeKubeOptions {
  std::uint64_t seed = 1;
  bool install_crd = true;
  bool watch_list = true;  // the WatchList feature gate
  bool protobuf = true;    // answers in it where it is asked for, not in JSON
  PodDeletion pod_deletion = PodDeletion::kAtOnce;
  std::string admin_token = "admin-token";   // may do everything; "" for none
  std::size_t history_events_max = 100'000;  // a resource; a watch that falls behind gets 410
  Duration bookmark_period = std::chrono::minutes(1);
  Now start{};  // when the namespaces and the CRD were made
};

// One open watch. A value that its server draws from; it registers nothing there.
class FakeWatch {
 public:
  struct State;
  explicit FakeWatch(std::unique_ptr<State> state);
  FakeWatch(FakeWatch&&) noexcept;
  FakeWatch& operator=(FakeWatch&&) noexcept;
  ~FakeWatch();

  // When pull() has something to say although nothing was written: bookmark or timeoutSeconds.
  [[nodiscard]] MonotonicTime next_wake() const;
  // Of the answer that this is the body of.
  [[nodiscard]] std::string content_type() const;

  State& state() { return *state_; }

 private:
  std::unique_ptr<State> state_;
};

class FakeKube {
 public:
  explicit FakeKube(FakeKubeOptions options = {});
  ~FakeKube();
  FakeKube(const FakeKube&) = delete;
  FakeKube& operator=(const FakeKube&) = delete;

  // True for a GET with watch=1 or watch=true: to be given to open_watch().
  static bool is_watch(const FakeRequest& request);

  FakeResponse handle(const FakeRequest& request, Now now);
  // The answer is 200 with a body that pull() gives piece by piece, or an error.
  std::variant<FakeWatch, FakeResponse> open_watch(const FakeRequest& request, Now now);

  struct Pulled {
    std::string bytes;  // whole lines or frames
    bool ended = false;
  };
  Pulled pull(FakeWatch& watch, Now now);

  // --- what happens to a server, by the test's hand ---
  // Users are known by bearer token. A user without rules may do nothing.
  void set_user(const std::string& token, const std::string& user, std::vector<AllowRule> rules);
  void remove_user(const std::string& token);  // its requests get 401 from now on
  // Forgets history up to now: older watches and Exact lists answer 410.
  void compact();
  // Continue tokens given out until now answer 410 with a token for an inconsistent rest.
  void expire_continue_tokens();
  // All open watches end with the next pull, as when a server restarts.
  void drop_watches();
  // Every watch that allows bookmarks gets one with the next pull.
  void send_bookmarks();
  void set_watch_list(bool enabled);
  void install_crd(Now now);
  void remove_crd(Now now);  // with all NodeLinkSets
  // The kubelet says that a deleted pod's containers are gone. False: no such deleted pod.
  bool finish_pod_deletion(const std::string& namespace_name, const std::string& name, Now now);
  // Removes objects whose owners (metadata.ownerReferences, by uid) are gone; how many.
  std::size_t collect_garbage(Now now);

  // --- for assertions ---
  [[nodiscard]] std::uint64_t resource_version() const;
  // JSON of the object at a path like "/api/v1/namespaces/a/pods/b"; "" when there is none.
  [[nodiscard]] std::string object(const std::string& path) const;
  // JSON of all objects of a collection's path, in key order.
  [[nodiscard]] std::vector<std::string> objects(const std::string& path) const;

  struct Implementation;

 private:
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace loglink::fakes
