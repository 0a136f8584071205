#include "agent/core/source_check.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

AgentConfig config() {
  AgentConfig made;
  made.link_dir = "/var/log/links";
  made.roots = {Root{kPods, "/var/lib/kubelet/pods", {"*"}, false},
                Root{"logs", "/var/log", {"*"}, false}, Root{"own", "/data/own", {"*"}, true},
                Root{"team", "/data/team", {"red"}, false}, Root{"data", "/data", {"*"}, false}};
  return made;
}

Source in(const std::string& root, const std::string& path) {
  Source source = host_source("web-0", path);
  source.root = root;
  return source;
}

struct Case {
  std::string what;
  std::function<void(Source&)> change;
  std::optional<Reason> reason;
  bool keeps_links = false;
};

TEST(SourceCheck, RefusesWhatAControllerMayNotAsk) {
  const std::vector<Case> cases = {
      {"an emptyDir", [](Source&) {}, std::nullopt},
      {"below an emptyDir", [](Source& s) { s.path += "/deep/er"; }, std::nullopt},
      {"another pod's uid",
       [](Source& s) { s.path = "uid-other/volumes/kubernetes.io~empty-dir/logs"; },
       Reason::kPathNotSupported},
      {"another kind of volume",
       [](Source& s) { s.path = s.uid + "/volumes/kubernetes.io~secret/token"; },
       Reason::kPathNotSupported},
      {"no volume", [](Source& s) { s.path = s.uid + "/volumes/kubernetes.io~empty-dir"; },
       Reason::kPathNotSupported},
      {"an empty volume name",
       [](Source& s) { s.path = s.uid + "/volumes/kubernetes.io~empty-dir/"; },
       Reason::kPathNotSupported},
      {"the root of all pods", [](Source& s) { s.path = ""; }, Reason::kPathNotSupported},
      {"..", [](Source& s) { s = in("logs", "apps/../secret"); }, Reason::kPathNotSupported},
      {"absolute", [](Source& s) { s = in("logs", "/etc"); }, Reason::kPathNotSupported},
      {"a forged name", [](Source& s) { s.pod = "../x"; }, Reason::kPathNotSupported},
      {"no patterns", [](Source& s) { s.include.clear(); }, Reason::kPathNotSupported},
      {"too deep", [](Source& s) { s.max_depth = 17; }, Reason::kPathNotSupported},
      {"unknown naming", [](Source& s) { s.naming = "haiku"; }, Reason::kAgentTooOld, true},
      {"unknown feature", [](Source& s) { s.required_features = {"x"}; }, Reason::kAgentTooOld,
       true},
      {"links that are to go at once", [](Source& s) { s.required_features = {"remove-now"}; },
       std::nullopt},
      {"a known and an unknown feature",
       [](Source& s) {
         s.required_features = {"remove-now", "x"};
       },
       Reason::kAgentTooOld, true},
      {"another root inside this one", [](Source& s) { s = in("data", "team"); },
       Reason::kUnknownRoot},
      {"below another root inside this one", [](Source& s) { s = in("data", "own/prod/x"); },
       Reason::kUnknownRoot},
      {"beside the roots inside this one", [](Source& s) { s = in("data", "teams"); },
       std::nullopt},
      {"unknown root", [](Source& s) { s = in("nowhere", "d"); }, Reason::kUnknownRoot, true},
      {"a root's own namespace", [](Source& s) { s = in("own", "prod/web"); }, std::nullopt},
      {"another namespace's part", [](Source& s) { s = in("own", "production"); },
       Reason::kUnknownRoot},
      {"all namespaces' parts", [](Source& s) { s = in("own", ""); }, Reason::kUnknownRoot},
      {"a root for others", [](Source& s) { s = in("team", "d"); }, Reason::kUnknownRoot},
      {"pods' own logs", [](Source& s) { s = in("logs", "pods/x"); }, Reason::kDirectoryReserved},
      {"a neighbour of pods", [](Source& s) { s = in("logs", "pods-of-mine"); }, std::nullopt},
      {"the link directory", [](Source& s) { s = in("logs", "links"); },
       Reason::kDirectoryReserved},
      {"below the link directory", [](Source& s) { s = in("logs", "links/app"); }, std::nullopt},
  };
  for (const Case& each : cases) {
    Source source = empty_dir_source("web-0");
    each.change(source);
    const std::optional<SourceRefusal> refusal = check_source(source, config());
    ASSERT_EQ(refusal.has_value(), each.reason.has_value()) << each.what;
    if (!refusal) continue;
    EXPECT_EQ(refusal->reason, *each.reason) << each.what << ": " << refusal->message;
    EXPECT_EQ(refusal->keeps_links, each.keeps_links) << each.what;
    EXPECT_FALSE(refusal->message.empty()) << each.what;
  }
}

}  // namespace
}  // namespace loglink
