// resourceVersions are opaque strings, save for one comparison within one resource.
#pragma once

#include <string_view>

namespace loglink {

// True when both are decimal numbers and `a` is the smaller one: by length, then by bytes, as
// Kubernetes 1.35 and later guarantee. False when that cannot be said.
bool is_older_version(std::string_view a, std::string_view b);

}  // namespace loglink
