// The chart's CustomResourceDefinition as it was when this was built. Internal to the fakes.
#pragma once

#include <string_view>

namespace loglink::fakes {

extern const std::string_view kCrdYaml;

}  // namespace loglink::fakes
