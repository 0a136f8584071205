// Pods that come, change what they ask for, and go, whatever the API server does; and what must be
// true of those that are left.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tests/e2e/support/world.h"

namespace loglink::testing {

class PodChurn {
 public:
  // On the world's node, which has an agent, and on three that have none. `world` must outlive it.
  explicit PodChurn(World& world);
  ~PodChurn();
  PodChurn(const PodChurn&) = delete;
  PodChurn& operator=(const PodChurn&) = delete;

  // No change after this returns. Pods whose creation was not answered get their log file too, and
  // the directories of pods that are gone go, as with a kubelet. False when the server does not
  // answer for long.
  [[nodiscard]] bool stop();

  // "" when each pod has the answer that its annotation, its node and the disk ask for, each
  // NodeLinkSet the sources of its node's pods, and the link directory a link to each of their
  // files, all and no other; else the first thing that is wrong. After stop().
  std::string wrong();

  [[nodiscard]] int changes() const { return changes_; }
  void remove_everything();

 private:
  void run();
  void change(ApiClient& api, unsigned random);
  void make_log_file(const std::string& uid) const;
  void remove(ApiClient& api, const std::string& name);
  std::string wrong_pod(const Json& pod) const;
  std::string wrong_links(const std::vector<std::string>& pods) const;

  World& world_;
  std::vector<std::string> nodes_;
  std::atomic<bool> stopping_{false};
  std::atomic<int> changes_{0};
  int created_ = 0;
  std::map<std::string, std::string> uids_;  // by name, of the thread
  std::thread thread_;
};

}  // namespace loglink::testing
