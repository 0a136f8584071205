// Safe roots: for each root a private, read-only, nosymfollow clone of its mount at
// <rootsDir>/<name>, on a small read-only tmpfs that is rootsDir itself. Links point through them,
// so that the kernel refuses to follow whatever a tenant swaps in, for every reader.
//
// This is the only privileged code of loglink. It trusts the path of rootsDir's parent, but nothing
// in it: an agent could have prepared it. All calls take a lock on that parent.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lib/base/clock.h"
#include "lib/base/error.h"
#include "lib/model/config.h"

namespace loglink {

struct SafeRootOptions {
  std::string roots_dir;
  std::vector<Root> roots;
  Duration lock_deadline = std::chrono::seconds(30);
};

// One line for a person about what was done.
using SafeRootReport = std::function<void(const std::string& line)>;

// Idempotent: clones that are as they must be are left alone, others are replaced. A root whose
// directory is not there is left out and reported. Linux 5.12 and CAP_SYS_ADMIN are needed.
Expected<void> make_safe_roots(const SafeRootOptions& options, const SafeRootReport& report);

// Writes the gate file `.ready` into rootsDir, for collectors that must not start before the links
// are there. Fails when a safe root is not as it must be. Without roots (linkMode direct) the gate
// is all there is. To be run before an agent is.
Expected<void> open_gate(const SafeRootOptions& options, const SafeRootReport& report);

// Takes away the clones, the tmpfs and with it the gate. Idempotent.
Expected<void> remove_safe_roots(const SafeRootOptions& options, const SafeRootReport& report);

// From the side of a collector, without privilege: each safe root is visible and safe. The error
// says what is wrong and what cures it.
Expected<void> verify_safe_roots(const SafeRootOptions& options);

}  // namespace loglink
