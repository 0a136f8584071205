// What the simulator knows of a pod, and what it asks for by rules of its own: the oracle does not
// share the production code's resolution, globs or names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace loglink::sim {

inline constexpr const char* kPodsRoot = "kubelet-pods";
inline constexpr const char* kAppsRoot = "apps";  // of hostPath volumes: /data/apps
inline constexpr const char* kTargetPrefix = "/run/loglink/roots/";

// Every pod has containers `app` (an emptyDir at /logs, a hostPath at /data) and `side` (an
// emptyDir at /aux).
struct PodFact {
  std::string namespace_name;
  std::string name;
  std::string uid;
  std::string node;
  std::string host_directory;      // of its hostPath volume, below the root
  std::vector<std::string> items;  // of loglink/watch-dir; empty: not annotated
  std::string include = "*.log";
  int max_depth = 1;
  bool finished = false;
  bool terminating = false;

  [[nodiscard]] bool annotated() const { return !items.empty(); }
};

// One item of the annotation on the host.
struct Asked {
  std::string container;
  std::string root;
  std::string path;
  bool first = false;  // of its container
  bool refused = false;
};

std::vector<Asked> asked_by(const PodFact& pod);

// "*" and "?" only, byte by byte.
bool matches(std::string_view pattern, std::string_view text);

struct TargetText {
  std::string root;
  std::string path;
};
// Of a link's target that is as it must be: below the root of a known name, without "..".
bool parse_target(std::string_view target, TargetText& parsed);

// Levels of `path` below `directory`: 1 is directly in it, 0 is not below it.
int level_below(std::string_view directory, std::string_view path);

enum class NameForm { kNone, kPlain, kHashed };
// Of a link's name that belongs to that pod, container and file; kNone if it does not.
NameForm name_form(std::string_view name, std::string_view pod, std::string_view namespace_name,
                   std::string_view container, std::string_view file);
// Whether a file of that base name may have a plain link.
bool may_be_plain(std::string_view file);

}  // namespace loglink::sim
