// What people call: each script explains itself, and does nothing else when it is asked to.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/tidy/tree.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;

std::string output_of(const std::string& command) {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string output;
  std::array<char, 4096> part{};
  while (pipe != nullptr && fgets(part.data(), part.size(), pipe.get()) != nullptr) {
    output += part.data();
  }
  return output;
}

// Those that are run, not those that others source.
std::vector<std::string> scripts() {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(fs::path(LOGLINK_SOURCE_DIR) / "scripts")) {
    const bool runs = (entry.status().permissions() & fs::perms::owner_exec) != fs::perms::none;
    if (runs) names.push_back(entry.path().filename().string());
  }
  return names;
}

TEST(Scripts, HelpIsTheCommentAtTheirHead) {
  ASSERT_FALSE(scripts().empty());
  for (const std::string& name : scripts()) {
    const std::string text = read_text("scripts/" + name);
    const std::string second_line = text.substr(text.find('\n') + 1);
    ASSERT_EQ(second_line.substr(0, 2), "# ") << name;
    const std::string first_of_help = second_line.substr(2, second_line.find('\n') - 1);
    for (const std::string flag : {"--help", "-h"}) {
      const std::string help =
          output_of("timeout 10 " + (fs::path(LOGLINK_SOURCE_DIR) / "scripts" / name).string() +
                    " " + flag + " 2>&1");
      EXPECT_EQ(help.substr(0, first_of_help.size()), first_of_help) << name << " " << flag;
      EXPECT_EQ(help.find("==>"), std::string::npos) << name << " did something";
    }
  }
}

// A misspelled word must not begin what takes minutes, or something else.
TEST(Scripts, RefuseAnArgumentThatTheyDoNotKnowBeforeTheyDoAnything) {
  for (const auto& [call, named] : {std::pair("demo --fast", "\"--fast\""),
                                    {"setup --chekc", "\"--chekc\""},
                                    {"check tets", "\"tets\""},
                                    {"check-chart --wrong", "\"--wrong\""},
                                    {"control-plane uq DIR", "up DIR"},
                                    {"chaos --lnog", "\"--lnog\""},
                                    {"coverage --html", "\"--html\""},
                                    {"e2e volumse", "\"volumse\""}}) {
    const std::string output = output_of("timeout 10 " LOGLINK_SOURCE_DIR "/scripts/" +
                                         std::string(call) + " 2>&1; echo \"exit code $?\"");
    EXPECT_NE(output.find(named), std::string::npos) << call << ": " << output;
    EXPECT_NE(output.find("usage: scripts/"), std::string::npos) << call << ": " << output;
    EXPECT_NE(output.find("exit code 1"), std::string::npos) << call << ": " << output;
    EXPECT_EQ(output.find("==>"), std::string::npos) << call << ": " << output;
  }
}

// What scripts/test and the gate count: a test that was skipped has not passed.
TEST(Scripts, SkippedTestsAreNamedWithTheirReasonAndNotCountedAsPassed) {
  std::string folder = (fs::temp_directory_path() / "loglink-results-XXXXXX").string();
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  const auto write = [&](const std::string& program, const std::string& counts,
                         const std::string& cases) {
    std::ofstream(fs::path(folder) / (program + ".xml"))
        << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites " << counts
        << " disabled=\"0\" errors=\"0\" time=\"0\" name=\"AllTests\">\n"
        << cases << "</testsuites>\n";
  };
  const auto report = [&](int programs, int status) {
    return output_of("bash -c '. \"" LOGLINK_SOURCE_DIR "/scripts/common.sh\"; report_results \"" +
                     folder + "\" " + std::to_string(programs) + " " + std::to_string(status) +
                     "; echo \"exit code $?\"' 2>&1");
  };
  const std::string skipped =
      "      <skipped message=\"tests/a_test.cc:26&#x0A;needs a "
      "&quot;server&quot;\"><![CDATA[x\n]]>"
      "</skipped>\n";
  write("a_test", R"(tests="7" failures="0")", skipped + skipped);
  EXPECT_EQ(report(1, 0), "skipped: 2 (needs a \"server\")\n5 passed, 0 failed\nexit code 0\n");
  write("b_test", R"(tests="4" failures="1")", "");
  EXPECT_EQ(report(2, 8), "skipped: 2 (needs a \"server\")\n8 passed, 1 failed\nexit code 1\n");
  fs::remove(fs::path(folder) / "a_test.xml");
  fs::remove(fs::path(folder) / "b_test.xml");
  write("c_test", R"(tests="1" failures="0")", "");
  EXPECT_EQ(report(2, 0), "2 passed, 0 failed\nexit code 0\n") << "one is no GoogleTest";
  EXPECT_EQ(report(2, 8), "1 passed, 1 failed\nexit code 1\n") << "one crashed";
  fs::remove_all(folder);
}

}  // namespace
}  // namespace loglink::testing
