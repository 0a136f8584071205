#include "lib/io/log_line.h"

#include "lib/base/text.h"
#include "lib/base/time_text.h"

namespace loglink {
namespace {

// Errors quote paths of up to 1,024 bytes; they are worth a whole line.
constexpr std::size_t kValueBytes = 2048;

std::string_view text_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO";
    case LogLevel::kWarning:
      return "WARN";
    case LogLevel::kError:
      return "ERROR";
  }
  __builtin_unreachable();
}

std::string_view json_of(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  __builtin_unreachable();
}

// `text` is sanitized already: only quote and backslash need an escape, in both formats.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out += '"';
}

// A value that could be read as two words, or as none, is quoted.
bool needs_quotes(std::string_view value) {
  return value.empty() || value.find_first_of(" \"=\\") != std::string_view::npos;
}

// "2026-01-02T03:04:05.678901Z" without the last three digits.
std::string milliseconds(WallTime time) {
  std::string text = format_micro_time(time);
  return text.erase(text.size() - 4, 3);
}

}  // namespace

std::string format_log_line(LogFormat format, WallTime time, LogLevel level,
                            std::string_view message, const LogFields& fields) {
  const std::string words = sanitize(message, kValueBytes);
  switch (format) {
    case LogFormat::kText: {
      std::string line = milliseconds(time);
      line.append(" ").append(text_of(level)).append(" ").append(words);
      for (const auto& [key, value] : fields) {
        const std::string clean = sanitize(value, kValueBytes);
        line.append(" ").append(key).append("=").append(needs_quotes(clean) ? quoted(clean)
                                                                            : clean);
      }
      return line;
    }
    case LogFormat::kJson: {
      std::string line = "{\"time\":" + quoted(milliseconds(time));
      line.append(",\"level\":").append(quoted(json_of(level)));
      line.append(",\"message\":").append(quoted(words));
      for (const auto& [key, value] : fields) {
        const bool taken = key == "time" || key == "level" || key == "message";
        line.append(",").append(quoted(sanitize(taken ? key + "_" : key)));
        line.append(":").append(quoted(sanitize(value, kValueBytes)));
      }
      return line += '}';
    }
  }
  __builtin_unreachable();
}

}  // namespace loglink
