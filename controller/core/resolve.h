// Step 3 of the flow: what a pod asks for, resolved to host directories. A pure function of the Pod
// object and the admin's policy; the rules are docs/reference/annotations.md, "Resolution".
#pragma once

#include <set>
#include <string>
#include <vector>

#include "lib/model/config.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"
#include "lib/model/reason.h"

namespace loglink {

// A watch dir (or the whole annotation: watch_dir "") that is not linked, or something told.
struct Refusal {
  std::string watch_dir;  // as the user wrote it, normalised; sanitized when shown
  Reason reason = Reason::kInvalidDirectory;
  std::string message;    // what is wrong and what to do, without the watch dir and the reason

  auto operator<=>(const Refusal&) const = default;
};

struct Resolution {
  bool requested = false;         // the pod has at least one request annotation of ours
  std::vector<Source> sources;    // in the order of the annotation; never withdrawn
  std::vector<std::string> watch_dirs;  // the watch dir of each source, same indices
  std::vector<Refusal> refusals;  // in the order of the annotation
  std::vector<Refusal> told;      // UnknownAnnotation, NoWatchDir, notes that refuse nothing

  auto operator<=>(const Resolution&) const = default;
};

// `ids_of_other_pods`: the pod ids (uid, or config.hash of static pods) of the node's other pods; a
// static pod whose id is among them is refused.
Resolution resolve(const PodView& pod, const ControllerConfig& config,
                   const std::set<std::string>& ids_of_other_pods);

// The kubelet's id of a pod: metadata.uid, or config.hash where the pod claims to be static.
std::string claimed_pod_id(const PodView& pod);

}  // namespace loglink
