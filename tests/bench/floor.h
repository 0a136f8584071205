// What the agent is measured against: the least that any program must do for the same links.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace loglink::bench {

// A process that links each `*.log` file that inotify tells of, and does nothing else. Killed by
// its owner.
pid_t start_bare_loop(const std::filesystem::path& directory, const std::filesystem::path& links);

// openat2, fstat, symlink for each file of the directories below `root`, in a process of its own.
// Seconds of wall time and of CPU time, the start of the process included.
struct Cost {
  double wall_s = 0;
  double cpu_s = 0;
};
Cost link_all_bare(const std::filesystem::path& root, const std::vector<std::string>& directories,
                   const std::filesystem::path& links);

}  // namespace loglink::bench
