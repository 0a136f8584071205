#include "controller/core/desired_set.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <string_view>
#include <tuple>
#include <utility>

#include "controller/core/source_size.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

constexpr std::size_t kSourcesPerNamespace = limits::kSourcesPerNode / 2;
constexpr std::size_t kSpecBytesPerNamespace = limits::kSpecBytes / 2;
// How far the clocks of two leaders may differ before one does not believe the other's removeAfter.
constexpr Duration kClockSlack = std::chrono::minutes(10);

// identity() without a copy. The strings must outlive it.
using IdentityView = std::tuple<std::string_view, std::string_view, std::string_view,
                                std::string_view, std::string_view, std::string_view>;

template <class T>  // a Source or a SourceIdentity
IdentityView identity_view(const T& of) {
  return {of.namespace_name, of.pod, of.uid, of.container, of.root, of.path};
}

using PodId = std::tuple<std::string_view, std::string_view, std::string_view>;

PodId pod_id(const Source& source) { return {source.namespace_name, source.pod, source.uid}; }

// One pod, in the order in which pods get their places.
struct Candidate {
  const ResolvedPod* pod = nullptr;
  WallTime since;  // of all of its sources
  std::string_view id;

  [[nodiscard]] auto rank() const {
    return std::tuple(since, std::string_view(pod->pod.namespace_name),
                      std::string_view(pod->pod.name), id);
  }
};

// Oldest first; ties by identity, so that the order of the inputs does not matter.
std::vector<Candidate> oldest_first(const std::vector<ResolvedPod>& pods) {
  std::vector<Candidate> candidates;
  for (const ResolvedPod& each : pods) {
    if (each.resolution.sources.empty()) continue;
    const Source& source = each.resolution.sources.front();
    candidates.push_back({&each, source.since.value_or(WallTime::max()), source.uid});
  }
  std::sort(candidates.begin(), candidates.end(),
            [](const Candidate& a, const Candidate& b) { return a.rank() < b.rank(); });
  return candidates;
}

// Indices into a pod's sources, by identity.
std::vector<std::size_t> in_order(const std::vector<Source>& sources) {
  std::vector<std::size_t> order(sources.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto within_pod = [&](std::size_t index) {
    const Source& source = sources[index];
    return std::tie(source.container, source.root, source.path);
  };
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return within_pod(a) < within_pod(b); });
  return order;
}

// What is in the spec so far, of a pod, a namespace or all.
struct Use {
  std::size_t sources = 0;
  std::size_t bytes = 0;

  [[nodiscard]] bool fits(std::size_t more, std::size_t max_sources, std::size_t max_bytes) const {
    return sources < max_sources && bytes + more <= max_bytes;
  }
  void add(std::size_t more) {
    ++sources;
    bytes += more;
  }
};

class Budget {
 public:
  // nullopt: it fits, and is counted. Nothing is ever taken out again. The source must outlive the
  // budget.
  std::optional<Reason> take(const Source& source) {
    const std::size_t bytes = source_bytes(source);
    Use& pod = pods_[pod_id(source)];
    Use& space = namespaces_[source.namespace_name];
    const std::optional<Reason> full = limit(pod, space, bytes);
    if (full) return full;
    for (Use* use : {&pod, &space, &node_}) use->add(bytes);
    return std::nullopt;
  }

  // Which limit each of a pod's sources breaks, when all of them do; of a pod that has nothing in
  // the spec. Empty when one of them fits.
  std::vector<std::optional<Reason>> all_limits(const std::vector<Source>& sources) {
    const Use& space = namespaces_[sources.front().namespace_name];
    std::vector<std::optional<Reason>> limits;
    for (const Source& source : sources) {
      limits.push_back(limit(Use(), space, source_bytes(source)));
      if (!limits.back()) return {};
    }
    return limits;
  }

 private:
  [[nodiscard]] std::optional<Reason> limit(const Use& pod, const Use& space,
                                            std::size_t bytes) const {
    if (!pod.fits(bytes, limits::kSourcesPerPod, limits::kSpecBytesPerPod)) {
      return Reason::kPodLimitReached;
    }
    if (!space.fits(bytes, kSourcesPerNamespace, kSpecBytesPerNamespace)) {
      return Reason::kNamespaceLimitReached;
    }
    if (!node_.fits(bytes, limits::kSourcesPerNode, limits::kSpecBytes)) {
      return Reason::kNodeLimitReached;
    }
    return std::nullopt;
  }

