#include "controller/core/explain.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "lib/base/text.h"
#include "lib/model/glob.h"
#include "lib/model/names.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

std::string node_of(const PodView& pod) {
  if (pod.node_name.empty()) return std::string(names::kUnscheduledNode);
  return pod.node_name;
}

// Places of the pods that count, in their order.
std::vector<std::size_t> last_of_each(const std::vector<PodView>& pods,
                                      const std::set<std::size_t>& workloads) {
  std::map<ObjectKey, std::size_t> last;
  for (std::size_t place = 0; place < pods.size(); ++place) {
    if (!workloads.contains(place)) last[pods[place].key()] = place;
  }
  std::vector<std::size_t> places;
  for (std::size_t place = 0; place < pods.size(); ++place) {
    if (workloads.contains(place) || last.at(pods[place].key()) == place) places.push_back(place);
  }
  return places;
}

// How many pods of a node have an id; a static pod is told of another one with its own.
using Bearers = std::map<std::pair<std::string, std::string>, int>;

Bearers bearers_of(const std::vector<PodView>& pods, const std::vector<std::size_t>& places) {
  Bearers bearers;
  for (const std::size_t place : places) {
    ++bearers[{node_of(pods[place]), claimed_pod_id(pods[place])}];
  }
  return bearers;
}

std::set<std::string> shared_ids(const Bearers& bearers, const PodView& pod) {
  const std::string id = claimed_pod_id(pod);
  if (bearers.at({node_of(pod), id}) < 2) return {};
  return {id};
}

std::string count(std::size_t number, const std::string& one, const std::string& many) {
  return std::to_string(number) + " " + (number == 1 ? one : many);
}

// In a cluster the agent sees that it is no directory; here only its name tells.
std::vector<Note> doubts_about(const Resolution& resolution) {
  std::vector<Note> doubts;
  for (std::size_t i = 0; i < resolution.sources.size(); ++i) {
    const std::string& watch_dir = resolution.watch_dirs[i];
    const std::string_view last =
        std::string_view(watch_dir).substr(watch_dir.find_last_of('/') + 1);
    const std::vector<std::string>& include = resolution.sources[i].include;
    const bool looks_like_a_file =
        last.find('.') != std::string_view::npos &&
        std::any_of(include.begin(), include.end(), [&](const std::string& pattern) {
          const std::string_view suffix =
              std::string_view(pattern).substr(pattern.find_last_of("*?") + 1);
          return suffix.find('.') != std::string_view::npos && glob_matches(pattern, last);
        });
    if (looks_like_a_file) {
      doubts.push_back({watch_dir,
                        "looks like a log file; loglink/watch-dir names the directory, and "
                        "loglink/include the files"});
    }
  }
  return doubts;
}

// The names that files get, as a pattern that a person can read.
std::string name_pattern(const Source& source, const std::string& pod_name) {
  const std::string owner = pod_name + "_" + source.namespace_name + "_" + source.container;
  if (source.naming == names::kNamingKubelet) return owner + "-<logfile>-<64 hex digits>.log";
  if (source.plain_names) return owner + "-<logfile>.log";
  return owner + "-<logfile>-<8 hex digits>.log";
}

std::string which_files(const Source& source) {
  std::string text = join(source.include, ", ");
  if (!source.exclude.empty()) text += " but not " + join(source.exclude, ", ");
  if (source.max_depth > 1) text += ", " + std::to_string(source.max_depth) + " levels deep";
  return text;
}

std::string host_directory(const Source& source, const ControllerConfig& config) {
  const Root* root = find_root(config, source.root);
  if (root == nullptr) return source.root + ":" + source.path;
  std::string below = source.path;
  if (source.uid == names::kUnassignedUid && path_contains(source.uid, below)) {
    below = join_path("<pod uid>", path_below(source.uid, below));
  }
  return join_path(root->path, below);
}

void add_line(std::string& text, std::size_t indent, const std::string& line) {
  text += std::string(indent, ' ') + sanitize(line, 2048) + "\n";
}

bool is_left_out(const ExplainedPod& pod, const std::string& watch_dir) {
  return std::any_of(pod.left_out.begin(), pod.left_out.end(),
                     [&](const LeftOut& each) { return each.watch_dir == watch_dir; });
}

void add_source(std::string& text, const Source& source, const std::string& watch_dir,
                const std::string& pod_name, const ControllerConfig& config) {
  add_line(text, 2, "linked   " + watch_dir + "  (container " + source.container + ")");
  add_line(text, 11, "files    " + which_files(source));
  add_line(text, 11, "on node  " + host_directory(source, config));
  add_line(text, 11, "as       " + join_path(config.link_dir, name_pattern(source, pod_name)));
}

