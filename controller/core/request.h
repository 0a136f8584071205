// What a pod's annotations ask for, before its volumes are looked at. The chart's admission
// policies accept and refuse the same values; tests/golden/annotation_cases.json holds both to it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/model/config.h"
#include "lib/model/reason.h"

namespace loglink {

// A watch dir (or the whole annotation: watch_dir "") that is not linked, or something told.
struct Refusal {
  std::string watch_dir;  // as the user wrote it, normalised; sanitized when shown
  Reason reason = Reason::kInvalidDirectory;
  std::string message;  // what is wrong and what to do, without the watch dir and the reason

  auto operator<=>(const Refusal&) const = default;
};

// One item of loglink/watch-dir.
struct RequestedDirectory {
  std::string text;       // as shown: "[<container>:]<directory>", normalised where it is valid
  std::string container;  // "" where the item names none
  std::string directory;  // absolute, normalised, without "." and ".."; "" where refused
  std::optional<Refusal> refusal;

  auto operator<=>(const RequestedDirectory&) const = default;
};

struct Request {
  bool requested = false;  // at least one `loglink/` key that is not an answer of ours
  std::vector<RequestedDirectory> directories;  // in the order of the annotation
  std::vector<std::string> include;
  std::vector<std::string> exclude;
  int max_depth = 1;
  // Each of these refuses the whole annotation: TooManyDirectories, NoWatchDir, InvalidPattern,
  // InvalidDepth.
  std::vector<Refusal> refusals;
  std::vector<Refusal> told;  // UnknownAnnotation

  auto operator<=>(const Request&) const = default;
};

// Any bytes are accepted. Include and maxDepth default to the configuration's.
Request parse_request(const std::map<std::string, std::string>& annotations,
                      const ControllerConfig& config);

}  // namespace loglink
