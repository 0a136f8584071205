// For this library only.
#pragma once

#include <string>

#include "lib/model/node_link_set.h"

namespace loglink {

// Spec and, unless it says nothing, status in one JSON object, as a GET would answer.
std::string encode_whole_node_link_set(const NodeLinkSet& object);

}  // namespace loglink
