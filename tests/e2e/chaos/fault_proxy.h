// A TCP proxy on loopback that mistreats what passes. TLS goes through it unread, so that a fault
// hits handshakes, requests, answers and events anywhere.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "lib/base/unique_fd.h"

namespace loglink::testing {

// All counters begin at 0.
struct FaultCounts {
  int cut = 0;        // both ends get an RST
  int torn = 0;       // a part of what came, then the end
  int stalled = 0;    // nothing more for some seconds, then the rest
  int rechunked = 0;  // in pieces of a few bytes
  int swallowed = 0;  // what was asked is done, the answer lost, the connection cut
  int refused = 0;    // the connection ends before a byte
};

class FaultProxy {
 public:
  FaultProxy(std::uint16_t target, unsigned seed);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  [[nodiscard]] std::uint16_t port() const { return port_; }

  // From now on each connection meets a fault every few seconds; or none any more: what was held
  // back goes out. All of these are thread-safe.
  void set_faults(bool on);
  void cut_all();
  // The connections that are open carry nothing any more, in either direction, and stay open. How
  // many they are.
  int freeze_all();
  FaultCounts counts();

 private:
  using Clock = std::chrono::steady_clock;
  enum class Fault { kCut, kTear, kStall, kRechunk, kSwallow };

  // One direction.
  struct Way {
    int from = -1;
    int to = -1;
    std::string held;
    bool ended = false;           // nothing more comes
    bool told_end = false;        // and the other side knows
    std::size_t piece = 0;        // bytes sent at once; 0: all
    Clock::time_point open_at{};  // held until then
  };
  struct Connection {
    UniqueFd client;
    UniqueFd server;
    Way up;
    Way down;
    Clock::time_point fault_at{};
    bool swallowing = false;
    bool frozen = false;
    bool over = false;
  };

  void run();
  void accept_one();
  void turn(Connection& connection, short client_events, short server_events);
  void read_some(Connection& connection, Way& way);
  void write_some(Connection& connection, Way& way);
  void strike(Connection& connection, Way& way);
  void tear(Connection& connection, Way& way);
  static void cut(Connection& connection);
  unsigned below(unsigned bound) { return static_cast<unsigned>(random_()) % bound; }
  Clock::time_point soon(int milliseconds_max);

  const std::uint16_t target_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;  // over all below; the thread holds it but while it polls
  bool faults_ = false;
  std::mt19937 random_;
  FaultCounts counts_;
  std::list<Connection> connections_;
  std::thread thread_;
};

}  // namespace loglink::testing
