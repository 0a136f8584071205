// Which file was linked under which path: so that a rotated file is not linked a second time under
// its new name, across restarts and pods.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

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

class InodeMemory {
 public:
  // Tenants choose how long paths are, and how many. Together they are less than what is read back.
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
  // Drops what no source has used for kKept.
  void expire(WallTime now);
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
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
