// What the decoders of JSON and of protobuf share: how a value becomes an event or a list item. For
// this library only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"
#include "lib/model/watch_event.h"

namespace loglink {

// Annotated pods, and the node's static pods: another pod may claim the id of one of them. The
// search is the one thing that is done with every byte of every pod of the cluster.
inline bool object_concerns_us(std::string_view bytes) {
  static constexpr std::array<std::string_view, 2> kMarks = {"loglink", "kubernetes.io/config."};
  if (bytes.empty()) return false;  // memmem() may not have a null pointer
  return std::any_of(kMarks.begin(), kMarks.end(), [bytes](std::string_view mark) {
    return ::memmem(bytes.data(), bytes.size(), mark.data(), mark.size()) != nullptr;
  });
}

// The kubelet's marks of a mirror pod: config.mirror, config.hash and config.source.
inline constexpr std::string_view kKubeletConfigPrefix = "kubernetes.io/config.";

// Whether an annotation is kept.
inline bool annotation_concerns_us(std::string_view key) {
  return key.starts_with(names::kAnnotationPrefix) || key.starts_with(kKubeletConfigPrefix);
}

// Counts a pod's parts as they are decoded. A few bytes of an object make a part of a hundred in
// memory, and a pod beyond limits::kPodParts is refused whatever the others say: one more is kept,
// so that the refusal is seen, and the rest is skipped.
class PartBudget {
 public:
  bool take() {
    if (taken_ > limits::kPodParts) return false;
    ++taken_;
    return true;
  }
  [[nodiscard]] bool is_exceeded() const { return taken_ > limits::kPodParts; }

 private:
  std::size_t taken_ = 0;
};

// Variables serve to expand a subPathExpr, which few containers have. A large cluster's first list
// is held whole, so that what nobody reads is most of its memory. A pod beyond the bound keeps what
// shows that it is.
inline void drop_unread_variables(PodView& pod, const PartBudget& budget) {
  if (budget.is_exceeded()) return;
  for (ContainerView& container : pod.containers) {
    const bool is_expanded =
        std::any_of(container.mounts.begin(), container.mounts.end(),
                    [](const VolumeMount& mount) { return !mount.sub_path_expr.empty(); });
    if (is_expanded) continue;
    container.env = {};
    container.has_env_from = false;
  }
}

inline std::optional<WatchEventType> event_type(std::string_view word) {
  if (word == "ADDED") return WatchEventType::kAdded;
  if (word == "MODIFIED") return WatchEventType::kModified;
  if (word == "DELETED") return WatchEventType::kDeleted;
  if (word == "BOOKMARK") return WatchEventType::kBookmark;
  if (word == "ERROR") return WatchEventType::kError;
  return std::nullopt;
}

inline constexpr std::string_view kInitialEventsEnd = "k8s.io/initial-events-end";

inline ObjectKey key_of(const PodView& pod) { return pod.key(); }
inline ObjectKey key_of(const NodeLinkSet& set) { return {"", set.name}; }

template <class Value>
Decoded<Value> whole(Value value) {
  Decoded<Value> decoded;
  decoded.key = key_of(value);
  decoded.uid = value.uid;
  decoded.resource_version = value.resource_version;
  decoded.value = std::move(value);
  return decoded;
}

}  // namespace loglink
