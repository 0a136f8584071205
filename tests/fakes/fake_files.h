// FilePort over a file system in memory: directories, files with inode, birth and change times on a
// hand-turned clock, links, FIFOs, mounts, modes, roots, notices that can be lost, and faults at
// the n-th call of each verb. Passes the same contract as the real one (tests/contract).
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "lib/base/clock.h"

namespace loglink {

// The methods of FilePort that can fail.
enum class FileVerb {
  kCheckRoot,  // fails as kAbsent
  kStat,
  kOpenDirectory,
  kListLinks,
  kReadLink,
  kMakeLink,
  kReplaceLink,
  kRemoveLink,
  kLinkDirectoryVersion,
  kWatch,
  kLoadState,
};
inline constexpr FileVerb kAllFileVerbs[] = {
    FileVerb::kCheckRoot,   FileVerb::kStat,       FileVerb::kOpenDirectory,
    FileVerb::kListLinks,   FileVerb::kReadLink,   FileVerb::kMakeLink,
    FileVerb::kReplaceLink, FileVerb::kRemoveLink, FileVerb::kLinkDirectoryVersion,
    FileVerb::kWatch,       FileVerb::kLoadState};

class FakeFiles final : public FilePort {
 public:
  // Links point at "/run/loglink/roots/<name>/…".
  FakeFiles();

  // The world, as an administrator has it.
  void add_root(const std::string& root);
  // As in a real node, a root that was usable when it was last checked goes on showing what is in
  // it until it is checked again.
  void set_root_state(const std::string& root, RootState state);
  [[nodiscard]] RootState root_state(const std::string& root) const {
    return roots_.at(root).state;
  }
  // What stat() says when nothing fails, whatever the root's state.
  [[nodiscard]] FileExpected<FileInfo> inspect(const std::string& root,
                                               const std::string& path) const;
  void set_birth_times(const std::string& root, bool kept);
  void set_device(const std::string& root, std::uint64_t device);
  void set_target_prefix(const std::string& root, std::string prefix);
  void set_owned_prefixes(std::vector<std::string> prefixes) { owned_ = std::move(prefixes); }
  void set_watch_limit(std::size_t limit) { watch_limit_ = limit; }
  // What files made and changed from now on get as times; never moves by itself.
  void set_time(WallTime now) { now_ = now; }

  // The world, as tenants change it. Parents of new entries are made as well.
  void make_directory(const std::string& root, const std::string& path);
  // Makes or truncates; an existing file keeps its inode.
  void write_file(const std::string& root, const std::string& path, std::uint64_t size = 0);
  void append(const std::string& root, const std::string& path, std::uint64_t bytes);
  void make_symlink(const std::string& root, const std::string& path);
  void make_special(const std::string& root, const std::string& path, FileKind kind);
  void make_hard_link(const std::string& root, const std::string& path,
                      const std::string& existing);
  void rename(const std::string& root, const std::string& from, const std::string& to);
  void remove(const std::string& root, const std::string& path);  // with all below it
  void set_readable(const std::string& root, const std::string& path, bool readable);
  void set_mounted(const std::string& root, const std::string& path, bool mounted);
  // false: its name is listed, and nothing can be learned of it.
  void set_askable(const std::string& root, const std::string& path, bool askable);
  // The next new file gets that inode number: numbers are reused.
  void set_next_inode(std::uint64_t inode) { next_inode_ = inode; }
  [[nodiscard]] std::uint64_t next_inode() const { return next_inode_; }
  // Whether a name is left of what has that id: no number is used again before.
  [[nodiscard]] bool has(FileId id) const;
  [[nodiscard]] bool exists(const std::string& root, const std::string& path) const;
  // Of a directory, sorted; nullopt when there is none that can be read.
  [[nodiscard]] std::optional<std::vector<DirectoryEntry>> entries(const std::string& root,
                                                                   const std::string& path) const;

  // The link directory, as somebody else changes it.
  void put_entry(LinkEntry entry);
  void remove_entry(const std::string& name);
  [[nodiscard]] const std::map<std::string, LinkEntry>& link_directory() const { return links_; }

  // Notices.
  void overflow();                  // what is queued is lost, and the agent is told so
  void lose_notices();              // what is queued is lost, and nobody says so
  void set_notices(bool delivered)  // false: watches succeed and never say anything
  {
    notices_delivered_ = delivered;
  }
  [[nodiscard]] std::size_t watch_count() const { return watches_.size(); }

  // Faults. The `nth` call from now on (1 is the next) and the `times` - 1 after it fail.
  void fail(FileVerb verb, FileErrorKind kind, int nth = 1, int times = 1);
  void heal() { faults_.clear(); }
  [[nodiscard]] int calls(FileVerb verb) const;
  // Called before each change of the link directory and of state; may throw to play a crash.
  void set_before_change(std::function<void()> hook) { before_change_ = std::move(hook); }
  // Number of changes asked of the link directory.
  [[nodiscard]] std::uint64_t link_changes() const { return link_changes_; }
  // The agent's process is new: watches and notices are gone, everything else stays.
  void restart();
  [[nodiscard]] const std::map<std::string, std::string>& state() const { return state_; }
  void set_state(const std::string& name, std::string bytes) { state_[name] = std::move(bytes); }

  // FilePort.
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
  class Reader;
  struct Node {
    FileInfo info;
    bool readable = true;
    bool mounted = false;
    bool askable = true;
    std::map<std::string, std::shared_ptr<Node>> children;
  };
  struct RootDirectory {
    std::shared_ptr<Node> top;
    RootState state = RootState::kUsable;
    RootState checked = RootState::kUsable;  // by the last check_root()
    bool birth_times = true;
    std::uint64_t device = 1;
    std::string prefix;
  };
  struct Fault {
    FileErrorKind kind = FileErrorKind::kIo;
    int first = 1;  // counted down
    int times = 1;
  };

  std::shared_ptr<Node> new_node(const RootDirectory& root, FileKind kind);
  std::shared_ptr<Node> parent_of(const std::string& root, const std::string& path);
  void put(const std::string& root, const std::string& path, std::shared_ptr<Node> node);
  [[nodiscard]] FileExpected<std::shared_ptr<Node>> resolve(const std::string& root,
                                                            const std::string& path) const;
  [[nodiscard]] FileExpected<std::shared_ptr<Node>> resolve_for_port(const std::string& root,
                                                                     const std::string& path) const;
  std::optional<FileError> injected(FileVerb verb);
  void change_links(const std::string& name);
  void touch(Node& node) const;
  void tell(const Node* directory, FileNotice::Kind kind, const std::string& name);
  void end_watches(const Node* directory);
  void end_watches_below(const Node* directory);
  void queue(FileNotice notice);

  std::map<std::string, RootDirectory> roots_;
  std::vector<std::string> owned_ = {"/run/loglink/roots/"};
  std::map<std::string, LinkEntry> links_;
  std::int64_t links_version_ = 1;
  std::map<std::string, std::string> state_;
  std::map<std::uint64_t, std::shared_ptr<Node>> watches_;
  std::uint64_t next_watch_ = 1;
  std::size_t watch_limit_ = 1'000'000;
  std::deque<FileNotice> notices_;
  bool notices_delivered_ = true;
  std::uint64_t next_inode_ = 100;
  WallTime now_{std::chrono::seconds(1'700'000'000)};
  std::map<FileVerb, std::vector<Fault>> faults_;
  std::map<FileVerb, int> calls_;
  std::function<void()> before_change_;
  std::uint64_t link_changes_ = 0;
};

}  // namespace loglink
