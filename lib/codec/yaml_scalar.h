// Scalars of YAML as JSON text. For this library only.
#pragma once

#include <string>

#include "lib/codec/yaml_tree.h"

namespace loglink {

// REQUIRES: no list and no map.
std::string scalar_to_json(const YamlNode& scalar);
// In quotes, escaped.
std::string json_string(const std::string& text);

}  // namespace loglink
