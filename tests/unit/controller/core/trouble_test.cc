#include "controller/core/trouble.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/model/limits.h"

namespace loglink {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(TroubleRank, FollowsTheSeverityOfItsReason) {
  EXPECT_EQ(rank_of(Reason::kNotOnAVolume), Rank::kSource);
  EXPECT_EQ(rank_of(Reason::kNodeLimitReached), Rank::kLimit);
  EXPECT_EQ(rank_of(Reason::kDirectoryNotFound), Rank::kMissing);
  EXPECT_EQ(rank_of(Reason::kNameTaken), Rank::kFile);
  EXPECT_EQ(rank_of(Reason::kUnknownAnnotation), Rank::kTold);
  // The node's or the installation's: nothing that the pod's owner did.
  for (const Reason reason : {Reason::kRotated, Reason::kUnsafeRoot, Reason::kDiskFull}) {
    EXPECT_EQ(rank_of(reason), Rank::kNote) << to_string(reason);
  }
}

TEST(TroubleMessage, IsTheThingTheReasonAndTheCure) {
  EXPECT_EQ(to_message({{Rank::kSource, Reason::kNotOnAVolume, "/data", "mount a volume"}}, 0),
            "/data: NotOnAVolume: mount a volume");
  EXPECT_EQ(to_message({{Rank::kSource, Reason::kNoWatchDir, "", "add it"}}, 0),
            "NoWatchDir: add it");
  EXPECT_EQ(to_message({{Rank::kNote, std::nullopt, "", "no file matches *.log yet"}}, 0),
            "no file matches *.log yet");
  EXPECT_EQ(to_message({{Rank::kSource, Reason::kStaticPod, "/a", ""}}, 0), "/a: StaticPod");
  EXPECT_EQ(to_message({}, 0), "");
}

TEST(TroubleMessage, CountsTheOthers) {
  const Trouble first{Rank::kSource, Reason::kNotOnAVolume, "/a", "x"};
  EXPECT_EQ(to_message({first, first, first}, 0), "/a: NotOnAVolume: x (and 2 more)");
  EXPECT_EQ(to_message({first}, 4), "/a: NotOnAVolume: x (and 4 more)");
  EXPECT_EQ(to_message({first, first}, 4), "/a: NotOnAVolume: x (and 5 more)");
}

// An annotation's value goes to terminals, and has its bound in the policy.
TEST(TroubleMessage, IsOneShortPrintableLineThatKeepsReasonAndCount) {
  const Trouble wild{Rank::kSource, Reason::kInvalidDirectory,
                     "/" + std::string(1000, 'a') + "\n\x1b", std::string(1000, 'b')};
  const std::string message = to_message({wild, wild}, 0);
  EXPECT_LE(message.size(), limits::kMessageBytes);
  EXPECT_THAT(message, StartsWith("/aaaa"));
  EXPECT_THAT(message, HasSubstr(": InvalidDirectory: bbb"));
  EXPECT_THAT(message, EndsWith(" (and 1 more)"));
  EXPECT_THAT(message, Not(HasSubstr("\n")));
  EXPECT_THAT(message, Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace loglink
