// The control endpoint of the embedded API server: a test in another process scripts faults and
// hits the server's hooks. Paths below /_test/, for the admin token only.
#pragma once

#include <optional>

#include "tests/fakes/fake_kube.h"
#include "tests/fakes/kube_faults.h"

namespace loglink::fakes {

// nullopt: the path is not one of ours. Otherwise
//   POST /_test/faults   a fault or an array of faults (see Fault); DELETE forgets all; GET counts
//   POST /_test/actions  {"action": A, …} with A one of compact, expire-continue, drop-watches,
//                        bookmarks, collect-garbage, install-crd, remove-crd,
//                        finish-pod (namespace, name), watch-list (enabled),
//                        user (token, name, rules[]), remove-user (token)
std::optional<FakeResponse> control(const FakeRequest& request, const std::string& admin_token,
                                    FakeKube& kube, FaultPlan& faults, Now now);

}  // namespace loglink::fakes
