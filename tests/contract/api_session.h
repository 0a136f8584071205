// An API server as the contract suite sees it: the two seams of lib/kube/api_port.h, waited for.
// The same cases run on the simulator's server, on the embedded one through real sockets, and on a
// real kube-apiserver when LOGLINK_TEST_KUBECONFIG names a kubeconfig for it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "lib/kube/api_port.h"
#include "tests/fakes/fake_kube.h"
#include "tests/fakes/kube_faults.h"

namespace loglink {

// What a stream has said so far.
struct Heard {
  std::optional<StreamHead> head;
  std::string body;
  bool ended = false;
  std::optional<KubeError> error;
};

class OpenStream {
 public:
  virtual ~OpenStream() = default;  // cancels
  // Waits until `enough` holds; false when it does not within ten seconds.
  virtual bool wait(const std::function<bool(const Heard&)>& enough) = 0;
  virtual Heard heard() = 0;
};

class ApiSession {
 public:
  virtual ~ApiSession() = default;
  virtual UnaryResult call(UnaryRequest request) = 0;
  virtual std::unique_ptr<OpenStream> open(StreamRequest request) = 0;
  // The same server with another bearer token.
  virtual std::unique_ptr<ApiSession> as(const std::string& token) = 0;
  // The hooks of a fake server; false on a real one.
  virtual bool script(const std::function<void(fakes::FakeKube&, Now)>& use) = 0;
  virtual bool add_fault(fakes::Fault fault) = 0;
};

std::unique_ptr<ApiSession> make_sim_session();
std::unique_ptr<ApiSession> make_embedded_session();
// nullptr when the environment names no real server.
std::unique_ptr<ApiSession> make_real_session();

}  // namespace loglink
