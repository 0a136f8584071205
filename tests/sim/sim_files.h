// A node's file systems as one agent process sees them: FakeFiles with failing calls, late and lost
// notices, and a crash at any change.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "lib/base/random.h"
#include "tests/fakes/fake_files.h"

namespace loglink::sim {

// Thrown where a process dies.
struct Crash {
  const void* port = nullptr;  // the SimFiles or SimApi of that process
};

struct LinkChange {
  enum class Kind { kMake, kReplace, kRemove };
  Kind kind = Kind::kMake;
  std::string name;
  std::string old_target;
  std::string new_target;
};

class SimFiles final : public FilePort {
 public:
  SimFiles(FakeFiles& files, Random& random) : files_(files), random_(random) {}

  // Calls that fail, out of 1,000.
  void set_failures(unsigned per_mille) { failures_ = per_mille; }
  [[nodiscard]] bool fails_at_times() const { return failures_ > 0; }
  // The process dies at the `nth` change from now: before or after it is done.
  void crash_at_change(int nth) { crash_in_ = nth; }
  // Told before and after each change of the link directory that succeeds.
  void set_observer(std::function<void(const LinkChange&)> before,
                    std::function<void(const LinkChange&)> after) {
    before_ = std::move(before);
    after_ = std::move(after);
  }

  [[nodiscard]] bool has_notices() {
    collect_notices();
    return !notices_.empty();
  }
  void overflow();
  void lose_notices();

  RootState check_root(const std::string& root) override;
  [[nodiscard]] std::string target_prefix(const std::string& root) const override;
  [[nodiscard]] std::vector<std::string> owned_prefixes() const override;
  FileExpected<FileInfo> stat(const std::string& root, const std::string& path) override;
  FileExpected<OpenDirectory> open_directory(const std::string& root,
                                             const std::string& path) override;
  FileExpected<std::vector<LinkEntry>> list_links() override;
  FileExpected<LinkEntry> read_link(const std::string& name) override;
  FileExpected<void> make_link(const std::string& name, const std::string& target) override;
  FileExpected<void> replace_link(const std::string& name, const std::string& old_target,
                                  const std::string& new_target) override;
  FileExpected<void> remove_link(const std::string& name, const std::string& target) override;
  FileExpected<std::int64_t> link_directory_version() override;
  FileExpected<std::uint64_t> watch(const std::string& root, const std::string& path) override;
  void unwatch(std::uint64_t watch) override;
  std::vector<FileNotice> take_notices(std::size_t max_notices) override;
  FileExpected<std::optional<std::string>> load_state(const std::string& name) override;
  void store_state(const std::string& name, std::string bytes) override;

 private:
  void collect_notices();
  bool fails() { return failures_ > 0 && random_.below(1000) < failures_; }
  tl::unexpected<FileError> failure(bool is_write);
  FileExpected<void> change(const LinkChange& change,
                            const std::function<FileExpected<void>()>& do_it);
  // True: dies once the change is done.
  bool dies_after_change();

  FakeFiles& files_;
  Random& random_;
  unsigned failures_ = 0;
  int crash_in_ = 0;
  std::function<void(const LinkChange&)> before_;
  std::function<void(const LinkChange&)> after_;
  std::deque<FileNotice> notices_;
};

}  // namespace loglink::sim
