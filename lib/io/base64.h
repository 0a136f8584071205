// Base64 (RFC 4648, with padding), for kubeconfig data and Basic credentials.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace loglink {

std::string base64_encode(std::string_view bytes);

// Blanks and line breaks are skipped, as YAML folds long values; nullopt for anything else.
std::optional<std::string> base64_decode(std::string_view text);

}  // namespace loglink
