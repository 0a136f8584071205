#include "lib/base/time_text.h"

#include <gtest/gtest.h>

#include "lib/base/random.h"

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// 2026-01-02T03:04:05Z
constexpr WallTime kTime{seconds(1767323045)};

TEST(FormatTime, CutsFractions) {
  EXPECT_EQ(format_time(kTime), "2026-01-02T03:04:05Z");
  EXPECT_EQ(format_time(kTime + milliseconds(999)), "2026-01-02T03:04:05Z");
  EXPECT_EQ(format_time(WallTime{}), "1970-01-01T00:00:00Z");
}

TEST(FormatMicroTime, HasSixDigitsAlways) {
  EXPECT_EQ(format_micro_time(kTime), "2026-01-02T03:04:05.000000Z");
  EXPECT_EQ(format_micro_time(kTime + microseconds(7)), "2026-01-02T03:04:05.000007Z");
  EXPECT_EQ(format_micro_time(kTime + nanoseconds(999'999'999)), "2026-01-02T03:04:05.999999Z");
}

struct GoodTime {
  const char* text;
  WallTime expected;
};

TEST(ParseTime, TakesEveryFormOfRfc3339) {
  const GoodTime cases[] = {
      {"2026-01-02T03:04:05Z", kTime},
      {"2026-01-02t03:04:05z", kTime},
      {"2026-01-02T03:04:05.5Z", kTime + milliseconds(500)},
      {"2026-01-02T03:04:05.000001Z", kTime + microseconds(1)},
      {"2026-01-02T03:04:05.123456789Z", kTime + nanoseconds(123456789)},
      {"2026-01-02T03:04:05.1234567899Z", kTime + nanoseconds(123456789)},
      {"2026-01-02T04:34:05+01:30", kTime},
      {"2026-01-01T22:04:05-05:00", kTime},
      {"2024-02-29T00:00:00Z", WallTime{seconds(1709164800)}},
  };
  for (const GoodTime& each : cases) {
    const Expected<WallTime> time = parse_time(each.text);
    ASSERT_TRUE(time.has_value()) << each.text;
    EXPECT_EQ(*time, each.expected) << each.text;
  }
}

TEST(ParseTime, RefusesWhatIsNotATime) {
  for (const char* text :
       {"", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02 03:04:05Z", "2026-1-2T03:04:05Z",
        "2026-02-29T03:04:05Z", "2026-13-02T03:04:05Z", "2026-00-02T03:04:05Z",
        "2026-01-02T24:04:05Z", "2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z",
        "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05+0100", "2026-01-02T03:04:05+24:00",
        "2026-01-02T03:04:05Zx", "1969-12-31T23:59:59Z", "2262-01-01T00:00:00Z", "now"}) {
    const Expected<WallTime> time = parse_time(text);
    ASSERT_FALSE(time.has_value()) << text;
    EXPECT_EQ(time.error().code, ErrorCode::kInvalidArgument);
    EXPECT_NE(time.error().message.find("RFC 3339"), std::string::npos);
  }
}

TEST(ParseTime, OfAnyYearIsTheNearestThatWeCanHold) {
  const WallTime last = parse_time("2261-12-31T23:59:59Z").value();
  const GoodTime cases[] = {
      {"2026-01-02T03:04:05Z", kTime},
      {"1969-12-31T23:59:59Z", WallTime{}},
      {"0001-01-01T00:00:00Z", WallTime{}},
      {"2262-01-01T00:00:00Z", last},
      {"9999-12-31T23:59:59.999999+01:00", last},
  };
  for (const GoodTime& each : cases) {
    const Expected<WallTime> time = parse_any_time(each.text);
    ASSERT_TRUE(time.has_value()) << each.text;
    EXPECT_EQ(*time, each.expected) << each.text;
  }
  for (const char* text : {"", "9999-12-31", "9999-02-29T00:00:00Z", "9999-12-31T23:59:59", "now",
                           "9999-12-31T23:59:59Zx"}) {
    EXPECT_FALSE(parse_any_time(text).has_value()) << text;
  }
  EXPECT_GT(last + std::chrono::hours(24 * 90), last) << "no room to count on from it";
}

TEST(ParseTime, ReadsBackWhatIsWritten) {
  SeededRandom random(7);
  for (int round = 0; round < 2000; ++round) {
    const WallTime time{
        microseconds(static_cast<std::int64_t>(random.below(4'000'000'000'000'000)))};
    const Expected<WallTime> back = parse_time(format_micro_time(time));
    ASSERT_TRUE(back.has_value());
    ASSERT_EQ(*back, time);
  }
}

struct GoodDuration {
  const char* text;
  Duration expected;
};

TEST(ParseDuration, TakesGosSyntax) {
  const GoodDuration cases[] = {
      {"0", Duration(0)},           {"0s", Duration(0)},
      {"90s", seconds(90)},         {"5m", minutes(5)},
      {"1h30m", minutes(90)},       {"500ms", milliseconds(500)},
      {"1.5s", milliseconds(1500)}, {"2us", microseconds(2)},
      {"3ns", nanoseconds(3)},      {"1m1s1ms", milliseconds(61001)},
      {"2562047h", hours(2562047)},
  };
  for (const GoodDuration& each : cases) {
    const Expected<Duration> duration = parse_duration(each.text);
    ASSERT_TRUE(duration.has_value()) << each.text;
    EXPECT_EQ(*duration, each.expected) << each.text;
  }
}

TEST(ParseDuration, RefusesWhatIsNotADuration) {
  for (const char* text :
       {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5S", "5d", "1.s", ".5s", "1e3s", "5m5",
        "9999999999999999999s", "2562048h", "999999999999999999h"}) {
    const Expected<Duration> duration = parse_duration(text);
    ASSERT_FALSE(duration.has_value()) << text;
    EXPECT_NE(duration.error().message.find("is not a duration"), std::string::npos);
  }
}

TEST(FormatDuration, IsShortestAndReadsBack) {
  EXPECT_EQ(format_duration(seconds(90)), "1m30s");
  EXPECT_EQ(format_duration(Duration(0)), "0s");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1s500ms");
  EXPECT_EQ(format_duration(hours(1)), "1h");
  SeededRandom random(3);
  for (int round = 0; round < 2000; ++round) {
    const Duration duration(static_cast<std::int64_t>(random.next() >> 1U));
    ASSERT_EQ(parse_duration(format_duration(duration)).value(), duration);
  }
}

}  // namespace
}  // namespace loglink
