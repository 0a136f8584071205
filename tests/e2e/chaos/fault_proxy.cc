#include "tests/e2e/chaos/fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <vector>

namespace loglink::testing {
namespace {

using std::chrono::milliseconds;

constexpr int kPollMilliseconds = 5;
constexpr std::size_t kHeldBytesMax = 256 * 1024;
constexpr int kFaultEveryMilliseconds = 6000;
constexpr int kStallMilliseconds = 8000;
constexpr unsigned kRefusedOf = 10;
constexpr unsigned kPieceBytesMax = 9;
constexpr int kPiecesAtOnce = 200;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void make_prompt(int fd) {
  const int yes = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void end_by_reset(UniqueFd& fd) {
  const linger at_once{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
  fd.reset();
}

}  // namespace

FaultProxy::FaultProxy(std::uint16_t target, unsigned seed)
    : target_(target), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), random_(seed) {
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof(address);
  // The casts are those that the sockets API asks for.
  if (::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::listen(listener_.get(), 64) != 0 ||
      ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    throw std::runtime_error("the proxy cannot listen");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this]() noexcept { run(); });
}

FaultProxy::~FaultProxy() {
  stopping_ = true;
  thread_.join();
}

void FaultProxy::set_faults(bool on) {
  const std::lock_guard<std::mutex> lock(mutex_);
  faults_ = on;
  for (Connection& connection : connections_) {
    connection.fault_at = soon(kFaultEveryMilliseconds);
    if (on) continue;
    if (connection.swallowing) cut(connection);
    for (Way* way : {&connection.up, &connection.down}) {
      way->piece = 0;
      way->open_at = {};
    }
  }
}

void FaultProxy::cut_all() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Connection& connection : connections_) {
    cut(connection);
    ++counts_.cut;
  }
}

int FaultProxy::freeze_all() {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (Connection& connection : connections_) connection.frozen = true;
  return static_cast<int>(connections_.size());
}

FaultCounts FaultProxy::counts() {
  const std::lock_guard<std::mutex> lock(mutex_);
  return counts_;
}

FaultProxy::Clock::time_point FaultProxy::soon(int milliseconds_max) {
  return Clock::now() + milliseconds(below(static_cast<unsigned>(milliseconds_max)));
}

void FaultProxy::run() {
  while (!stopping_) {
    std::vector<pollfd> polled;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      connections_.remove_if([](const Connection& each) { return each.over; });
      polled.push_back({listener_.get(), POLLIN, 0});
      const auto events = [](const Way& in, const Way& out) {
        short wanted = 0;
        if (!in.ended && in.held.size() < kHeldBytesMax) wanted |= POLLIN;
        if (!out.held.empty() && out.open_at <= Clock::now()) wanted |= POLLOUT;
        return wanted;
      };
      for (Connection& each : connections_) {
        if (each.frozen) continue;
        polled.push_back({each.client.get(), events(each.up, each.down), 0});
        polled.push_back({each.server.get(), events(each.down, each.up), 0});
      }
    }
    ::poll(polled.data(), polled.size(), kPollMilliseconds);
    const std::lock_guard<std::mutex> lock(mutex_);
    std::size_t at = 1;
    for (Connection& each : connections_) {
      if (each.frozen || at >= polled.size() || polled[at].fd != each.client.get()) continue;
      turn(each, polled[at].revents, polled[at + 1].revents);
      at += 2;
    }
    if (polled[0].revents != 0) accept_one();
  }
}

void FaultProxy::accept_one() {
  UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.get() < 0 || server.get() < 0) return;
  if (faults_ && below(kRefusedOf) == 0) {
    ++counts_.refused;
    end_by_reset(client);
    return;
  }
  const sockaddr_in address = loopback(target_);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    end_by_reset(client);
    return;
  }
  make_prompt(client.get());
  make_prompt(server.get());
  Connection& made = connections_.emplace_back();
  made.up.from = made.down.to = client.get();
  made.up.to = made.down.from = server.get();
  made.client = std::move(client);
  made.server = std::move(server);
  made.fault_at = soon(kFaultEveryMilliseconds);
}

void FaultProxy::turn(Connection& connection, short client_events, short server_events) {
  constexpr short kReadable = POLLIN | POLLHUP | POLLERR;
  if (!connection.over && (client_events & kReadable) != 0) read_some(connection, connection.up);
  if (!connection.over && (server_events & kReadable) != 0) read_some(connection, connection.down);
  for (Way* way : {&connection.up, &connection.down}) {
    if (!connection.over) write_some(connection, *way);
  }
  const bool all_told = connection.up.told_end && connection.down.told_end;
  if (all_told) connection.over = true;
}

void FaultProxy::read_some(Connection& connection, Way& way) {
  if (way.ended || way.held.size() >= kHeldBytesMax) return;
  char buffer[16384];
  const ssize_t count = ::recv(way.from, buffer, sizeof(buffer), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) cut(connection);
    return;
  }
  if (count == 0) {
    way.ended = true;
    return;
  }
  way.held.append(buffer, static_cast<std::size_t>(count));
  if (connection.swallowing && &way == &connection.down) {
    ++counts_.swallowed;
    cut(connection);
    return;
  }
  if (faults_ && Clock::now() >= connection.fault_at) strike(connection, way);
}

void FaultProxy::strike(Connection& connection, Way& way) {
  connection.fault_at = soon(kFaultEveryMilliseconds);
  switch (static_cast<Fault>(below(5))) {
    case Fault::kCut:
      ++counts_.cut;
      cut(connection);
      return;
    case Fault::kTear:
      ++counts_.torn;
      tear(connection, way);
      return;
    case Fault::kStall:
      ++counts_.stalled;
      way.open_at = soon(kStallMilliseconds);
      return;
    case Fault::kRechunk:
      ++counts_.rechunked;
      connection.up.piece = connection.down.piece = 1 + below(kPieceBytesMax);
      return;
    case Fault::kSwallow:
      // Of a request; a watch loses its next events instead.
      connection.swallowing = true;
      return;
  }
}

void FaultProxy::tear(Connection& connection, Way& way) {
  const std::size_t part = below(static_cast<unsigned>(way.held.size()));
  ::send(way.to, way.held.data(), part, MSG_NOSIGNAL);
  connection.over = true;
  connection.client.reset();
  connection.server.reset();
}

void FaultProxy::cut(Connection& connection) {
  if (connection.over) return;
  connection.over = true;
  end_by_reset(connection.client);
  end_by_reset(connection.server);
}

void FaultProxy::write_some(Connection& connection, Way& way) {
  if (way.open_at > Clock::now()) return;
  int pieces = 0;
  while (!way.held.empty() && pieces++ < kPiecesAtOnce) {
    std::size_t size = way.held.size();
    if (way.piece != 0) size = std::min(size, way.piece);
    const ssize_t count = ::send(way.to, way.held.data(), size, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) cut(connection);
      return;
    }
    way.held.erase(0, static_cast<std::size_t>(count));
  }
  if (!way.held.empty() || !way.ended || way.told_end) return;
  ::shutdown(way.to, SHUT_WR);
  way.told_end = true;
}

}  // namespace loglink::testing
