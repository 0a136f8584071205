// Every request that loglink makes to an API server, but for the streams' queries (reflector.h):
// paths with their escaping, content types, field managers. And what to do about each error.
#pragma once

#include <string>
#include <string_view>

#include "lib/kube/api_port.h"
#include "lib/model/kube_error.h"
#include "lib/model/pod_view.h"

namespace loglink {

// ReflectorOptions::path of the two resources that are watched.
inline constexpr std::string_view kPodsPath = "/api/v1/pods";
inline constexpr std::string_view kNodeLinkSetsPath = "/apis/loglink.io/v1alpha1/nodelinksets";

// Percent-encodes every byte but A-Z a-z 0-9 - . _ ~
std::string escape_url(std::string_view text);
// A field selector for one object, not yet escaped.
std::string name_selector(std::string_view name);

UnaryRequest get_node_request(std::string_view name);

UnaryRequest get_node_link_set_request(std::string_view name);
UnaryRequest create_node_link_set_request(std::string body);
UnaryRequest put_node_link_set_request(std::string_view name, std::string body);
// The agent's write.
UnaryRequest put_node_link_set_status_request(std::string_view name, std::string body);

UnaryRequest get_pod_request(const ObjectKey& pod);
// A merge patch of annotations.
UnaryRequest patch_pod_status_request(const ObjectKey& pod, std::string body);

UnaryRequest get_lease_request(const ObjectKey& lease);
UnaryRequest create_lease_request(std::string_view namespace_name, std::string body);
UnaryRequest put_lease_request(const ObjectKey& lease, std::string body);

// events.k8s.io/v1
UnaryRequest create_event_request(std::string_view namespace_name, std::string body);
UnaryRequest patch_event_request(const ObjectKey& event, std::string body);

enum class RequestUse {
  kStream,  // LIST and WATCH
  kUnary,   // work on one key
  kLease,   // leader election
};

enum class Reaction {
  kResume,              // go on from the same resourceVersion at once
  kBackOff,             // the same again after a backoff, or Retry-After if that is longer
  kRelist,              // what we know is void: list again, after a backoff
  kRefreshCredentials,  // the transport has dropped what it cached: once at once, then as kBackOff
  kRequeue,             // our picture of the object is old: read it again, then decide anew
  kDrop,                // trying again changes nothing; the next change of the input does
};

Reaction reaction(KubeErrorKind kind, RequestUse use);

}  // namespace loglink
