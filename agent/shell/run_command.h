// `loglink-agent run`: the agent's loop on Asio, inotify, the API server and signals.
#pragma once

#include <optional>
#include <string>

#include "lib/base/error.h"
#include "lib/io/credentials.h"
#include "lib/model/config.h"

namespace loglink {

struct RunOptions {
  AgentConfig config;
  std::optional<ClusterAccess> access;  // where the set comes from, or:
  std::string from_file;                // read again when it changes
};

// Returns after SIGTERM or SIGINT; the links stay. Fails when the link directory is not ours, or
// the file cannot be read at the start.
Expected<void> run_agent(const RunOptions& options);

}  // namespace loglink
