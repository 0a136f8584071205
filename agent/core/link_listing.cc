#include "agent/core/link_listing.h"

#include <map>
#include <optional>
#include <utility>

#include "lib/model/link_name.h"
#include "lib/model/path.h"

namespace loglink {
namespace {

struct Link {
  const LinkEntry* entry = nullptr;
  Target target;
};

// By the directory of what they point to, so that a source need not look at all of them.
using LinksByDirectory = std::map<Target, std::vector<Link>>;

LinksByDirectory by_directory(const LinkMap& links, const TargetSpelling& spelling) {
  LinksByDirectory directories;
  for (const auto& [name, entry] : links) {
    std::optional<Target> target = spelling.parse(entry.target);
    if (!entry.is_link || !target) continue;
    const Target directory{target->root, std::string(parent_path(target->path))};
    directories[directory].push_back({&entry, *std::move(target)});
  }
  return directories;
}

std::string wanted_name(const Source& source, const Target& directory, const Target& target) {
  const bool plain = source.plain_names && directory.path == source.path;
  return link_name(source.naming, {source.namespace_name, source.pod, source.container, source.root,
                                   target.path, plain})
      .text;
}

}  // namespace

LinkListing list_links(const SourceIndex& sources, const LinkMap& links,
                       const TargetSpelling& spelling) {
  LinkListing listing;
  listing.lines.resize(sources.sources().size());
  const LinksByDirectory directories = by_directory(links, spelling);
  for (SourceId id = 0; id < listing.lines.size(); ++id) {
    const Source& source = sources.at(id).source;
    const auto first = directories.lower_bound(Target{source.root, source.path});
    for (auto each = first; each != directories.end(); ++each) {
      const auto& [directory, there] = *each;
      if (directory.root != source.root || !directory.path.starts_with(source.path)) break;
      listing.comparisons += there.size();
      if (!path_contains(source.path, directory.path)) continue;
      for (const auto& [entry, target] : there) {
        if (wanted_name(source, directory, target) != entry->name) continue;
        listing.lines[id].push_back(path_below(source.path, target.path) + ": " + entry->name +
                                    " -> " + entry->target);
      }
    }
  }
  return listing;
}

}  // namespace loglink
