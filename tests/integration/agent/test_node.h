// A node in a temporary directory: pods with a log directory each, a link directory, and the real
// loglink-agent that keeps it, with its set from a file.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/agent/program.h"
#include "tests/integration/agent/temporary_directory.h"

namespace loglink {

struct TestPod {
  std::string name;
  std::string uid;
  std::string namespace_name = "prod";
  int max_depth = 1;
};

// What must stay the same of an entry that nobody may touch.
struct EntryStamp {
  std::uint64_t inode = 0;
  unsigned mode = 0;
  std::int64_t changed_s = 0;
  std::int64_t changed_ns = 0;

  auto operator<=>(const EntryStamp&) const = default;
};

// All zero when there is no such entry.
inline EntryStamp stamp_of(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return {};
  return {status.st_ino, status.st_mode, status.st_ctim.tv_sec, status.st_ctim.tv_nsec};
}

// A number from the environment: how long a test goes on, and the like.
inline int number_from_environment(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// This build's, or LOGLINK_AGENT: to try another build with the same tests.
inline std::string agent_program() {
  const char* const other = std::getenv("LOGLINK_AGENT");
  return other == nullptr ? LOGLINK_BINARY_DIR "/bin/loglink-agent" : other;
}

class TestNode {
 public:
  explicit TestNode(const std::string& mode = "direct", const std::string& more_config = "") {
    std::filesystem::create_directories(pods_directory());
    std::filesystem::create_directories(base_ / "run");
    write_text(base_ / "agent.yaml",
               "linkDir: " + links().string() + "\nrootsDir: " + (base_ / "run/roots").string() +
                   "\nstateDir: " + (base_ / "state").string() + "\nlinkMode: " + mode +
                   "\nmetricsAddress: \"\"\nroots: [{name: kubelet-pods, "
                   "path: " +
                   pods_directory().string() + "}]\n" + more_config);
    set_pods({});
  }

  [[nodiscard]] std::filesystem::path base() const { return base_.path(); }
  [[nodiscard]] std::filesystem::path links() const { return base_ / "run/links"; }
  [[nodiscard]] std::filesystem::path pods_directory() const { return base_ / "host/pods"; }
  [[nodiscard]] std::filesystem::path safe_root() const { return base_ / "run/roots/kubelet-pods"; }
  [[nodiscard]] static std::string path_in_root(const TestPod& pod) {
    return pod.uid + "/volumes/kubernetes.io~empty-dir/logs";
  }
  [[nodiscard]] std::filesystem::path logs(const TestPod& pod) const {
    return pods_directory() / path_in_root(pod);
  }
  [[nodiscard]] std::filesystem::path link(const TestPod& pod, const std::string& file) const {
    return links() / (pod.name + "_" + pod.namespace_name + "_app-" + file);
  }
  [[nodiscard]] bool is_linked(const TestPod& pod, const std::string& file) const {
    return read_target(link(pod, file)) == (logs(pod) / file).string();
  }
  // "" when it is no symbolic link.
  [[nodiscard]] static std::string read_target(const std::filesystem::path& link) {
    std::error_code error;
    const std::filesystem::path target = std::filesystem::read_symlink(link, error);
    return error ? "" : target.string();
  }
  // Links by name, whosever.
  [[nodiscard]] std::map<std::string, std::string> all_links() const {
    std::map<std::string, std::string> found;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(links(), error)) {
      const std::string target = read_target(entry.path());
      if (!target.empty()) found[entry.path().filename().string()] = target;
    }
    return found;
  }
  [[nodiscard]] bool has_temporary_names() const {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(links(), error)) {
      if (entry.path().filename().string().rfind(".loglink-tmp-", 0) == 0) return true;
    }
    return false;
  }

  // The wanted set, written as a whole: a reader sees the old one or the new one.
  void set_pods(const std::vector<TestPod>& pods) const {
    std::string sources;
    for (const TestPod& pod : pods) {
      sources += sources.empty() ? "" : ",";
      sources += R"({"namespace":")" + pod.namespace_name + R"(","pod":")" + pod.name +
                 R"(","uid":")" + pod.uid +
                 R"(","container":"app","root":"kubelet-pods","path":")" + path_in_root(pod) +
                 R"(","include":["*.log"],"plainNames":true,"maxDepth":)" +
                 std::to_string(pod.max_depth) + "}";
    }
    write_text(base_ / "set.new", R"({"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet",)"
                                  R"("metadata":{"name":"node-a"},"spec":{"sources":[)" +
                                      sources + "]}}");
    std::filesystem::rename(base_ / "set.new", base_ / "set.yaml");
  }

  // Commands: "run", "apply", "mount"…; the first two with the node's set.
  std::unique_ptr<Program> start(const std::string& command,
                                 const std::vector<std::string>& more_arguments = {},
                                 const std::vector<std::string>& environment = {}) {
    std::vector<std::string> arguments = {agent_program(), command, "--config",
                                          (base_ / "agent.yaml").string()};
    const std::string set = (base_ / "set.yaml").string();
    if (command == "run") arguments.insert(arguments.end(), {"--from-file", set});
    if (command == "apply") arguments.insert(arguments.end(), {"-f", set});
    arguments.insert(arguments.end(), more_arguments.begin(), more_arguments.end());
    return std::make_unique<Program>(arguments, base_.path(), command, environment);
  }

 private:
  TemporaryDirectory base_;
};

}  // namespace loglink
