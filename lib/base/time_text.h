// RFC 3339 as the Kubernetes API writes it.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/clock.h"
#include "lib/base/error.h"

namespace loglink {

// metav1.Time: "2026-01-02T03:04:05Z"; fractions of a second are cut.
std::string format_time(WallTime time);

// metav1.MicroTime: exactly six fractional digits, otherwise the API server answers 400.
std::string format_micro_time(WallTime time);

// Any RFC 3339 time of 1970 to 2261, with or without fraction, "Z" or an offset.
Expected<WallTime> parse_time(std::string_view text);

// The same for any year: a time that WallTime cannot hold becomes the first or last second that it
// can, "long ago" or "far ahead".
Expected<WallTime> parse_any_time(std::string_view text);

// Go's duration syntax as used in our configuration: "90s", "5m", "1h30m", "500ms". Not negative.
Expected<Duration> parse_duration(std::string_view text);

// The shortest such text: 90 s is "1m30s".
std::string format_duration(Duration duration);

}  // namespace loglink
