#include "controller/core/trouble.h"

#include <string_view>

#include "lib/base/text.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

constexpr std::size_t kWatchDirBytes = 160;  // of a message; the rest is for reason and cure

std::string to_text(const Trouble& trouble) {
  std::string text;
  if (!trouble.watch_dir.empty()) text = sanitize(trouble.watch_dir, kWatchDirBytes);
  const auto add = [&text](std::string_view part) {
    if (part.empty()) return;
    if (!text.empty()) text += ": ";
    text += part;
  };
  if (trouble.reason) add(to_string(*trouble.reason));
  add(trouble.message);
  return text;
}

}  // namespace

Rank rank_of(Reason reason) {
  switch (severity(reason)) {
    case Severity::kSource:
      return Rank::kSource;
    case Severity::kLimit:
      return Rank::kLimit;
    case Severity::kMissing:
      return Rank::kMissing;
    case Severity::kFile:
      return Rank::kFile;
    case Severity::kTold:
      return Rank::kTold;
    case Severity::kSkip:
    case Severity::kCondition:
      return Rank::kNote;
  }
  __builtin_unreachable();
}

std::string to_message(const std::vector<Trouble>& troubles, std::size_t others) {
  if (troubles.empty()) return {};
  others += troubles.size() - 1;
  std::string more;
  if (others > 0) more = " (and " + std::to_string(others) + " more)";
  return sanitize(to_text(troubles.front()), limits::kMessageBytes - more.size()) + more;
}

}  // namespace loglink
