// FakeKube behind a real socket: TLS or plain HTTP/1.1 on 127.0.0.1, on a thread of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "lib/base/error.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/kube_faults.h"
#include "tests/fakes/test_certificates.h"

namespace loglink::fakes {

struct EmbeddedServerOptions {
  FakeKubeOptions kube;
  std::uint16_t port = 0;  // 0: any free one
  bool tls = true;
};

class EmbeddedServer {
 public:
  // Listens and serves when this returns.
  static Expected<std::unique_ptr<EmbeddedServer>> start(EmbeddedServerOptions options);
  // Ends all connections and the thread.
  ~EmbeddedServer();
  EmbeddedServer(const EmbeddedServer&) = delete;
  EmbeddedServer& operator=(const EmbeddedServer&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::string url() const;            // "https://127.0.0.1:PORT"
  [[nodiscard]] const std::string& ca_pem() const;  // "" without TLS
  // The text of a kubeconfig for a token.
  [[nodiscard]] std::string kubeconfig(const std::string& token) const;

  // Runs `use` on the server's thread and waits; watches see what it changed. Thread-safe, not from
  // the server's thread.
  void with_kube(const std::function<void(FakeKube&, Now)>& use);
  void add_fault(Fault fault);
  void clear_faults();
  // How many requests (and of them watches) have come in so far.
  struct Counts {
    std::size_t requests = 0;
    std::size_t watches = 0;
    std::size_t writes = 0;
    std::size_t connections = 0;
  };
  [[nodiscard]] Counts counts();

 private:
  struct Implementation;
  explicit EmbeddedServer(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation_;
};

// Writes DIR/kubeconfig, DIR/token and DIR/ca.crt; the directory is made when absent.
Expected<void> write_access_files(const EmbeddedServer& server, const std::string& token,
                                  const std::string& directory);

}  // namespace loglink::fakes
