// The JSON library of the fakes, and reading of what may be absent. Internal to the fakes.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace loglink::fakes {

using Json = nlohmann::json;

// The member at a pointer ("/metadata/name"); null when any part is absent.
const Json& at_path(const Json& value, const std::string& pointer);
// Its text; "" when absent or not a text.
std::string text_at(const Json& value, const std::string& pointer);
// Bytes of any content: broken UTF-8 is replaced, never thrown at.
std::string dump(const Json& value);

}  // namespace loglink::fakes
