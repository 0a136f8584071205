#include "controller/shell/explain_command.h"

#include <nlohmann/json.hpp>

#include "controller/core/explain.h"
#include "lib/codec/manifest.h"

namespace loglink {
namespace {

using Json = nlohmann::ordered_json;

Json refusal_to_json(const std::string& watch_dir, Reason reason, const std::string& message) {
  return {{"watchDir", watch_dir}, {"reason", to_string(reason)}, {"message", message}};
}

std::string to_json(const Explanation& explanation) {
  Json sets = Json::array();
  for (const NodeLinkSet& set : explanation.node_link_sets) {
    sets.push_back(Json::parse(node_link_set_to_json(set)));
  }
  Json pods = Json::array();
  for (const ExplainedPod& each : explanation.pods) {
    Json refusals = Json::array();
    for (const Refusal& refusal : each.pod.resolution.refusals) {
      refusals.push_back(refusal_to_json(refusal.watch_dir, refusal.reason, refusal.message));
    }
    for (const LeftOut& left : each.left_out) {
      refusals.push_back(refusal_to_json(left.watch_dir, left.reason, left.message));
    }
    for (const Refusal& told : each.pod.resolution.told) {
      refusals.push_back(refusal_to_json(told.watch_dir, told.reason, told.message));
    }
    pods.push_back({{"namespace", each.pod.pod.namespace_name},
                    {"pod", each.pod.pod.name},
                    {"status", to_string(each.answer.word)},
                    {"message", each.answer.message},
                    {"refusals", std::move(refusals)}});
  }
  const Json document = {{"nodeLinkSets", std::move(sets)}, {"pods", std::move(pods)}};
  // A manifest may hold bytes that are no UTF-8; they are shown, not thrown at.
  return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string to_yaml(const Explanation& explanation) {
  std::string text;
  for (const NodeLinkSet& set : explanation.node_link_sets) {
    if (!text.empty()) text += "---\n";
    text += node_link_set_to_yaml(set);
    if (!text.ends_with('\n')) text += '\n';
  }
  return text;
}

}  // namespace

Expected<std::string> explain_manifest(const std::string& manifest, const std::string& file_name,
                                       const ControllerConfig& config, ExplainFormat format,
                                       WallTime now) {
  LOGLINK_ASSIGN_OR_RETURN(const ManifestPods read, read_pods(manifest, file_name));
  const Explanation explanation = explain(read.pods, config, now);
  switch (format) {
    case ExplainFormat::kJson:
      return to_json(explanation);
    case ExplainFormat::kYaml:
      return to_yaml(explanation);
    case ExplainFormat::kText:
      break;
  }
  std::string text = explanation_to_text(explanation, config);
  for (const std::string& kind : read.skipped) text += "skipped: " + kind + "\n";
  return text;
}

}  // namespace loglink
