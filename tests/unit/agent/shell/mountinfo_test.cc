#include "agent/shell/mountinfo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kText =
    "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
    "40 36 0:31 / /run/loglink/roots rw,nosuid,nodev,noexec shared:7 - tmpfs loglink ro,size=256k\n"
    "41 40 8:1 /pods /run/loglink/roots/kubelet-pods ro,nosuid,nodev,noexec,relatime,nosymfollow"
    " shared:8 unbindable - ext4 /dev/sda1 rw\n"
    "42 36 0:40 / /with\\040blank\\011tab\\134back rw - tmpfs none rw\n";

TEST(Mountinfo, FieldsAreFoundWithNoneOneOrTwoTags) {
  const auto mounts = parse_mountinfo(kText);
  ASSERT_EQ(mounts.size(), 4U);
  EXPECT_EQ(mounts[0], (MountPoint{36, "/mnt1", "/mnt2", {"rw", "noatime"}, "ext3"}));
  EXPECT_EQ(mounts[1].file_system, "tmpfs");
  EXPECT_EQ(mounts[2].root, "/pods");
  EXPECT_EQ(mounts[2].file_system, "ext4");
  EXPECT_EQ(mounts[3].mount_point, "/with blank\ttab\\back");
}

TEST(Mountinfo, LinesThatAreNotMountsAreLeftOut) {
  for (const char* line :
       {"", "\n\n", "36 35 98:0 /mnt1 /mnt2 rw", "36 35 98:0 /mnt1 /mnt2 rw shared:1 ext3 x rw",
        "x 35 98:0 /mnt1 /mnt2 rw - ext3 x rw", "36 35 98:0 /mnt1 /mnt2 rw shared:1 -",
        "36x 35 98:0 /mnt1 /mnt2 rw - ext3 x rw", "99999999999999999999 1 0:1 / / rw - a b c"}) {
    EXPECT_THAT(parse_mountinfo(line), IsEmpty()) << line;
  }
}

TEST(Mountinfo, OnlyOctalEscapesAreUndone) {
  EXPECT_EQ(unescape_mount_path("a\\040b"), "a b");
  EXPECT_EQ(unescape_mount_path("\\377"), "\xff");
  EXPECT_EQ(unescape_mount_path("\\04"), "\\04");
  EXPECT_EQ(unescape_mount_path("\\400"), "\\400");
  EXPECT_EQ(unescape_mount_path("\\098"), "\\098");
  EXPECT_EQ(unescape_mount_path("end\\"), "end\\");
}

TEST(Mountinfo, EachSafeOptionIsNeededAsAWholeWord) {
  const MountPoint safe = parse_mountinfo(kText)[2];
  EXPECT_TRUE(has_safe_options(safe));
  for (const std::string missing : {"ro", "nosuid", "nodev", "noexec", "nosymfollow"}) {
    MountPoint unsafe = safe;
    for (std::string& option : unsafe.options) {
      if (option == missing) option += "x";
    }
    EXPECT_FALSE(has_safe_options(unsafe)) << missing;
  }
}

TEST(Mountinfo, StackedMountsAreCounted) {
  auto mounts = parse_mountinfo(kText);
  mounts.push_back(mounts[2]);
  EXPECT_EQ(count_mounts_at(mounts, "/run/loglink/roots/kubelet-pods"), 2U);
  EXPECT_EQ(count_mounts_at(mounts, "/run/loglink"), 0U);
}

TEST(Mountinfo, MountPointsBelowAreStrictlyBelowOnAPathBoundaryAndNamedOnce) {
  std::vector<MountPoint> mounts;
  for (const char* path : {"/a", "/a/c", "/ab", "/a/b", "/a/b"}) {
    mounts.push_back({1, "/", path, {}, "tmpfs"});
  }
  EXPECT_THAT(mount_points_below(mounts, "/a"), ElementsAre("/a/b", "/a/c"));
}

TEST(Mountinfo, MountsAreFoundById) {
  const auto mounts = parse_mountinfo(kText);
  EXPECT_EQ(find_mount(mounts, 41)->file_system, "ext4");
  EXPECT_EQ(find_mount(mounts, 1), nullptr);
}

}  // namespace
}  // namespace loglink
