#include "agent/shell/agent_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lib/codec/kube_json.h"
#include "lib/kube/requests.h"
#include "lib/model/names.h"
#include "tests/fakes/fake_files.h"
#include "tests/unit/agent/shell/scripted_api.h"

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const std::string kRoot(names::kKubeletPodsRoot);
const std::string kDirectory = "3f0c/volumes/kubernetes.io~empty-dir/logs";
const std::string kEnd =
    R"({"type":"BOOKMARK","object":{"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet",)"
    R"("metadata":{"annotations":{"k8s.io/initial-events-end":"true"},"resourceVersion":"100"}}})";

class HandClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override { return at_; }
  void advance(Duration by) {
    at_.monotonic = at_.monotonic + by;
    at_.wall += by;
  }

 private:
  Now at_{MonotonicTime{seconds(1000)}, WallTime{seconds(1'700'000'000)}};
};

std::string object_json(int resource_version, int generation,
                        const std::string& include = "*.log") {
  return R"({"apiVersion":"loglink.io/v1alpha1","kind":"NodeLinkSet","metadata":{"name":"node-a",)"
         R"("uid":"u1","generation":)" +
         std::to_string(generation) + R"(,"resourceVersion":")" + std::to_string(resource_version) +
         R"("},"spec":{"sources":[{"namespace":"prod","pod":"web-0","uid":"3f0c",)"
         R"("container":"app","root":"kubelet-pods","path":")" +
         kDirectory + R"(","include":[")" + include + R"("],"plainNames":true}]}})";
}

std::string event(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}";
}

class AgentLoopTest : public testing::Test {
 protected:
  AgentLoopTest() {
    files_.add_root(kRoot);
    files_.write_file(kRoot, kDirectory + "/a.log", 1);
    start();
  }

  void start() {
    loop_.reset();
    files_.restart();
    AgentLoopOptions options;
    options.config.node_name = "node-a";
    loop_ = std::make_unique<AgentLoop>(options, transport_, client_, files_, clock_, random_);
    loop_->start();
  }
  void settle() {
    for (int i = 0; i < 1000; ++i) {
      if (!loop_->step()) return;
    }
    FAIL() << "the loop has always more to do";
  }
  // As the driver does it: sleeps until the next wake-up, as long as that is in reach.
  void run_for(Duration duration) {
    const MonotonicTime end = clock_.now().monotonic + duration;
    settle();
    for (;;) {
      const MonotonicTime next = loop_->next_wakeup();
      if (next > end) break;
      clock_.advance(std::max(next - clock_.now().monotonic, Duration(milliseconds(1))));
      settle();
    }
    clock_.advance(std::max(end - clock_.now().monotonic, Duration(0)));
    settle();
  }
  void deliver(const std::string& object) {
    transport_.answer_ok();
    if (!object.empty()) transport_.send_line(event("ADDED", object));
    transport_.send_line(kEnd);
    run_for(milliseconds(500));
  }
  std::vector<std::string> links() {
    std::vector<std::string> names;
    for (const auto& [name, entry] : files_.link_directory()) names.push_back(name);
    return names;
  }
  KubeError refused() {
    KubeError error;
    error.kind = KubeErrorKind::kRefused;
    error.message = "connection refused";
    return error;
  }

  HandClock clock_;
  SeededRandom random_{1};
  FakeFiles files_;
  ScriptedTransport transport_;
  ScriptedClient client_;
  std::unique_ptr<AgentLoop> loop_;
};

TEST_F(AgentLoopTest, WatchesTheObjectOfItsOwnNodeOnly) {
  settle();
  ASSERT_THAT(transport_.requests, SizeIs(1));
  EXPECT_THAT(transport_.requests[0].target, HasSubstr(std::string(kNodeLinkSetsPath) + "?"));
  EXPECT_THAT(transport_.requests[0].target, HasSubstr("fieldSelector=metadata.name%3Dnode-a"));
}