  std::map<PodId, Use> pods_;
  std::map<std::string_view, Use> namespaces_;
  Use node_;
};

// The pods of the node by name, to tell why a source is no longer asked for.
using PodsByName = std::multimap<std::pair<std::string_view, std::string_view>, const ResolvedPod*>;

PodsByName by_name(const std::vector<ResolvedPod>& pods) {
  PodsByName names;
  for (const ResolvedPod& each : pods) {
    names.emplace_hint(
        names.end(),
        std::pair(std::string_view(each.pod.namespace_name), std::string_view(each.pod.name)),
        &each);
  }
  return names;
}

// True when the pod still asks for this directory and only the configuration is against it.
bool is_withdrawn_by_configuration(const Source& source, const PodsByName& pods,
                                   const ControllerConfig& config) {
  const auto [first, last] = pods.equal_range(
      std::pair(std::string_view(source.namespace_name), std::string_view(source.pod)));
  const auto found = std::find_if(first, last, [&](const auto& each) {
    return claimed_pod_id(each.second->pod) == source.uid;
  });
  if (found == last) return false;
  const Resolution& resolution = found->second->resolution;
  const Root* root = find_root(config, source.root);
  // A root that is gone or renamed: its path is no longer known.
  if (root == nullptr) return resolution.requested;
  const std::string absolute = join_path(root->path, source.path);
  return std::any_of(
      resolution.withheld.begin(), resolution.withheld.end(), [&](const Withheld& withheld) {
        return withheld.container == source.container && withheld.host_directory == absolute;
      });
}

// No leader with our configuration and about our clock has written that: a leader whose clock was
// years ahead would else leave sources that never go. Shortening a time that was right, because it
// is our clock that is wrong, takes no link away early: agents let links linger by a clock of
// their own too.
bool is_absurd(WallTime remove_after, const ControllerConfig& config, WallTime now) {
  return remove_after > now + std::max(config.linger, config.policy_linger) + kClockSlack;
}

// The source as withdrawn; times in the API have whole seconds, and none is ever early. Without a
// linger nothing is waited for, not even the rest of a second.
Source withdraw(Source source, const PodsByName& pods, const ControllerConfig& config,
                WallTime now) {
  if (source.withdrawn() && !is_absurd(*source.remove_after, config, now)) return source;
  const bool by_configuration = is_withdrawn_by_configuration(source, pods, config);
  const Duration stay = by_configuration ? config.policy_linger : config.linger;
  source.remove_after = stay > Duration(0) ? std::chrono::ceil<std::chrono::seconds>(now + stay)
                                           : std::chrono::floor<std::chrono::seconds>(now);
  return source;
}

bool is_over(const Source& source, const ControllerConfig& config, WallTime now) {
  return now >= *source.remove_after + config.linger;
}

}  // namespace

std::string left_out_message(Reason reason, const std::string& namespace_name) {
  if (reason == Reason::kRejectedByServer) {
    return "the API server does not accept its entry; ask the administrator to update the "
           "NodeLinkSet CRD";
  }
  if (reason == Reason::kPodLimitReached) {
    return "the pod's directories and patterns take more than 8 KiB or 16 entries of the node's "
           "list; name fewer directories, or fewer and shorter patterns";
  }
  if (reason == Reason::kNamespaceLimitReached) {
    return "namespace " + namespace_name +
           " has used its half of the node's list; remove annotations that are not needed, or "
           "spread the pods over more nodes";
  }
  return "the node's list is full; spread the pods over more nodes";
}

SourceIdentity identity(const Source& source) {
  return {source.namespace_name, source.pod,  source.uid,
          source.container,      source.root, source.path};
}

