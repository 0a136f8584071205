// What a pod's owner is told, with its weight.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lib/model/reason.h"

namespace loglink {

// What is told first: the order of Severity, then what only informs.
enum class Rank { kSource, kLimit, kMissing, kFile, kTold, kNote };

struct Trouble {
  Rank rank = Rank::kNote;
  std::optional<Reason> reason;
  std::string watch_dir;
  std::string message;
};

Rank rank_of(Reason reason);

// One line of at most limits::kMessageBytes: the first trouble, sanitized, and how many more there
// are; `others` are counted on top. "" without troubles. REQUIRES: the most severe comes first.
std::string to_message(const std::vector<Trouble>& troubles, std::size_t others);

}  // namespace loglink
