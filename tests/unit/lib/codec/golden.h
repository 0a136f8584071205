// Answers of a real API server, recorded once.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace loglink {

inline std::string golden(const std::string& name) {
  const std::string path = std::string(LOGLINK_SOURCE_DIR) + "/tests/golden/" + name;
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

inline std::vector<std::string> golden_lines(const std::string& name) {
  std::istringstream text(golden(name));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  EXPECT_FALSE(lines.empty()) << name;
  return lines;
}

}  // namespace loglink
