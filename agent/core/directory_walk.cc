#include "agent/core/directory_walk.h"

#include <deque>
#include <utility>

#include "lib/model/path.h"

namespace loglink {

DirectoryWalk walk_directories(const SourceIndex& sources, SourceId id, std::size_t most,
                               const KnownChildren& children) {
  const Source& source = sources.at(id).source;
  DirectoryWalk walk;
  std::deque<Target> queue = {{source.root, source.path}};
  while (!queue.empty()) {
    Target directory = std::move(queue.front());
    queue.pop_front();
    if (walk.directories.size() >= most) {
      walk.too_many = true;
      break;
    }
    const std::vector<std::string>* below = nullptr;
    if (sources.level(id, directory.path) < source.max_depth) below = children(directory);
    if (below != nullptr) {
      for (const std::string& child : *below) {
        Target next{directory.root, join_path(directory.path, child)};
        if (sources.may_enter(next.root, next.path)) queue.push_back(std::move(next));
      }
    }
    walk.directories.insert(std::move(directory));
  }
  return walk;
}

}  // namespace loglink
