// Decoders on a JSON tree, shared by API answers and files. For this library only.
#pragma once

#include <string_view>

#include "lib/codec/json_reader.h"
#include "lib/model/kube_error.h"
#include "lib/model/lease.h"
#include "lib/model/node_link_set.h"
#include "lib/model/pod_view.h"

namespace loglink {

PodView read_pod(const JsonReader& pod);
// The pod that a template stands for: `metadata` and `spec` of the template. Name, namespace and
// status are the caller's.
PodView read_pod_template(const JsonReader& pod_template);
NodeLinkSet read_node_link_set_object(const JsonReader& object);
Lease read_lease(const JsonReader& object);

// A metav1.Status, with `http_status` or, when that is 0, its own code.
KubeError read_status(const JsonReader& status, int http_status);

// kProtocol: what came is not what the API says.
KubeError protocol_error(std::string message);

}  // namespace loglink
