// What kinds of object the fake API server knows, and how a path names them. Internal to the fakes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace loglink::fakes {

struct KubeType {
  std::string group;  // "" for the core group
  std::string version;
  std::string plural;
  std::string singular;
  std::string kind;
  std::vector<std::string> short_names;
  bool namespaced = false;
  bool has_status = false;         // the status subresource
  bool custom = false;             // defined by a CustomResourceDefinition
  bool has_generation = false;     // counts changes of spec
  bool put_needs_version = false;  // PUT without resourceVersion is refused
  bool put_creates = false;        // PUT of an absent object creates it

  // "v1", "loglink.io/v1alpha1".
  [[nodiscard]] std::string api_version() const;
  // "pods", "nodelinksets.loglink.io": what error messages call it.
  [[nodiscard]] std::string qualified_plural() const;
  [[nodiscard]] std::string qualified_kind() const;
};

const std::vector<KubeType>& kube_types();
// nullptr when unknown.
const KubeType* find_type(std::string_view group, std::string_view version,
                          std::string_view plural);

using Query = std::map<std::string, std::string>;

struct Route {
  bool is_resource = false;
  std::string path;  // unescaped
  Query query;
  std::string group;
  std::string version;
  std::string namespace_name;  // "" for all, or cluster scope
  std::string plural;
  std::string name;
  std::string subresource;
};

Route parse_target(std::string_view target);

// The text of a query parameter, "" when absent.
std::string parameter(const Query& query, const std::string& key);

}  // namespace loglink::fakes
