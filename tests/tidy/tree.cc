#include "tests/tidy/tree.h"

#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace loglink::testing {
namespace fs = std::filesystem;

std::string read_text(const std::string& path_from_top) {
  const std::ifstream file(fs::path(LOGLINK_SOURCE_DIR) / path_from_top);
  if (!file) throw std::runtime_error("cannot read " + path_from_top);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<SourceFile> source_files(const std::vector<std::string>& folders,
                                     const std::vector<std::string>& endings) {
  std::vector<SourceFile> files;
  for (const std::string& folder : folders) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(LOGLINK_SOURCE_DIR) / folder)) {
      const std::string name = entry.path().filename().string();
      const bool wanted = std::any_of(endings.begin(), endings.end(), [&](const std::string& end) {
        return name.size() >= end.size() &&
               name.compare(name.size() - end.size(), end.size(), end) == 0;
      });
      if (!wanted || !entry.is_regular_file()) continue;
      SourceFile file;
      file.path = fs::relative(entry.path(), LOGLINK_SOURCE_DIR).string();
      std::istringstream text(read_text(file.path));
      for (std::string line; std::getline(text, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::vector<Include> includes_of(const SourceFile& file) {
  static const std::regex kInclude(R"re(^\s*#\s*include\s*([<"])([^">]+)[">].*)re");
  std::vector<Include> includes;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::smatch match;
    if (std::regex_match(file.lines[i], match, kInclude)) {
      includes.push_back({i + 1, match[2], match[1] == "\""});
    }
  }
  return includes;
}

}  // namespace loglink::testing
