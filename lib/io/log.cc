#include "lib/io/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <optional>

#include "lib/base/clock.h"
#include "lib/io/log_line.h"

namespace loglink {
namespace {

// The sink writes whole lines under a lock; the lines are made by format_log_line.
struct Logger {
  Logger() : writer("loglink", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    writer.set_pattern("%v");
    writer.set_level(spdlog::level::info);
  }

  spdlog::logger writer;
  std::atomic<LogFormat> format{LogFormat::kText};
};

Logger& logger() {
  // Never destroyed: other threads may log while the program exits.
  static Logger& instance = *new Logger;
  return instance;
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  __builtin_unreachable();
}

std::optional<LogLevel> parse_level(const std::string& text) {
  if (text == "debug") return LogLevel::kDebug;
  if (text == "info") return LogLevel::kInfo;
  if (text == "warning") return LogLevel::kWarning;
  if (text == "error") return LogLevel::kError;
  return std::nullopt;
}

}  // namespace

Expected<void> configure_logging(const std::string& level, const std::string& format) {
  const std::optional<LogLevel> parsed = parse_level(level);
  if (!parsed) {
    return fail(ErrorCode::kInvalidArgument,
                "log level \"" + level + "\" is not one of debug, info, warning, error");
  }
  if (format != "text" && format != "json") {
    return fail(ErrorCode::kInvalidArgument,
                "log format \"" + format + "\" is not one of text, json");
  }
  logger().writer.set_level(level_of(*parsed));
  logger().format = format == "json" ? LogFormat::kJson : LogFormat::kText;
  return {};
}

void log(LogLevel level, std::string_view message, const LogFields& fields) {
  Logger& target = logger();
  const spdlog::level::level_enum threshold = level_of(level);
  if (!target.writer.should_log(threshold)) return;
  const std::string line =
      format_log_line(target.format, SystemClock().now().wall, level, message, fields);
  target.writer.log(threshold, spdlog::string_view_t(line));
}

}  // namespace loglink