TEST_F(AgentLoopTest, LinksWhatTheSetAsksForAndAnswersInItsStatus) {
  EXPECT_THAT(*loop_->not_ready_because(), HasSubstr("FirstPass"));
  deliver(object_json(10, 3));
  EXPECT_THAT(links(), ElementsAre("web-0_prod_app-a.log"));
  EXPECT_EQ(loop_->not_ready_because(), std::nullopt);
  ASSERT_THAT(client_.requests, SizeIs(1));
  const UnaryRequest& write = client_.requests[0];
  EXPECT_EQ(write.method, Method::kPut);
  EXPECT_THAT(write.target, HasSubstr(std::string(kNodeLinkSetsPath) + "/node-a/status"));
  const auto body = decode_node_link_set(write.body);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->resource_version, "10");
  EXPECT_EQ(body->status.observed_generation, 3);
  EXPECT_EQ(body->status.links, 1);
  ASSERT_THAT(body->status.pods, SizeIs(1));
  EXPECT_EQ(body->status.pods[0].links, 1);
  ASSERT_THAT(body->status.conditions, SizeIs(1));
  EXPECT_EQ(body->status.conditions[0].status, "True");
}

TEST_F(AgentLoopTest, AWrittenStatusIsNotWrittenAgainNorReadBackAsANewSet) {
  deliver(object_json(10, 3));
  NodeLinkSet stored = *decode_node_link_set(client_.requests[0].body);
  stored.resource_version = "11";
  client_.answer_ok(object_json(11, 3));
  const std::uint64_t plans = loop_->agent().counters().plans;
  transport_.send_line(event("MODIFIED", object_json(11, 3)));
  run_for(seconds(25));
  EXPECT_THAT(client_.requests, SizeIs(1));
  EXPECT_LE(loop_->agent().counters().plans, plans + 1);
}

TEST_F(AgentLoopTest, AChangedCountIsWrittenLater) {
  deliver(object_json(10, 3));
  client_.answer_ok(object_json(11, 3));
  files_.write_file(kRoot, kDirectory + "/b.log", 1);
  run_for(seconds(20));
  EXPECT_THAT(links(), SizeIs(2));
  EXPECT_THAT(client_.requests, SizeIs(1));
  run_for(seconds(60));
  ASSERT_THAT(client_.requests, SizeIs(2));
  EXPECT_EQ(decode_node_link_set(client_.requests[1].body)->resource_version, "11");
}

TEST_F(AgentLoopTest, AConflictIsReadAgainBeforeItIsWrittenAgain) {
  deliver(object_json(10, 3));
  client_.answer_error(KubeErrorKind::kConflict);
  run_for(seconds(5));
  ASSERT_THAT(client_.requests, SizeIs(2));
  EXPECT_EQ(client_.requests[1].method, Method::kGet);
  client_.answer_ok(object_json(20, 4, "*.txt"));
  run_for(seconds(5));
  ASSERT_THAT(client_.requests, SizeIs(3));
  const auto body = decode_node_link_set(client_.requests[2].body);
  EXPECT_EQ(body->resource_version, "20");
  EXPECT_EQ(body->status.observed_generation, 4);
}

TEST_F(AgentLoopTest, AFailingWriteIsTriedAgainWithBackoffAndToldOnce) {
  deliver(object_json(10, 3));
  (void)loop_->take_notes();
  int told = 0;
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(client_.waiting(), 1U) << i;
    client_.answer_error(KubeErrorKind::kServerError);
    settle();
    EXPECT_EQ(client_.waiting(), 0U);
    run_for(minutes(1));
    for (const LogNote& note : loop_->take_notes())
      told += note.message == "cannot write the status";
  }
  EXPECT_EQ(told, 1);
}

// On a node where much goes on each one is followed by a wait of ten seconds.
TEST_F(AgentLoopTest, AStatusThatTheServerDidNotTakeIsNoneOfThoseThatItMayWrite) {
  deliver(object_json(10, 1));
  for (int version = 11; version < 17; version += 2) {
    client_.answer_ok(object_json(version, version));
    transport_.send_line(event("MODIFIED", object_json(version + 1, version + 1)));
    run_for(seconds(1));
    ASSERT_EQ(client_.waiting(), 1U);
  }
  client_.answer_ok(object_json(17, 17));
  transport_.send_line(event("MODIFIED", object_json(18, 18)));
  run_for(seconds(5));
  ASSERT_EQ(client_.waiting(), 0U) << "four at once";
  run_for(seconds(5));
  ASSERT_EQ(client_.waiting(), 1U);
  client_.answer_error(KubeErrorKind::kTooManyRequests);
  run_for(seconds(2));
  EXPECT_EQ(client_.waiting(), 1U);
  client_.answer_error(KubeErrorKind::kForbidden);
  run_for(seconds(3));
  EXPECT_EQ(client_.waiting(), 0U);
}

