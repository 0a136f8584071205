#include "lib/io/transport_error.h"

#include <cerrno>
#include <system_error>

#include "lib/base/text.h"
#include "lib/io/address.h"

namespace loglink {
namespace {

constexpr std::size_t kMessageBytes = 1024;

std::string cause_of_errno(int error) {
  switch (error) {
    case ECONNREFUSED:
      return "connection refused";
    case EHOSTUNREACH:
    case ENETUNREACH:
      return "no route to the host";
    case ECONNRESET:
    case EPIPE:
    case ECONNABORTED:
      return "connection reset by the server or a box between";
    case ETIMEDOUT:
      return "the other side does not answer any more";
    default:
      return std::generic_category().message(error);
  }
}

KubeErrorKind kind_of_errno(const TransportTrouble& trouble) {
  if (trouble.system_errno == ETIMEDOUT) {
    return trouble.stage == TransportStage::kConnect ? KubeErrorKind::kConnectTimeout
                                                     : KubeErrorKind::kIdleTimeout;
  }
  return trouble.answer_begun ? KubeErrorKind::kTruncated : KubeErrorKind::kRefused;
}

KubeErrorKind kind_of_timeout(TransportStage stage) {
  switch (stage) {
    case TransportStage::kResolve:
    case TransportStage::kConnect:
    case TransportStage::kHandshake:
      return KubeErrorKind::kConnectTimeout;
    case TransportStage::kSend:
    case TransportStage::kHead:
    case TransportStage::kBody:
      return KubeErrorKind::kIdleTimeout;
  }
  __builtin_unreachable();
}

std::string cause_of_timeout(TransportStage stage) {
  switch (stage) {
    case TransportStage::kResolve:
      return "the name could not be resolved in time";
    case TransportStage::kConnect:
      return "no connection in time";
    case TransportStage::kHandshake:
      return "the TLS handshake did not end in time";
    case TransportStage::kSend:
      return "the request could not be sent in time";
    case TransportStage::kHead:
      return "no answer in time";
    case TransportStage::kBody:
      return "the answer stalled";
  }
  __builtin_unreachable();
}

struct Finding {
  KubeErrorKind kind;
  std::string cause;
};

Finding find(const TransportTrouble& trouble) {
  switch (trouble.fault) {
    case TransportFault::kSystem:
      return {kind_of_errno(trouble), cause_of_errno(trouble.system_errno)};
    case TransportFault::kResolver:
      return {KubeErrorKind::kDns, "the name cannot be resolved"};
    case TransportFault::kEnded:
      if (trouble.answer_begun) return {KubeErrorKind::kTruncated, "the answer was cut short"};
      if (trouble.stage == TransportStage::kHandshake) {
        return {KubeErrorKind::kRefused, "the server ended the connection in the TLS handshake"};
      }
      return {KubeErrorKind::kRefused, "the server ended the connection without an answer"};
    case TransportFault::kTls:
      return {KubeErrorKind::kTls, trouble.detail.empty() ? "TLS failed" : "TLS"};
    case TransportFault::kTimeout:
      return {kind_of_timeout(trouble.stage), cause_of_timeout(trouble.stage)};
    case TransportFault::kDeadline:
      return {KubeErrorKind::kDeadline, "deadline passed: " + cause_of_timeout(trouble.stage)};
    case TransportFault::kProtocol:
      return {KubeErrorKind::kProtocol, "the answer is not as HTTP has it"};
  }
  __builtin_unreachable();
}

}  // namespace

KubeError transport_error(const TransportTrouble& trouble, const Endpoint& endpoint) {
  const Finding finding = find(trouble);
  std::string message = host_and_port(endpoint.host, endpoint.port) + ": " + finding.cause;
  if (!trouble.detail.empty()) message += ": " + trouble.detail;
  KubeError error;
  error.kind = finding.kind;
  error.message = sanitize(message, kMessageBytes);
  return error;
}

bool is_stale(const TransportTrouble& trouble) {
  if (trouble.answer_begun) return false;
  const bool sends = trouble.stage == TransportStage::kSend;
  if (!sends && trouble.stage != TransportStage::kHead) return false;
  switch (trouble.fault) {
    case TransportFault::kSystem:
      // At the first write the kernel tells, too, of an end that its keepalive came to long ago.
      // Later ETIMEDOUT is the end of this request's own packets.
      return sends || trouble.system_errno != ETIMEDOUT;
    case TransportFault::kEnded:
    case TransportFault::kTls:
      return true;
    case TransportFault::kResolver:
    case TransportFault::kTimeout:
    case TransportFault::kDeadline:
    case TransportFault::kProtocol:
      return false;
  }
  __builtin_unreachable();
}

KubeError credential_error(KubeErrorKind kind, const Error& error) {
  KubeError out;
  out.kind = kind;
  out.message = sanitize(error.message, kMessageBytes);
  return out;
}

KubeError credential_late() {
  KubeError out;
  out.kind = KubeErrorKind::kDeadline;
  out.message = "deadline passed: the kubeconfig's exec plugin has not answered yet";
  return out;
}

KubeError no_time_to_send() {
  KubeError out;
  out.kind = KubeErrorKind::kDeadline;
  out.message = "deadline passed: no time was left to send the request";
  return out;
}

KubeError too_late_to_send() {
  KubeError out;
  out.kind = KubeErrorKind::kCancelled;
  out.message = "not sent: the time in which this write was allowed has passed";
  return out;
}

}  // namespace loglink
