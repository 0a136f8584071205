#include "controller/shell/explain_command.h"

#include "controller/core/explain.h"
#include "lib/codec/explain_json.h"
#include "lib/codec/manifest.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

std::string to_json(const Explanation& explanation, const ExplainedFile& file) {
  std::vector<ExplainedPodText> pods;
  for (const ExplainedPod& each : explanation.pods) {
    ExplainedPodText pod;
    pod.namespace_name = each.pod.pod.namespace_name;
    pod.pod = each.pod.pod.name;
    pod.status = std::string(to_string(each.answer.word));
    pod.message = each.answer.message;
    const auto add = [&](const std::string& watch_dir, Reason reason, const std::string& message) {
      pod.refusals.push_back({watch_dir, std::string(to_string(reason)), message});
    };
    const Resolution& resolution = each.pod.resolution;
    for (const Refusal& refusal : resolution.refusals) {
      add(refusal.watch_dir, refusal.reason, refusal.message);
    }
    for (const LeftOut& left : each.left_out) add(left.watch_dir, left.reason, left.message);
    for (const Refusal& told : resolution.told) add(told.watch_dir, told.reason, told.message);
    pods.push_back(std::move(pod));
  }
  return explanation_to_json(explanation.node_link_sets, pods, file);
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

ExplainedFile about_file(const ManifestPods& read, const std::string& file_name) {
  ExplainedFile file;
  for (const std::string& workload : read.misplaced) {
    file.notes.push_back("loglink annotations of " + workload +
                         " itself do nothing; put them into the metadata of its pod template");
  }
  for (const std::string& stranger : read.strangers) {
    file.notes.push_back(stranger + " is not an annotation of loglink; its keys begin with \"" +
                         std::string(names::kAnnotationPrefix) + "\"");
  }
  if (read.pods.empty()) file.notes.push_back(file_name + " has no pods and no workloads");
  file.skipped = read.skipped;
  return file;
}

}  // namespace

Expected<std::string> explain_manifest(const std::string& manifest, const std::string& file_name,
                                       const ControllerConfig& config, ExplainFormat format,
                                       WallTime now) {
  LOGLINK_ASSIGN_OR_RETURN(const ManifestPods read, read_pods(manifest, file_name));
  const Explanation explanation = explain(read.pods, config, now);
  const ExplainedFile file = about_file(read, file_name);
  switch (format) {
    case ExplainFormat::kJson:
      return to_json(explanation, file);
    case ExplainFormat::kYaml:
      return to_yaml(explanation);
    case ExplainFormat::kText:
      break;
  }
  std::string text = explanation_to_text(explanation, config, read.workloads);
  for (const std::string& note : file.notes) text += "note: " + note + "\n";
  for (const std::string& kind : file.skipped) text += "skipped: " + kind + "\n";
  return text;
}

}  // namespace loglink
