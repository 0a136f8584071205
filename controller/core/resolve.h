// Step 3 of the flow: what a pod asks for, resolved to host directories. A pure function of the Pod
// object and the admin's policy; the rules are docs/reference/annotations.md, "Resolution".
#pragma once

#include <set>
#include <string>
#include <vector>

#include "controller/core/request.h"
#include "lib/model/config.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"
#include "lib/model/reason.h"

namespace loglink {

// Something about a linked watch dir that its owner should know and that refuses nothing.
struct Note {
  std::string watch_dir;  // "" where it is about all of them
  std::string message;

  auto operator<=>(const Note&) const = default;
};

// What would be a source if the configuration admitted it. desired_set() tells by it whether a
// published source goes because of the configuration or because nobody asks for it any more.
struct Withheld {
  std::string container;
  std::string host_directory;  // absolute; never shown to users

  auto operator<=>(const Withheld&) const = default;
};

struct Resolution {
  bool requested = false;               // the pod has at least one request annotation of ours
  std::vector<Source> sources;          // in the order of the annotation; never withdrawn
  std::vector<std::string> watch_dirs;  // the watch dir of each source, same indices
  std::vector<Refusal> refusals;        // in the order of the annotation
  std::vector<Refusal> told;            // UnknownAnnotation
  std::vector<Note> notes;
  std::vector<Withheld> withheld;

  auto operator<=>(const Resolution&) const = default;
};

// `ids_of_other_pods`: the pod ids (claimed_pod_id) of the node's other pods; a static pod whose id
// is among them is refused.
Resolution resolve(const PodView& pod, const ControllerConfig& config,
                   const std::set<std::string>& ids_of_other_pods);

// The kubelet's id of a pod: metadata.uid, or config.hash where the pod claims to be static.
std::string claimed_pod_id(const PodView& pod);

}  // namespace loglink
