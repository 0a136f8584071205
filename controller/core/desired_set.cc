#include "controller/core/desired_set.h"

#include <algorithm>
#include <map>
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

struct Wanted {
  const ResolvedPod* pod = nullptr;
  const Source* source = nullptr;
  const std::string* watch_dir = nullptr;
};

// Oldest first; ties by identity, so that the order of the inputs does not matter.
bool is_older(const Source& a, const Source& b) {
  const WallTime a_since = a.since.value_or(WallTime::max());
  const WallTime b_since = b.since.value_or(WallTime::max());
  return std::tie(a_since, a.namespace_name, a.pod, a.uid, a.container, a.root, a.path) <
         std::tie(b_since, b.namespace_name, b.pod, b.uid, b.container, b.root, b.path);
}

// Counts what is in the spec so far and says which limit a further source would break.
class Budget {
 public:
  // nullopt: it fits, and is counted. Nothing is ever taken out again.
  std::optional<Reason> take(const Source& source) {
    const std::size_t bytes = source_bytes(source);
    Use& pod = pods_[std::tuple(source.namespace_name, source.pod, source.uid)];
    Use& space = namespaces_[source.namespace_name];
    if (!pod.fits(bytes, limits::kSourcesPerPod, limits::kSpecBytesPerPod)) {
      return Reason::kPodLimitReached;
    }
    if (!space.fits(bytes, kSourcesPerNamespace, kSpecBytesPerNamespace)) {
      return Reason::kNamespaceLimitReached;
    }
    if (!node_.fits(bytes, limits::kSourcesPerNode, limits::kSpecBytes)) {
      return Reason::kNodeLimitReached;
    }
    for (Use* use : {&pod, &space, &node_}) use->add(bytes);
    return std::nullopt;
  }

 private:
  struct Use {
    std::size_t sources = 0;
    std::size_t bytes = 0;

    [[nodiscard]] bool fits(std::size_t more, std::size_t max_sources,
                            std::size_t max_bytes) const {
      return sources < max_sources && bytes + more <= max_bytes;
    }
    void add(std::size_t more) {
      ++sources;
      bytes += more;
    }
  };

  std::map<std::tuple<std::string, std::string, std::string>, Use> pods_;
  std::map<std::string, Use> namespaces_;
  Use node_;
};

std::string limit_message(Reason reason, const Source& source) {
  if (reason == Reason::kPodLimitReached) {
    return "the pod's directories and patterns take more than 8 KiB or 16 entries of the node's "
           "list; name fewer directories, or fewer and shorter patterns";
  }
  if (reason == Reason::kNamespaceLimitReached) {
    return "namespace " + source.namespace_name +
           " has used its half of the node's list; remove annotations that are not needed, or "
           "spread the pods over more nodes";
  }
  return "the node's list is full; spread the pods over more nodes";
}

// The pods of the node by their id, to tell why a source is no longer asked for.
using PodsById = std::map<std::tuple<std::string, std::string, std::string>, const ResolvedPod*>;

PodsById pods_by_id(const std::vector<ResolvedPod>& pods) {
  PodsById by_id;
  for (const ResolvedPod& each : pods) {
    by_id[std::tuple(each.pod.namespace_name, each.pod.name, claimed_pod_id(each.pod))] = &each;
  }
  return by_id;
}

// True when the pod still asks for this directory and only the configuration is against it.
bool is_withdrawn_by_configuration(const Source& source, const PodsById& pods,
                                   const ControllerConfig& config) {
  const auto found = pods.find(std::tuple(source.namespace_name, source.pod, source.uid));
  if (found == pods.end()) return false;
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
Source withdraw(Source source, const PodsById& pods, const ControllerConfig& config, WallTime now) {
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

bool is_less(const LeftOut& a, const LeftOut& b) { return a < b; }

}  // namespace

SourceIdentity identity(const Source& source) {
  return {source.namespace_name, source.pod,  source.uid,
          source.container,      source.root, source.path};
}

DesiredSet desired_set(const std::vector<ResolvedPod>& pods, const NodeLinkSetSpec& previous,
                       const std::set<SourceIdentity>& rejected, const ControllerConfig& config,
                       WallTime now) {
  std::map<SourceIdentity, const Source*> published;
  for (const Source& source : previous.sources) published.emplace(identity(source), &source);

  DesiredSet result;
  std::map<SourceIdentity, Wanted> wanted;
  for (const ResolvedPod& each : pods) {
    for (std::size_t i = 0; i < each.resolution.sources.size(); ++i) {
      const Source& source = each.resolution.sources[i];
      const std::string& watch_dir = each.resolution.watch_dirs[i];
      if (rejected.count(identity(source)) != 0) {
        result.left_out.push_back(
            {each.pod.key(), source.uid, watch_dir, Reason::kRejectedByServer,
             "the API server does not accept its entry; ask the administrator to update the "
             "NodeLinkSet CRD"});
        continue;
      }
      wanted.emplace(identity(source), Wanted{&each, &source, &watch_dir});
    }
  }

  // Who comes first gets a place: what is published and live, then newcomers, the oldest pod first,
  // then what is withdrawn. A withdrawn source without a place loses nothing: the agent lets links
  // whose source has gone linger by its own clock.
  std::vector<Wanted> kept;
  std::vector<Wanted> newcomers;
  for (const auto& [key, each] : wanted) {
    (published.count(key) != 0 ? kept : newcomers).push_back(each);
  }
  const auto older = [](const Wanted& a, const Wanted& b) {
    return is_older(*a.source, *b.source);
  };
  std::sort(kept.begin(), kept.end(), older);
  std::sort(newcomers.begin(), newcomers.end(), older);

  Budget budget;
  for (const std::vector<Wanted>* rank : {&kept, &newcomers}) {
    for (const Wanted& each : *rank) {
      if (const std::optional<Reason> full = budget.take(*each.source)) {
        result.left_out.push_back({each.pod->pod.key(), each.source->uid, *each.watch_dir, *full,
                                   limit_message(*full, *each.source)});
      } else {
        result.spec.sources.push_back(*each.source);
      }
    }
  }

  const PodsById by_id = pods_by_id(pods);
  std::vector<Source> withdrawn;
  for (const auto& [key, source] : published) {
    if (wanted.count(key) != 0 || rejected.count(key) != 0) continue;
    Source candidate = withdraw(*source, by_id, config, now);
    if (!is_over(candidate, config, now)) withdrawn.push_back(std::move(candidate));
  }
  // Those that stay longest have most to lose.
  std::sort(withdrawn.begin(), withdrawn.end(), [](const Source& a, const Source& b) {
    if (a.remove_after != b.remove_after) return *a.remove_after > *b.remove_after;
    return is_older(a, b);
  });
  for (Source& source : withdrawn) {
    if (!budget.take(source)) result.spec.sources.push_back(std::move(source));
  }

  std::sort(result.spec.sources.begin(), result.spec.sources.end());
  std::sort(result.left_out.begin(), result.left_out.end(), is_less);
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
