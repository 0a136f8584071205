#include "lib/io/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace loglink {

void set_connection_options(int socket, ConnectionUse use) {
  const auto set = [socket](int level, int option, int value) {
    // A kernel that lacks one of them costs time, not correctness: the timeouts stay.
    setsockopt(socket, level, option, &value, sizeof value);
  };
  const std::chrono::milliseconds give_up =
      use == ConnectionUse::kUnary ? kUnaryGiveUp : kStreamGiveUp;
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 15);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(give_up.count()));
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  if (use != ConnectionUse::kUnary) return;
  const linger drop{1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &drop, sizeof drop);
}

}  // namespace loglink
