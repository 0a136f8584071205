// The pages of the documentation: their links lead somewhere, and what they name is there.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "tests/tidy/tree.h"

namespace loglink::testing {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kTopPages = {"README.md", "CONTRIBUTING.md", "CHANGELOG.md",
                                            "SECURITY.md"};

std::vector<SourceFile> pages() {
  std::vector<SourceFile> all = source_files({"docs", "charts"}, {".md"});
  for (const std::string& name : kTopPages) {
    SourceFile page{name, {}};
    std::istringstream text(read_text(name));
    for (std::string line; std::getline(text, line);) page.lines.push_back(line);
    all.push_back(std::move(page));
  }
  return all;
}

// As GitHub makes anchors of headings: "## What is `new`?" -> "what-is-new".
std::string anchor(const std::string& heading) {
  std::string text;
  for (const char c : heading) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_') {
      text += static_cast<char>(std::tolower(byte));
    } else if (c == ' ') {
      text += '-';
    }
  }
  return text;
}

std::set<std::string> anchors(const std::vector<std::string>& lines) {
  static const std::regex kHeading("^#+ +(.*[^ ]) *$");
  std::set<std::string> found;
  std::smatch match;
  for (const std::string& line : lines) {
    if (std::regex_match(line, match, kHeading)) found.insert(anchor(match[1]));
  }
  return found;
}

TEST(Pages, RelativeLinksLeadSomewhere) {
  static const std::regex kLink(R"(\]\(([^)\s]+)\))");
  const std::vector<SourceFile> all = pages();
  std::size_t links = 0;
  for (const SourceFile& page : all) {
    bool in_code = false;
    for (std::size_t i = 0; i < page.lines.size(); ++i) {
      const std::string& line = page.lines[i];
      if (line.find("```") != std::string::npos) in_code = !in_code;
      if (in_code || line.rfind("    ", 0) == 0) continue;
      for (std::sregex_iterator match(line.begin(), line.end(), kLink), end; match != end;
           ++match) {
        const std::string link = (*match)[1];
        if (link.find("://") != std::string::npos || link.rfind("mailto:", 0) == 0) continue;
        ++links;
        const std::string where = page.path + ":" + std::to_string(i + 1) + ": " + link;
        const std::string file = link.substr(0, link.find('#'));
        const std::string path =
            file.empty() ? page.path
                         : (fs::path(page.path).parent_path() / file).lexically_normal().string();
        EXPECT_TRUE(fs::exists(fs::path(LOGLINK_SOURCE_DIR) / path)) << where;
        if (link.find('#') == std::string::npos) continue;
        const auto target = std::find_if(all.begin(), all.end(),
                                         [&](const SourceFile& each) { return each.path == path; });
        ASSERT_NE(target, all.end()) << where;
        EXPECT_TRUE(anchors(target->lines).contains(link.substr(link.find('#') + 1))) << where;
      }
    }
  }
  EXPECT_GT(links, 50U) << "the expression no longer finds the links";
}

// A free map (limits, resources, podLabels) may have any key.
bool is_value_of_chart(YAML::Node node, const std::string& dotted) {
  std::istringstream parts(dotted);
  for (std::string part; std::getline(parts, part, '.');) {
    if (!node.IsMap()) return false;
    if (node.size() == 0) return true;
    if (!node[part]) return false;
    const YAML::Node next = node[part];
    node.reset(next);
  }
  return true;
}

TEST(Pages, EveryChartValueThatTheyNameExists) {
  // `agent.linkMode` in text, --set agent.linkMode=safe in commands.
  static const std::regex kValue(
      R"re((?:`|--set(?:-string|-json)? '?)((?:image|config|controller|agent|rbac|policies|drain|metrics)(?:\.[A-Za-z]+)+)(?=[`=:]))re");
  const YAML::Node values = YAML::Load(read_text("charts/loglink/values.yaml"));
  std::set<std::string> named;
  for (const SourceFile& page : pages()) {
    for (const std::string& line : page.lines) {
      for (std::sregex_iterator match(line.begin(), line.end(), kValue), end; match != end;
           ++match) {
        const std::string value = (*match)[1];
        if (value.size() > 5 && value.substr(value.size() - 5) == ".yaml") continue;
        named.insert(value);
        EXPECT_TRUE(is_value_of_chart(values, value)) << page.path << " names " << value;
      }
    }
  }
  EXPECT_GT(named.size(), 40U) << "the expression no longer finds the values";
}

// A page that no other page names is not found by anybody.
TEST(Pages, EachIsLinkedFromAnother) {
  const std::vector<SourceFile> all = pages();
  for (const SourceFile& page : all) {
    if (std::find(kTopPages.begin(), kTopPages.end(), page.path) != kTopPages.end()) continue;
    const std::string name = fs::path(page.path).filename().string();
    const bool is_named = std::any_of(all.begin(), all.end(), [&](const SourceFile& other) {
      return other.path != page.path &&
             std::any_of(other.lines.begin(), other.lines.end(), [&](const std::string& line) {
               return line.find(name) != std::string::npos;
             });
    });
    EXPECT_TRUE(is_named) << page.path << " is named on no other page";
  }
}

TEST(Pages, TheReadmeIsShort) {
  for (const SourceFile& page : pages()) {
    if (page.path != "README.md") continue;
    EXPECT_LT(page.lines.size(), 150U);
  }
}

}  // namespace
}  // namespace loglink::testing
