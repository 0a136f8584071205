// Files that people or their tools write: configuration, manifests, credentials.
#pragma once

#include <cstddef>
#include <string>

#include "lib/base/error.h"

namespace loglink {

// All of a file, pipe or device, to its end. Errors name the path; more than `most` bytes (a device
// that never ends, too) are kResourceExhausted.
Expected<std::string> read_text_file(const std::string& path, std::size_t most);

// The same of standard input.
Expected<std::string> read_standard_input(std::size_t most);

}  // namespace loglink
