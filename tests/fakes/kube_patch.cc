#include "tests/fakes/kube_patch.h"

#include <map>

namespace loglink::fakes {
namespace {

// The member by which a strategic merge patch tells the items of a list apart; "" for lists that
// are replaced as a whole. The names are unambiguous in pods, nodes and namespaces.
std::string merge_key(const std::string& list) {
  static const std::map<std::string, std::string> keys = {
      {"containers", "name"},        {"initContainers", "name"},
      {"volumes", "name"},           {"env", "name"},
      {"volumeMounts", "mountPath"}, {"conditions", "type"},
      {"ownerReferences", "uid"},    {"addresses", "type"},
      {"imagePullSecrets", "name"}};
  const auto found = keys.find(list);
  return found == keys.end() ? "" : found->second;
}

void strategic_merge(Json& target, const Json& patch);

void merge_list(Json& target, const Json& patch, const std::string& key) {
  if (!target.is_array()) target = Json::array();
  for (const Json& item : patch) {
    Json* same = nullptr;
    for (Json& candidate : target) {
      if (at_path(candidate, "/" + key) == at_path(item, "/" + key)) same = &candidate;
    }
    const bool remove = text_at(item, "/$patch") == "delete";
    if (remove && same != nullptr) {
      target.erase(static_cast<std::size_t>(same - &target[0]));
    } else if (!remove && same != nullptr) {
      strategic_merge(*same, item);
    } else if (!remove) {
      Json added = Json::object();
      strategic_merge(added, item);
      target.push_back(std::move(added));
    }
  }
}

void strategic_merge(Json& target, const Json& patch) {
  if (!patch.is_object()) {
    target = patch;
    return;
  }
  if (!target.is_object() || text_at(patch, "/$patch") == "replace") target = Json::object();
  for (const auto& [key, value] : patch.items()) {
    // Orders and retained keys do not matter to what loglink reads.
    if (key.rfind("$", 0) == 0) continue;
    if (value.is_null()) {
      target.erase(key);
    } else if (value.is_array() && !merge_key(key).empty()) {
      merge_list(target[key], value, merge_key(key));
    } else {
      strategic_merge(target[key], value);
    }
  }
}

}  // namespace

tl::expected<Json, std::string> apply_patch(PatchType type, const Json& object, const Json& patch) {
  Json result = object;
  switch (type) {
    case PatchType::kMerge:
      if (!patch.is_object()) return tl::unexpected<std::string>("error decoding patch");
      result.merge_patch(patch);
      return result;
    case PatchType::kStrategic:
      if (!patch.is_object()) return tl::unexpected<std::string>("error decoding patch");
      strategic_merge(result, patch);
      return result;
    case PatchType::kJson:
      try {
        return result.patch(patch);
      } catch (const Json::exception& error) {
        return tl::unexpected<std::string>(error.what());
      }
  }
  __builtin_unreachable();
}

}  // namespace loglink::fakes
