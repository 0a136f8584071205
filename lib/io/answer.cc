#include "lib/io/answer.h"

#include "lib/base/text.h"
#include "lib/codec/kube_json.h"

namespace loglink {
namespace {

KubeError protocol_error(const std::string& message) {
  KubeError error;
  error.kind = KubeErrorKind::kProtocol;
  error.message = sanitize(message, 1024);
  return error;
}

}  // namespace

UnaryResult unary_result(const StreamHead& head, std::string body) {
  if (head.status >= 200 && head.status < 300) return UnaryResponse{head.status, std::move(body)};
  KubeError error = decode_error(head.status, head.content_type, body);
  if (head.retry_after) error.retry_after = head.retry_after;  // else what the Status says
  return tl::unexpected<KubeError>(std::move(error));
}

KubeError oversized_answer(const std::string& target) {
  return protocol_error("the answer to " + target + " is larger than 4 MiB");
}

KubeError malformed_request(const std::string& target) {
  return protocol_error("not a request: \"" + target +
                        "\" or a header holds a forbidden character");
}

}  // namespace loglink
