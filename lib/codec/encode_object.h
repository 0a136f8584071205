// Parts of a NodeLinkSet as JSON trees, for API bodies and for what people read. For this library
// only.
#pragma once

#include <nlohmann/json.hpp>

#include "lib/model/node_link_set.h"

namespace loglink {

nlohmann::json head_to_json(const NodeLinkSet& object);  // apiVersion, kind, metadata
nlohmann::json spec_to_json(const NodeLinkSetSpec& spec);
nlohmann::json status_to_json(const NodeLinkSetStatus& status);

}  // namespace loglink
