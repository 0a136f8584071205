// What any writer of an object can put into it, and a strict JSON parser refuses: the API server
// hands metadata.managedFields on as they were written, with broken UTF-8 and nested up to its own
// parser's limit. One such object must not stop the stream that all others come by.
#pragma once

#include <cstddef>
#include <string>

namespace loglink {

// Objects and lists inside each other; the API server's limit is 10,000 for what it is sent.
inline constexpr std::size_t kJsonDepth = 16 * 1024;

// Replaces each byte that is no part of a UTF-8 character by '?'. The size stays.
void mend_utf8(std::string& text);

}  // namespace loglink
