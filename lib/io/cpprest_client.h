// UnaryClient on cpprestsdk, for the controller. Library of its own (loglink_io_cpprest): the agent
// does not link cpprestsdk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/kube/api_port.h"

namespace loglink {

// First line of main: cpprestsdk's pool is one thread, not forty, and it reads no certificate
// authorities that it is not to trust (system_trust.h). More calls do nothing.
void initialize_cpprest();

// `workers` threads make blocking calls; more serve Leases and answers (unary_lane.h). Answers are
// posted to the loop. The queue is bounded: beyond it a call is answered kTooManyRequests. The
// destructor cancels calls under way, waits for them and drops their answers; it is called on the
// loop's thread, before main returns. An endpoint that is an IPv6 address, which cpprestsdk cannot
// reach, is served by Beast. What the kernel holds of a request is dropped when its not_after
// passes, as Beast's is; but on a new connection over http://, or to another than the first address
// of a name, only from the second request on.
std::unique_ptr<UnaryClient> make_cpprest_unary_client(EventLoop& loop, ClusterAccess access,
                                                       std::string user_agent, int workers);

// Exceptions that the threads of all such clients caught where none was expected.
std::uint64_t cpprest_caught_exceptions();

}  // namespace loglink
