// What kubectl asks before it does anything: groups, resources, version, OpenAPI. Internal to the
// fakes.
#pragma once

#include <optional>
#include <string>

#include "tests/fakes/fake_kube.h"

namespace loglink::fakes {

// nullopt when `path` is none of these.
std::optional<FakeResponse> discovery_answer(const std::string& path, bool crd_installed);

}  // namespace loglink::fakes
