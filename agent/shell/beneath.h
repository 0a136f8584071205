// Resolving below a directory: the one place that turns a path of a tenant into a descriptor.
// Nothing here opens a file for reading; only directories are, to be listed.
#pragma once

#include <string>
#include <vector>

#include "agent/core/file_port.h"
#include "lib/base/unique_fd.h"

namespace loglink {

// What may lie between the start and the end of a resolution.
enum class MountCrossing { kRefused, kAllowed };

// An O_PATH descriptor for `path` below `directory_fd`: no "..", no absolute path, no symlink
// anywhere (the last component included), no mount point unless allowed. "" is the directory.
FileExpected<UniqueFd> open_path_beneath(int directory_fd, const std::string& path,
                                         MountCrossing crossing = MountCrossing::kRefused);

// The same for a directory, readable so that it can be listed.
FileExpected<UniqueFd> open_directory_beneath(int directory_fd, const std::string& path,
                                              MountCrossing crossing = MountCrossing::kRefused);

// Of an open descriptor; O_PATH is enough.
FileExpected<FileInfo> file_info(int fd);

// True when the descriptor is the root of a mount.
FileExpected<bool> is_mount_root(int fd);

// The entries of an open, readable directory, to be read in pieces. Owns the descriptor.
FileExpected<OpenDirectory> read_in_pieces(UniqueFd fd);

// All names in an open, readable directory but "." and "..", in no order.
FileExpected<std::vector<std::string>> list_names(int fd);

// The text of a symlink. REQUIRES: name has no "/". kNotOurs when it is not a symlink.
FileExpected<std::string> read_link_at(int directory_fd, const std::string& name);

}  // namespace loglink
