// The three patch formats. Internal to the fakes.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "tests/fakes/kube_json.h"

namespace loglink::fakes {

enum class PatchType { kMerge, kStrategic, kJson };

// The error is a sentence for a 400 or 422.
tl::expected<Json, std::string> apply_patch(PatchType type, const Json& object, const Json& patch);

}  // namespace loglink::fakes
