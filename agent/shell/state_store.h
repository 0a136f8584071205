// Small files in stateDir, written by a thread of its own so that a slow disk holds up no link.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "agent/core/file_port.h"
#include "lib/base/clock.h"

namespace loglink {

// Thread-safe. Files are 0600 and replaced as a whole: temporary name, fdatasync, rename. What
// cannot be written, as on a full disk, is tried again every few seconds and at the end.
class StateStore {
 public:
  // The directory is made (0700) when it is first written to.
  explicit StateStore(std::string directory);
  // Writes what is pending.
  ~StateStore();
  StateStore(const StateStore&) = delete;
  StateStore& operator=(const StateStore&) = delete;

  // nullopt: never written. What was stored last, written yet or not.
  FileExpected<std::optional<std::string>> load(const std::string& name);
  // The last call for a name wins.
  void store(const std::string& name, std::string bytes);
  // Waits until everything stored before is written or has failed, once more if it had before;
  // false when that takes longer.
  bool flush(Duration at_most);
  // Why what was stored last is not written, of one file; "" when all is.
  [[nodiscard]] std::string trouble() const;

 private:
  void run() noexcept;
  void try_failed_again();
  // "" or the reason.
  std::string write_file(const std::string& name, const std::string& bytes);

  const std::string directory_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::map<std::string, std::string> pending_;
  std::optional<std::pair<std::string, std::string>> writing_;
  std::map<std::string, std::string> failed_;    // to be tried again
  std::map<std::string, std::string> troubles_;  // of those, by name
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace loglink
