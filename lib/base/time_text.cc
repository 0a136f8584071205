#include "lib/base/time_text.h"

#include <array>
#include <cstdio>
#include <limits>

namespace loglink {
namespace {

using std::chrono::floor;
using std::chrono::seconds;

std::string date_and_time(WallTime time) {
  const auto day = floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(floor<seconds>(time - day));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d",
                static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
                static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()));
  return text.data();
}

// Reads exactly `width` digits; -1 when they are not there.
int digits(std::string_view text, std::size_t at, std::size_t width) {
  if (at + width > text.size()) return -1;
  int value = 0;
  for (std::size_t i = at; i < at + width; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

// Nanoseconds since 1970 in 64 bits end in 2262.
constexpr int kFirstYear = 1970;
constexpr int kLastYear = 2261;

constexpr WallTime kFirst{};
constexpr WallTime kLast = WallTime(std::chrono::sys_days(std::chrono::year(kLastYear) / 12 / 31)) +
                           std::chrono::hours(24) - seconds(1);

}  // namespace

std::string format_time(WallTime time) { return date_and_time(time) + "Z"; }

std::string format_micro_time(WallTime time) {
  const auto micros = floor<std::chrono::microseconds>(time - floor<seconds>(time)).count();
  std::array<char, 16> text{};
  std::snprintf(text.data(), text.size(), ".%06dZ", static_cast<int>(micros));
  return date_and_time(time) + text.data();
}

namespace {

Expected<WallTime> parse(std::string_view text, bool any_year) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is not an RFC 3339 time (2026-01-02T03:04:05Z)");
  };
  const int year = digits(text, 0, 4);
  const int month = digits(text, 5, 2);
  const int day = digits(text, 8, 2);
  const int hour = digits(text, 11, 2);
  const int minute = digits(text, 14, 2);
  const int second = digits(text, 17, 2);
  if (year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
      second < 0 || second > 60 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != 't') || text[13] != ':' || text[16] != ':') {
    return bad();
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  const bool fits = year >= kFirstYear && year <= kLastYear;
  if (!date.ok() || (!fits && !any_year)) return bad();
  std::size_t at = 19;
  std::int64_t nanos = 0;
  if (at < text.size() && text[at] == '.') {
    ++at;
    std::size_t count = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, ++count) {
      if (count < 9) nanos = nanos * 10 + (text[at] - '0');
    }
    if (count == 0) return bad();
    for (; count < 9; ++count) nanos *= 10;
  }
  std::chrono::minutes offset{0};
  const std::string_view zone = text.substr(at);
  if (zone != "Z" && zone != "z") {
    const int hours = digits(zone, 1, 2);
    const int minutes = digits(zone, 4, 2);
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' || hours < 0 ||
        hours > 23 || minutes < 0 || minutes > 59) {
      return bad();
    }
    offset = std::chrono::hours(hours) + std::chrono::minutes(minutes);
    if (zone[0] == '-') offset = -offset;
  }
  if (!fits) return year < kFirstYear ? kFirst : kLast;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(hour) +
         std::chrono::minutes(minute) + seconds(second) + std::chrono::nanoseconds(nanos) - offset;
}

}  // namespace

Expected<WallTime> parse_time(std::string_view text) { return parse(text, false); }

Expected<WallTime> parse_any_time(std::string_view text) { return parse(text, true); }

Expected<Duration> parse_duration(std::string_view text) {
  const auto bad = [&] {
    return fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is not a duration (30s, 5m, 1h30m, 500ms)");
  };
  if (text == "0") return Duration(0);
  if (text.empty()) return bad();
  __extension__ using Wide = __int128;
  Wide total = 0;
  std::size_t at = 0;
  while (at < text.size()) {
    Wide value = 0;
    Wide scale = 1;  // of the fraction
    std::size_t count = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && count < 18; ++at, ++count) {
      value = value * 10 + (text[at] - '0');
    }
    if (count == 0) return bad();
    if (at < text.size() && text[at] == '.') {
      ++at;
      std::size_t places = 0;
      for (; at < text.size() && text[at] >= '0' && text[at] <= '9' && places < 9; ++at, ++places) {
        value = value * 10 + (text[at] - '0');
        scale *= 10;
      }
      if (places == 0) return bad();
    }
    struct Unit {
      std::string_view name;
      std::int64_t nanos;
    };
    static constexpr std::array<Unit, 6> kUnits = {{{"ns", 1},
                                                    {"us", 1'000},
                                                    {"ms", 1'000'000},
                                                    {"h", 3'600'000'000'000},
                                                    {"m", 60'000'000'000},
                                                    {"s", 1'000'000'000}}};
    std::int64_t nanos = 0;
    for (const Unit& unit : kUnits) {
      if (nanos == 0 && text.substr(at, unit.name.size()) == unit.name) {
        nanos = unit.nanos;
        at += unit.name.size();
      }
    }
    if (nanos == 0) return bad();
    total += value * nanos / scale;
    if (total > std::numeric_limits<std::int64_t>::max()) return bad();
  }
  return Duration(static_cast<std::int64_t>(total));
}

std::string format_duration(Duration duration) {
  auto nanos = duration.count();
  if (nanos == 0) return "0s";
  struct Unit {
    const char* name;
    std::int64_t nanos;
  };
  static constexpr std::array<Unit, 6> kUnits = {{{"h", 3'600'000'000'000},
                                                  {"m", 60'000'000'000},
                                                  {"s", 1'000'000'000},
                                                  {"ms", 1'000'000},
                                                  {"us", 1'000},
                                                  {"ns", 1}}};
  std::string text;
  for (const Unit& unit : kUnits) {
    if (nanos >= unit.nanos) {
      text += std::to_string(nanos / unit.nanos) + unit.name;
      nanos %= unit.nanos;
    }
  }
  return text;
}

}  // namespace loglink
