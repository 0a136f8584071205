// The control plane that scripts/control-plane has started, filled for a bench.
#pragma once

#include <string>

#include "tests/bench/pod_mold.h"
#include "tests/e2e/support/api_client.h"

namespace loglink::bench {

class RealCluster {
 public:
  // `directory` is the one of scripts/control-plane up. Makes namespaces, and a Lease that another
  // one holds, so that a controller that is measured only listens.
  explicit RealCluster(const std::string& directory);

  [[nodiscard]] std::string kubeconfig() const { return directory_ + "/admin.kubeconfig"; }
  // Flags of curl for a watch-list of all pods in protobuf that a client would get; the last is
  // the address. `query` is added.
  [[nodiscard]] std::vector<std::string> curl_watch_list(const std::string& query = "") const;
  // The same of the pods' metadata only.
  [[nodiscard]] std::vector<std::string> curl_metadata_watch_list() const;
  // A GET of each pod that asks for links, on one connection: what a client of metadata only must
  // do to know nodes and volumes. Says kCurlGetsEnd at its end.
  static constexpr char kCurlGetsEnd[] = "ok";
  [[nodiscard]] std::vector<std::string> curl_gets_of_annotated() const;

  // Until there are `count` pods: two are made through the API, the server's defaults and
  // managedFields included, the others are copies of their bytes, put into etcd.
  void fill(int count);

  // A watch frame with its length, and the bookmark that ends the initial events, as the server
  // sent them.
  struct Frames {
    PodMold plain;
    PodMold annotated;
    std::string bookmark;
  };
  Frames frames();

 private:
  // The uid of the pod with that serial, which is made where it is not there yet.
  std::string make_pod(int serial);
  std::string stored(const std::string& key);
  [[nodiscard]] std::vector<std::string> curl(const std::string& accept) const;
  void put_copies(int from, int to, const PodMold& plain, const PodMold& annotated);

  std::string directory_;
  std::string server_;
  testing::ApiClient api_;
  testing::ApiClient etcd_;
  int pods_ = 0;
};

}  // namespace loglink::bench
