// Mounts that only this process and its children see.
#pragma once

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace loglink {

// Empty, or why this machine does not let the tests mount: they are no root, or root of a container
// without CAP_SYS_ADMIN, or of a chroot, whose "/" is no mount point.
inline std::string take_own_mounts() {
  if (::geteuid() != 0) return "mounting needs root: run this test as root";
  if (::unshare(CLONE_NEWNS) != 0) {
    return std::string("mounting is not allowed here: unshare: ") + std::strerror(errno);
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return std::string("mounting is not possible here: making / private: ") + std::strerror(errno);
  }
  return "";
}

}  // namespace loglink
