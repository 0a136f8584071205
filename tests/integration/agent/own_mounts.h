// Mounts that only this process and its children see.
#pragma once

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace loglink {

// Empty, or why this machine does not let the tests mount: they are no root, or root of a container
// without CAP_SYS_ADMIN (EPERM), or of a chroot, whose "/" is no mount point (EINVAL). Any other
// error is a failure of the test.
inline std::string take_own_mounts() {
  if (::geteuid() != 0) return "mounting needs root: run this test as root";
  if (::unshare(CLONE_NEWNS) != 0) {
    EXPECT_EQ(errno, EPERM) << "unshare";
    return "root may not mount here, as in a container without CAP_SYS_ADMIN";
  }
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    EXPECT_TRUE(errno == EPERM || errno == EINVAL) << "making / private";
    return "mounts cannot be made private here, as in a chroot";
  }
  return "";
}

}  // namespace loglink
