// The etcd and kube-apiserver that scripts/control-plane has started, for tests that stop them.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/e2e/support/api_client.h"
#include "tests/e2e/support/program.h"

namespace loglink::testing {

class ControlPlane {
 public:
  // The directory of scripts/control-plane up; the API server must have been started with
  // --token-auth-file and --audit-log-path.
  explicit ControlPlane(std::filesystem::path directory);

  [[nodiscard]] std::string kubeconfig() const { return directory_ / "admin.kubeconfig"; }
  // Another user each time, whose writes the audit log tells apart: the kubeconfig of the next
  // token, by way of `port` when it is not 0. `user` gets the name.
  std::string next_kubeconfig(std::string& user, int port = 0);
  [[nodiscard]] int port() const;
  [[nodiscard]] std::filesystem::path audit_log() const { return directory_ / "audit.log"; }

  // Returns when it is gone.
  void stop_api_server(int signal);
  // The same program with the same arguments; returns when it is ready.
  void start_api_server();
  // While the API server is gone: its next start sees a present that is newer than all that it ever
  // told, and nothing older. Whoever resumes is answered 410, "too old resource version".
  void forget_history();

  // Stops both servers, keeps a copy of what etcd has, or puts it back, and starts them again.
  void back_up();
  void restore();

  // The programs get one request at a time, and somebody of theirs takes that turn again and again
  // with requests that never come to their end: almost all others are answered 429; those for
  // leases only if they are not spared.
  void limit_programs(bool spare_leases);
  // REQUIRES: the programs are limited. For how many seconds they are asked to stay away just now:
  // the server counts, and says the same to all whom it refuses.
  std::chrono::seconds asked_to_wait();
  void stop_limiting_programs();

 private:
  void stop_etcd();
  void start_etcd();
  std::string next_token(std::string* user = nullptr);

  std::filesystem::path directory_;
  std::vector<std::string> argv_;
  std::unique_ptr<Program> api_server_;  // once we have started it
  std::vector<std::string> etcd_argv_;
  std::unique_ptr<Program> etcd_;   // once we have started it
  std::unique_ptr<Program> crowd_;  // while the programs are limited
  int starts_ = 0;
  int users_ = 0;
};

}  // namespace loglink::testing
