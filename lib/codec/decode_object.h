// Decoders on a JSON tree, shared by API answers and files. For this library only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/codec/json_reader.h"
#include "lib/model/kube_error.h"
#include "lib/model/lease.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"
#include "lib/model/watch_event.h"

namespace loglink {

PodView read_pod(const JsonReader& pod);
// The pod that a template stands for: `metadata` and `spec` of the template. Name, namespace and
// status are the caller's.
PodView read_pod_template(const JsonReader& pod_template);
NodeLinkSet read_node_link_set_object(const JsonReader& object);
Lease read_lease(const JsonReader& object);

// What a metav1.Status says, in either encoding.
struct StatusWords {
  int code = 0;
  std::string reason;
  std::string message;
  bool names_object = false;
  std::int64_t retry_after_seconds = 0;
  std::vector<StatusCause> causes;
};
// With `http_status` or, when that is 0, the Status's own code.
KubeError status_error(StatusWords status, int http_status);

// Pods in protobuf; no memory is shared between calls.
tl::expected<WatchEvent<PodView>, KubeError> decode_pod_protobuf_event(std::string_view frame);
tl::expected<ListPage<PodView>, KubeError> decode_pod_protobuf_page(std::string_view body);
// `object` is the message inside the envelope. They throw as protobuf_reader.h says.
PodView read_protobuf_pod(std::string_view object);
StatusWords read_protobuf_status(std::string_view object);
// nullopt: the body of the answer is no Status in protobuf.
std::optional<KubeError> decode_protobuf_status(std::string_view body, int http_status);

// A metav1.Status, with `http_status` or, when that is 0, its own code.
KubeError read_status(const JsonReader& status, int http_status);

// kProtocol: what came is not what the API says.
KubeError protocol_error(std::string message);

}  // namespace loglink
