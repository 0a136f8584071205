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

// Thread-safe. Files are 0600 and replaced as a whole: temporary name, fdatasync, rename.
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
  // Waits until everything stored before is written or has failed; false when that takes longer.
  bool flush(Duration at_most);
  // Why the last write failed; "" when it did not.
  [[nodiscard]] std::string trouble() const;

 private:
  void run() noexcept;
  // "" or the reason.
  std::string write_file(const std::string& name, const std::string& bytes);

  const std::string directory_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::map<std::string, std::string> pending_;
  std::optional<std::pair<std::string, std::string>> writing_;
  std::string trouble_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace loglink