void add_refusal(std::string& text, const std::string& word, const std::string& watch_dir,
                 Reason reason, const std::string& message) {
  std::string what(to_string(reason));
  if (!watch_dir.empty()) what = watch_dir + ": " + what;
  add_line(text, 2, word + what);
  // What is wrong; what to do.
  const std::size_t cure = message.find("; ");
  add_line(text, 11, message.substr(0, cure));
  if (cure != std::string::npos) add_line(text, 11, "-> " + message.substr(cure + 2));
}

// The sources of a workload's pods, with "web-*" where a pod's own name is a part of the path.
std::vector<Source> shown_sources(const ExplainedPod& explained, const std::string& name,
                                  const ControllerConfig& config) {
  const std::vector<Source>& sources = explained.pod.resolution.sources;
  PodView renamed = explained.pod.pod;
  if (renamed.name == name) return sources;
  // As one of them might be called: resolving takes no "*".
  const std::string example = renamed.name + "-00000";
  renamed.name = example;
  std::vector<Source> shown = resolve(renamed, config, {}).sources;
  if (shown.size() != sources.size()) return sources;
  for (Source& source : shown) {
    for (std::size_t at = 0; (at = source.path.find(example, at)) != std::string::npos;) {
      source.path.replace(at, example.size(), name);
    }
  }
  return shown;
}

void add_pod(std::string& text, const ExplainedPod& explained, const std::string& name,
             const ControllerConfig& config) {
  const PodView& pod = explained.pod.pod;
  const Resolution& resolution = explained.pod.resolution;
  std::string head = "pod " + pod.namespace_name + "/" + name;
  if (node_of(pod) == names::kUnscheduledNode) {
    head += " (on any node)";
  } else {
    head += " on node " + pod.node_name;
  }
  head += ": " + std::string(to_string(explained.answer.word));
  if (explained.answer.word == StatusWord::kPending) {
    head += pod.finished() ? " (the pod has ended)" : ", until the node's agent answers";
  }
  add_line(text, 0, head);
  const std::vector<Source> shown = shown_sources(explained, name, config);
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (is_left_out(explained, resolution.watch_dirs[i])) continue;
    add_source(text, shown[i], resolution.watch_dirs[i], name, config);
  }
  for (const Refusal& each : resolution.refusals) {
    add_refusal(text, "refused  ", each.watch_dir, each.reason, each.message);
  }
  for (const LeftOut& each : explained.left_out) {
    add_refusal(text, "no room  ", each.watch_dir, each.reason,
                left_out_message(each.reason, pod.namespace_name));
  }
  for (const Refusal& each : resolution.told) {
    add_refusal(text, "note     ", each.watch_dir, each.reason, each.message);
  }
  for (const std::vector<Note>* notes : {&resolution.notes, &explained.doubts}) {
    for (const Note& each : *notes) {
      const std::string where = each.watch_dir.empty() ? "" : each.watch_dir + ": ";
      add_line(text, 2, "note     " + where + each.message);
    }
  }
}

std::string summary(const Explanation& explanation) {
  std::size_t sources = 0;
  std::size_t refusals = 0;
  for (const NodeLinkSet& set : explanation.node_link_sets) sources += set.spec.sources.size();
  for (const ExplainedPod& pod : explanation.pods) {
    refusals += pod.pod.resolution.refusals.size() + pod.left_out.size();
  }
  return count(explanation.pods.size(), "pod", "pods") +
         " with loglink annotations: " + count(sources, "directory", "directories") + " linked, " +
         count(refusals, "refusal", "refusals");
}

bool refuses_host_path(const Explanation& explanation) {
  return std::any_of(explanation.pods.begin(), explanation.pods.end(), [](const auto& pod) {
    const std::vector<Refusal>& refusals = pod.pod.resolution.refusals;
    return std::any_of(refusals.begin(), refusals.end(), [](const Refusal& refusal) {
      return refusal.reason == Reason::kHostPathNotAllowed;
    });
  });
}

void add_set(const std::string& node, const std::vector<Source>& sources,
             Explanation& explanation) {
  if (sources.empty()) return;
  NodeLinkSet set;
  set.name = node;
  set.spec.sources = sources;
  std::sort(set.spec.sources.begin(), set.spec.sources.end());
  explanation.node_link_sets.push_back(std::move(set));
}

