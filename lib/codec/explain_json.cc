#include "lib/codec/explain_json.h"

#include <nlohmann/json.hpp>

#include "lib/codec/manifest.h"

namespace loglink {

std::string explanation_to_json(const std::vector<NodeLinkSet>& sets,
                                const std::vector<ExplainedPodText>& pods,
                                const ExplainedFile& file) {
  using Json = nlohmann::ordered_json;
  Json document = {{"nodeLinkSets", Json::array()}, {"pods", Json::array()}};
  for (const NodeLinkSet& set : sets) {
    document["nodeLinkSets"].push_back(Json::parse(node_link_set_to_json(set)));
  }
  for (const ExplainedPodText& pod : pods) {
    Json refusals = Json::array();
    for (const ExplainedRefusal& refusal : pod.refusals) {
      refusals.push_back({{"watchDir", refusal.watch_dir},
                          {"reason", refusal.reason},
                          {"message", refusal.message}});
    }
    document["pods"].push_back({{"namespace", pod.namespace_name},
                                {"pod", pod.pod},
                                {"status", pod.status},
                                {"message", pod.message},
                                {"refusals", std::move(refusals)}});
  }
  document["notes"] = file.notes;
  document["skipped"] = file.skipped;
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace loglink
