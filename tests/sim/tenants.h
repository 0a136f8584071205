// What users, kubelets and tenants do in a simulated cluster: pods come, change and go, files are
// made, rotated and replaced.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/world.h"

namespace loglink::sim {

class Tenants {
 public:
  explicit Tenants(World& world) : world_(world) {}

  // One change at random.
  void change_a_pod();
  void change_a_file();

  // All that was begun is done: terminating pods go, and the kubelet removes what they leave.
  void finish();
  [[nodiscard]] const std::vector<PodFact>& pods() const { return pods_; }

 private:
  void create_pod();
  void annotate(PodFact& pod);
  void delete_pod(PodFact& pod);
  void end_deletion(PodFact& pod);
  void finish_pod(PodFact& pod);
  void forget(const PodFact& pod);
  void clean_up(Node& node);
  void ask(PodFact& pod);
  void file_appears(Node& node, const std::string& root, const std::string& path);
  void file_is_replaced(Node& node, const std::string& root, const std::string& path);
  void file_is_rotated(Node& node, const std::string& root, const std::string& path);
  Node& node_of(const PodFact& pod);
  nlohmann::json annotations_of(const PodFact& pod);

  World& world_;
  std::vector<PodFact> pods_;
};

}  // namespace loglink::sim
