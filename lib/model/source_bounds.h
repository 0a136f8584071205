// The CRD's bounds on one source, checked before it is published and again before it is used: a
// source that breaks one of them would make the API server refuse the whole node's object.
#pragma once

#include <string_view>

#include "lib/base/error.h"
#include "lib/model/node_link_set.h"

namespace loglink {

// Nothing, or kInvalidArgument whose message names the field and the bound ("path is longer than
// 1024 bytes"); the source's own bytes are never in it. Lengths are counted in bytes, where the
// API server counts characters: never more lenient than the server.
Expected<void> check_source_bounds(const Source& source);

// Well-formed UTF-8, without surrogates and overlong forms: what JSON can carry.
bool is_utf8(std::string_view text);

}  // namespace loglink
