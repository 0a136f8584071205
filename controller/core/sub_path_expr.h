// subPathExpr, expanded as the kubelet does it before it starts the container.
#pragma once

#include <string>

#include "lib/base/error.h"
#include "lib/model/pod_view.h"

namespace loglink {

// `$(NAME)` is the container's environment variable NAME, `$$` a dollar sign, any other `$` itself.
// Values may refer to variables defined before them. Only literals and the fieldRefs metadata.name,
// metadata.namespace, metadata.uid, spec.nodeName and spec.serviceAccountName are known here; an
// expression that needs anything else, an undefined variable or an empty one is an error whose
// message is written for the pod's owner: kInvalidArgument.
//
// `pod_id` stands for metadata.uid: a static pod's own uid is its config.hash. The node of a pod
// that is not bound yet is called names::kUnscheduledNode. The result is not checked as a path.
Expected<std::string> expand_sub_path_expr(const std::string& expression,
                                           const ContainerView& container, const PodView& pod,
                                           const std::string& pod_id);

}  // namespace loglink
