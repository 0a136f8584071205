// A KubeError as a person reads it, in logs, /readyz and on the command line.
#pragma once

#include <string>

#include "lib/model/kube_error.h"

namespace loglink {

// "Forbidden (403): pods is forbidden: …"
std::string describe(const KubeError& error);

// What a person can do about trouble that does not pass by itself; "" where nothing is known.
std::string cure(const KubeError& error);

// Both: "<describe>; <cure>".
std::string describe_with_cure(const KubeError& error);

}  // namespace loglink
