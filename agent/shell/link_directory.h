// The directory of our links: marker, lock, and link operations relative to its descriptor.
//
// The marker `.loglink` says that the directory is ours: its first line is the format version, each
// further line a prefix that targets of our links have started with. It is locked as long as we
// own the directory, and is only appended to (replacing it would lose the lock).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "lib/base/error.h"
#include "lib/base/unique_fd.h"

namespace loglink {

class LinkDirectory {
 public:
  enum class Access {
    kWrite,  // makes the directory and its marker
    kRead,   // changes nothing; a directory that is not there is empty
  };

  struct Prefixes {
    std::vector<std::string> used;       // what targets start with now; each ends in "/"
    std::vector<std::string> explained;  // by configuration, in any link mode
    std::string explained_below;         // so is every directory below this one (ends in "/")
  };
  LinkDirectory(std::string path, Prefixes prefixes, Access access);

  // Fails with a sentence for the admin when the directory is not, and must not become, ours.
  Expected<void> open();
  // False: another process holds it. Once true: left-over temporary names are gone and the marker
  // names the used prefixes. REQUIRES: open() was successful, Access::kWrite.
  Expected<bool> try_lock();
  [[nodiscard]] bool locked() const { return locked_; }

  // What is used now, and what the marker says was used, as far as the configuration explains it.
  [[nodiscard]] std::vector<std::string> owned_prefixes() const;
  // Of the directory; -1 when there is none (Access::kRead).
  [[nodiscard]] int descriptor() const { return directory_.get(); }

  // Opens the directory again when another one has taken its path, or it was removed. True when
  // it did. kNotOurs or kIo when the one that is there cannot be owned; each call tries again.
  FileExpected<bool> reopen_if_replaced();

  // As in FilePort.
  FileExpected<std::vector<LinkEntry>> list() const;
  FileExpected<LinkEntry> read(const std::string& name) const;
  FileExpected<void> make(const std::string& name, const std::string& target);
  FileExpected<void> replace(const std::string& name, const std::string& old_target,
                             const std::string& new_target);
  FileExpected<void> remove(const std::string& name, const std::string& target);
  FileExpected<std::int64_t> version() const;

 private:
  Expected<void> open_marker();
  Expected<void> create_marker();
  Expected<std::vector<std::string>> read_marker() const;
  Expected<void> append_prefixes();
  Expected<void> remove_temporaries();
  FileExpected<bool> restore_marker();
  [[nodiscard]] bool is_writable() const { return access_ == Access::kWrite && locked_; }

  std::string path_;
  Prefixes prefixes_;
  Access access_;
  UniqueFd directory_;
  UniqueFd marker_;
  bool locked_ = false;
  std::vector<std::string> marked_prefixes_;
  std::uint64_t next_temporary_ = 1;
};

// Makes a directory and its missing parents, 0755.
Expected<void> make_directories(const std::string& path);

}  // namespace loglink
