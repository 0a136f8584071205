#include "agent/shell/state_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <system_error>
#include <utility>

#include "agent/shell/system_error.h"
#include "lib/base/unique_fd.h"

namespace loglink {
namespace {

// More than the agent ever writes; a larger file is not ours.
constexpr std::size_t kStateBytesMax = std::size_t{16} * 1024 * 1024;
constexpr Duration kRetry = std::chrono::seconds(5);

std::string reason(const std::string& what, int error) {
  return what + ": " + std::generic_category().message(error);
}

bool write_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written =
        retry_interrupted([&] { return ::write(fd, bytes.data() + at, bytes.size() - at); });
    if (written < 0) return false;
    at += static_cast<std::size_t>(written);
  }
  return true;
}

FileExpected<std::optional<std::string>> read_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT) return std::optional<std::string>();
    return file_failure(errno);
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return file_failure(errno);
  if (!S_ISREG(status.st_mode)) return file_failure(EINVAL);
  std::string bytes;
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    const ssize_t got =
        retry_interrupted([&] { return ::read(fd.get(), buffer.data(), buffer.size()); });
    if (got < 0) return file_failure(errno);
    if (got == 0) return std::optional<std::string>(std::move(bytes));
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
    if (bytes.size() > kStateBytesMax) return file_failure(EFBIG);
  }
}

}  // namespace

StateStore::StateStore(std::string directory)
    : directory_(std::move(directory)), thread_([this] { run(); }) {}

StateStore::~StateStore() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  thread_.join();
}

FileExpected<std::optional<std::string>> StateStore::load(const std::string& name) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = pending_.find(name);
    if (found != pending_.end()) return std::optional<std::string>(found->second);
    if (writing_ && writing_->first == name) return std::optional<std::string>(writing_->second);
    const auto failed = failed_.find(name);
    if (failed != failed_.end()) return std::optional<std::string>(failed->second);
  }
  return read_file(directory_ + "/" + name);
}

void StateStore::store(const std::string& name, std::string bytes) {
  {
    const std::lock_guard lock(mutex_);
    failed_.erase(name);
    pending_[name] = std::move(bytes);
  }
  work_.notify_one();
}

bool StateStore::flush(Duration at_most) {
  std::unique_lock lock(mutex_);
  try_failed_again();
  work_.notify_one();
  return idle_.wait_for(lock, at_most, [this] { return pending_.empty() && !writing_; });
}

std::string StateStore::trouble() const {
  const std::lock_guard lock(mutex_);
  return troubles_.empty() ? "" : troubles_.begin()->second;
}

// What was stored since is newer.
void StateStore::try_failed_again() {
  pending_.merge(failed_);
  failed_.clear();
}

void StateStore::run() noexcept {
  std::unique_lock lock(mutex_);
  for (;;) {
    const auto has_work = [this] { return stopping_ || !pending_.empty(); };
    if (failed_.empty()) {
      work_.wait(lock, has_work);
    } else if (!work_.wait_for(lock, kRetry, has_work) || stopping_) {
      try_failed_again();
    }
    if (pending_.empty()) return;
    writing_.emplace(std::move(*pending_.begin()));
    pending_.erase(pending_.begin());
    lock.unlock();
    std::string failure;
    try {
      failure = write_file(writing_->first, writing_->second);
    } catch (const std::exception& e) {
      failure = e.what();
    }
    lock.lock();
    auto [name, bytes] = *std::exchange(writing_, std::nullopt);
    if (failure.empty()) {
      troubles_.erase(name);
    } else {
      troubles_[name] = std::move(failure);
      if (!stopping_ && pending_.count(name) == 0) failed_[name] = std::move(bytes);
    }
    if (pending_.empty()) idle_.notify_all();
  }
}

std::string StateStore::write_file(const std::string& name, const std::string& bytes) {
  if (::mkdir(directory_.c_str(), 0700) != 0 && errno != EEXIST) return reason(directory_, errno);
  const UniqueFd directory(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return reason(directory_, errno);
  const std::string temporary = "." + name + ".tmp";
  const UniqueFd file(::openat(directory.get(), temporary.c_str(),
                               O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return reason(directory_ + "/" + temporary, errno);
  if (!write_all(file.get(), bytes) || ::fdatasync(file.get()) != 0) {
    const int error = errno;
    ::unlinkat(directory.get(), temporary.c_str(), 0);
    return reason(directory_ + "/" + temporary, error);
  }
  if (::renameat(directory.get(), temporary.c_str(), directory.get(), name.c_str()) != 0) {
    return reason(directory_ + "/" + name, errno);
  }
  // The rename itself must outlive a power cut.
  if (::fsync(directory.get()) != 0) return reason(directory_, errno);
  return "";
}

}  // namespace loglink
