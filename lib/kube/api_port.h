// KubePort: the two seams through which both programs speak to an API server. Everything above is
// the same code on Beast and cpprestsdk, on the embedded server and in the simulator.
//
// Threads: all methods are called on the owner's loop thread, and all callbacks run there, never
// inside the call that caused them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "lib/base/clock.h"
#include "lib/model/kube_error.h"

namespace loglink {

// --- LIST and WATCH -----------------------------------------------------------------------------

struct StreamRequest {
  std::string target;  // path and query, escaped: "/api/v1/pods?limit=500"
  std::string accept;
  Duration header_timeout = std::chrono::seconds(10);  // until the answer's head is there
  Duration idle_timeout = std::chrono::seconds(90);    // between two reads of the body
  Duration deadline = std::chrono::minutes(11);        // of the whole exchange
};

struct StreamHead {
  int status = 0;
  std::string content_type;
  std::optional<Duration> retry_after;
};

// Called in the order head, data*, end; after a failed connect only end.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void on_head(const StreamHead& head) = 0;
  // A piece of the body, split anywhere; valid during the call only. A slow handler holds the
  // server back: nothing is buffered beyond one read.
  virtual void on_data(std::string_view bytes) = 0;
  // nullopt: the body ended as its framing says. Called exactly once, unless cancelled before.
  virtual void on_end(std::optional<KubeError> error) = 0;
};

using StreamId = std::uint64_t;

class StreamTransport {
 public:
  virtual ~StreamTransport() = default;
  // `handler` must outlive the stream: until on_end, or until cancel() returns.
  virtual StreamId open(StreamRequest request, StreamHandler& handler) = 0;
  // No callback of that stream runs after this returns. Unknown or ended ids are ignored. May be
  // called from within a callback of that stream (its on_end does not come then), and so may
  // open().
  virtual void cancel(StreamId id) = 0;
};

// --- GET, PUT, PATCH, POST, DELETE --------------------------------------------------------------

enum class Method { kGet, kPut, kPatch, kPost, kDelete };
std::string_view to_string(Method method);

struct UnaryRequest {
  Method method = Method::kGet;
  std::string target;
  std::string content_type;  // of the body; "" without one
  std::string body;
  // From when a connection takes it up: what waits behind a slow server is not late by that. How
  // long it may wait is bounded by not_after alone.
  Duration deadline = std::chrono::seconds(5);
  // A write that must not reach the server after this (a leader's right to write ends): the client
  // checks it last thing before it sends and answers kCancelled. One that is on its way is ended
  // (kDeadline) with its connection, and what the kernel still holds of it is dropped. Both
  // transports may send a request twice, so every write is idempotent.
  MonotonicTime not_after = MonotonicTime::never();
};

struct UnaryResponse {
  int status = 0;  // 200..299
  std::string body;
};

using UnaryResult = tl::expected<UnaryResponse, KubeError>;

class UnaryClient {
 public:
  virtual ~UnaryClient() = default;
  // `done` is called exactly once, on the loop thread, unless the client is destroyed first.
  virtual void send(UnaryRequest request, std::function<void(UnaryResult)> done) = 0;
};

}  // namespace loglink
