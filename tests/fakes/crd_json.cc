// YAML to JSON, for the one document that the fake API server has of its own.
#include <yaml-cpp/yaml.h>

#include "tests/fakes/crd_text.h"
#include "tests/fakes/fake_kube_state.h"

namespace loglink::fakes {
namespace {

Json scalar(const YAML::Node& node) {
  // Quoted and block texts carry the tag "!"; plain ones "?".
  if (node.Tag() == "!") return node.Scalar();
  if (node.Scalar() == "true") return true;
  if (node.Scalar() == "false") return false;
  if (node.Scalar() == "null" || node.Scalar() == "~" || node.Scalar().empty()) return nullptr;
  const Json number = Json::parse(node.Scalar(), nullptr, false);
  return number.is_number() ? number : Json(node.Scalar());
}

Json to_json(const YAML::Node& node) {
  if (node.IsMap()) {
    Json object = Json::object();
    for (const auto& member : node) object[member.first.Scalar()] = to_json(member.second);
    return object;
  }
  if (node.IsSequence()) {
    Json array = Json::array();
    for (const auto& item : node) array.push_back(to_json(item));
    return array;
  }
  return node.IsScalar() ? scalar(node) : Json(nullptr);
}

}  // namespace

Json crd_of_this_tree() { return to_json(YAML::Load(std::string(kCrdYaml))); }

}  // namespace loglink::fakes
