// From the parts of an HTTP answer to the result of a unary call; the same for both clients.
#pragma once

#include <string>

#include "lib/kube/api_port.h"

namespace loglink {

// 2xx is the body; anything else is the KubeError that decode_error makes of it; a Retry-After of
// the head goes before the body's.
UnaryResult unary_result(const StreamHead& head, std::string body);

// An answer that is larger than limits::kUnaryBodyBytes.
KubeError oversized_answer(const std::string& target);

// A request whose target or header values would not survive as HTTP/1.1.
KubeError malformed_request(const std::string& target);

}  // namespace loglink
