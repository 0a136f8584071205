// A property of a fuzz target: what does not hold is a crash, in every kind of build.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace loglink::fuzz {

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

}  // namespace loglink::fuzz
