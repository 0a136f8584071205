// The real implementations of the two seams of lib/kube/api_port.h.
#pragma once

#include <memory>
#include <string>

#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/kube/api_port.h"

namespace loglink {

// Boost.Beast over TLS on the loop's thread, one connection a stream.
std::unique_ptr<StreamTransport> make_beast_stream_transport(EventLoop& loop, ClusterAccess access,
                                                             std::string user_agent);

// Boost.Beast on the loop's thread: requests one after the other on one kept connection. At most
// 4,096 wait; beyond that a call is answered kTooManyRequests.
std::unique_ptr<UnaryClient> make_beast_unary_client(EventLoop& loop, ClusterAccess access,
                                                     std::string user_agent);

// `workers` such clients, and more for Leases and for answers (unary_lane.h), each taking the next
// request when it is free: what make_cpprest_unary_client is, without threads. For what must leave
// at once, and for API servers that cpprestsdk cannot reach.
std::unique_ptr<UnaryClient> make_parallel_beast_unary_client(EventLoop& loop,
                                                              const ClusterAccess& access,
                                                              const std::string& user_agent,
                                                              int workers);

}  // namespace loglink
