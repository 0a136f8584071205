// FilePort on a real node.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "agent/shell/directory_watcher.h"
#include "agent/shell/link_directory.h"
#include "agent/shell/state_store.h"
#include "lib/base/error.h"
#include "lib/base/unique_fd.h"
#include "lib/model/config.h"

namespace loglink {

class NodeFiles final : public FilePort {
 public:
  struct Options {
    LinkMode link_mode = LinkMode::kSafe;
    std::vector<Root> roots;
    std::string link_dir;
    std::string roots_dir;
    std::string state_dir;
    LinkDirectory::Access access = LinkDirectory::Access::kWrite;
    std::size_t max_watches = 0;  // 0: without inotify
  };
  static Options options_from(const AgentConfig& config, LinkDirectory::Access access);

  // Opens the link directory, or says in a sentence why it cannot be ours. It is not locked yet.
  static Expected<std::unique_ptr<NodeFiles>> open(Options options);

  // False as long as another agent owns the link directory; nothing can be linked until true.
  Expected<bool> try_lock();
  // Readable when take_notices() has something; -1 without inotify.
  [[nodiscard]] int notice_descriptor() const { return watcher_.descriptor(); }
  // take_notices() has something though the descriptor is not readable.
  [[nodiscard]] bool has_notices() const { return watcher_.has_notices(); }
  // Waits until what store_state() was given is written; false when that takes longer.
  bool flush_state(Duration at_most) { return state_.flush(at_most); }
  [[nodiscard]] std::string state_trouble() const { return state_.trouble(); }

  RootState check_root(const std::string& root) override;
  [[nodiscard]] std::string target_prefix(const std::string& root) const override;
  [[nodiscard]] std::vector<std::string> owned_prefixes() const override;
  FileExpected<FileInfo> stat(const std::string& root, const std::string& path) override;
  FileExpected<OpenDirectory> open_directory(const std::string& root,
                                             const std::string& path) override;
  FileExpected<std::vector<LinkEntry>> list_links() override;
  FileExpected<LinkEntry> read_link(const std::string& name) override;
  FileExpected<void> make_link(const std::string& name, const std::string& target) override;
  FileExpected<void> replace_link(const std::string& name, const std::string& old_target,
                                  const std::string& new_target) override;
  FileExpected<void> remove_link(const std::string& name, const std::string& target) override;
  FileExpected<std::int64_t> link_directory_version() override;
  FileExpected<std::uint64_t> watch(const std::string& root, const std::string& path) override;
  void unwatch(std::uint64_t watch) override;
  std::vector<FileNotice> take_notices(std::size_t max_notices) override;
  FileExpected<std::optional<std::string>> load_state(const std::string& name) override;
  void store_state(const std::string& name, std::string bytes) override;

 private:
  explicit NodeFiles(Options options);

  [[nodiscard]] const Root* find(const std::string& root) const;
  FileExpected<UniqueFd> open_root(const Root& root) const;
  // The descriptor of the last check that found the root usable.
  FileExpected<int> usable_root(const std::string& root);
  FileExpected<void> follow_link_directory();

  Options options_;
  std::map<std::string, UniqueFd> roots_;
  LinkDirectory links_;
  DirectoryWatcher watcher_;
  StateStore state_;
};

// What the descriptor's mount says about a root (O_PATH is enough).
RootState judge_root(int fd, LinkMode mode);

// "<rootsDir>/<name>/" or, direct, "<path>/".
std::string root_prefix(const Root& root, const std::string& roots_dir, LinkMode mode);

}  // namespace loglink
