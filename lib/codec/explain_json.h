// What `loglink-controller explain -o json` prints.
#pragma once

#include <string>
#include <vector>

#include "lib/model/node_link_set.h"

namespace loglink {

struct ExplainedRefusal {
  std::string watch_dir;
  std::string reason;
  std::string message;
};

// What refuses nothing. `reason` may be "".
using ExplainedNote = ExplainedRefusal;

struct ExplainedPodText {
  std::string namespace_name;
  std::string pod;
  std::string status;
  std::string message;
  std::vector<ExplainedRefusal> refusals;
  std::vector<ExplainedNote> notes;
  bool of_workload = false;  // one of a workload's pods, whose names go on after a dash
};

// What is said of the file besides.
struct ExplainedFile {
  std::vector<std::string> notes;    // what was meant for loglink and does nothing
  std::vector<std::string> skipped;  // objects that are no pods
};

// {"nodeLinkSets": [...], "pods": [...], "notes": [...], "skipped": [...]}; bytes that are no UTF-8
// are replaced.
std::string explanation_to_json(const std::vector<NodeLinkSet>& sets,
                                const std::vector<ExplainedPodText>& pods,
                                const ExplainedFile& file);

}  // namespace loglink
