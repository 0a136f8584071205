// Which file was linked under which path: so that a rotated file is not linked a second time under
// its new name, across restarts and pods.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "agent/core/file_port.h"
#include "lib/base/clock.h"

namespace loglink {

// Inode numbers are reused; together with the birth time they name one file.
struct InodeKey {
  std::string root;
  std::uint64_t inode = 0;
  std::int64_t birth_ns = 0;

  auto operator<=>(const InodeKey&) const = default;
};

// nullopt where the file system keeps no birth time: nothing can be remembered there.
std::optional<InodeKey> inode_key(const std::string& root, const FileInfo& info);

// Whose a file is, by its root and the first name of its path: below the kubelet's directory a
// pod's, elsewhere of one directory of the root.
using FileOwner = std::pair<std::string, std::string>;
// Of the root itself: {root, ""}.
FileOwner owner_of(const std::string& root, std::string_view path);

class InodeMemory {
 public:
  // Tenants choose how long paths are, and how many. Together they are less than what is read back.
  // This bound comes before kKept and whatever expire() keeps: beyond it those who have most lose
  // what they have not used for longest.
  static constexpr std::size_t kBytes = std::size_t{8} * 1024 * 1024;
  static constexpr std::size_t kEntries = 50'000;  // of usual paths
  static constexpr Duration kKept = std::chrono::hours(7 * 24);

  struct Entry {
    std::string path;  // at which the file was linked, below the key's root
    WallTime last_used{};

    auto operator<=>(const Entry&) const = default;
  };

  [[nodiscard]] const Entry* find(const InodeKey& key) const;
  // The file was linked at that path; replaces what was known.
  void remember(const InodeKey& key, std::string_view path, WallTime now);
  // The file is linked at that path: fills a gap, and keeps a known path from growing old.
  void refresh(const InodeKey& key, std::string_view path, WallTime now);
  void forget(const InodeKey& key);
  // Drops what no source has used for kKept. Files of the `unseen` may be in use where nobody could
  // look, and stay; {root, ""} stands for all below that root.
  void expire(WallTime now, const std::set<FileOwner>& unseen);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // So full that unused files should go soon, lest used ones have to.
  [[nodiscard]] bool is_crowded() const { return cost_ > kBytes / 2; }
  // Differs after each change.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  // Lines of text, versioned. decode() leaves the memory as it was and says false when the text is
  // of another version or damaged.
  [[nodiscard]] std::string encode() const;
  bool decode(std::string_view text);

 private:
  using Entries = std::map<InodeKey, Entry>;

  void put(const InodeKey& key, Entry entry);
  Entries::iterator erase(Entries::iterator entry);
  void make_room();

  Entries entries_;
  std::size_t cost_ = 0;  // of all entries
  std::uint64_t version_ = 0;
};

}  // namespace loglink
