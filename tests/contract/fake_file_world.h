// FileWorld of FakeFiles.
#pragma once

#include "tests/contract/file_world.h"
#include "tests/fakes/fake_files.h"

namespace loglink {

class FakeFileWorld final : public FileWorld {
 public:
  FakeFileWorld() { files_.add_root(kRoot); }

  FilePort& port() override { return files_; }
  void restart_port() override { files_.restart(); }
  void make_directory(const std::string& path) override { files_.make_directory(kRoot, path); }
  void write_file(const std::string& path, const std::string& bytes) override {
    files_.write_file(kRoot, path, bytes.size());
  }
  void append(const std::string& path, const std::string& bytes) override {
    files_.append(kRoot, path, bytes.size());
  }
  void make_symlink(const std::string& path, const std::string&) override {
    files_.make_symlink(kRoot, path);
  }
  void make_fifo(const std::string& path) override {
    files_.make_special(kRoot, path, FileKind::kFifo);
  }
  void make_hard_link(const std::string& path, const std::string& existing) override {
    files_.make_hard_link(kRoot, path, existing);
  }
  void rename(const std::string& from, const std::string& to) override {
    files_.rename(kRoot, from, to);
  }
  void remove(const std::string& path) override { files_.remove(kRoot, path); }
  void remove_root() override { files_.set_root_state(kRoot, RootState::kAbsent); }
  void put_foreign_file(const std::string& name) override { files_.put_entry({name, false, ""}); }
  void put_foreign_link(const std::string& name, const std::string& target) override {
    files_.put_entry({name, true, target});
  }
  void remove_from_link_directory(const std::string& name) override { files_.remove_entry(name); }

 private:
  static constexpr const char* kRoot = "apps";

  FakeFiles files_;
};

}  // namespace loglink
