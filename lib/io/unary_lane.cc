#include "lib/io/unary_lane.h"

namespace loglink {
namespace {

constexpr std::string_view kLeases = "/apis/coordination.k8s.io/";
constexpr std::string_view kEvents = "/apis/events.k8s.io/";
constexpr std::string_view kNamespaces = "/api/v1/namespaces/";

}  // namespace

// By the place in the path: names in it are tenants' to choose, and one may be called "leases".
UnaryLane unary_lane(std::string_view target) {
  if (target.starts_with(kLeases)) return UnaryLane::kLease;
  if (target.starts_with(kEvents)) return UnaryLane::kAnswer;
  if (!target.starts_with(kNamespaces)) return UnaryLane::kOther;
  const std::string_view rest = target.substr(kNamespaces.size());
  const std::size_t slash = rest.find('/');
  const bool is_pod =
      slash != std::string_view::npos && rest.substr(slash + 1).starts_with("pods/");
  return is_pod ? UnaryLane::kAnswer : UnaryLane::kOther;
}

}  // namespace loglink
