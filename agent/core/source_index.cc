#include "agent/core/source_index.h"

#include <algorithm>
#include <tuple>

#include "lib/model/glob.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

std::string key(std::string_view root, std::string_view directory) {
  std::string text(root);
  text += '\0';
  text += directory;
  return text;
}

std::string identity_of(const Source& source) {
  std::string text;
  for (const std::string* part : {&source.namespace_name, &source.pod, &source.uid,
                                  &source.container, &source.root, &source.path}) {
    text += *part;
    text += '\0';
  }
  return text;
}

bool precedes(const IndexedSource& a, const IndexedSource& b) {
  const auto rank = [](const IndexedSource& each) {
    return std::make_tuple(each.source.withdrawn(), -path_depth(each.source.path),
                           each.source.since.value_or(WallTime::max()));
  };
  const auto rank_a = rank(a);
  const auto rank_b = rank(b);
  if (rank_a != rank_b) return rank_a < rank_b;
  if (a.source.uid != b.source.uid) return a.source.uid < b.source.uid;
  return a.source < b.source;
}

}  // namespace

SourceIndex::SourceIndex(const NodeLinkSetSpec& spec, const AgentConfig& config) : config_(config) {
  for (const Source& source : spec.sources) {
    IndexedSource indexed{source, identity_of(source), check_source(source, config)};
    if (sources_.size() >= limits::kSourcesPerNode && !indexed.refusal) {
      indexed.refusal = SourceRefusal{Reason::kNodeLimitReached,
                                      "the node's set has more sources than an agent takes", true};
    }
    sources_.push_back(std::move(indexed));
  }
  std::sort(sources_.begin(), sources_.end(), precedes);
  for (SourceId id = 0; id < sources_.size(); ++id) {
    const IndexedSource& each = sources_[id];
    if (each.refusal) {
      refused_.push_back(id);
    } else {
      by_directory_[key(each.source.root, each.source.path)].push_back(id);
    }
  }
}

bool SourceIndex::may_enter(std::string_view root, std::string_view directory) const {
  const Root* found = find_root(config_, std::string(root));
  if (found == nullptr) return false;
  const std::string host_path = join_path(found->path, directory);
  return !is_reserved_directory(config_, host_path) &&
         !is_in_inner_root(config_, *found, host_path);
}

std::vector<SourceId> SourceIndex::walking(std::string_view root,
                                           std::string_view directory) const {
  std::vector<SourceId> found;
  // From the directory up to the root: a walk that starts there reaches it unless it is too deep or
  // a reserved directory lies between.
  std::string_view start = directory;
  for (int level = 1; level <= limits::kMaxDepth; ++level) {
    const auto here = by_directory_.find(key(root, start));
    if (here != by_directory_.end()) {
      for (const SourceId id : here->second) {
        if (sources_[id].source.max_depth >= level) found.push_back(id);
      }
    }
    if (start.empty() || !may_enter(root, start)) break;
    start = parent_path(start);
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool SourceIndex::kept_by_refused(std::string_view name, const Target& target) const {
  return std::any_of(refused_.begin(), refused_.end(), [&](SourceId id) {
    const IndexedSource& each = sources_[id];
    const Source& source = each.source;
    // What this version does not understand may name files in any way, but after its pod.
    const std::string prefix =
        source.pod + "_" + source.namespace_name + "_" + source.container + "-";
    return each.refusal->keeps_links && source.root == target.root &&
           path_contains(source.path, target.path) && name.substr(0, prefix.size()) == prefix;
  });
}

bool SourceIndex::wants(SourceId id, std::string_view base) const {
  const Source& source = sources_[id].source;
  return is_wanted(source.include, source.exclude, base);
}

int SourceIndex::level(SourceId id, std::string_view directory) const {
  return path_depth(directory) - path_depth(sources_[id].source.path) + 1;
}

}  // namespace loglink
