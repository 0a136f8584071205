// What is wrong with a source's directories, apart from its files, in words for the pod's owner.
#pragma once

#include <cstddef>
#include <string>

#include "agent/core/file_port.h"
#include "agent/core/plan.h"
#include "lib/model/reason.h"

namespace loglink {

struct DirectoryTrouble {
  Reason reason = Reason::kReadError;
  std::string example;  // the directory, what is wrong, the cure; not sanitized

  auto operator<=>(const DirectoryTrouble&) const = default;
};

// Whether a file below can be there at all, as far as the error tells.
DirectoryKnowledge knowledge_after(FileErrorKind error);

DirectoryTrouble cannot_be_read(const std::string& directory, FileErrorKind error);
// Some entry may be a directory that should be entered.
DirectoryTrouble has_unknown_entry(const std::string& directory);
DirectoryTrouble has_too_many_files(const std::string& directory, int most);
DirectoryTrouble is_not_watched(const std::string& directory);
DirectoryTrouble has_too_many_subdirectories(const std::string& directory, int most);

}  // namespace loglink
