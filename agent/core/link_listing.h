// Which links of the link directory belong to which source, as `loglink-agent status` shows them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "agent/core/plan.h"
#include "agent/core/source_index.h"
#include "agent/core/target.h"

namespace loglink {

struct LinkListing {
  // By SourceId: "app.log: web-0_shop_app-app.log -> /run/loglink/roots/…", sorted by directory.
  std::vector<std::vector<std::string>> lines;
  // Of a link with a source: what the listing cost. A node has thousands of both.
  std::size_t comparisons = 0;
};

LinkListing list_links(const SourceIndex& sources, const LinkMap& links,
                       const TargetSpelling& spelling);

}  // namespace loglink
