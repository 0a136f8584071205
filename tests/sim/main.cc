// loglink-sim: runs simulated histories, in several processes, and says which seeds fail.
//
//   loglink-sim --schedules 10000 --jobs 2      seeds 1 to 10000, half of them in each process
//   loglink-sim --first 10001 --schedules 500   seeds 10001 to 10500
//   loglink-sim --seed 42                       that one again, with all that was done
//   loglink-sim --until-failure --schedules 500 no more seeds than the first one that fails
//
// Ends with one line "N passed, N failed".
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "tests/sim/schedule.h"

namespace {

struct Options {
  std::uint64_t first = 1;
  std::uint64_t schedules = 10'000;
  std::uint64_t jobs = 1;
  int steps = 200;
  std::uint64_t most_told = 50;  // failures that are described by each process
  bool whole_history = false;
  bool until_failure = false;
};

// The lowest seed that has failed, in memory that the processes share: none needs to look beyond
// it.
using FirstFailure = std::atomic<std::uint64_t>;

FirstFailure* shared_first_failure() {
  void* memory = ::mmap(nullptr, sizeof(FirstFailure), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  return new (memory) FirstFailure(UINT64_MAX);
}

void lower(FirstFailure& first, std::uint64_t seed) {
  std::uint64_t known = first.load();
  while (seed < known && !first.compare_exchange_weak(known, seed)) {
  }
}

int usage() {
  std::cerr
      << "usage: loglink-sim [--seed N | --first N --schedules N] [--until-failure] [--steps M] "
         "[--jobs J]\n";
  return 2;
}

// Every jobs-th seed, beginning with the job-th; the number of those that failed.
std::uint64_t run_share(const Options& options, std::uint64_t job, FirstFailure& first) {
  std::uint64_t failed = 0;
  for (std::uint64_t i = job; i < options.schedules; i += options.jobs) {
    const std::uint64_t seed = options.first + i;
    if (options.until_failure && seed > first.load()) break;
    const auto detail =
        options.whole_history ? loglink::sim::Detail::kTrace : loglink::sim::Detail::kActions;
    auto result = loglink::sim::run_schedule(seed, options.steps, detail);
    if (result.violation.empty()) continue;
    lower(first, seed);
    if (!options.whole_history) {
      result.history = result.last_actions;
      result.state.clear();
    }
    if (++failed <= options.most_told) {
      std::cout << loglink::sim::describe(result, options.steps) << std::flush;
    }
  }
  return failed;
}

// In a process of its own, which writes the number of failures to `report`.
pid_t start_share(const Options& options, std::uint64_t job, int report, FirstFailure& first) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const std::uint64_t failed = run_share(options, job, first);
  std::cout << std::flush;
  const bool told = ::write(report, &failed, sizeof failed) == sizeof failed;
  ::_exit(told ? 0 : 1);
}

// False: a process died, which no schedule may bring about.
bool run_in_processes(const Options& options, FirstFailure& first, std::uint64_t& failed) {
  std::array<int, 2> ends{};
  if (::pipe(ends.data()) != 0) return false;
  std::vector<pid_t> children;
  for (std::uint64_t job = 0; job < options.jobs; ++job) {
    children.push_back(start_share(options, job, ends[1], first));
  }
  ::close(ends[1]);
  std::uint64_t one = 0;
  std::uint64_t reports = 0;
  while (::read(ends[0], &one, sizeof one) == sizeof one) {
    failed += one;
    ++reports;
  }
  ::close(ends[0]);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  return reports == options.jobs;
}

bool parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; i += 2) {
    const std::string option = argv[i];
    if (option == "--until-failure") {
      options.until_failure = true;
      --i;
      continue;
    }
    if (i + 1 == argc) return false;
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(argv[i + 1], &end, 10);
    if (*end != '\0') return false;
    if (option == "--seed") {
      options.first = value;
      options.schedules = 1;
      options.whole_history = true;
    } else if (option == "--first") {
      options.first = value;
    } else if (option == "--schedules") {
      options.schedules = value;
    } else if (option == "--steps") {
      options.steps = static_cast<int>(value);
    } else if (option == "--jobs" && value > 0 && value <= 64) {
      options.jobs = value;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) return usage();
  FirstFailure* first = shared_first_failure();
  if (first == nullptr) return usage();
  std::uint64_t failed = 0;
  if (options.jobs == 1) {
    failed = run_share(options, 0, *first);
  } else if (!run_in_processes(options, *first, failed)) {
    std::cout << "a process of the simulator died\n";
    return 1;
  }
  if (options.until_failure && failed > 0) {
    std::cout << "the first seed that fails is " << first->load() << "\n";
    return 1;
  }
  std::cout << options.schedules - failed << " passed, " << failed << " failed\n";
  return failed == 0 ? 0 : 1;
}
