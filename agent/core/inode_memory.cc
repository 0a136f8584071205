#include "agent/core/inode_memory.h"

#include <algorithm>
#include <charconv>
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

const InodeMemory::Entry* InodeMemory::find(const InodeKey& key) const {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  return &found->second;
}

void InodeMemory::remember(const InodeKey& key, std::string_view path, WallTime now) {
  if (entries_.size() >= kEntries && entries_.find(key) == entries_.end()) make_room();
  entries_[key] = Entry{std::string(path), now};
  ++version_;
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
  if (entries_.erase(key) > 0) ++version_;
}

void InodeMemory::expire(WallTime now) {
  // Written when the clock was ahead: they would outlive all others.
  for (auto& [key, entry] : entries_) entry.last_used = std::min(entry.last_used, now);
  const std::size_t erased = std::erase_if(
      entries_, [now](const auto& each) { return now - each.second.last_used > kKept; });
  if (erased > 0) ++version_;
}

// The longest unused tenth goes at once, so that a full memory costs one pass per 5,000 files.
void InodeMemory::make_room() {
  std::vector<WallTime> times;
  times.reserve(entries_.size());
  for (const auto& [key, entry] : entries_) times.push_back(entry.last_used);
  const auto tenth = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 10);
  std::nth_element(times.begin(), tenth, times.end());
  const WallTime oldest_kept = *tenth;
  std::size_t wanted = entries_.size() / 10 + 1;
  // Strictly older ones first; equal ones only as far as needed.
  for (const bool equal_too : {false, true}) {
    for (auto each = entries_.begin(); each != entries_.end() && wanted > 0;) {
      const WallTime used = each->second.last_used;
      if (used < oldest_kept || (equal_too && used == oldest_kept)) {
        each = entries_.erase(each);
        --wanted;
      } else {
        ++each;
      }
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
  std::map<InodeKey, Entry> entries;
  while (!text.empty()) {
    InodeKey key;
    Entry entry;
    if (!read_line(take_until(text, '\n'), key, entry)) return false;
    if (entries.size() < kEntries) entries[std::move(key)] = std::move(entry);
  }
  entries_ = std::move(entries);
  ++version_;
  return true;
}

}  // namespace loglink
