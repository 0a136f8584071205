#include "controller/shell/explain_command.h"

#include <iterator>
#include <set>
#include <utility>

#include "controller/core/explain.h"
#include "lib/codec/explain_json.h"
#include "lib/codec/manifest.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

std::string to_json(const Explanation& explanation, const std::set<std::size_t>& workloads,
                    const ExplainedFile& file) {
  std::vector<ExplainedPodText> pods;
  for (const ExplainedPod& each : explanation.pods) {
    ExplainedPodText pod;
    pod.namespace_name = each.pod.pod.namespace_name;
    pod.pod = each.pod.pod.name;
    pod.of_workload = workloads.contains(each.place);
    pod.status = std::string(to_string(each.answer.word));
    pod.message = each.answer.message;
    const Resolution& resolution = each.pod.resolution;
    const auto text = [](const auto& of) {
      return ExplainedRefusal{of.watch_dir, std::string(to_string(of.reason)), of.message};
    };
    for (const Refusal& refusal : resolution.refusals) pod.refusals.push_back(text(refusal));
    for (const LeftOut& left : each.left_out) {
      pod.refusals.push_back({left.watch_dir, std::string(to_string(left.reason)),
                              left_out_message(left.reason, pod.namespace_name)});
    }
    for (const Refusal& told : resolution.told) pod.notes.push_back(text(told));
    for (const std::vector<Note>* notes : {&resolution.notes, &each.doubts}) {
      for (const Note& note : *notes) pod.notes.push_back({note.watch_dir, "", note.message});
    }
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

std::string describe(const StrayKey& stray) {
  if (stray.field == "annotations") {
    return stray.object + ": " + stray.key +
           " is not an annotation of loglink; its keys begin with \"" +
           std::string(names::kAnnotationPrefix) + "\"";
  }
  return stray.object + ": " + stray.key + " does nothing in metadata." + stray.field +
         "; put it into metadata.annotations";
}

void add_notes(const ManifestPods& read, const std::string& file_name, ExplainedFile& file) {
  for (const std::string& workload : read.misplaced) {
    file.notes.push_back(
        "loglink annotations of " + workload +
        " itself, or of its Job template, do nothing; put them into the metadata of its pod "
        "template");
  }
  for (const StrayKey& stray : read.strays) file.notes.push_back(describe(stray));
  if (read.pods.empty()) file.notes.push_back(file_name + " has no pods and no workloads");
  file.skipped.insert(file.skipped.end(), read.skipped.begin(), read.skipped.end());
}

}  // namespace

Expected<std::string> explain_manifests(const std::vector<ManifestText>& manifests,
                                        const std::string& default_namespace,
                                        const ControllerConfig& config, ExplainFormat format,
                                        WallTime now) {
  std::vector<PodView> pods;
  std::set<std::size_t> workloads;
  ExplainedFile file;
  for (const ManifestText& each : manifests) {
    LOGLINK_ASSIGN_OR_RETURN(ManifestPods read,
                             read_pods(each.text, each.file_name, default_namespace));
    add_notes(read, each.file_name, file);
    for (const std::size_t place : read.workloads) workloads.insert(pods.size() + place);
    std::move(read.pods.begin(), read.pods.end(), std::back_inserter(pods));
  }
  const Explanation explanation = explain(pods, config, now, workloads);
  switch (format) {
    case ExplainFormat::kJson:
      return to_json(explanation, workloads, file);
    case ExplainFormat::kYaml:
      return to_yaml(explanation);
    case ExplainFormat::kText:
      break;
  }
  std::string text = explanation_to_text(explanation, config, workloads);
  for (const std::string& note : file.notes) text += "note: " + note + "\n";
  for (const std::string& kind : file.skipped) {
    text += "skipped: " + kind + " (neither a Pod nor a workload of Kubernetes itself)\n";
  }
  return text;
}

}  // namespace loglink
