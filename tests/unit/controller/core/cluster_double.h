// An API server, its agents and a clock as values, for the controller's tests: does what effects
// say, hands the changes back as watches would, and fails on request.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controller/core/controller.h"

namespace loglink {

class ClusterDouble {
 public:
  explicit ClusterDouble(ControllerConfig config = {}, std::uint64_t seed = 1);

  // --- the world ---
  void add_node(const std::string& name);  // a new one, if there was one
  void remove_node(const std::string& name);
  // Removes objects whose owner is gone, as the server does some time after.
  void collect_garbage();
  void put_pod(PodView pod);  // keeps the answers that stand on it
  void remove_pod(const ObjectKey& pod);
  // The node's agent reads its object and answers, with `links` for each live source.
  void agent_answers(const std::string& node, int links = 1, const std::string& reason = "",
                     const std::string& message = "");
  void edit_object(const std::string& node, const std::function<void(NodeLinkSet&)>& edit);
  void remove_object(const std::string& node);

  // --- the controller ---
  void lead(Duration time = std::chrono::hours(1000));
  void lose_lease();
  void sync();  // both lists are handed over
  // A new process: nothing is known but what the server has.
  void restart_controller();
  // Lets all happen that happens without time passing.
  void settle();
  void advance(Duration time);
  // Watch events are held until deliver().
  void hold_events(bool hold) { holding_ = hold; }
  void deliver();
  // What is held is never told: a list that was taken meanwhile has swallowed it.
  void lose_held_events() { held_.clear(); }

  // An error instead of doing it (or, with `applied`, although it was done).
  struct Failure {
    KubeError error;
    bool applied = false;
  };
  std::function<std::optional<Failure>(const Effect&)> fail_with;
  // Never answered.
  std::function<bool(const Effect&)> hang_with;
  // What the server makes of a spec: an old CRD prunes.
  std::function<void(NodeLinkSetSpec&)> prune;
  // What a webhook makes of an object.
  std::function<void(NodeLinkSet&)> mutate;

  // --- what is seen ---
  [[nodiscard]] const NodeLinkSet* object(const std::string& node) const;
  [[nodiscard]] PodAnswers answers(const ObjectKey& pod) const;
  [[nodiscard]] const std::map<ObjectKey, PodView>& pods() const { return pods_; }
  [[nodiscard]] const std::map<std::string, NodeLinkSet>& objects() const { return objects_; }
  [[nodiscard]] const std::map<std::string, std::string>& nodes() const { return nodes_; }
  template <class T>
  [[nodiscard]] std::vector<T> effects_of_kind() const {
    std::vector<T> found;
    for (const Effect& effect : effects) {
      if (const T* each = std::get_if<T>(&effect)) found.push_back(*each);
    }
    return found;
  }

  std::vector<Effect> effects;  // since the test cleared it
  std::vector<Remark> remarks;
  std::map<std::string, int> events;  // Event name -> count
  Now now;
  Controller& controller() { return *controller_; }
  const ControllerConfig config;

 private:
  using Delivery = std::function<void(Controller&, Now)>;
  void perform(const Effect& effect);
  void perform(const GetNode& get, const std::optional<Failure>& failure);
  void perform_write(NodeLinkSet object, bool create, const std::optional<Failure>& failure);
  void perform(const PatchPod& patch, const std::optional<Failure>& failure);
  tl::expected<NodeLinkSet, KubeError> store(NodeLinkSet object, bool create);
  std::string next_version() { return std::to_string(++version_); }
  void tell(Delivery delivery);
  void tell_pod(const PodView& pod);
  void tell_object(const NodeLinkSet& object);

  SeededRandom random_;
  std::unique_ptr<Controller> controller_;
  std::optional<MonotonicTime> lease_until_;
  std::map<std::string, std::string> nodes_;  // name -> uid
  std::map<ObjectKey, PodView> pods_;
  std::map<std::string, NodeLinkSet> objects_;
  std::deque<Delivery> held_;
  bool holding_ = false;
  int version_ = 0;
  int uids_ = 0;
};

KubeError kube_error(KubeErrorKind kind, std::vector<StatusCause> causes = {});

}  // namespace loglink
