#include "lib/kube/api_port.h"

namespace loglink {

std::string_view to_string(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kPost:
      return "POST";
    case Method::kDelete:
      return "DELETE";
  }
  __builtin_unreachable();
}

}  // namespace loglink
