// One simulated history from one seed: actions and faults, then peace, in which the system must
// come to what the oracle expects and then be still.
#pragma once

#include <cstdint>
#include <string>

namespace loglink::sim {

struct ScheduleResult {
  std::uint64_t seed = 0;
  std::string violation;  // "": all is well
  std::string history;    // all actions before it
  std::string last_actions;
  std::string state;  // of the nodes: what is there, and what their agents say
  int steps = 0;
  std::uint64_t fingerprint = 0;  // of how far chance and time have come
};

enum class Detail {
  kActions,  // the history has what the simulator did to the system
  kTrace     // and what the system did: requests, sets, changes of links, what the programs say
};

// The same seed and number of steps give the same history on every machine.
ScheduleResult run_schedule(std::uint64_t seed, int steps, Detail detail = Detail::kActions);

// What a person needs to see: seed, violation, last actions, and how to run it again.
std::string describe(const ScheduleResult& result, int steps);

}  // namespace loglink::sim
