// House rules that a reader would otherwise have to remember.
#include <gtest/gtest.h>

#include <filesystem>
#include <regex>
#include <set>

#include "tests/tidy/tree.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;

struct Ban {
  std::regex pattern;
  std::string cure;
};

void expect_none(const std::vector<SourceFile>& files, const std::vector<Ban>& bans) {
  for (const SourceFile& file : files) {
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      for (const Ban& ban : bans) {
        EXPECT_FALSE(std::regex_search(file.lines[i], ban.pattern))
            << file.path << ":" << i + 1 << ": " << file.lines[i] << "\n  cure: " << ban.cure;
      }
    }
  }
}

TEST(HouseRules, BannedCalls) {
  expect_none(source_files({"lib", "agent", "controller"}),
              {{std::regex("\\bassert\\("), "operating errors are values; see lib/base/error.h"},
               {std::regex("\\bstd::cout\\b"), "print through the program's own output function"},
               {std::regex("\\bextract_json\\b|web::json"), "15 times the memory: use lib/codec"},
               {std::regex("\\bhttp_listener\\b"), "use lib/io/http_endpoint.h"},
               {std::regex("[.>]read_line\\("), "cpprestsdk buffers without bound: use a sink"},
               {std::regex("\\bsleep_for\\b|\\busleep\\(|[^_]\\bsleep\\("),
                "wait for a condition or set an alarm"},
               {std::regex("\\bTODO\\b|\\bFIXME\\b|\\bXXX\\b"), "do it or file it"}});
}

// A sleeping test is slow where the condition holds early and wrong where it holds late.
TEST(HouseRules, TestsDoNotSleepOrHide) {
  std::vector<SourceFile> files = source_files({"tests"});
  std::erase_if(files,
                [](const SourceFile& file) { return file.path.rfind("tests/tidy", 0) == 0; });
  expect_none(files, {{std::regex("\\bsleep_for\\b|\\busleep\\(|[^_a-z]sleep\\("),
                       "poll the condition with eventually()"},
                      {std::regex("\\bDISABLED_"), "mend the test or delete it"}});
}

// g++ 12.2 frees memory that was never allocated when an argument of co_await holds a conditional
// expression, a braced list or an aggregate temporary.
TEST(HouseRules, NoConditionalsOrBracesInsideCoAwait) {
  static const std::regex kSuspicious("co_await [^;]*[?{]");
  for (const SourceFile& file : source_files({"lib", "agent", "controller", "tests"})) {
    if (file.path.rfind("tests/tidy", 0) == 0) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      std::string statement = file.lines[i];
      if (statement.find("co_await") == std::string::npos) continue;
      for (std::size_t j = i + 1;
           j < file.lines.size() && j < i + 6 && statement.find(';') == std::string::npos; ++j) {
        statement += " " + file.lines[j];
      }
      EXPECT_FALSE(std::regex_search(statement, kSuspicious))
          << file.path << ":" << i + 1 << ": bind the argument to a local before co_await";
    }
  }
}

// agent/core/plan.cc is tested by tests/unit/agent/core/plan_test.cc, or by another test of that
// folder that includes its header (a class of which only the whole says anything).
TEST(HouseRules, PureCodeIsTestedInTheMirroredFolder) {
  for (const std::string folder :
       {"lib/base", "lib/model", "lib/kube", "agent/core", "controller/core"}) {
    std::set<std::string> included;
    for (const SourceFile& test : source_files({"tests/unit/" + folder})) {
      for (const Include& include : includes_of(test)) included.insert(include.path);
    }
    for (const SourceFile& file : source_files({folder}, {".cc"})) {
      const std::string stem = file.path.substr(0, file.path.size() - 3);
      EXPECT_TRUE(fs::exists(fs::path(LOGLINK_SOURCE_DIR) / ("tests/unit/" + stem + "_test.cc")) ||
                  included.count(stem + ".h") != 0 ||
                  !fs::exists(fs::path(LOGLINK_SOURCE_DIR) / (stem + ".h")))
          << file.path << " is not tested by tests/unit/" << folder;
    }
  }
}

TEST(HouseRules, HeadersAreGuardedAndFilesAreOfReadableSize) {
  for (const SourceFile& file : source_files({"lib", "agent", "controller", "tests"})) {
    EXPECT_LE(file.lines.size(), 900U) << file.path << " is a drawer: split it";
    if (file.path.substr(file.path.size() - 2) != ".h") continue;
    bool guarded = false;
    for (const std::string& line : file.lines) guarded = guarded || line == "#pragma once";
    EXPECT_TRUE(guarded) << file.path;
  }
}

// What a user installs names no machine of ours.
TEST(HouseRules, NoMachinePaths) {
  const std::regex machine_path("/home/[a-z]|/Users/[a-z]");
  for (const SourceFile& file :
       source_files({"lib", "agent", "controller", "tests", "scripts", "docs", "charts"},
                    {".cc", ".h", ".md", ".yaml", ".txt", "setup", "demo", "test", "check"})) {
    if (file.path.rfind("tests/tidy", 0) == 0) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      EXPECT_FALSE(std::regex_search(file.lines[i], machine_path)) << file.path << ":" << i + 1;
    }
  }
}

}  // namespace
}  // namespace loglink::testing
