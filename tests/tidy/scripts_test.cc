// What people call: each script explains itself, and does nothing else when it is asked to.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
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

}  // namespace
}  // namespace loglink::testing
