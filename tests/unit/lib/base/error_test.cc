#include "lib/base/error.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace loglink {
namespace {

TEST(FailErrno, KeepsTheErrnoAndSaysItInWords) {
  const Error error = fail_errno(ENOENT, "open /x").value();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.system_errno, ENOENT);
  EXPECT_EQ(error.message, "open /x: No such file or directory");
}

TEST(FailErrno, ClassifiesWhatProgramsDecideOn) {
  const std::pair<int, ErrorCode> cases[] = {
      {EEXIST, ErrorCode::kAlreadyExists},
      {EACCES, ErrorCode::kPermissionDenied},
      {EPERM, ErrorCode::kPermissionDenied},
      {ENOSYS, ErrorCode::kUnsupported},
      {EOPNOTSUPP, ErrorCode::kUnsupported},
      {ENOSPC, ErrorCode::kResourceExhausted},
      {EMFILE, ErrorCode::kResourceExhausted},
      {ENOTDIR, ErrorCode::kInvalidArgument},
      {EIO, ErrorCode::kIo},
      {ESTALE, ErrorCode::kIo},
  };
  for (const auto& [error, code] : cases) {
    EXPECT_EQ(fail_errno(error, "").value().code, code) << error;
  }
}

Expected<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kInvalidArgument, "odd");
  return value / 2;
}

Expected<int> quarter(int value) {
  LOGLINK_TRY(half(value));
  LOGLINK_ASSIGN_OR_RETURN(const int once, half(value));
  LOGLINK_ASSIGN_OR_RETURN(const int twice, half(once));
  return twice;
}

TEST(TryMacros, PassErrorsOnAndAssignValues) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(5).error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace loglink
