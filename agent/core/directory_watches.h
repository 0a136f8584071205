// The inotify watches that the agent holds: a few, shared fairly.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "agent/core/file_port.h"
#include "agent/core/target.h"

namespace loglink {

// One watch per directory, whoever wants it: the scan of the directory itself, or directories below
// it that do not exist yet. Bounded in all and, for subdirectories, per namespace.
class DirectoryWatches {
 public:
  enum class Result { kWatched, kNotFound, kLimitReached, kFailed };

  DirectoryWatches(FilePort& port, std::size_t limit) : port_(port), limit_(limit) {}

  // For the directory's own scan. `own_directory`: a source's watch dir, which goes before the
  // subdirectories of any source.
  Result watch(const Target& directory, const std::string& namespace_name, bool own_directory);
  void unwatch(const Target& directory);
  // For a directory below `ancestor` that does not exist yet.
  Result wait_at(const Target& ancestor, const Target& missing);
  void stop_waiting(const Target& missing);

  [[nodiscard]] bool is_watched(const Target& directory) const;
  [[nodiscard]] const Target* find(std::uint64_t watch) const;
  // Missing directories that wait for `name` to appear in `ancestor`.
  [[nodiscard]] std::vector<Target> waiting(const Target& ancestor, std::string_view name) const;
  // The kernel has ended the watch. What it served: the directory itself, and missing ones.
  std::vector<Target> ended(std::uint64_t watch);
  // A subdirectory whose watch was taken for another source's own directory; to be polled.
  std::optional<Target> take_evicted();
  [[nodiscard]] std::size_t size() const { return watches_.size(); }

 private:
  struct Watch {
    std::uint64_t id = 0;
    bool scanned = false;  // the directory's own scan wants it
    bool own_directory = false;
    std::string namespace_name;
    std::set<Target> waiting;
  };

  Result add(const Target& directory, Watch watch);
  void drop_if_unused(std::map<Target, Watch>::iterator watch);
  bool evict_subdirectory();

  FilePort& port_;
  std::size_t limit_;
  std::map<Target, Watch> watches_;
  std::unordered_map<std::uint64_t, Target> by_id_;
  std::map<Target, Target> waits_at_;                 // missing directory → where it waits
  std::map<std::string, std::size_t> per_namespace_;  // watches of scanned directories
  std::vector<Target> evicted_;
};

}  // namespace loglink
