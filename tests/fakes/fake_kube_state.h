// The inside of FakeKube, shared by the files that implement it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "lib/base/random.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_schema.h"
#include "tests/fakes/kube_selector.h"
#include "tests/fakes/kube_store.h"
#include "tests/fakes/kube_types.h"

namespace loglink::fakes {

// One request on its way through the server.
struct Call {
  const FakeRequest& request;
  Route route;
  const KubeType* type = nullptr;
  Now now;
  bool as_table = false;

  [[nodiscard]] std::string key() const;
  [[nodiscard]] bool dry_run() const { return !parameter(route.query, "dryRun").empty(); }
};

struct FakeWatch::State {
  const KubeType* type = nullptr;
  std::string namespace_name;
  Selector selector;
  std::uint64_t after = 0;  // changes up to this version have been told
  std::string pending;      // lines that are due at once
  bool ended = false;
  bool bookmarks = false;
  bool as_table = false;
  bool as_protobuf = false;
  MonotonicTime deadline = MonotonicTime::never();
  MonotonicTime next_bookmark = MonotonicTime::never();
  std::uint64_t drops_seen = 0;
  std::uint64_t bookmarks_seen = 0;
};

struct FakeKube::Implementation {
  explicit Implementation(FakeKubeOptions given);

  FakeKubeOptions options;
  SeededRandom random;
  KubeStore store;
  std::optional<StructuralSchema> schema;  // of NodeLinkSets, while they are defined
  struct User {
    std::string name;
    bool admin = false;
    std::vector<AllowRule> rules;
  };
  std::map<std::string, User> users;  // by token
  std::uint64_t continue_floor = 0;   // tokens of this version and older have expired
  std::uint64_t drops = 0;
  std::uint64_t bookmark_calls = 0;

  // fake_kube.cc: who may, and where to
  FakeResponse handle(const FakeRequest& request, Now now);
  std::optional<FakeResponse> refuse(const FakeRequest& request, const Route& route,
                                     const KubeType* type) const;
  // The type of a route, or why there is none.
  std::variant<const KubeType*, FakeResponse> resolve(const Route& route) const;
  FakeResponse dispatch(const Call& call);
  // Whether the answer is to be in protobuf.
  [[nodiscard]] bool wants_protobuf(const FakeRequest& request) const;

  // fake_kube_read.cc
  FakeResponse get(const Call& call) const;
  FakeResponse list(const Call& call) const;
  std::variant<FakeWatch, FakeResponse> open_watch(const FakeRequest& request, Now now);
  Pulled pull(FakeWatch::State& watch, Now now) const;
  void tell_change(FakeWatch::State& watch, const KubeChange& change, Now now,
                   std::string& out) const;
  void tell_initial(FakeWatch::State& watch, Now now) const;
  void append_line(const FakeWatch::State& watch, const char* type, const KubeObject& object,
                   Now now, std::string& out) const;
  void append_bookmark(const FakeWatch::State& watch, bool initial_events_end,
                       std::string& out) const;
  const Json& columns() const;  // additionalPrinterColumns of the CRD

  // fake_kube_write.cc
  FakeResponse create(const Call& call);
  FakeResponse update(const Call& call);
  FakeResponse patch(const Call& call);
  FakeResponse remove(const Call& call);
  FakeResponse store_new(const Call& call, Json object);
  // `object` is a whole object that is to replace the stored one, or its status.
  FakeResponse store_changed(const Call& call, const ObjectPtr& stored, Json object);
  FakeResponse answer(const Call& call, int status, const KubeObject& object) const;
  // Checks and completes an object; the answer when it is refused.
  std::optional<FakeResponse> complete(const Call& call, Json& object);
  void after_write(const KubeType& type, const std::string& key, Now now);
  ObjectPtr mark_deleted(const Call& call, const ObjectPtr& stored, std::int64_t grace_seconds);
  void erase_namespace_contents(const std::string& name);
  std::string new_uid();
};

// "Pod" in the form in which one object, a watch line or a list item travels.
std::string object_text(const KubeType& type, const KubeObject& object);
// The object as the requested version shows it: core/v1 events are written differently.
Json object_view(const KubeType& type, const Json& value);

// The CustomResourceDefinition in the source tree at build time.
Json crd_of_this_tree();

}  // namespace loglink::fakes