TEST_F(AgentLoopTest, WithoutAnApiTheLastKnownSetGoesOn) {
  deliver(object_json(10, 3));
  run_for(seconds(10));
  start();
  settle();
  transport_.end(refused());
  files_.write_file(kRoot, kDirectory + "/b.log", 1);
  run_for(minutes(30));
  EXPECT_THAT(links(), ElementsAre("web-0_prod_app-a.log", "web-0_prod_app-b.log"));
  EXPECT_EQ(loop_->not_ready_because(), std::nullopt);
}

TEST_F(AgentLoopTest, AStoredSetOfAnotherVersionIsSetAsideAndLinksStay) {
  deliver(object_json(10, 3));
  run_for(seconds(10));
  files_.set_state(std::string(names::kDesiredFile), R"({"apiVersion":"loglink.io/v9","spec":{}})");
  start();
  run_for(seconds(10));
  EXPECT_THAT(links(), ElementsAre("web-0_prod_app-a.log"));
  EXPECT_FALSE(loop_->agent().desired().has_value());
  bool told = false;
  for (const LogNote& note : loop_->take_notes()) {
    told = told || note.message == "last known set set aside";
  }
  EXPECT_TRUE(told);
}

// --- the object is not there --------------------------------------------------------------------

TEST_F(AgentLoopTest, OnlyANotFoundThatLastsEmptiesTheSet) {
  deliver(object_json(10, 3));
  client_.answer_ok(object_json(11, 3));
  transport_.send_line(event("DELETED", object_json(12, 3)));
  for (int i = 0; i < 8; ++i) {
    run_for(seconds(30));
    if (client_.waiting() > 0) client_.answer_error(KubeErrorKind::kNotFound);
  }
  EXPECT_THAT(links(), SizeIs(1)) << "four minutes";
  for (int i = 0; i < 60; ++i) {
    run_for(seconds(30));
    if (client_.waiting() > 0) client_.answer_error(KubeErrorKind::kNotFound);
  }
  EXPECT_THAT(links(), IsEmpty());
}

// Five thousand of them, each asking twice a minute, would be a load for nothing.
TEST_F(AgentLoopTest, ANodeWithoutAnObjectAsksForItFewTimesAnHourAndHearsOfItAtOnce) {
  deliver("");
  std::size_t asked = 0;
  for (int i = 0; i < 120; ++i) {
    while (client_.waiting() > 0) {
      client_.answer_error(KubeErrorKind::kNotFound);
      ++asked;
    }
    run_for(seconds(30));
  }
  EXPECT_TRUE(loop_->session()->confirmed_absent());
  EXPECT_GE(asked, 6U);
  EXPECT_LE(asked, 14U);
  transport_.send_line(event("ADDED", object_json(12, 3)));
  run_for(milliseconds(100));
  EXPECT_THAT(links(), SizeIs(1));
}

// The deletion overtakes the answer to a write, which then seems to show the object again.
TEST_F(AgentLoopTest, AnObjectWhoseDeletionOvertookAnAnswerIsFoundToBeGone) {
  deliver(object_json(10, 3));
  transport_.send_line(event("DELETED", object_json(12, 3)));
  run_for(milliseconds(100));
  client_.answer_ok(object_json(11, 3));
  for (int i = 0; i < 40; ++i) {
    run_for(seconds(30));
    if (i == 0) files_.write_file(kRoot, kDirectory + "/b.log", 1);
    while (client_.waiting() > 0) client_.answer_error(KubeErrorKind::kNotFound);
  }
  EXPECT_TRUE(loop_->session()->confirmed_absent());
  EXPECT_THAT(links(), IsEmpty());
}

TEST_F(AgentLoopTest, AnAnswerThatADeletionOvertookBringsNoOlderSetBack) {
  deliver(object_json(10, 3));
  transport_.send_line(event("MODIFIED", object_json(12, 4, "*.txt")));
  transport_.send_line(event("DELETED", object_json(13, 4, "*.txt")));
  run_for(milliseconds(100));
  client_.answer_ok(object_json(11, 3));
  run_for(milliseconds(100));
  EXPECT_EQ(loop_->agent().desired()->generation, 4);
}

