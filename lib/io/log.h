// Logs: a constant message and key/value pairs, as text or JSON, on stderr (spdlog underneath).
// The level says what the operator must do: error - act; warning - look when it stays; info - what
// changed; debug - why.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/error.h"

namespace loglink {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

using LogFields = std::vector<std::pair<std::string, std::string>>;

// level: debug|info|warning|error; format: text|json. Before this call text at info is written.
Expected<void> configure_logging(const std::string& level, const std::string& format);

// Values are sanitized here; callers pass what they have. Thread-safe.
void log(LogLevel level, std::string_view message, const LogFields& fields = {});

}  // namespace loglink
