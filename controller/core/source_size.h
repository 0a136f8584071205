// How much of a node's object a source takes, without encoding it.
#pragma once

#include <cstddef>

#include "lib/model/node_link_set.h"

namespace loglink {

// Bytes, never less than the source's JSON in any escaping that a JSON writer may choose. It counts
// a removeAfter also where there is none yet, so that a source that is withdrawn does not grow.
// REQUIRES: check_source_bounds(source).
std::size_t source_bytes(const Source& source);

// Sum over the sources.
std::size_t spec_bytes(const NodeLinkSetSpec& spec);

}  // namespace loglink
