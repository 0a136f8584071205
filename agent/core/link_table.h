// What is in the link directory, as last seen, and what it points at.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/core/plan.h"

namespace loglink {

class LinkTable {
 public:
  void assign(std::vector<LinkEntry> entries) {
    targets_.clear();
    links_.clear();
    for (LinkEntry& entry : entries) set(std::move(entry));
  }
  // What a listing has shown. REQUIRES: sorted by name; otherwise it may be said to differ.
  [[nodiscard]] bool is(const std::vector<LinkEntry>& entries) const {
    return std::equal(entries.begin(), entries.end(), links_.begin(), links_.end(),
                      [](const LinkEntry& a, const auto& b) { return a == b.second; });
  }
  void set(LinkEntry entry) {
    erase(entry.name);
    std::string name = entry.name;
    const auto added = links_.emplace(std::move(name), std::move(entry)).first;
    if (added->second.is_link) ++targets_[added->second.target];
  }
  void erase(const std::string& name) {
    const auto found = links_.find(name);
    if (found == links_.end()) return;
    if (found->second.is_link) {
      const auto target = targets_.find(found->second.target);
      if (--target->second == 0) targets_.erase(target);
    }
    links_.erase(found);
  }
  [[nodiscard]] const LinkEntry* find(const std::string& name) const {
    const auto found = links_.find(name);
    if (found == links_.end()) return nullptr;
    return &found->second;
  }
  // Some link, ours or not, has that text.
  [[nodiscard]] bool has_target(const std::string& text) const {
    return targets_.find(text) != targets_.end();
  }
  [[nodiscard]] const LinkMap& links() const { return links_; }

 private:
  LinkMap links_;
  std::unordered_map<std::string, int> targets_;
};

}  // namespace loglink
