// Names under attack: worlds of pods whose names, containers and files are chosen to meet, and what
// collectors read out of the result.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "lib/base/random.h"
#include "lib/model/link_name.h"

namespace loglink {
namespace {

struct Pod {
  std::string namespace_name;
  std::string name;
  std::set<std::string> containers;

  [[nodiscard]] std::string prefix() const { return name + "_" + namespace_name + "_"; }
};

struct File {
  std::size_t pod = 0;
  std::string container;
  std::string path;
  auto operator<=>(const File&) const = default;
};

std::string pick(Random& random, const std::vector<std::string>& from) {
  return from[random.below(from.size())];
}

// As the controller decides it: no other container may be called "<container>-…".
bool is_container_unambiguous(const Pod& pod, const std::string& container) {
  for (const std::string& other : pod.containers) {
    if (other.rfind(container + "-", 0) == 0) return false;
  }
  return true;
}

class World {
 public:
  explicit World(Random& random) : random_(random) {
    const std::vector<std::string> pods = {"a", "a-b", "b", "a.b", "a-b-c", "b-a"};
    const std::vector<std::string> containers = {"a", "a-b", "b", "a-b-c", "b-c", "x"};
    std::set<std::pair<std::string, std::string>> taken;
    for (int i = 0; i < 4; ++i) {
      Pod pod{pick(random_, {"n", "n-a", "a"}), pick(random_, pods), {}};
      if (!taken.emplace(pod.namespace_name, pod.name).second) continue;
      for (int c = 0; c < 3; ++c) pod.containers.insert(pick(random_, containers));
      pods_.push_back(pod);
    }
  }

  // Adds files round by round: those of later rounds are called like the links of earlier ones.
  void check(std::string_view naming) {
    for (int i = 0; i < 120; ++i) add(naming);
  }

 private:
  std::string base_name() {
    static const std::vector<std::string> kParts = {"a",    "b",   "-",        "a-b", ".",  "x",
                                                    ".log", "log", "deadbeef", "_",   "%",  "A",
                                                    "c-",   "n",   "1",        "\n",  "--", " "};
    if (!names_.empty() && random_.below(3) == 0) {
      // The tail of a name that exists, cut anywhere behind a dash or underscore.
      auto at = names_.begin();
      std::advance(at, static_cast<std::ptrdiff_t>(random_.below(names_.size())));
      const std::string& name = at->first;
      std::size_t cut = name.find_first_of("-_", random_.below(name.size()));
      cut = cut == std::string::npos ? name.find('-') : cut;
      return name.substr(cut + 1);
    }
    std::string base;
    for (std::uint64_t i = random_.below(4) + 1; i > 0; --i) base += pick(random_, kParts);
    return random_.below(2) == 0 ? base + ".log" : base;
  }

  void add(std::string_view naming) {
    File file;
    file.pod = random_.below(pods_.size());
    const Pod& pod = pods_[file.pod];
    const std::vector<std::string> containers(pod.containers.begin(), pod.containers.end());
    file.container = pick(random_, containers);
    // A container's first directory, and one that is not.
    const bool is_first = random_.below(3) != 0;
    const std::string base = base_name();
    if (base.empty() || base == "." || base == ".." || base.size() > 255) return;
    file.path = pod.name + "/" + file.container + (is_first ? "/first/" : "/second/") + base;
    const LinkTarget target{
        pod.namespace_name, pod.name,
        file.container,     "root",
        file.path,          is_first && is_container_unambiguous(pod, file.container)};
    const LinkName name = link_name(naming, target);
    ASSERT_FALSE(name.error.has_value());
    ASSERT_LE(name.text.size(), 255U);
    ASSERT_TRUE(has_link_name_form(name.text)) << name.text;
    ASSERT_EQ(name.text.find_first_of("/\n %"), std::string::npos) << name.text;
    for (std::size_t other = 0; other < pods_.size(); ++other) {
      const bool is_own = name.text.rfind(pods_[other].prefix(), 0) == 0;
      ASSERT_EQ(is_own, other == file.pod) << name.text << " could be of " << pods_[other].prefix();
    }
    const auto [known, is_new] = names_.emplace(name.text, file);
    ASSERT_TRUE(is_new || known->second == file)
        << name.text << " is both " << known->second.path << " and " << file.path;
  }

