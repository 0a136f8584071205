#include "lib/kube/requests.h"

#include <utility>

#include "lib/model/names.h"

namespace loglink {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kMergePatch = "application/merge-patch+json";
constexpr std::string_view kNodesPath = "/api/v1/nodes";

std::string object_path(std::string_view collection, std::string_view name) {
  return std::string(collection) + "/" + escape_url(name);
}

// "/api/v1" + namespace + "pods"
std::string namespaced(std::string_view api, std::string_view namespace_name,
                       std::string_view resource) {
  return std::string(api) + "/namespaces/" + escape_url(namespace_name) + "/" +
         std::string(resource);
}

std::string leases_path(std::string_view namespace_name) {
  return namespaced("/apis/coordination.k8s.io/v1", namespace_name, "leases");
}

std::string events_path(std::string_view namespace_name) {
  return namespaced("/apis/events.k8s.io/v1", namespace_name, "events");
}

std::string managed(std::string path, std::string_view field_manager) {
  path += "?fieldManager=";
  path += escape_url(field_manager);
  return path;
}

UnaryRequest get(std::string target) {
  UnaryRequest request;
  request.target = std::move(target);
  return request;
}

UnaryRequest write(Method method, std::string target, std::string_view content_type,
                   std::string body) {
  UnaryRequest request;
  request.method = method;
  request.target = std::move(target);
  request.content_type = content_type;
  request.body = std::move(body);
  return request;
}

// The controller's own writes.
UnaryRequest controller_write(Method method, std::string path, std::string_view content_type,
                              std::string body) {
  return write(method, managed(std::move(path), names::kControllerFieldManager), content_type,
               std::move(body));
}

}  // namespace

std::string escape_url(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  static constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  std::string escaped;
  for (const char c : text) {
    if (kPlain.find(c) != std::string_view::npos) {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += '%';
    escaped += kDigits[byte >> 4U];
    escaped += kDigits[byte & 0xfU];
  }
  return escaped;
}

std::string name_selector(std::string_view name) { return "metadata.name=" + std::string(name); }

UnaryRequest get_node_request(std::string_view name) { return get(object_path(kNodesPath, name)); }

UnaryRequest get_node_link_set_request(std::string_view name) {
  return get(object_path(kNodeLinkSetsPath, name));
}

UnaryRequest create_node_link_set_request(std::string body) {
  return controller_write(Method::kPost, std::string(kNodeLinkSetsPath), kJson, std::move(body));
}

UnaryRequest put_node_link_set_request(std::string_view name, std::string body) {
  return controller_write(Method::kPut, object_path(kNodeLinkSetsPath, name), kJson,
                          std::move(body));
}

UnaryRequest put_node_link_set_status_request(std::string_view name, std::string body) {
  return write(Method::kPut,
               managed(object_path(kNodeLinkSetsPath, name) + "/status", names::kAgentFieldManager),
               kJson, std::move(body));
}

UnaryRequest get_pod_request(const ObjectKey& pod) {
  return get(object_path(namespaced("/api/v1", pod.namespace_name, "pods"), pod.name));
}

UnaryRequest patch_pod_status_request(const ObjectKey& pod, std::string body) {
  return controller_write(
      Method::kPatch,
      object_path(namespaced("/api/v1", pod.namespace_name, "pods"), pod.name) + "/status",
      kMergePatch, std::move(body));
}

UnaryRequest get_lease_request(const ObjectKey& lease) {
  return get(object_path(leases_path(lease.namespace_name), lease.name));
}

UnaryRequest create_lease_request(std::string_view namespace_name, std::string body) {
  return controller_write(Method::kPost, leases_path(namespace_name), kJson, std::move(body));
}

UnaryRequest put_lease_request(const ObjectKey& lease, std::string body) {
  return controller_write(Method::kPut, object_path(leases_path(lease.namespace_name), lease.name),
                          kJson, std::move(body));
}

UnaryRequest create_event_request(std::string_view namespace_name, std::string body) {
  return controller_write(Method::kPost, events_path(namespace_name), kJson, std::move(body));
}

UnaryRequest patch_event_request(const ObjectKey& event, std::string body) {
  return controller_write(Method::kPatch,
                          object_path(events_path(event.namespace_name), event.name), kMergePatch,
                          std::move(body));
}

namespace {

struct Row {
  Reaction stream;
  Reaction unary;
  Reaction lease;
};

// The table itself: one row a kind, one column a use.
Row row(KubeErrorKind kind) {
  using enum Reaction;
  switch (kind) {
    // Ours: a stop, or a right to write that ran out. An elector keeps trying.
    case KubeErrorKind::kCancelled:
      return {kDrop, kDrop, kBackOff};
    case KubeErrorKind::kRefused:
    case KubeErrorKind::kDns:
    case KubeErrorKind::kTls:
    case KubeErrorKind::kConnectTimeout:
    case KubeErrorKind::kIdleTimeout:
    case KubeErrorKind::kTruncated:
    case KubeErrorKind::kForbidden:
    case KubeErrorKind::kNotServed:
    case KubeErrorKind::kTooManyRequests:
    case KubeErrorKind::kServerError:
    case KubeErrorKind::kUnexpected:
      return {kBackOff, kBackOff, kBackOff};
    // A watch that outlives its own timeout by our margin has nothing wrong with its place.
    case KubeErrorKind::kDeadline:
      return {kResume, kBackOff, kBackOff};
    // Bytes that cannot be read may have hidden a change.
    case KubeErrorKind::kProtocol:
      return {kRelist, kBackOff, kBackOff};
    case KubeErrorKind::kUnauthorized:
      return {kRefreshCredentials, kRefreshCredentials, kRefreshCredentials};
    case KubeErrorKind::kNotFound:
      return {kBackOff, kDrop, kRequeue};
    case KubeErrorKind::kConflict:
    case KubeErrorKind::kAlreadyExists:
      return {kBackOff, kRequeue, kRequeue};
    case KubeErrorKind::kGone:
    case KubeErrorKind::kTooLargeVersion:
      return {kRelist, kRequeue, kBackOff};
    case KubeErrorKind::kInvalid:
      return {kRelist, kDrop, kBackOff};
  }
  __builtin_unreachable();
}

}  // namespace

Reaction reaction(KubeErrorKind kind, RequestUse use) {
  const Row reactions = row(kind);
  switch (use) {
    case RequestUse::kStream:
      return reactions.stream;
    case RequestUse::kUnary:
      return reactions.unary;
    case RequestUse::kLease:
      return reactions.lease;
  }
  __builtin_unreachable();
}

}  // namespace loglink
