// A directory that is being read, piece by piece.
#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "agent/core/target.h"

namespace loglink {

class DirectoryScan {
 public:
  // Keeps at most `most` entries.
  DirectoryScan(Target directory, OpenDirectory opened, std::size_t most);

  [[nodiscard]] const Target& directory() const { return directory_; }
  // The directory itself, before the first entry was read.
  [[nodiscard]] const FileInfo& info() const { return info_; }
  // Reads on; returns how many entries were read.
  FileExpected<std::size_t> read_piece(std::size_t max_entries);
  [[nodiscard]] bool is_done() const { return is_done_; }
  // There are entries beyond `most`.
  [[nodiscard]] bool is_truncated() const { return is_truncated_; }
  // Whatever was read of that entry may be old.
  void note_change(std::string name) { changed_meanwhile_.insert(std::move(name)); }

  // REQUIRES: is_done(). Sorted by name, each name once.
  std::vector<DirectoryEntry> take_entries();
  std::set<std::string> take_changed_meanwhile() { return std::move(changed_meanwhile_); }
  // What these entries are now, or that they are gone. REQUIRES: is_done().
  void amend(const std::map<std::string, std::optional<FileInfo>, std::less<>>& changed);

 private:
  Target directory_;
  std::unique_ptr<DirectoryReader> reader_;
  FileInfo info_;
  std::size_t most_;
  std::vector<DirectoryEntry> entries_;  // so far, sorted
  bool is_done_ = false;
  bool is_truncated_ = false;
  std::set<std::string> changed_meanwhile_;
};

}  // namespace loglink
