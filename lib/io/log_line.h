// The text of one log line: a pure function, so that its shape is tested without a logger.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/io/log.h"

namespace loglink {

enum class LogFormat { kText, kJson };

// Without the newline. Text: `2026-01-02T03:04:05.678Z INFO message key=value key="two words"`;
// JSON: one object with time, level, message and the fields. Message and values are sanitized; a
// field called like one of the first three gets a trailing "_" in JSON.
std::string format_log_line(LogFormat format, WallTime time, LogLevel level,
                            std::string_view message, const LogFields& fields);

}  // namespace loglink
