#include "agent/core/inode_memory.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace loglink {
namespace {

constexpr std::string_view kHeader = "loglink-inodes 1";
// Rewriting the file only because an entry is still in use would be a write per rescan.
constexpr Duration kRefreshAfter = std::chrono::hours(1);

// Tenants choose paths: blanks, line ends and "%" are written as %XX, everything else as it is.
std::string escape(std::string_view path) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || c == '%') {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 0xfU];
    } else {
      out += c;
    }
  }
  return out;
}

// Of an entry, as encode() writes it: three numbers and the path, or more for a short one, so that
// kBytes bounds the number too.
std::size_t cost_of(const InodeKey& key, std::string_view path) {
  constexpr std::size_t kNumbers = 56;
  const auto escaped = static_cast<std::size_t>(std::count_if(path.begin(), path.end(), [](char c) {
    return static_cast<unsigned char>(c) <= 0x20 || c == '%';
  }));
  return std::max(InodeMemory::kBytes / InodeMemory::kEntries + 1,
                  key.root.size() + kNumbers + path.size() + 2 * escaped);
}

// How much each may keep when all together keep `allowed`: what little ones leave, large ones
// share.
std::size_t fair_share(std::vector<std::size_t> costs, std::size_t allowed) {
  std::sort(costs.begin(), costs.end());
  std::size_t left = costs.size();
  for (const std::size_t cost : costs) {
    if (cost > allowed / left) return allowed / left;
    allowed -= cost;
    --left;
  }
  return costs.empty() ? 0 : costs.back();
}

std::optional<std::string> unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    if (i + 2 >= text.size()) return std::nullopt;
    const char* const end = text.data() + i + 3;
    if (std::from_chars(text.data() + i + 1, end, value, 16).ptr != end) return std::nullopt;
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), number);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

std::string_view take_until(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view piece = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

// "<root> <inode> <birth> <last used, seconds> <path>"
bool read_line(std::string_view line, InodeKey& key, InodeMemory::Entry& entry) {
  key.root = std::string(take_until(line, ' '));
  std::int64_t seconds = 0;
  if (key.root.empty() || !read_number(take_until(line, ' '), key.inode) ||
      !read_number(take_until(line, ' '), key.birth_ns) ||
      !read_number(take_until(line, ' '), seconds)) {
    return false;
  }
  constexpr std::int64_t kFarthest = 1LL << 33;  // seconds; keeps the nanoseconds in range
  if (seconds < 0 || seconds > kFarthest) return false;
  std::optional<std::string> path = unescape(line);
  if (!path || path->empty()) return false;
  entry.path = std::move(*path);
  entry.last_used = WallTime(std::chrono::seconds(seconds));
  return true;
}

}  // namespace

std::optional<InodeKey> inode_key(const std::string& root, const FileInfo& info) {
  if (!info.birth_ns) return std::nullopt;
  return InodeKey{root, info.id.inode, *info.birth_ns};
}

FileOwner owner_of(const std::string& root, std::string_view path) {
  return {root, std::string(path.substr(0, path.find('/')))};
}

const InodeMemory::Entry* InodeMemory::find(const InodeKey& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  return &found->second;
}

void InodeMemory::remember(const InodeKey& key, std::string_view path, WallTime now) {
  forget(key);
  put(key, Entry{std::string(path), now});
  if (cost_ > kBytes) make_room();
  ++version_;
}

void InodeMemory::put(const InodeKey& key, Entry entry) {
  cost_ += cost_of(key, entry.path);
  entries_[key] = std::move(entry);
}

void InodeMemory::refresh(const InodeKey& key, std::string_view path, WallTime now) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) {
    remember(key, path, now);
  } else if (now - found->second.last_used >= kRefreshAfter) {
    found->second.last_used = now;
    ++version_;
  }
}

void InodeMemory::forget(const InodeKey& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  erase(found);
  ++version_;
}

InodeMemory::Entries::iterator InodeMemory::erase(Entries::iterator entry) {
  cost_ -= cost_of(entry->first, entry->second.path);
  return entries_.erase(entry);
}

void InodeMemory::expire(WallTime now, const std::set<FileOwner>& unseen) {
  const auto may_be_in_use = [&unseen](const InodeKey& key, const Entry& entry) {
    return unseen.count({key.root, ""}) > 0 || unseen.count(owner_of(key.root, entry.path)) > 0;
  };
  for (auto each = entries_.begin(); each != entries_.end();) {
    // Written when the clock was ahead: they would outlive all others.
    each->second.last_used = std::min(each->second.last_used, now);
    if (now - each->second.last_used > kKept && !may_be_in_use(each->first, each->second)) {
      each = erase(each);
      ++version_;
    } else {
      ++each;
    }
  }
}

// A tenth goes at once, so that a full memory costs one pass per 5,000 files: of those who have
// most, what they have not used for longest. One tenant's files never push another's few out.
void InodeMemory::make_room() {
  struct Share {
    std::vector<Entries::iterator> entries;
    std::size_t cost = 0;
  };
  std::map<FileOwner, Share> shares;
  for (auto each = entries_.begin(); each != entries_.end(); ++each) {
    Share& share = shares[owner_of(each->first.root, each->second.path)];
    share.entries.push_back(each);
    share.cost += cost_of(each->first, each->second.path);
  }
  std::vector<std::size_t> costs;
  for (const auto& [owner, share] : shares) costs.push_back(share.cost);
  const std::size_t most = fair_share(std::move(costs), kBytes - kBytes / 10);
  for (auto& [owner, share] : shares) {
    if (share.cost <= most) continue;
    std::sort(share.entries.begin(), share.entries.end(), [](const auto& a, const auto& b) {
      return a->second.last_used < b->second.last_used;
    });
    for (const auto& entry : share.entries) {
      if (share.cost <= most) break;
      share.cost -= cost_of(entry->first, entry->second.path);
      erase(entry);
    }
  }
}

std::string InodeMemory::encode() const {
  std::string text(kHeader);
  text += '\n';
  for (const auto& [key, entry] : entries_) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(entry.last_used.time_since_epoch());
    text += key.root + ' ' + std::to_string(key.inode) + ' ' + std::to_string(key.birth_ns) + ' ' +
            std::to_string(seconds.count()) + ' ' + escape(entry.path) + '\n';
  }
  return text;
}

bool InodeMemory::decode(std::string_view text) {
  if (take_until(text, '\n') != kHeader) return false;
  InodeMemory read;
  while (!text.empty()) {
    InodeKey key;
    Entry entry;
    if (!read_line(take_until(text, '\n'), key, entry)) return false;
    if (read.cost_ + cost_of(key, entry.path) <= kBytes) {
      read.forget(key);
      read.put(key, std::move(entry));
    }
  }
  entries_ = std::move(read.entries_);
  cost_ = read.cost_;
  ++version_;
  return true;
}

}  // namespace loglink
