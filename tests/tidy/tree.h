// The source tree as text, for tests of the tree itself.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace loglink::testing {

struct SourceFile {
  std::string path;  // from the top of the tree: "lib/base/text.cc"
  std::vector<std::string> lines;
};

// Files below the given folders whose names end in one of the given endings, sorted by path.
std::vector<SourceFile> source_files(const std::vector<std::string>& folders,
                                     const std::vector<std::string>& endings = {".cc", ".h"});

std::string read_text(const std::string& path_from_top);

// The path of each #include "..." and #include <...> of a file.
struct Include {
  std::size_t line = 0;  // from 1
  std::string path;
  bool quoted = false;
};
std::vector<Include> includes_of(const SourceFile& file);

}  // namespace loglink::testing
