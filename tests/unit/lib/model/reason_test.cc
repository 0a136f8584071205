#include "lib/model/reason.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "lib/model/kube_error.h"

namespace loglink {
namespace {

TEST(Reason, WordsAreUniqueCamelCaseAndReadBack) {
  std::set<std::string_view> words;
  for (const Reason reason : all_reasons()) {
    const std::string_view word = to_string(reason);
    EXPECT_TRUE(words.insert(word).second) << word;
    EXPECT_EQ(reason_from_string(word), reason);
    EXPECT_TRUE(word.front() >= 'A' && word.front() <= 'Z') << word;
    EXPECT_TRUE(std::all_of(word.begin(), word.end(), [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    })) << word;
    // The CRD's bound on status.pods[].reason.
    EXPECT_LE(word.size(), 64U);
  }
  EXPECT_EQ(words.size(), 43U);
}

TEST(Reason, UnknownWordsAreNotReasons) {
  for (const char* word : {"", "directoryNotFound", "DirectoryNotFound ", "kNameTaken", "Linked"}) {
    EXPECT_EQ(reason_from_string(word), std::nullopt) << word;
  }
}

TEST(Reason, SeverityDecidesTheWord) {
  const std::pair<Reason, Severity> cases[] = {
      {Reason::kHostPathNotAllowed, Severity::kSource},
      {Reason::kTooManyDirectories, Severity::kSource},
      {Reason::kRejectedByServer, Severity::kSource},
      {Reason::kUnknownAnnotation, Severity::kTold},
      {Reason::kNodeLimitReached, Severity::kLimit},
      {Reason::kCRDOutdated, Severity::kCondition},
      {Reason::kUnknownRoot, Severity::kSource},
      {Reason::kDirectoryNotFound, Severity::kMissing},
      {Reason::kNameCollision, Severity::kFile},
      {Reason::kRotated, Severity::kSkip},
      {Reason::kWatchLimitReached, Severity::kLimit},
      {Reason::kUnsafeRoot, Severity::kCondition},
  };
  for (const auto& [reason, expected] : cases) EXPECT_EQ(severity(reason), expected);
}

TEST(Reason, EachIsDecidedByOneProgram) {
  EXPECT_EQ(decided_by(Reason::kCRDOutdated), Decider::kController);
  EXPECT_EQ(decided_by(Reason::kUnknownRoot), Decider::kAgent);
  const std::vector<Reason>& all = all_reasons();
  EXPECT_EQ(std::count_if(all.begin(), all.end(),
                          [](Reason r) { return decided_by(r) == Decider::kController; }),
            21);
}

TEST(StatusWord, ReadsBack) {
  for (const char* word : {"Invalid", "Degraded", "Pending", "Linked"}) {
    ASSERT_TRUE(status_word_from_string(word).has_value());
    EXPECT_EQ(to_string(*status_word_from_string(word)), word);
  }
  EXPECT_EQ(status_word_from_string("linked"), std::nullopt);
}

TEST(KubeErrorKind, EveryKindHasItsOwnName) {
  std::set<std::string_view> names;
  constexpr int kKinds = static_cast<int>(KubeErrorKind::kUnexpected) + 1;
  for (int i = 0; i < kKinds; ++i) names.insert(to_string(static_cast<KubeErrorKind>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kKinds));
  EXPECT_EQ(names.count(""), 0U);
}

}  // namespace
}  // namespace loglink
