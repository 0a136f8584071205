// The sources of a desired set in order of precedence, and which of them reach a directory.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/core/source_check.h"
#include "agent/core/target.h"
#include "lib/model/config.h"
#include "lib/model/node_link_set.h"

namespace loglink {

// A source's place in SourceIndex::sources().
using SourceId = std::size_t;

struct IndexedSource {
  Source source;
  // Namespace, pod, uid, container, root and path: the same watch dir of the same pod, whatever
  // else changes about it.
  std::string identity;
  std::optional<SourceRefusal> refusal;
};

// Immutable once made.
class SourceIndex {
 public:
  SourceIndex() = default;
  SourceIndex(const NodeLinkSetSpec& spec, const AgentConfig& config);

  // A newcomer among files goes to the first of these that covers it: live before withdrawn, the
  // deepest watch dir, the oldest pod, its uid.
  [[nodiscard]] const std::vector<IndexedSource>& sources() const { return sources_; }
  [[nodiscard]] const IndexedSource& at(SourceId id) const { return sources_[id]; }

  // Accepted sources whose walk enters that directory, best first.
  [[nodiscard]] std::vector<SourceId> walking(std::string_view root,
                                              std::string_view directory) const;
  // Refused sources that keep the link `name` to `target`, should they have it.
  [[nodiscard]] bool kept_by_refused(std::string_view name, const Target& target) const;
  [[nodiscard]] bool wants(SourceId id, std::string_view base) const;
  // 1 in the watch dir itself. REQUIRES: the source walks the directory.
  [[nodiscard]] int level(SourceId id, std::string_view directory) const;
  // False for directories that no walk may enter.
  [[nodiscard]] bool may_enter(std::string_view root, std::string_view directory) const;

 private:
  AgentConfig config_;
  std::vector<IndexedSource> sources_;
  std::unordered_map<std::string, std::vector<SourceId>> by_directory_;
  std::vector<SourceId> refused_;
};

}  // namespace loglink
