// What went wrong on a connection, as the KubeError that both HTTP clients give: a pure function.
#pragma once

#include <string>

#include "lib/io/credentials.h"
#include "lib/model/kube_error.h"

namespace loglink {

enum class TransportStage { kResolve, kConnect, kHandshake, kSend, kHead, kBody };

enum class TransportFault {
  kSystem,    // a system call failed: system_errno
  kResolver,  // the name has no address, or no name server answers
  kEnded,     // the peer ended the connection
  kTls,
  kTimeout,   // this stage took too long
  kDeadline,  // the whole exchange took too long
  kProtocol,
};

struct TransportTrouble {
  TransportStage stage = TransportStage::kConnect;
  TransportFault fault = TransportFault::kSystem;
  int system_errno = 0;
  std::string detail;         // for a person; may be ""
  bool answer_begun = false;  // a byte of the answer was there

  auto operator<=>(const TransportTrouble&) const = default;
};

// The message is one line with host:port and the cause.
KubeError transport_error(const TransportTrouble& trouble, const Endpoint& endpoint);

// Where the exchange was on a kept connection: it was dead before, so that the request may be sent
// once more on a new one.
bool is_stale(const TransportTrouble& trouble);

// A credential or certificate that could not be had: nothing was sent.
KubeError credential_error(KubeErrorKind kind, const Error& error);

// The deadline passed while the credential was waited for: nothing was sent.
KubeError credential_late();

// The deadline passed before the request's turn came once more: nothing was sent.
KubeError no_time_to_send();

// The time in which a write was allowed (UnaryRequest::not_after) had passed: nothing was sent.
KubeError too_late_to_send();

}  // namespace loglink
