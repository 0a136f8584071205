// What goes wrong between a client and the API server, by script. A value shared by the embedded
// server and its control endpoint.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "lib/base/error.h"
#include "tests/fakes/fake_kube.h"

namespace loglink::fakes {

struct Fault {
  // Which requests: the next `count` that match.
  std::string method;         // "" any
  std::string path_prefix;    // of the target; "" any
  std::optional<bool> watch;  // only watches, or only others
  std::size_t count = 1;

  // What happens to them. Several may be combined.
  int status = 0;  // this answer instead of the server's
  std::optional<int> retry_after_seconds;
  bool refuse = false;                           // the connection ends before a byte of the answer
  bool lose_answer = false;                      // the request is done, then the same
  std::size_t delay_ms = 0;                      // before the answer's head
  std::optional<std::size_t> cut_after_bytes;    // of the body, then the connection ends
  std::optional<std::size_t> stall_after_bytes;  // of the body, then silence
  std::size_t chunk_bytes = 0;  // the body comes in chunks of this size, each flushed
};

class FaultPlan {
 public:
  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }
  // The first fault that matches, counted down.
  std::optional<Fault> take(const FakeRequest& request);
  [[nodiscard]] std::size_t pending() const { return faults_.size(); }

 private:
  std::vector<Fault> faults_;
};

// The answer that a fault's status stands for, in the words of a real server.
FakeResponse fault_answer(const Fault& fault);

// One fault, or an array of them, as the control endpoint takes it; the members have the names
// above.
Expected<std::vector<Fault>> parse_faults(const std::string& json);

}  // namespace loglink::fakes
