// The directories that a source's walk enters.
#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/source_index.h"
#include "agent/core/target.h"

namespace loglink {

struct DirectoryWalk {
  std::set<Target> directories;
  bool too_many = false;  // there are more, which are not in here
};

// Names of the directories in a directory, sorted; nullptr where they are not known.
using KnownChildren = std::function<const std::vector<std::string>*(const Target&)>;

// Breadth first, so that the bound `most` keeps those near the top.
DirectoryWalk walk_directories(const SourceIndex& sources, SourceId id, std::size_t most,
                               const KnownChildren& children);

}  // namespace loglink
