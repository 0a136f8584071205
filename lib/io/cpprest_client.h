// UnaryClient on cpprestsdk, for the controller. Library of its own (loglink_io_cpprest): the agent
// does not link cpprestsdk.
#pragma once

#include <memory>
#include <string>

#include "lib/io/credentials.h"
#include "lib/io/event_loop.h"
#include "lib/kube/api_port.h"

namespace loglink {

// First line of main: cpprestsdk's pool is one thread, not forty.
void initialize_cpprest();

// `workers` threads make blocking calls; answers are posted to the loop. The destructor waits for
// calls under way (their deadlines bound it) and drops their answers.
std::unique_ptr<UnaryClient> make_cpprest_unary_client(EventLoop& loop, ClusterAccess access,
                                                       std::string user_agent, int workers);

}  // namespace loglink
