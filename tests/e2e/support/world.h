// One small cluster for a test: an API server (the embedded one, or a real one that
// LOGLINK_TEST_KUBECONFIG names), one node as folders below a temporary directory, and the two
// programs on it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/support/api_client.h"
#include "tests/e2e/support/program.h"

namespace loglink::testing {

class World {
 public:
  World();
  // On an API server that the test owns and that runs now.
  explicit World(std::string kubeconfig);
  ~World();

  [[nodiscard]] ApiClient& api() { return *api_; }
  [[nodiscard]] const std::string& node() const { return node_; }
  [[nodiscard]] std::string kubeconfig() const { return kubeconfig_; }
  [[nodiscard]] std::filesystem::path path(const std::string& below) const { return base_ / below; }
  [[nodiscard]] std::filesystem::path links() const { return base_ / "run/links"; }

  // Unique in the API server, which tests share: "<name>-<run>".
  [[nodiscard]] std::string unique(const std::string& name) const { return name + "-" + run_; }

  // A pod with one container "app"; volumes and mounts as in the API. Returns its uid.
  std::string create_pod(const std::string& name, const std::string& node, const Json& annotations,
                         const Json& volumes, const Json& mounts);
  void delete_pod(const std::string& name);
  std::optional<Json> pod(const std::string& name);
  // "" when the pod or the annotation is not there.
  std::string annotation(const std::string& pod, const std::string& key);
  std::optional<Json> node_link_set();

  // The directory that the kubelet would have made for an emptyDir.
  [[nodiscard]] std::filesystem::path empty_dir(const std::string& uid,
                                                const std::string& volume) const;

  void start_controller(const std::string& use_kubeconfig = "");
  void start_agent(const std::string& use_kubeconfig = "");
  [[nodiscard]] Program& controller() { return *controller_; }
  [[nodiscard]] Program& agent() { return *agent_; }
  void stop_programs();

  // The body of GET /readyz, with its status: "200 ok".
  [[nodiscard]] std::string readyz(const std::string& program) const;

  // Names in the link directory that are links, sorted.
  [[nodiscard]] std::vector<std::string> link_names() const;

 private:
  void set_up();
  void write_configurations();

  std::filesystem::path base_;
  std::string run_;
  std::string node_;
  std::string kubeconfig_;
  int controller_port_ = 0;
  int agent_port_ = 0;
  std::unique_ptr<Program> embedded_;
  std::unique_ptr<ApiClient> api_;
  std::unique_ptr<Program> controller_;
  std::unique_ptr<Program> agent_;
  std::vector<std::string> pods_;
};

void write_file(const std::filesystem::path& path, const std::string& text);
void append_file(const std::filesystem::path& path, const std::string& text);
std::string read_file(const std::filesystem::path& path);
// On 127.0.0.1. http_get: the whole answer, "" when there is none.
int free_port();
std::string http_get(int port, const std::string& path);
std::uint64_t link_inode(const std::filesystem::path& link);

}  // namespace loglink::testing
