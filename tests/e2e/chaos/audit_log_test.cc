// The judge of scripts/chaos judged: what it must find, and what it must not.
#include "tests/e2e/chaos/audit_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "tests/e2e/support/world.h"

namespace loglink::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

AuditedWrite lease(std::uint64_t version, const std::string& user) {
  return {version, "leases", "controller", "uid-l", 0, user};
}

AuditedWrite spec(std::uint64_t version, const std::string& user, std::int64_t generation) {
  return {version, "nodelinksets", "node-a", "uid-n", generation, user};
}

TEST(AuditLogTest, LeadersThatFollowEachOtherAreInOrder) {
  const AuditLog log{{lease(1, "a"), spec(2, "a", 1), lease(3, "b"), spec(4, "b", 2)}, {}, {}};
  EXPECT_THAT(writes_out_of_order(log, "controller"), IsEmpty());
}

TEST(AuditLogTest, AWriteOfADeposedLeaderIsLate) {
  const AuditLog log{{lease(1, "a"), spec(2, "a", 1), lease(3, "b"), spec(4, "a", 2)}, {}, {}};
  EXPECT_THAT(late_writes(log, "controller"), ElementsAre(HasSubstr("by a while b held")));
  EXPECT_THAT(writes_out_of_order(log, "controller"), IsEmpty());
}

TEST(AuditLogTest, AWriteOfADeposedLeaderAfterOneOfItsSuccessorIsOutOfOrder) {
  const AuditLog log{{lease(1, "a"), lease(2, "b"), spec(3, "b", 1), spec(4, "a", 2)}, {}, {}};
  EXPECT_THAT(writes_out_of_order(log, "controller"),
              ElementsAre(HasSubstr("node-a at resourceVersion 4")));
}

TEST(AuditLogTest, ALeaderThatComesBackIsInOrder) {
  const AuditLog log{{lease(1, "a"), spec(2, "a", 1), lease(3, "b"), spec(4, "b", 2), lease(5, "a"),
                      spec(6, "a", 3)},
                     {},
                     {}};
  EXPECT_THAT(writes_out_of_order(log, "controller"), IsEmpty());
  EXPECT_THAT(late_writes(log, "controller"), IsEmpty());
}

TEST(AuditLogTest, ALateWriteToAnotherObjectIsInOrder) {
  AuditedWrite other = spec(4, "a", 1);
  other.uid = "uid-of-another";
  EXPECT_THAT(writes_out_of_order({{lease(1, "a"), lease(2, "b"), spec(3, "b", 1), other}, {}, {}},
                                  "controller"),
              IsEmpty());
}

TEST(AuditLogTest, AWriteWithoutAnyLeaseIsLate) {
  EXPECT_THAT(late_writes({{spec(2, "a", 1)}, {}, {}}, "controller"),
              ElementsAre(HasSubstr("node-a at resourceVersion 2")));
}

TEST(AuditLogTest, AGenerationThatGoesBackIsFoundButNotThatOfANewObject) {
  AuditedWrite again = spec(4, "a", 1);
  again.uid = "uid-of-another";
  EXPECT_THAT(writes_out_of_order({{lease(1, "a"), spec(2, "a", 2), again}, {}, {}}, "controller"),
              IsEmpty());
  EXPECT_THAT(writes_out_of_order({{lease(1, "a"), spec(2, "a", 2), spec(3, "a", 1)}, {}, {}},
                                  "controller"),
              ElementsAre(HasSubstr("went back")));
}

TEST(AuditLogTest, ReadsWhatWasWrittenAndSkipsNoOpsFailuresAndTornLines) {
  const auto entry = [](const char* version, const char* user, int code) {
    return nlohmann::json{
        {"stage", "ResponseComplete"},
        {"verb", "update"},
        {"user", {{"username", user}}},
        {"objectRef", {{"resource", "nodelinksets"}}},
        {"responseStatus", {{"code", code}}},
        {"responseObject",
         {{"metadata",
           {{"name", "node-a"}, {"uid", "u"}, {"resourceVersion", version}, {"generation", 3}}}}}}
        .dump();
  };
  const nlohmann::json list = {{"stage", "ResponseStarted"},
                               {"user", {{"username", "c"}}},
                               {"requestURI", "/api/v1/pods?sendInitialEvents=true&watch=true"},
                               {"objectRef", {{"resource", "pods"}}}};
  const auto path = std::filesystem::temp_directory_path() / "loglink-audit-log-test";
  write_file(path, entry("12", "b", 200) + "\n" + entry("9", "a", 200) + "\n" +
                       entry("9", "b", 200) + "\n" + entry("15", "a", 409) + "\n" +
                       entry("", "d", 429) + "\n" + list.dump() + "\n{\"stage\":\"Respon");
  const AuditLog log = read_audit_log(path);
  std::filesystem::remove(path);
  ASSERT_EQ(log.writes.size(), 2U);
  EXPECT_EQ(log.writes[0].user, "a");
  EXPECT_EQ(log.writes[0].resource_version, 9U);
  EXPECT_EQ(log.writes[0].generation, 3);
  EXPECT_EQ(log.writes[1].user, "b");
  EXPECT_THAT(log.pod_lists, ElementsAre("c"));
  EXPECT_THAT(log.too_many, ElementsAre("d"));
}

}  // namespace
}  // namespace loglink::testing
