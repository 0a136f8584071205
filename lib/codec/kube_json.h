// JSON of the Kubernetes API to and from values. The only place, with kube_json.cc's neighbours,
// that sees a JSON library: simdjson reads, nlohmann writes.
//
// Decoders accept what real servers send: nulls for absent lists, unknown fields, any field order.
// They never throw and never keep a view into the input.
#pragma once

#include <string>
#include <string_view>

#include "lib/base/error.h"
#include "lib/model/kube_error.h"
#include "lib/model/kube_event.h"
#include "lib/model/lease.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_answers.h"
#include "lib/model/pod_view.h"
#include "lib/model/watch_event.h"

namespace loglink {

// Decoders of LIST pages and WATCH lines. Pods whose bytes contain neither "loglink" nor
// "kubernetes.io/config." (static pods) are decoded to their head only (Decoded::value is empty). A
// codec and its copies share memory: one thread.
ObjectCodec<PodView> pod_codec();
ObjectCodec<NodeLinkSet> node_link_set_codec();

// One whole object.
tl::expected<PodView, KubeError> decode_pod(std::string_view json);
tl::expected<NodeLinkSet, KubeError> decode_node_link_set(std::string_view json);
tl::expected<Lease, KubeError> decode_lease(std::string_view json);
// metadata.uid of an object of any kind that has this name; kProtocol for another one's.
tl::expected<std::string, KubeError> decode_uid(std::string_view json, std::string_view name);

// For an answer about another object than was asked for (a mixed-up proxy): kProtocol.
KubeError another_object();

// The error for an answer with `status` and a body that is a metav1.Status in JSON, or text.
KubeError decode_error(int status, std::string_view content_type, std::string_view body);

// Bodies of writes. managedFields are never sent.
std::string encode_node_link_set(const NodeLinkSet& object);  // POST and PUT of spec
// PUT on /status. Without spec: the server takes it from the stored object, and it is large.
std::string encode_node_link_set_status(const NodeLinkSet& object);
std::string encode_lease(const Lease& lease);

// Merge patch for pods/status: the answers, and metadata.uid so that a re-created pod is not hit.
std::string encode_pod_answers_patch(const std::string& pod_uid, const PodAnswers& answers);

// events.k8s.io/v1.
std::string encode_event(const KubeEvent& event);
// Merge patch that says that the event has happened `count` times by `last`.
std::string encode_event_series_patch(int count, WallTime last);

}  // namespace loglink