DesiredSet desired_set(const std::vector<ResolvedPod>& pods, const NodeLinkSetSpec& previous,
                       const std::set<SourceIdentity>& rejected, const ControllerConfig& config,
                       WallTime now) {
  struct Published {
    const Source* source = nullptr;
    bool is_wanted = false;
  };
  std::map<IdentityView, Published> published;
  for (const Source& source : previous.sources) {
    published.emplace(identity_view(source), Published{&source, false});
  }
  std::set<IdentityView> kept_out;
  for (const SourceIdentity& each : rejected) kept_out.insert(identity_view(each));

  // Who comes first gets a place: what is published and live, then newcomers, the oldest pod first,
  // then what is withdrawn. A withdrawn source without a place loses nothing: the agent lets links
  // whose source has gone linger by its own clock.
  DesiredSet result;
  Budget budget;
  const std::vector<Candidate> candidates = oldest_first(pods);
  // Why they do not fit, by candidate and source; empty for a candidate with room for all.
  std::vector<std::vector<std::optional<Reason>>> left_out(candidates.size());
  const auto leave_out = [&](std::size_t candidate, std::size_t index, Reason reason) {
    left_out[candidate].resize(candidates[candidate].pod->resolution.sources.size());
    left_out[candidate][index] = reason;
  };
  // Of pods in a file, two may have one name: what both ask for is charged once.
  std::set<IdentityView> in_spec;
  const auto place = [&](std::size_t candidate, std::size_t index) {
    const Source& source = candidates[candidate].pod->resolution.sources[index];
    if (in_spec.contains(identity_view(source))) return;
    if (const std::optional<Reason> full = budget.take(source)) {
      leave_out(candidate, index, *full);
    } else {
      result.spec.sources.push_back(source);
      in_spec.insert(identity_view(source));
    }
  };
  std::set<PodId> placed;
  for (const auto& [key, each] : published) placed.insert(pod_id(*each.source));
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::vector<Source>& sources = candidates[i].pod->resolution.sources;
    if (!placed.contains(pod_id(sources.front()))) continue;
    for (const std::size_t index : in_order(sources)) {
      const auto found = published.find(identity_view(sources[index]));
      if (found == published.end() || kept_out.contains(found->first)) continue;
      found->second.is_wanted = true;
      place(i, index);
    }
  }
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::vector<Source>& sources = candidates[i].pod->resolution.sources;
    const bool is_placed = placed.contains(pod_id(sources.front()));
    // Most pods of a crowded node; nothing of them need be put in order.
    if (!is_placed && kept_out.empty()) {
      left_out[i] = budget.all_limits(sources);
      if (!left_out[i].empty()) continue;
    }
    for (const std::size_t index : in_order(sources)) {
      const IdentityView key = identity_view(sources[index]);
      if (kept_out.contains(key)) {
        leave_out(i, index, Reason::kRejectedByServer);
      } else if (!is_placed || !published.contains(key)) {
        place(i, index);
      }
    }
  }

  std::vector<Source> withdrawn;
  std::optional<PodsByName> names;
  for (const auto& [key, each] : published) {
    if (each.is_wanted || kept_out.contains(key)) continue;
    if (!names) names = by_name(pods);
    Source candidate = withdraw(*each.source, *names, config, now);
    if (!is_over(candidate, config, now)) withdrawn.push_back(std::move(candidate));
  }
  // Those that stay longest have most to lose.
  std::sort(withdrawn.begin(), withdrawn.end(), [](const Source& a, const Source& b) {
    if (a.remove_after != b.remove_after) return *a.remove_after > *b.remove_after;
    return std::tuple(a.since.value_or(WallTime::max()), identity_view(a)) <
           std::tuple(b.since.value_or(WallTime::max()), identity_view(b));
  });
  for (const Source& source : withdrawn) {
    if (!budget.take(source)) result.spec.sources.push_back(source);
  }
  std::sort(result.spec.sources.begin(), result.spec.sources.end());

  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (left_out[i].empty()) continue;
    const ResolvedPod& pod = *candidates[i].pod;
    PodLeftOut left{pod.pod.key(), std::string(candidates[i].id), {}};
    for (std::size_t index = 0; index < left_out[i].size(); ++index) {
      if (!left_out[i][index]) continue;
      left.sources.push_back({pod.resolution.watch_dirs[index], *left_out[i][index]});
    }
    result.left_out.push_back(std::move(left));
  }
  std::sort(result.left_out.begin(), result.left_out.end());
  return result;
}

std::optional<WallTime> next_change(const NodeLinkSetSpec& spec, const ControllerConfig& config) {
  std::optional<WallTime> earliest;
  for (const Source& source : spec.sources) {
    if (!source.withdrawn()) continue;
    const WallTime removal = *source.remove_after + config.linger;
    if (!earliest || removal < *earliest) earliest = removal;
  }
  return earliest;
}

}  // namespace loglink