// Both its deletion and its namesake overtake the answer to a write.
TEST_F(AgentLoopTest, AnAnswerAboutAnObjectThatHasBeenReplacedIsNotTakenForTheNewOne) {
  deliver(object_json(10, 3));
  ASSERT_EQ(client_.waiting(), 1U);
  std::string replacement = object_json(13, 1);
  replacement.replace(replacement.find("\"u1\""), 4, "\"u2\"");
  transport_.send_line(event("DELETED", object_json(12, 3)));
  transport_.send_line(event("ADDED", replacement));
  run_for(milliseconds(100));
  client_.answer_ok(object_json(11, 3));
  run_for(minutes(1));
  ASSERT_EQ(client_.waiting(), 1U) << "the new object has no status yet";
  const auto written = decode_node_link_set(client_.requests.back().body);
  ASSERT_TRUE(written.has_value());
  EXPECT_EQ(written->resource_version, "13");
  EXPECT_EQ(written->status.observed_generation, 1);
  EXPECT_EQ(written->status.links, 1);
}

// A proxy that mixes up its answers: links of another node's pods must not appear here.
TEST_F(AgentLoopTest, AnAnswerAboutAnotherObjectIsNotBelieved) {
  deliver("");
  ASSERT_EQ(client_.waiting(), 1U);
  std::string other = object_json(7, 1);
  other.replace(other.find("node-a"), 6, "node-b");
  client_.answer_ok(other);
  run_for(seconds(1));
  EXPECT_THAT(links(), IsEmpty());
  EXPECT_FALSE(loop_->session()->confirmed_absent());
  run_for(minutes(1));
  EXPECT_GE(client_.waiting(), 1U) << "asks again";
}

TEST_F(AgentLoopTest, AnApiThatIsNotReadyNeverEmptiesTheSet) {
  deliver(object_json(10, 3));
  client_.answer_ok(object_json(11, 3));
  transport_.send_line(event("DELETED", object_json(12, 3)));
  for (int i = 0; i < 100; ++i) {
    run_for(seconds(30));
    if (client_.waiting() > 0) client_.answer_error(KubeErrorKind::kNotServed);
  }
  EXPECT_THAT(links(), SizeIs(1));
}

TEST_F(AgentLoopTest, TroubleBetweenTwoNotFoundsStartsTheWaitAnew) {
  deliver(object_json(10, 3));
  client_.answer_ok(object_json(11, 3));
  transport_.send_line(event("DELETED", object_json(12, 3)));
  for (int i = 0; i < 60; ++i) {
    run_for(seconds(30));
    if (client_.waiting() == 0) continue;
    client_.answer_error(i % 6 == 0 ? KubeErrorKind::kServerError : KubeErrorKind::kNotFound);
  }
  EXPECT_THAT(links(), SizeIs(1));
}

TEST_F(AgentLoopTest, ANodeWithoutAnObjectIsReadyWithNothingToDo) {
  deliver("");
  EXPECT_NE(loop_->not_ready_because(), std::nullopt);
  ASSERT_EQ(client_.waiting(), 1U);
  EXPECT_EQ(client_.requests[0].method, Method::kGet);
  client_.answer_error(KubeErrorKind::kNotFound);
  settle();
  EXPECT_EQ(loop_->not_ready_because(), std::nullopt);
  EXPECT_THAT(links(), IsEmpty());
}

TEST_F(AgentLoopTest, AnObjectThatIsMadeAgainIsTakenUp) {
  deliver("");
  client_.answer_error(KubeErrorKind::kNotFound);
  transport_.send_line(event("ADDED", object_json(20, 1)));
  run_for(seconds(1));
  EXPECT_THAT(links(), SizeIs(1));
}

// --- the rest -----------------------------------------------------------------------------------

TEST_F(AgentLoopTest, AnAnswerAfterTheEndIsDropped) {
  deliver(object_json(10, 3));
  loop_->stop();
  EXPECT_FALSE(transport_.is_open());
  EXPECT_THAT(files_.state(), testing::Contains(testing::Key(std::string(names::kDesiredFile))));
  loop_.reset();
  client_.answer_ok(object_json(11, 3));
  EXPECT_THAT(links(), SizeIs(1));
}

TEST_F(AgentLoopTest, AnIdleAgentSleeps) {
  deliver(object_json(10, 3));
  client_.answer_ok(object_json(11, 3));
  run_for(seconds(40));
  int steps = 0;
  const MonotonicTime end = clock_.now().monotonic + seconds(60);
  while (loop_->next_wakeup() < end) {
    clock_.advance(std::max(loop_->next_wakeup() - clock_.now().monotonic, Duration(1)));
    settle();
    ++steps;
  }
  EXPECT_LT(steps, 20);
}

