#include "agent/core/operation.h"

#include <gtest/gtest.h>

#include <set>

namespace loglink {
namespace {

Operation operation(OperationKind kind, OperationReason reason) {
  Operation made;
  made.kind = kind;
  made.reason = reason;
  made.name = "web-0_prod_app-a.log";
  made.old_target = "/run/loglink/roots/apps/old.log";
  made.new_target = "/run/loglink/roots/apps/new.log";
  return made;
}

TEST(DescribeOperation, SaysWhatHappensToWhichLinkAndWhy) {
  EXPECT_EQ(describe(operation(OperationKind::kMake, OperationReason::kNewFile)),
            "make web-0_prod_app-a.log -> /run/loglink/roots/apps/new.log (NewFile)");
  EXPECT_EQ(describe(operation(OperationKind::kReplace, OperationReason::kTargetChanged)),
            "replace web-0_prod_app-a.log -> /run/loglink/roots/apps/new.log (TargetChanged)");
  EXPECT_EQ(describe(operation(OperationKind::kRemove, OperationReason::kWithdrawn)),
            "remove web-0_prod_app-a.log (Withdrawn)");
}

// Names of files are tenants' input, and this goes to terminals and logs.
TEST(DescribeOperation, IsOnePrintableLineWhateverAFileIsCalled) {
  Operation made = operation(OperationKind::kMake, OperationReason::kNewFile);
  made.new_target += "\n\x1b[2Jä";
  const std::string text = describe(made);
  EXPECT_NE(text.find("\\x0a\\x1b[2J\\xc3\\xa4"), std::string::npos) << text;
  made.new_target.assign(10000, 'a');
  EXPECT_LE(describe(made).size(), 2048U);
}

TEST(OperationReasonText, IsAWordThatIsUsedOnce) {
  const OperationReason all[] = {OperationReason::kNewFile,         OperationReason::kTargetChanged,
                                 OperationReason::kModeChanged,     OperationReason::kWithdrawn,
                                 OperationReason::kNoSource,        OperationReason::kTargetGone,
                                 OperationReason::kNotARegularFile, OperationReason::kUnsafeRoot};
  std::set<std::string_view> words;
  for (const OperationReason reason : all) {
    const std::string_view word = to_string(reason);
    EXPECT_EQ(word.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
              std::string_view::npos);
    EXPECT_TRUE(words.insert(word).second) << word;
  }
}

}  // namespace
}  // namespace loglink
