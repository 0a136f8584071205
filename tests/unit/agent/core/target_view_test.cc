#include "agent/core/target_view.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace loglink {
namespace {

TEST(TargetView, OnlyARegularFileIsOneAndWhatCannotBeAskedIsUnknown) {
  const std::vector<std::pair<FileKind, TargetState>> cases = {
      {FileKind::kRegular, TargetState::kRegular}, {FileKind::kFifo, TargetState::kFifo},
      {FileKind::kDirectory, TargetState::kOther}, {FileKind::kSymlink, TargetState::kOther},
      {FileKind::kSocket, TargetState::kOther},    {FileKind::kDevice, TargetState::kOther},
      {FileKind::kUnknown, TargetState::kUnknown},
  };
  for (const auto& [kind, state] : cases) {
    FileInfo info;
    info.kind = kind;
    info.size = 7;
    EXPECT_EQ(view_of(info), (TargetView{state, info}));
  }
}

// What stands in the way of a file counts as its absence. Any other error says nothing, or a disk
// in trouble would cost links.
TEST(TargetView, OnlySomeErrorsMeanThatAFileIsMissing) {
  for (const FileErrorKind kind :
       {FileErrorKind::kNotFound, FileErrorKind::kNotADirectory, FileErrorKind::kSymlinkInPath}) {
    EXPECT_EQ(view_of(tl::unexpected(FileError{kind})).state, TargetState::kMissing);
  }
  for (const FileErrorKind kind :
       {FileErrorKind::kPermissionDenied, FileErrorKind::kCrossesMount, FileErrorKind::kIo,
        FileErrorKind::kTooManyOpenFiles, FileErrorKind::kNameTooLong}) {
    EXPECT_EQ(view_of(tl::unexpected(FileError{kind})), TargetView{});
  }
}

}  // namespace
}  // namespace loglink