// What is true of many lines above, said once.
std::string footnotes(const Explanation& explanation, const ControllerConfig& config,
                      const std::set<std::size_t>& workloads) {
  bool plain = false;
  for (const NodeLinkSet& set : explanation.node_link_sets) {
    for (const Source& source : set.spec.sources) {
      plain = plain || (source.plain_names && source.naming == names::kNamingLogfile);
    }
  }
  std::string text;
  if (refuses_host_path(explanation)) {
    text +=
        "Host directories that the administrator has allowed are in the controller's "
        "configuration: --config controller.yaml.\n";
  }
  if (plain) {
    text +=
        "<logfile> is the file's name without .log. A file in a subdirectory, or whose name does "
        "not end in .log\nor has other characters than letters, digits, '.', '_' and '-', gets "
        "-<8 hex digits> before .log.\n";
  }
  if (!config.pod_selector.empty()) {
    text += "podSelector " + sanitize(config.pod_selector, 200) +
            " is not looked at here: pods that it leaves out get no links.\n";
  }
  const auto is_of_workload = [&](const ExplainedPod& pod) {
    return workloads.contains(pod.place);
  };
  if (std::any_of(explanation.pods.begin(), explanation.pods.end(), is_of_workload)) {
    text += "A workload's pods are shown under its own name; each has its own name and uid.\n";
  }
  return text;
}

}  // namespace

Explanation explain(const std::vector<PodView>& pods, const ControllerConfig& config, WallTime now,
                    const std::set<std::size_t>& workloads) {
  Explanation explanation;
  std::map<std::string, std::vector<ResolvedPod>> nodes;
  const std::vector<std::size_t> places = last_of_each(pods, workloads);
  const Bearers bearers = bearers_of(pods, places);
  for (const std::size_t place : places) {
    const PodView& pod = pods[place];
    ResolvedPod resolved{pod, resolve(pod, config, shared_ids(bearers, pod))};
    if (!resolved.resolution.requested) {
      explanation.not_asking.push_back({place, pod.key()});
      continue;
    }
    if (node_of(pod) != names::kUnscheduledNode) nodes[node_of(pod)].push_back(resolved);
    explanation.pods.push_back(ExplainedPod{place, std::move(resolved), {}, {}, {}});
  }
  std::vector<PodLeftOut> left_out;
  for (const auto& [name, resolved] : nodes) {
    const DesiredSet desired = desired_set(resolved, {}, {}, config, now);
    left_out.insert(left_out.end(), desired.left_out.begin(), desired.left_out.end());
    add_set(name, desired.spec.sources, explanation);
  }
  std::vector<Source> anywhere;
  for (ExplainedPod& each : explanation.pods) {
    if (node_of(each.pod.pod) == names::kUnscheduledNode) {
      // Nobody knows which of them come to one node: each has only its own bounds.
      DesiredSet alone = desired_set({each.pod}, {}, {}, config, now);
      for (PodLeftOut& left : alone.left_out) each.left_out = std::move(left.sources);
      std::move(alone.spec.sources.begin(), alone.spec.sources.end(), std::back_inserter(anywhere));
    } else {
      const ObjectKey key = each.pod.pod.key();
      for (const PodLeftOut& left : left_out) {
        if (left.pod != key) continue;
        each.left_out.insert(each.left_out.end(), left.sources.begin(), left.sources.end());
      }
    }
    AnswerInput input;
    input.pod = &each.pod;
    input.left_out = each.left_out;
    each.answer = answer(input);
    each.doubts = doubts_about(each.pod.resolution);
  }
  add_set(std::string(names::kUnscheduledNode), anywhere, explanation);
  return explanation;
}

std::string explanation_to_text(const Explanation& explanation, const ControllerConfig& config,
                                const std::set<std::size_t>& workloads) {
  const auto name = [&](std::size_t place, const ObjectKey& key) {
    return workloads.contains(place) ? key.name + "-*" : key.name;
  };
  std::string text;
  for (const ExplainedPod& pod : explanation.pods) {
    add_pod(text, pod, name(pod.place, pod.pod.pod.key()), config);
    text += "\n";
  }
  for (const auto& [place, key] : explanation.not_asking) {
    add_line(text, 0,
             "pod " + key.namespace_name + "/" + name(place, key) + ": no loglink annotation");
  }
  if (!explanation.not_asking.empty()) text += "\n";
  return text + summary(explanation) + "\n" + footnotes(explanation, config, workloads);
}

}  // namespace loglink
