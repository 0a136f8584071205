// Names of links, for every naming scheme (docs/reference/names.md). A name depends on the pod, the
// container and the target alone, never on what other files exist. The rules of a naming value
// never change once released.
//
//   logfile   <pod>_<namespace>_<container>-<logfile>.log, or with -<8 hex> before .log where the
//             plain name could be ambiguous or illegal
//   kubelet   <pod>_<namespace>_<container>-<logfile>-<64 hex>.log, which collectors that read the
//             kubelet's names can take apart
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace loglink {

// REQUIRES: the names are as the CRD holds them: namespace and container are DNS labels, pod
// consists of a-z 0-9 - . with a letter or digit at both ends. No two pods can meet in a name
// because `_` is in none of them.
struct LinkTarget {
  std::string_view namespace_name;
  std::string_view pod;
  std::string_view container;
  std::string_view root;           // the root's name
  std::string_view relative_path;  // of the file, below the root; its base name is the log file's
  bool plain_allowed = false;      // directly in a source with plainNames
};

enum class NameError { kNameTooLong, kUnknownNaming };

struct LinkName {
  std::string text;  // "" on error
  std::optional<NameError> error;
};

LinkName link_name(std::string_view naming, const LinkTarget& target);

// True for a name that link_name could have made (for some pod): ownership of a link is decided by
// its name's form and its target's prefix.
bool has_link_name_form(std::string_view name);

bool is_known_naming(std::string_view naming);

}  // namespace loglink
