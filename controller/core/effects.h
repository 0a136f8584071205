// What the controller wants done, as values. The shell turns them into requests and brings the
// answers back; nothing here knows of JSON or HTTP.
#pragma once

#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "lib/model/kube_event.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_answers.h"

namespace loglink {

// Is there a Node of that name, and which uid has it now? Answered by node_answered().
struct GetNode {
  std::string name;

  auto operator<=>(const GetNode&) const = default;
};

// Answered by object_written().
struct CreateNodeLinkSet {
  NodeLinkSet object;

  auto operator<=>(const CreateNodeLinkSet&) const = default;
};

// Replaces the spec (and the owners) of the version that object.resource_version names. Answered by
// object_written().
struct PutSpec {
  NodeLinkSet object;

  auto operator<=>(const PutSpec&) const = default;
};

// Answered by pod_patched().
struct PatchPod {
  ObjectKey pod;
  std::string uid;
  PodAnswers answers;

  auto operator<=>(const PatchPod&) const = default;
};

// Both answered by event_written().
struct CreateEvent {
  ObjectKey pod;
  KubeEvent event;

  auto operator<=>(const CreateEvent&) const = default;
};
struct PatchEvent {
  ObjectKey pod;
  std::string event_name;
  int count = 0;
  WallTime last{};

  auto operator<=>(const PatchEvent&) const = default;
};

using Effect = std::variant<GetNode, CreateNodeLinkSet, PutSpec, PatchPod, CreateEvent, PatchEvent>;

// Something that an operator may want to read; the shell logs it.
enum class RemarkLevel { kDebug, kInfo, kWarning };
struct Remark {
  RemarkLevel level = RemarkLevel::kInfo;
  std::string message;  // constant
  std::vector<std::pair<std::string, std::string>> fields;

  auto operator<=>(const Remark&) const = default;
};

}  // namespace loglink
