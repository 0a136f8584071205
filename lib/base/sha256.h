// SHA-256 of short inputs (OpenSSL's), as lower-case hex.
#pragma once

#include <string>
#include <string_view>

namespace loglink {

// 64 lower-case hex digits.
std::string sha256_hex(std::string_view bytes);

}  // namespace loglink
