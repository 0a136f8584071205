#include "lib/codec/explain_json.h"

#include <nlohmann/json.hpp>

#include "lib/codec/manifest.h"

namespace loglink {

namespace {

nlohmann::ordered_json to_json(const std::vector<ExplainedRefusal>& list) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const ExplainedRefusal& each : list) {
    array.push_back(
        {{"watchDir", each.watch_dir}, {"reason", each.reason}, {"message", each.message}});
  }
  return array;
}

}  // namespace

std::string explanation_to_json(const std::vector<NodeLinkSet>& sets,
                                const std::vector<ExplainedPodText>& pods,
                                const ExplainedFile& file) {
  using Json = nlohmann::ordered_json;
  Json document = {{"nodeLinkSets", Json::array()}, {"pods", Json::array()}};
  for (const NodeLinkSet& set : sets) {
    document["nodeLinkSets"].push_back(Json::parse(node_link_set_to_json(set)));
  }
  for (const ExplainedPodText& pod : pods) {
    document["pods"].push_back({{"namespace", pod.namespace_name},
                                {"pod", pod.pod},
                                {"ofWorkload", pod.of_workload},
                                {"status", pod.status},
                                {"message", pod.message},
                                {"refusals", to_json(pod.refusals)},
                                {"notes", to_json(pod.notes)}});
  }
  document["notes"] = file.notes;
  document["skipped"] = file.skipped;
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace loglink
