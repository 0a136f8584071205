// What the contract of FilePort is tried on: one small world of files, real or fake, with the port
// that looks at it. Paths are below the root "apps".
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/core/file_port.h"

namespace loglink {

class FileWorld {
 public:
  virtual ~FileWorld() = default;

  virtual FilePort& port() = 0;
  // As after a restart of the agent: what was not stored is gone.
  virtual void restart_port() = 0;

  virtual void make_directory(const std::string& path) = 0;
  virtual void write_file(const std::string& path, const std::string& bytes) = 0;
  virtual void append(const std::string& path, const std::string& bytes) = 0;
  virtual void make_symlink(const std::string& path, const std::string& target) = 0;
  virtual void make_fifo(const std::string& path) = 0;
  virtual void make_hard_link(const std::string& path, const std::string& existing) = 0;
  virtual void rename(const std::string& from, const std::string& to) = 0;
  virtual void remove(const std::string& path) = 0;  // a file, or an empty directory
  virtual void remove_root() = 0;                    // with all that is in it

  // In the link directory, by somebody else.
  virtual void put_foreign_file(const std::string& name) = 0;
  virtual void put_foreign_link(const std::string& name, const std::string& target) = 0;
  virtual void remove_from_link_directory(const std::string& name) = 0;
};

struct FileWorldKind {
  std::string name;
  std::function<std::unique_ptr<FileWorld>()> make;
};

}  // namespace loglink