  Random& random_;
  std::vector<Pod> pods_;
  std::map<std::string, File> names_;
};

TEST(LinkNameWorld, NoTwoFilesMeetInALogfileName) {
  SeededRandom random(2026);
  for (int round = 0; round < 300 && !testing::Test::HasFatalFailure(); ++round) {
    World(random).check("logfile");
  }
}

TEST(LinkNameWorld, NoTwoFilesMeetInAKubeletName) {
  SeededRandom random(2027);
  for (int round = 0; round < 100 && !testing::Test::HasFatalFailure(); ++round) {
    World(random).check("kubelet");
  }
}

// The expressions with which collectors take names of the kubelet apart.
// Fluent Bit, plugins/filter_kubernetes/kube_regex.h, KUBE_TAG_TO_REGEX (and the same in Fluentd's
// kubernetes_metadata filter, REGEX_VAR_LOG_CONTAINERS), groups unnamed.
const std::regex kFluentBit(
    R"(([a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*)_([^_]+)_(.+)-([a-z0-9]{64})\.log$)");
// syslog-ng, scl/kubernetes: pods whose names have dots never match, not even the kubelet's own.
const std::regex kSyslogNg(R"(([a-z0-9-]+)_([a-z0-9-]+)_([a-z0-9-]+)-([a-z0-9]{64})\.log)");
// rsyslog, mmkubernetes' documented file name rule: up to `_`, up to `_`, up to `.`; what is behind
// the last dash is the id.
const std::regex kRsyslog(R"(([^_]+)_([^_]+)_([^.]+)-([^.-]+)\.log)");

std::vector<std::string> hostile_files() {
  return {"access.log",
          "Access.LOG",
          "a.b.c.log",
          "a_b_c-d.log",
          "-.log",
          ".log",
          "x",
          "caf\xc3\xa9.log",
          "a\nb.log",
          std::string(240, 'x') + ".log",
          "app.log.2026-01-01",
          std::string(64, '0') + ".log",
          "_____.log"};
}

TEST(KubeletNaming, ParsesInEveryCollectorThatReadsNames) {
  for (const std::string& file : hostile_files()) {
    const std::string path = "u/" + file;
    const LinkName name =
        link_name("kubelet", {"prod", "web-0", "app-x", "kubelet-pods", path, true});
    ASSERT_FALSE(name.error.has_value());
    for (const std::regex* expression : {&kFluentBit, &kSyslogNg, &kRsyslog}) {
      std::smatch match;
      ASSERT_TRUE(std::regex_match(name.text, match, *expression)) << name.text;
      EXPECT_EQ(match[1], "web-0");
      EXPECT_EQ(match[2], "prod");
      EXPECT_EQ(match[3].str().rfind("app-x", 0), 0U) << match[3];
      EXPECT_EQ(match[4].length(), 64);
    }
  }
}

TEST(KubeletNaming, FluentBitAlsoReadsPodsWithDots) {
  const LinkName name =
      link_name("kubelet", {"prod", "web.example-0", "app", "kubelet-pods", "u/x.log", true});
  std::smatch match;
  ASSERT_TRUE(std::regex_match(name.text, match, kFluentBit));
  EXPECT_EQ(match[1], "web.example-0");
}

TEST(LogfileNaming, NeverParsesAsAContainersLog) {
  for (const std::string& file : hostile_files()) {
    for (const bool plain : {true, false}) {
      const std::string path = "u/" + file;
      const LinkName name = link_name("logfile", {"prod", "web-0", "app", "r", path, plain});
      EXPECT_FALSE(std::regex_search(name.text, kFluentBit)) << name.text;
    }
  }
}

}  // namespace
}  // namespace loglink
