#include "controller/core/resolve.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>

#include "controller/core/host_directory.h"
#include "lib/base/text.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/path.h"
#include "lib/model/source_bounds.h"

namespace loglink {
namespace {

constexpr std::size_t kHashDigits = 32;
// Mounted into nearly every container by the API server; nobody's log files are there.
constexpr std::string_view kCredentials = "/var/run/secrets/kubernetes.io";

bool claims_to_be_static(const PodView& pod) {
  return pod.annotations.count(std::string(names::kConfigMirror)) != 0;
}

bool is_config_hash(const std::string& text) {
  return text.size() == kHashDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_owned_by_its_node(const PodView& pod) {
  return !pod.node_name.empty() &&
         std::any_of(pod.owners.begin(), pod.owners.end(), [&](const OwnerReference& owner) {
           return owner.api_version == "v1" && owner.kind == "Node" && owner.name == pod.node_name;
         });
}

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() > end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Why a pod that claims to be a static pod is not believed, or "". Annotations are tenants' input:
// a config.hash with a victim's uid would otherwise link the victim's logs.
std::string static_pod_trouble(const PodView& pod, const ControllerConfig& config,
                               const std::set<std::string>& ids_of_other_pods) {
  if (!claims_to_be_static(pod)) return {};
  if (!config.static_pods) {
    return "the pod has the annotation kubernetes.io/config.mirror, and links for static pods are "
           "switched off; ask the administrator for staticPods: true, or take the annotation away";
  }
  if (!is_owned_by_its_node(pod)) {
    return "the pod has the annotation kubernetes.io/config.mirror, but its owner is not its node; "
           "take the annotation away";
  }
  if (!ends_with(pod.name, "-" + pod.node_name)) {
    return "the pod has the annotation kubernetes.io/config.mirror, but its name does not end in "
           "the node's; take the annotation away";
  }
  const std::string id = claimed_pod_id(pod);
  if (!is_config_hash(id)) {
    return "the annotation kubernetes.io/config.hash is not 32 hex digits; only the kubelet may "
           "set it";
  }
  if (ids_of_other_pods.count(id) != 0) {
    return "another pod of the node has the same kubernetes.io/config.hash; only the kubelet may "
           "set it";
  }
  return {};
}

bool is_allowed_namespace(const NamespacePolicy& policy, const std::string& name) {
  return admits(policy.allow, name) && !admits(policy.deny, name);
}

bool has_too_many_parts(const PodView& pod) {
  std::size_t parts = pod.owners.size() + pod.containers.size() + pod.volumes.size();
  for (const ContainerView& container : pod.containers) {
    parts += container.env.size() + container.mounts.size();
  }
  return parts > limits::kPodParts;
}

// The outcome for one container that may be meant.
struct Candidate {
  const ContainerView* container = nullptr;
  const std::vector<std::string>* mount_paths = nullptr;
  std::size_t mount_length = 0;
  tl::expected<HostDirectory, LocateError> located;

  // Other refusals (an expansion, a path) are about how the volume is used: then the container is
  // the one that is meant, and says what is wrong.
  [[nodiscard]] bool is_volume_linkable() const {
    if (located) return true;
    const Reason reason = located.error().reason;
    return reason != Reason::kVolumeKindNotSupported && reason != Reason::kHostPathNotAllowed &&
           reason != Reason::kNotADirectory && reason != Reason::kDirectoryReserved &&
           reason != Reason::kNamespaceNotAllowed;
  }
};

// Resolves the watch dirs of one pod; keeps what is the same for all of them.
class Resolver {
 public:
  Resolver(const PodView& pod, const ControllerConfig& config,
           const std::set<std::string>& ids_of_other_pods)
      : pod_(pod),
        config_(config),
        pod_id_(claimed_pod_id(pod)),
        static_trouble_(static_pod_trouble(pod, config, ids_of_other_pods)),
        too_many_parts_(has_too_many_parts(pod)),
        request_(parse_request(pod.annotations, config)) {}

  Resolution run() {
    resolution_.requested = request_.requested;
    resolution_.told = request_.told;
    resolution_.refusals = request_.refusals;
    const bool nothing_is_linked = !request_.refusals.empty();
    if (!request_.directories.empty() && excludes_all()) {
      resolution_.notes.push_back(
          Note{"", "loglink/exclude leaves no file that loglink/include names; narrow it"});
    }
    if (!too_many_parts_ && !request_.directories.empty()) {
      for (const ContainerView& container : pod_.containers) {
        mount_paths_.push_back(effective_mount_paths(container));
      }
    }
    for (const RequestedDirectory& requested : request_.directories) {
      if (requested.refusal) {
        resolution_.refusals.push_back(*requested.refusal);
      } else {
        resolve_one(requested);
      }
    }
    if (nothing_is_linked) {
      resolution_.sources.clear();
      resolution_.watch_dirs.clear();
      resolution_.notes.clear();
      resolution_.withheld.clear();
    }
    return std::move(resolution_);
  }

 private:
  [[nodiscard]] bool excludes_all() const {
    const std::vector<std::string>& exclude = request_.exclude;
    const auto is_excluded = [&](const std::string& pattern) {
      return std::find(exclude.begin(), exclude.end(), pattern) != exclude.end();
    };
    return is_excluded("*") ||
           std::all_of(request_.include.begin(), request_.include.end(), is_excluded);
  }

  void resolve_one(const RequestedDirectory& requested) {
    if (too_many_parts_) {
      return refuse(requested, Reason::kPodLimitReached,
                    "the pod has more than " + std::to_string(limits::kPodParts) +
                        " containers, volumes, mounts, environment variables and owners in all; "
                        "split it");
    }
    const std::vector<Candidate> candidates = find_candidates(requested);
    // What no change of the pod's volumes can cure is said before anything about them.
    const std::optional<Refusal> by_policy = policy_refusal(requested);
    if (candidates.empty()) {
      if (by_policy) {
        resolution_.refusals.push_back(*by_policy);
      } else {
        refuse_without_container(requested);
      }
      return;
    }
    const Candidate& chosen = candidates.front();
    // The first watch dir of a container has plain names, also while it is refused: otherwise a
    // change of the configuration would rename the links of the second one.
    const bool is_first = containers_seen_.insert(chosen.container->name).second;
    if (!by_policy && chosen.located) {
      publish(requested, chosen, *chosen.located, is_first);
      return;
    }
    if (by_policy) {
      resolution_.refusals.push_back(*by_policy);
    } else {
      refuse(requested, chosen.located.error().reason, chosen.located.error().message);
    }
    const std::string& host_directory =
        chosen.located ? chosen.located->absolute : chosen.located.error().absolute;
    if (!host_directory.empty()) {
      resolution_.withheld.push_back(Withheld{chosen.container->name, host_directory});
    }
  }

  std::optional<Refusal> policy_refusal(const RequestedDirectory& requested) const {
    if (!is_allowed_namespace(config_.namespaces, pod_.namespace_name)) {
      return Refusal{requested.text, Reason::kNamespaceNotAllowed,
                     "the administrator has not allowed links for namespace " +
                         pod_.namespace_name + "; ask the administrator to allow it"};
    }
    if (!static_trouble_.empty()) {
      return Refusal{requested.text, Reason::kStaticPod, static_trouble_};
    }
    return std::nullopt;
  }

  // Containers with a mount that holds the directory, the best first.
  std::vector<Candidate> find_candidates(const RequestedDirectory& requested) const {
    std::vector<Candidate> candidates;
    for (std::size_t i = 0; i < pod_.containers.size(); ++i) {
      const ContainerView& container = pod_.containers[i];
      if (!requested.container.empty() && container.name != requested.container) continue;
      const std::vector<std::string>& paths = mount_paths_[i];
      const std::optional<std::size_t> mount = find_mount(paths, requested.directory);
      if (!mount) continue;
      candidates.push_back(Candidate{&container, &paths, paths[*mount].size(),
                                     locate(pod_, pod_id_, container, container.mounts[*mount],
                                            paths[*mount], requested.directory, config_)});
    }
    // Stable: ties stay in spec order, in which containers come before init containers.
    std::stable_sort(candidates.begin(), candidates.end(),
                     [](const Candidate& a, const Candidate& b) {
                       return std::tuple(a.is_volume_linkable(), a.mount_length) >
                              std::tuple(b.is_volume_linkable(), b.mount_length);
                     });
    return candidates;
  }

  void refuse_without_container(const RequestedDirectory& requested) {
    if (requested.container.empty()) {
      refuse(requested, Reason::kNotOnAVolume,
             "no container mounts a volume there; " + volume_cure(""));
      return;
    }
    const bool is_known = std::any_of(
        pod_.containers.begin(), pod_.containers.end(),
        [&](const ContainerView& container) { return container.name == requested.container; });
    if (is_known) {
      refuse(requested, Reason::kNotOnAVolume,
             "container " + requested.container + " mounts no volume there; " +
                 volume_cure(requested.container));
      return;
    }
    refuse(
        requested, Reason::kUnknownContainer,
        "the pod has no container " + requested.container + "; name one of " + container_names());
  }

  // Most often a path is misspelled: names where volumes are mounted, in one container or in all
  // (""). The cure comes first: kubectl describe shows 140 bytes of an annotation.
  const std::string& volume_cure(const std::string& container_name) {
    const auto [cure, is_new] = volume_cures_.try_emplace(container_name);
    if (is_new) cure->second = make_volume_cure(container_name);
    return cure->second;
  }

  [[nodiscard]] std::string make_volume_cure(const std::string& container_name) const {
    std::set<std::string_view> paths;
    for (std::size_t i = 0; i < pod_.containers.size(); ++i) {
      if (!container_name.empty() && pod_.containers[i].name != container_name) continue;
      for (const std::string& path : mount_paths_[i]) {
        if (!path_contains(kCredentials, path)) paths.insert(path);
      }
    }
    if (paths.empty()) return "write the log files to a volume, an emptyDir for example";
    const std::vector<std::string> listed(paths.begin(), paths.end());
    return "mount an emptyDir there, or name a directory in " + sanitize(join(listed, ", "), 120);
  }

  std::string container_names() const {
    std::vector<std::string> all;
    for (const ContainerView& container : pod_.containers) all.push_back(container.name);
    return sanitize(join(all, ", "), 200);
  }

  void publish(const RequestedDirectory& requested, const Candidate& chosen,
               const HostDirectory& located, bool is_first) {
    const ContainerView& container = *chosen.container;
    Source source;
    source.namespace_name = pod_.namespace_name;
    source.pod = pod_.name;
    source.uid = pod_id_;
    source.container = container.name;
    source.root = located.root;
    source.path = located.path;
    source.include = request_.include;
    source.exclude = request_.exclude;
    source.max_depth = request_.max_depth;
    source.naming = config_.naming;
    source.plain_names = is_first && !is_prefix_of_another_container(container.name);
    source.finished = pod_.finished();
    source.since = std::chrono::floor<std::chrono::seconds>(pod_.created);
    if (const Expected<void> checked = check_source_bounds(source); !checked) {
      refuse(requested, Reason::kPathNotSupported,
             checked.error().message + "; use a plain path in the pod's spec");
      return;
    }
    if (is_already_listed(source)) return;
    resolution_.sources.push_back(std::move(source));
    resolution_.watch_dirs.push_back(requested.text);
    const std::vector<std::string> below = mounts_below(*chosen.mount_paths, requested.directory);
    if (!below.empty()) {
      resolution_.notes.push_back(Note{
          requested.text, "what is mounted below it (" + sanitize(join(below, ", "), 200) +
                              ") is not followed; if it is a volume that can be linked, name it in "
                              "loglink/watch-dir too"});
    }
  }

  // `app` and file `web-x.log`, container `app-web` and file `x.log` would share a plain name.
  bool is_prefix_of_another_container(const std::string& name) const {
    return std::any_of(pod_.containers.begin(), pod_.containers.end(),
                       [prefix = name + "-"](const ContainerView& other) {
                         return other.name.rfind(prefix, 0) == 0;
                       });
  }

  // The same directory twice, as `/logs,/logs/` or by two mounts of one volume: one source.
  bool is_already_listed(const Source& source) const {
    return std::any_of(resolution_.sources.begin(), resolution_.sources.end(),
                       [&](const Source& other) {
                         return std::tie(other.container, other.root, other.path) ==
                                std::tie(source.container, source.root, source.path);
                       });
  }

  void refuse(const RequestedDirectory& requested, Reason reason, std::string message) {
    resolution_.refusals.push_back(Refusal{requested.text, reason, std::move(message)});
  }

  const PodView& pod_;
  const ControllerConfig& config_;
  const std::string pod_id_;
  const std::string static_trouble_;
  const bool too_many_parts_;
  const Request request_;
  std::vector<std::vector<std::string>> mount_paths_;  // as pod_.containers
  std::map<std::string, std::string> volume_cures_;
  std::set<std::string> containers_seen_;
  Resolution resolution_;
};

}  // namespace

Resolution resolve(const PodView& pod, const ControllerConfig& config,
                   const std::set<std::string>& ids_of_other_pods) {
  return Resolver(pod, config, ids_of_other_pods).run();
}

std::string claimed_pod_id(const PodView& pod) {
  if (!claims_to_be_static(pod)) return pod.uid;
  const auto hash = pod.annotations.find(std::string(names::kConfigHash));
  if (hash == pod.annotations.end()) return pod.uid;
  return hash->second;
}

}  // namespace loglink
