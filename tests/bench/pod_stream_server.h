// As little of an API server as a controller needs that only listens, over TLS: a watch-list of any
// number of pods, sent as fast as the client reads; no NodeLinkSets; a Lease that another one
// holds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tests/bench/real_cluster.h"

namespace loglink::bench {

class PodStreamServer {
 public:
  // Serves from when this returns; each connection on a thread of its own. `pki` has the key and
  // certificate of the cluster's API server, which clients then trust here too.
  PodStreamServer(RealCluster::Frames frames, int pods, const std::string& pki);
  ~PodStreamServer();
  PodStreamServer(const PodStreamServer&) = delete;
  PodStreamServer& operator=(const PodStreamServer&) = delete;

  [[nodiscard]] std::string url() const;

 private:
  struct Implementation;
  std::shared_ptr<Implementation> implementation_;
};

}  // namespace loglink::bench
