// FileWorld of a temporary directory and NodeFiles in direct mode.
#pragma once

#include <filesystem>
#include <memory>

#include "agent/shell/node_files.h"
#include "tests/contract/file_world.h"

namespace loglink {

class NodeFileWorld final : public FileWorld {
 public:
  NodeFileWorld();
  ~NodeFileWorld() override;

  FilePort& port() override { return *files_; }
  void restart_port() override;
  void make_directory(const std::string& path) override;
  void write_file(const std::string& path, const std::string& bytes) override;
  void append(const std::string& path, const std::string& bytes) override;
  void make_symlink(const std::string& path, const std::string& target) override;
  void make_fifo(const std::string& path) override;
  void make_hard_link(const std::string& path, const std::string& existing) override;
  void rename(const std::string& from, const std::string& to) override;
  void remove(const std::string& path) override;
  void remove_root() override;
  void put_foreign_file(const std::string& name) override;
  void put_foreign_link(const std::string& name, const std::string& target) override;
  void remove_from_link_directory(const std::string& name) override;

 private:
  [[nodiscard]] std::filesystem::path in_root(const std::string& path) const;

  std::filesystem::path base_;
  std::unique_ptr<NodeFiles> files_;
};

}  // namespace loglink
