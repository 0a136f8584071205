// Finds what a list has of one pod without a look at all of it: a node's object has up to a
// thousand entries, and a tenant can bind ten times as many pods to the node.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>
#include <vector>

namespace loglink {

// Positions in a list of values with a `uid`, by uid; those of one uid in the list's order. It
// knows nothing of the list itself, which may move, but must not change meanwhile.
class UidIndex {
 public:
  UidIndex() = default;

  template <class T>
  explicit UidIndex(const std::vector<T>& list) : positions_(list.size()) {
    std::iota(positions_.begin(), positions_.end(), 0U);
    std::stable_sort(positions_.begin(), positions_.end(),
                     [&](std::uint32_t a, std::uint32_t b) { return list[a].uid < list[b].uid; });
  }

  // REQUIRES: made of `list`. Valid as long as the index is.
  template <class T>
  [[nodiscard]] std::span<const std::uint32_t> find(const std::vector<T>& list,
                                                    std::string_view uid) const {
    const auto first = std::lower_bound(
        positions_.begin(), positions_.end(), uid,
        [&](std::uint32_t position, std::string_view value) { return list[position].uid < value; });
    auto last = first;
    while (last != positions_.end() && list[*last].uid == uid) ++last;
    return {first, last};
  }

 private:
  std::vector<std::uint32_t> positions_;
};

}  // namespace loglink
