#include "tests/contract/node_file_world.h"

#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace loglink {
namespace fs = std::filesystem;

NodeFileWorld::NodeFileWorld() {
  std::string name = (fs::temp_directory_path() / "loglink-contract-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp " + name);
  base_ = name;
  fs::create_directory(base_ / "apps");
  restart_port();
}

NodeFileWorld::~NodeFileWorld() {
  files_.reset();
  std::error_code ignored;
  fs::remove_all(base_, ignored);
}

void NodeFileWorld::restart_port() {
  files_.reset();
  NodeFiles::Options options;
  options.link_mode = LinkMode::kDirect;
  options.roots = {Root{"apps", (base_ / "apps").string(), {"*"}, false}};
  options.link_dir = (base_ / "links").string();
  options.roots_dir = (base_ / "roots").string();
  options.state_dir = (base_ / "state").string();
  options.max_watches = 100;
  auto files = NodeFiles::open(options);
  if (!files) throw std::runtime_error(files.error().message);
  files_ = *std::move(files);
  const auto locked = files_->try_lock();
  if (!locked || !*locked) throw std::runtime_error("the link directory is locked");
}

fs::path NodeFileWorld::in_root(const std::string& path) const { return base_ / "apps" / path; }

void NodeFileWorld::make_directory(const std::string& path) { fs::create_directory(in_root(path)); }

void NodeFileWorld::write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(in_root(path)) << bytes;
}

void NodeFileWorld::append(const std::string& path, const std::string& bytes) {
  std::ofstream(in_root(path), std::ios::app) << bytes;
}

void NodeFileWorld::make_symlink(const std::string& path, const std::string& target) {
  fs::create_symlink(target, in_root(path));
}

void NodeFileWorld::make_fifo(const std::string& path) {
  if (::mkfifo(in_root(path).c_str(), 0644) != 0) throw std::runtime_error("mkfifo " + path);
}

void NodeFileWorld::make_hard_link(const std::string& path, const std::string& existing) {
  fs::create_hard_link(in_root(existing), in_root(path));
}

void NodeFileWorld::rename(const std::string& from, const std::string& to) {
  fs::rename(in_root(from), in_root(to));
}

void NodeFileWorld::remove(const std::string& path) { fs::remove(in_root(path)); }

void NodeFileWorld::remove_root() { fs::remove_all(base_ / "apps"); }

void NodeFileWorld::put_foreign_file(const std::string& name) {
  std::ofstream(base_ / "links" / name) << "foreign";
}

void NodeFileWorld::put_foreign_link(const std::string& name, const std::string& target) {
  fs::create_symlink(target, base_ / "links" / name);
}

void NodeFileWorld::remove_from_link_directory(const std::string& name) {
  fs::remove(base_ / "links" / name);
}

}  // namespace loglink
