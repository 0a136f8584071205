#include "lib/io/log_line.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "lib/base/time_text.h"

namespace loglink {
namespace {

WallTime time() { return parse_time("2026-01-02T03:04:05.678901Z").value(); }

std::string text(LogLevel level, std::string_view message, const LogFields& fields = {}) {
  return format_log_line(LogFormat::kText, time(), level, message, fields);
}
std::string json(std::string_view message, const LogFields& fields = {}) {
  return format_log_line(LogFormat::kJson, time(), LogLevel::kWarning, message, fields);
}

TEST(LogLineTest, WritesTextWithMillisecondsAndFields) {
  EXPECT_EQ(text(LogLevel::kInfo, "links made", {{"node", "n1"}, {"links", "12"}}),
            "2026-01-02T03:04:05.678Z INFO links made node=n1 links=12");
  EXPECT_EQ(text(LogLevel::kDebug, "m"), "2026-01-02T03:04:05.678Z DEBUG m");
  EXPECT_EQ(text(LogLevel::kWarning, "m"), "2026-01-02T03:04:05.678Z WARN m");
  EXPECT_EQ(text(LogLevel::kError, "m"), "2026-01-02T03:04:05.678Z ERROR m");
}

TEST(LogLineTest, QuotesValuesThatAreNotOneWord) {
  EXPECT_EQ(text(LogLevel::kInfo, "m", {{"a", "two words"}, {"b", ""}, {"c", "x=y"}}),
            R"(2026-01-02T03:04:05.678Z INFO m a="two words" b="" c="x=y")");
  EXPECT_EQ(text(LogLevel::kInfo, "m", {{"a", R"(say "hi" \)"}}),
            R"(2026-01-02T03:04:05.678Z INFO m a="say \"hi\" \\")");
}

TEST(LogLineTest, NeverLetsATenantForgeALine) {
  const std::string forged = "x\n2026-01-02T03:04:05.678Z ERROR forged\x1b[31m";
  for (const std::string& line :
       {text(LogLevel::kInfo, "m", {{"file", forged}}), json("m", {{"file", forged}}),
        text(LogLevel::kInfo, forged), json(forged, {{forged, "v"}})}) {
    for (const char c : line) EXPECT_TRUE(c >= ' ' && c < '\x7f') << line;
    EXPECT_NE(line.find("x\\"), std::string::npos);
  }
}

TEST(LogLineTest, WritesOneJsonObjectThatParses) {
  const std::string line = json("no \"answer\"", {{"path", "a\\b"}, {"bytes", "\xff"}});
  const auto parsed = nlohmann::json::parse(line);
  EXPECT_EQ(parsed["time"], "2026-01-02T03:04:05.678Z");
  EXPECT_EQ(parsed["level"], "warning");
  EXPECT_EQ(parsed["message"], "no \"answer\"");
  EXPECT_EQ(parsed["path"], "a\\b");
  EXPECT_EQ(parsed["bytes"], "\\xff");
}

TEST(LogLineTest, KeepsItsOwnKeysApartFromFieldsOfThatName) {
  EXPECT_EQ(json("m", {{"message", "other"}, {"level", "9"}, {"time", "0"}}),
            R"({"time":"2026-01-02T03:04:05.678Z","level":"warning","message":"m",)"
            R"("message_":"other","level_":"9","time_":"0"})");
}

TEST(ConfigureLoggingTest, RefusesUnknownWordsAndNamesTheKnown) {
  EXPECT_FALSE(configure_logging("verbose", "text"));
  EXPECT_EQ(configure_logging("info", "xml").error().message,
            "log format \"xml\" is not one of text, json");
  EXPECT_TRUE(configure_logging("error", "json"));
  ::testing::internal::CaptureStderr();
  log(LogLevel::kWarning, "hidden");
  log(LogLevel::kError, "shown", {{"k", "v"}});
  EXPECT_TRUE(configure_logging("info", "text"));
  log(LogLevel::kInfo, "plain", {{"k", "v {} %"}});
  const std::string written = ::testing::internal::GetCapturedStderr();
  EXPECT_EQ(written.find("hidden"), std::string::npos);
  EXPECT_NE(written.find("\"message\":\"shown\",\"k\":\"v\"}\n"), std::string::npos);
  EXPECT_NE(written.find(" INFO plain k=\"v {} %\"\n"), std::string::npos);
}

}  // namespace
}  // namespace loglink
