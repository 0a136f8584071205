// What looking at directories may cost: one tenant's millions of files or directories must not
// delay another's links, nor fill the agent's memory.
//
// A namespace reads entries at a rate; a source keeps at most what one scan may read, over all its
// directories, and a namespace a few times that.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>

#include "lib/base/clock.h"
#include "lib/base/token_bucket.h"

namespace loglink {

class ScanBudget {
 public:
  // What a directory's kept entries are charged to.
  struct Charge {
    std::string identity;  // of the source
    std::string namespace_name;
    std::size_t entries = 0;
  };

  explicit ScanBudget(std::size_t entries_per_scan) : entries_per_scan_(entries_per_scan) {}

  // When the namespace may scan again; `now` if it may at once.
  [[nodiscard]] MonotonicTime ready_at(const std::string& namespace_name, MonotonicTime now) const;
  // A scan always runs to its end; what it costs too much delays the next one.
  void spend(const std::string& namespace_name, std::size_t entries, MonotonicTime now);

  // How many more entries may be kept.
  [[nodiscard]] std::size_t room(const std::string& identity,
                                 const std::string& namespace_name) const;
  void charge(Charge& charge, std::string identity, std::string namespace_name,
              std::size_t entries);
  void add_one(Charge& charge);
  void take_one(Charge& charge);
  void release(Charge& charge);

  // Namespaces without sources are forgotten.
  void keep_namespaces(const std::set<std::string>& namespaces);

 private:
  std::size_t entries_per_scan_;
  std::map<std::string, TokenBucket> rates_;  // by namespace
  std::map<std::string, std::size_t> by_source_;
  std::map<std::string, std::size_t> by_namespace_;
};

}  // namespace loglink
