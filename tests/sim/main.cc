// loglink-sim: runs simulated histories and stops at the first violation.
//
//   loglink-sim --schedules 10000 --steps 200     seeds 1 to 10000
//   loglink-sim --first 10001 --schedules 10000   seeds 10001 to 20000
//   loglink-sim --seed 42                         that one again
#include <cstdlib>
#include <iostream>
#include <string>

#include "tests/sim/schedule.h"

namespace {

int usage() {
  std::cerr << "usage: loglink-sim [--seed N | --first N --schedules N] [--steps M]\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1;
  std::uint64_t schedules = 2000;
  int steps = 200;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc) return usage();
    const std::string option = argv[i];
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(argv[i + 1], &end, 10);
    if (*end != '\0') return usage();
    if (option == "--seed") {
      first = value;
      schedules = 1;
    } else if (option == "--first") {
      first = value;
    } else if (option == "--schedules") {
      schedules = value;
    } else if (option == "--steps") {
      steps = static_cast<int>(value);
    } else {
      return usage();
    }
  }
  for (std::uint64_t seed = first; seed < first + schedules; ++seed) {
    const auto result = loglink::sim::run_schedule(seed, steps);
    if (result.violation.empty()) continue;
    std::cout << loglink::sim::describe(result, steps) << "found after " << seed - first + 1
              << " schedules\n";
    return 1;
  }
  std::cout << schedules << " schedules of " << steps << " steps, no violation\n";
  return 0;
}
