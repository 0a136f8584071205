#include "lib/codec/kube_json.h"

#include <string>

#include "lib/codec/decode_object.h"
#include "lib/codec/foreign_text.h"

namespace loglink {
namespace {

template <class Value>
tl::expected<Value, KubeError> decode(std::string_view json, std::string_view what,
                                      Value (*read)(const JsonReader&)) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  std::string text(json);
  mend_utf8(text);
  auto code = parser.allocate(text.size(), kJsonDepth);
  if (code == simdjson::SUCCESS) code = parser.parse(text).get(root);
  if (code != simdjson::SUCCESS) {
    return tl::unexpected(protocol_error("cannot decode a " + std::string(what) + ": " +
                                         simdjson::error_message(code)));
  }
  DecodeProblem problem;
  Value value = read(JsonReader(root, problem));
  if (problem.found()) {
    return tl::unexpected(
        protocol_error("cannot decode a " + std::string(what) + ": " + problem.text()));
  }
  return value;
}

struct NamedUid {
  std::string name;
  std::string uid;
};

NamedUid read_uid(const JsonReader& object) {
  const JsonReader metadata = object.child("metadata");
  NamedUid found{metadata.text("name"), metadata.text("uid")};
  if (found.uid.empty()) metadata.child("uid").report("missing");
  return found;
}

}  // namespace

tl::expected<PodView, KubeError> decode_pod(std::string_view json) {
  return decode(json, "Pod", &read_pod);
}

tl::expected<NodeLinkSet, KubeError> decode_node_link_set(std::string_view json) {
  return decode(json, "NodeLinkSet", &read_node_link_set_object);
}

tl::expected<Lease, KubeError> decode_lease(std::string_view json) {
  return decode(json, "Lease", &read_lease);
}

tl::expected<std::string, KubeError> decode_uid(std::string_view json, std::string_view name) {
  tl::expected<NamedUid, KubeError> found = decode(json, "object", &read_uid);
  if (!found) return tl::unexpected(std::move(found).error());
  if (found->name != name) return tl::unexpected(another_object());
  return std::move(found->uid);
}

KubeError another_object() { return protocol_error("the server answered with another object"); }

}  // namespace loglink
