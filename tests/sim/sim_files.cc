#include "tests/sim/sim_files.h"

#include <algorithm>
#include <iterator>

namespace loglink::sim {

void SimFiles::collect_notices() {
  for (FileNotice& notice : files_.take_notices(1'000'000)) notices_.push_back(std::move(notice));
}

void SimFiles::overflow() {
  lose_notices();
  notices_.push_back({FileNotice::Kind::kOverflow, 0, ""});
}

void SimFiles::lose_notices() {
  files_.lose_notices();
  notices_.clear();
}

// Nothing that lies about what is there: what a kernel may say of a healthy disk.
tl::unexpected<FileError> SimFiles::failure(bool is_write) {
  static constexpr FileErrorKind kReads[] = {FileErrorKind::kIo, FileErrorKind::kPermissionDenied,
                                             FileErrorKind::kTooManyOpenFiles};
  static constexpr FileErrorKind kWrites[] = {FileErrorKind::kNoSpace, FileErrorKind::kIo,
                                              FileErrorKind::kReadOnly};
  const std::uint64_t one = random_.below(3);
  FileErrorKind kind = kReads[one];
  if (is_write) kind = kWrites[one];
  return tl::unexpected<FileError>(FileError{kind, 0});
}

bool SimFiles::dies_after_change() {
  if (crash_in_ == 0 || --crash_in_ > 0) return false;
  if (random_.below(2) == 0) throw Crash{this};
  return true;
}

FileExpected<void> SimFiles::change(const LinkChange& change,
                                    const std::function<FileExpected<void>()>& do_it) {
  const bool dies = dies_after_change();
  if (fails()) return failure(true);
  before_(change);
  FileExpected<void> done = do_it();
  if (done) after_(change);
  if (dies) throw Crash{this};
  return done;
}

RootState SimFiles::check_root(const std::string& root) {
  if (fails()) return RootState::kAbsent;
  return files_.check_root(root);
}

std::string SimFiles::target_prefix(const std::string& root) const {
  return files_.target_prefix(root);
}

std::vector<std::string> SimFiles::owned_prefixes() const { return files_.owned_prefixes(); }

FileExpected<FileInfo> SimFiles::stat(const std::string& root, const std::string& path) {
  if (fails()) return failure(false);
  return files_.stat(root, path);
}

FileExpected<OpenDirectory> SimFiles::open_directory(const std::string& root,
                                                     const std::string& path) {
  if (fails()) return failure(false);
  return files_.open_directory(root, path);
}

FileExpected<std::vector<LinkEntry>> SimFiles::list_links() {
  if (fails()) return failure(false);
  return files_.list_links();
}

FileExpected<LinkEntry> SimFiles::read_link(const std::string& name) {
  if (fails()) return failure(false);
  return files_.read_link(name);
}

FileExpected<void> SimFiles::make_link(const std::string& name, const std::string& target) {
  return change({LinkChange::Kind::kMake, name, "", target},
                [&] { return files_.make_link(name, target); });
}

FileExpected<void> SimFiles::replace_link(const std::string& name, const std::string& old_target,
                                          const std::string& new_target) {
  return change({LinkChange::Kind::kReplace, name, old_target, new_target},
                [&] { return files_.replace_link(name, old_target, new_target); });
}

FileExpected<void> SimFiles::remove_link(const std::string& name, const std::string& target) {
  // An absent name is no change.
  if (files_.link_directory().count(name) == 0) return files_.remove_link(name, target);
  return change({LinkChange::Kind::kRemove, name, target, ""},
                [&] { return files_.remove_link(name, target); });
}

FileExpected<std::int64_t> SimFiles::link_directory_version() {
  if (fails()) return failure(false);
  return files_.link_directory_version();
}

FileExpected<std::uint64_t> SimFiles::watch(const std::string& root, const std::string& path) {
  if (fails()) return tl::unexpected<FileError>(FileError{FileErrorKind::kWatchLimit, 0});
  return files_.watch(root, path);
}

void SimFiles::unwatch(std::uint64_t watch) {
  files_.unwatch(watch);
  notices_.erase(std::remove_if(notices_.begin(), notices_.end(),
                                [watch](const FileNotice& each) { return each.watch == watch; }),
                 notices_.end());
}

std::vector<FileNotice> SimFiles::take_notices(std::size_t max_notices) {
  collect_notices();
  const std::size_t count = std::min(max_notices, notices_.size());
  const auto end = notices_.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<FileNotice> taken(std::make_move_iterator(notices_.begin()),
                                std::make_move_iterator(end));
  notices_.erase(notices_.begin(), end);
  return taken;
}

FileExpected<std::optional<std::string>> SimFiles::load_state(const std::string& name) {
  if (fails()) return failure(false);
  return files_.load_state(name);
}

void SimFiles::store_state(const std::string& name, std::string bytes) {
  const bool dies = dies_after_change();
  files_.store_state(name, std::move(bytes));
  if (dies) throw Crash{this};
}

}  // namespace loglink::sim
