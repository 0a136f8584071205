// What the API server does to an object of a built-in type before it is stored: decoding errors,
// defaults, validation. Internal to the fakes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/model/kube_error.h"
#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_types.h"

namespace loglink::fakes {

// The sentence of the 400 for an object that cannot be decoded as its type (a time that is not a
// MicroTime); nullopt when it can.
std::optional<std::string> decoding_error(const KubeType& type, const Json& object);

void set_defaults(const KubeType& type, Json& object);
std::vector<StatusCause> validate_metadata(const Json& object);
std::vector<StatusCause> validate(const KubeType& type, const Json& object);
std::vector<StatusCause> validate_update(const KubeType& type, const Json& before,
                                         const Json& after);

}  // namespace loglink::fakes
