// The Table form in which kubectl asks for objects. Internal to the fakes.
#pragma once

#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_types.h"

namespace loglink::fakes {

// `columns` are the additionalPrinterColumns of a custom resource. `with_head` false leaves the
// column definitions out, as in later lines of a watch.
Json make_table(const KubeType& type, const Json& columns, const std::vector<const Json*>& objects,
                const std::string& resource_version, WallTime now, bool with_head = true);

}  // namespace loglink::fakes
