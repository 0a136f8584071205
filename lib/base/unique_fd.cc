#include "lib/base/unique_fd.h"

#include <unistd.h>

namespace loglink {

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) reset(std::exchange(other.fd_, -1));
  return *this;
}

void UniqueFd::reset(int fd) {
  // Linux frees the descriptor even when close() fails with EINTR; retrying could close another's.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace loglink
