// The two forms of names that Kubernetes allows for what we handle.
#pragma once

#include <string_view>

namespace loglink {

// A DNS label: 1 to 63 of a-z 0-9 -, neither first nor last a dash. Namespaces and containers.
bool is_dns_label(std::string_view name);

// A DNS subdomain as the API takes it: 1 to 253 of a-z 0-9 - . with a letter or digit at both ends
// of each part. Pods, nodes, leases.
bool is_dns_subdomain(std::string_view name);

}  // namespace loglink