TEST_F(AgentLoopTest, FromAFileNothingIsAskedOrStored) {
  AgentLoopOptions options;
  options.config.node_name = "node-a";
  loop_ = std::make_unique<AgentLoop>(options, files_, clock_, random_);
  const std::size_t requests = transport_.requests.size();
  loop_->start();
  loop_->set_from_file(*decode_node_link_set(object_json(0, 0)));
  run_for(minutes(1));
  EXPECT_THAT(links(), ElementsAre("web-0_prod_app-a.log"));
  EXPECT_EQ(loop_->not_ready_because(), std::nullopt);
  loop_->stop();
  EXPECT_EQ(files_.state().count(std::string(names::kDesiredFile)), 0U);
  EXPECT_EQ(transport_.requests.size(), requests);
  EXPECT_THAT(client_.requests, IsEmpty());
}

TEST_F(AgentLoopTest, AnUnsafeRootIsNotReadyAndSaysSo) {
  files_.set_root_state(kRoot, RootState::kUnsafe);
  start();
  deliver(object_json(10, 3));
  EXPECT_THAT(*loop_->not_ready_because(), HasSubstr("UnsafeRoot"));
  EXPECT_THAT(links(), IsEmpty());
  const auto body = decode_node_link_set(client_.requests.back().body);
  EXPECT_EQ(body->status.conditions.at(0).reason, "UnsafeRoot");
}

TEST_F(AgentLoopTest, AMissingSafeRootIsSaidInTheLogAtTheStart) {
  files_.set_root_state(kRoot, RootState::kAbsent);
  start();
  settle();
  EXPECT_THAT(*loop_->not_ready_because(), HasSubstr("loglink-agent mount"));
  bool said = false;
  for (const LogNote& note : loop_->take_notes()) {
    if (note.message != "not ready") continue;
    EXPECT_EQ(note.level, LogNote::Level::kWarning);
    EXPECT_THAT(note.fields.at(0).second,
                HasSubstr("UnsafeRoot: root kubelet-pods has no safe mount on this node"));
    said = true;
  }
  EXPECT_TRUE(said);
}

TEST(DesiredText, ASetIsReadBackAsItWasWritten) {
  const NodeLinkSet set = *decode_node_link_set(object_json(10, 0));
  const auto back = decode_desired(encode_desired(set));
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->spec, set.spec);
  EXPECT_FALSE(decode_desired("").has_value());
  EXPECT_FALSE(decode_desired("{").has_value());
}

// Its versions begin below those that were seen, and what it has now is what counts. Agents asked
// it 250 times a second, and kept the sets of before.
TEST_F(AgentLoopTest, AServerWhoseStorageWasRestoredIsBelievedAndNotAskedWithoutPause) {
  run_for(milliseconds(1));
  deliver(object_json(5000, 36));
  EXPECT_THAT(links(), ElementsAre("web-0_prod_app-a.log"));
  files_.write_file(kRoot, kDirectory + "/b.txt", 1);

  // The status is refused, and the server's object is an older one.
  while (client_.waiting() > 0) client_.answer_error(KubeErrorKind::kConflict);
  const std::size_t before = client_.requests.size();
  run_for(seconds(10));
  for (int i = 0; i < 20 && client_.waiting() > 0; ++i) {
    client_.answer_ok(object_json(90, 40, "*.txt"));
    run_for(milliseconds(100));
  }
  EXPECT_LE(client_.requests.size() - before, 6U);
  run_for(seconds(5));
  while (client_.waiting() > 0) client_.answer_ok(object_json(90, 40, "*.txt"));
  run_for(seconds(1));
  EXPECT_THAT(links(), testing::Contains(HasSubstr("b.txt")));
}

TEST_F(AgentLoopTest, AnOlderWholeIsBelieved) {
  run_for(milliseconds(1));
  deliver(object_json(5000, 36));
  files_.write_file(kRoot, kDirectory + "/b.txt", 1);
  KubeError gone;
  gone.kind = KubeErrorKind::kGone;
  transport_.end(gone);
  run_for(seconds(5));
  ASSERT_TRUE(transport_.is_open());
  deliver(object_json(90, 40, "*.txt"));
  EXPECT_THAT(links(), testing::Contains(HasSubstr("b.txt")));
}

}  // namespace
}  // namespace loglink
