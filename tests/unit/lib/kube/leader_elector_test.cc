#include "lib/kube/leader_elector.h"

#include <gtest/gtest.h>

#include "lib/model/names.h"

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = KubeErrorKind;

KubeError error_of(Kind kind) {
  KubeError error;
  error.kind = kind;
  return error;
}

// The lease of a real API server: resourceVersions move with each write, a stale one conflicts.
class LeaseServer {
 public:
  tl::expected<Lease, KubeError> get() const {
    if (!lease_) return tl::unexpected(error_of(Kind::kNotFound));
    return *lease_;
  }
  tl::expected<Lease, KubeError> write(Lease lease) {
    if (lease.resource_version.empty()) {
      if (lease_) return tl::unexpected(error_of(Kind::kAlreadyExists));
    } else {
      if (!lease_) return tl::unexpected(error_of(Kind::kNotFound));
      if (lease.resource_version != lease_->resource_version) {
        return tl::unexpected(error_of(Kind::kConflict));
      }
    }
    lease.resource_version = std::to_string(++version_);
    lease_ = lease;
    return lease;
  }
  // Somebody else's write.
  void put(const std::string& holder, int duration_seconds) {
    Lease lease = lease_.value_or(Lease{});
    lease.resource_version = std::to_string(++version_);
    lease.holder = holder;
    lease.duration_seconds = duration_seconds;
    lease.renewed = WallTime(seconds(version_));
    lease_ = lease;
  }
  void touch_metadata() { lease_->resource_version = std::to_string(++version_); }
  void remove() { lease_.reset(); }

  std::optional<Lease> lease_;

 private:
  int version_ = 0;
};

class LeaderElectorTest : public testing::Test {
 protected:
  LeaderElectorTest() { start("me"); }

  void start(const std::string& identity) { elector_.emplace(config_, identity, random_); }

  static bool is_get(const LeaderElector::Request& request) {
    return std::holds_alternative<LeaderElector::GetLease>(request);
  }
  tl::expected<Lease, KubeError> serve(const LeaderElector::Request& request) {
    if (is_get(request)) return server_.get();
    return server_.write(std::get<LeaderElector::WriteLease>(request).lease);
  }
  // Answers what is asked at this moment, until nothing more is. Returns how many requests.
  int settle() {
    int count = 0;
    while (const auto request = elector_->poll(now_)) {
      elector_->answered(serve(*request), now_);
      if (++count > 10) {
        ADD_FAILURE() << "asks without end";
        break;
      }
    }
    return count;
  }
  void advance(Duration duration) {
    now_.monotonic = now_.monotonic + duration;
    now_.wall += duration;
  }
  // Lives on, answering at each wakeup, for `duration`.
  void live(Duration duration) {
    const MonotonicTime end = now_.monotonic + duration;
    while (elector_->next_wakeup() <= end) {
      advance(std::max(Duration(0), elector_->next_wakeup() - now_.monotonic));
      settle();
    }
    advance(end - now_.monotonic);
    settle();
  }
  // One request, answered with an error.
  void refuse(Kind kind) {
    ASSERT_TRUE(elector_->poll(now_).has_value());
    elector_->answered(tl::unexpected(error_of(kind)), now_);
  }
  void go_to_wakeup() {
    ASSERT_NE(elector_->next_wakeup(), MonotonicTime::never());
    advance(std::max(Duration(0), elector_->next_wakeup() - now_.monotonic));
  }
  [[nodiscard]] bool leads() const { return elector_->is_leader(now_.monotonic); }

  LeaderElectionConfig config_;
  SeededRandom random_{1};
  Now now_{MonotonicTime{hours(1)}, WallTime(hours(1000))};
  LeaseServer server_;
  std::optional<LeaderElector> elector_;
};

TEST_F(LeaderElectorTest, CreatesTheLeaseWhenThereIsNone) {
  EXPECT_FALSE(leads());
  settle();
  EXPECT_TRUE(leads());
  ASSERT_TRUE(server_.lease_.has_value());
  EXPECT_EQ(server_.lease_->namespace_name, config_.lease_namespace);
  EXPECT_EQ(server_.lease_->name, config_.lease_name);
  EXPECT_EQ(server_.lease_->holder, "me");
  EXPECT_EQ(server_.lease_->duration_seconds, 15);
  EXPECT_EQ(server_.lease_->transitions, 0);
  EXPECT_EQ(server_.lease_->acquired, now_.wall);
  EXPECT_EQ(server_.lease_->renewed, now_.wall);
  EXPECT_EQ(elector_->holder(), "me");
}

TEST_F(LeaderElectorTest, AnAnswerWithTheLeaseOfAnotherGivesNoRight) {
  ASSERT_TRUE(is_get(*elector_->poll(now_)));
  elector_->answered(server_.get(), now_);
  ASSERT_FALSE(is_get(*elector_->poll(now_)));
  server_.put("other", 15);
  elector_->answered(server_.get(), now_);  // a proxy's, to somebody else's write
  EXPECT_FALSE(leads());
  go_to_wakeup();
  EXPECT_TRUE(is_get(*elector_->poll(now_)));
}

TEST_F(LeaderElectorTest, RenewsEachRetryPeriodWithOnePutAndNoGet) {
  settle();
  const Lease first = *server_.lease_;
  for (int round = 0; round < 20; ++round) {
    EXPECT_EQ(elector_->next_wakeup(), now_.monotonic + seconds(2));
    go_to_wakeup();
    EXPECT_EQ(settle(), 1);
    EXPECT_TRUE(leads());
  }
  EXPECT_EQ(server_.lease_->acquired, first.acquired);
  EXPECT_EQ(server_.lease_->renewed, now_.wall);
  EXPECT_EQ(server_.lease_->transitions, 0);
}

TEST_F(LeaderElectorTest, OneRequestAtATime) {
  ASSERT_TRUE(elector_->poll(now_).has_value());
  EXPECT_FALSE(elector_->poll(now_).has_value());
  EXPECT_EQ(elector_->next_wakeup(), MonotonicTime::never());
}

TEST_F(LeaderElectorTest, TheFenceCountsFromWhenTheRenewalWasSent) {
  settle();
  go_to_wakeup();
  const MonotonicTime sent = now_.monotonic;
  const auto request = elector_->poll(now_);
  ASSERT_TRUE(request.has_value());
  advance(seconds(4));  // the answer takes its time
  elector_->answered(serve(*request), now_);
  EXPECT_EQ(elector_->writes_allowed_until(), sent + seconds(10));
  EXPECT_TRUE(elector_->is_leader(sent + milliseconds(9999)));
  EXPECT_FALSE(elector_->is_leader(sent + seconds(10)));
}

TEST_F(LeaderElectorTest, AForeignLeaseIsTakenOnlyAfterItsDurationWithoutAChange) {
  server_.put("other", 20);
  settle();
  EXPECT_EQ(elector_->holder(), "other");
  live(seconds(19));
  EXPECT_FALSE(leads());
  live(seconds(5));
  EXPECT_TRUE(leads());
  EXPECT_EQ(server_.lease_->holder, "me");
  EXPECT_EQ(server_.lease_->transitions, 1);
  EXPECT_EQ(server_.lease_->duration_seconds, 15);
}

TEST_F(LeaderElectorTest, ARenewedForeignLeaseIsNeverTaken) {
  server_.put("other", 15);
  for (int round = 0; round < 100; ++round) {
    live(seconds(10));
    server_.put("other", 15);
    ASSERT_FALSE(leads());
  }
}

TEST_F(LeaderElectorTest, ALabelOnTheLeaseIsNoSignOfLife) {
  server_.put("other", 15);
  for (int round = 0; round < 10; ++round) {
    live(seconds(2));
    if (!leads()) server_.touch_metadata();
  }
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, TheRecordsTimesAreNotComparedWithOurClock) {
  server_.put("other", 15);
  // Renewed a thousand years ago, or in the future: all the same.
  for (const WallTime renewed : {WallTime{}, WallTime(hours(2'000'000))}) {
    start("me");
    server_.lease_->renewed = renewed;
    live(seconds(14));
    EXPECT_FALSE(leads());
  }
}

TEST_F(LeaderElectorTest, AReleasedLeaseIsTakenAtOnce) {
  server_.put(std::string(), 1);
  settle();
  EXPECT_TRUE(leads());
  EXPECT_EQ(server_.lease_->transitions, 1);
}

TEST_F(LeaderElectorTest, OurOwnRecordOfAnEarlierLifeIsTakenAtOnce) {
  server_.put("me", 15);
  settle();
  EXPECT_TRUE(leads());
  EXPECT_EQ(server_.lease_->transitions, 0);
}

// Who was there when the lease was taken for a drain does not link again while helm takes it away.
TEST_F(LeaderElectorTest, ADrainIsHonouredForTheTimeInItsRecord) {
  server_.put("other", 15);
  live(seconds(1));
  server_.put(std::string(names::kDrainedHolder), 600);
  live(seconds(599));
  EXPECT_FALSE(leads());
  EXPECT_EQ(elector_->holder(), "drained");
  live(seconds(5));
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, ANewInstallationClearsTheLeaseThatADrainLeftBehind) {
  server_.put(std::string(names::kDrainedHolder), 600);
  live(seconds(14));
  EXPECT_FALSE(leads());
  live(seconds(4));
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, ADrainThatIsStillAtWorkIsNotInterruptedByAProcessThatStarts) {
  for (int i = 0; i < 100; ++i) {
    server_.put(std::string(names::kDrainedHolder), 600);
    live(seconds(2));
    ASSERT_FALSE(leads());
  }
  live(seconds(18));
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, CandidatesAskEachRetryPeriodWithJitter) {
  server_.put("other", 3600);
  for (int round = 0; round < 50; ++round) {
    EXPECT_EQ(settle(), 1);
    const Duration until = elector_->next_wakeup() - now_.monotonic;
    EXPECT_GE(until, seconds(2));
    EXPECT_LT(until, milliseconds(2400));
    go_to_wakeup();
  }
}

TEST_F(LeaderElectorTest, AFailingRenewalIsTriedUntilTheFenceAndNotBeyondIsAnythingWritten) {
  settle();
  const MonotonicTime renewed = now_.monotonic;
  int tries = 0;
  while (true) {
    go_to_wakeup();
    if (!leads()) break;
    refuse(Kind::kRefused);
    ASSERT_LT(++tries, 20);
  }
  EXPECT_GE(tries, 4);
  EXPECT_EQ(now_.monotonic, renewed + seconds(10));
  EXPECT_EQ(elector_->writes_allowed_until(), renewed + seconds(10));
  elector_->poll(now_);
  EXPECT_EQ(elector_->writes_allowed_until(), MonotonicTime{});
}

TEST_F(LeaderElectorTest, ALostLeaseMakesACandidateThatCanLeadAgain) {
  settle();
  for (int round = 0; round < 10; ++round) {
    go_to_wakeup();
    const auto request = elector_->poll(now_);
    if (request) elector_->answered(tl::unexpected(error_of(Kind::kTruncated)), now_);
  }
  EXPECT_FALSE(leads());
  // Nobody took it meanwhile: it is still ours to renew.
  go_to_wakeup();
  settle();
  EXPECT_TRUE(leads());
  EXPECT_EQ(server_.lease_->transitions, 0);
  // Somebody does: wait for them.
  server_.put("other", 15);
  go_to_wakeup();
  settle();
  live(seconds(3));
  EXPECT_FALSE(leads());
  live(seconds(15));
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, AConflictIsLookedAtSoonAndAForeignHolderEndsOurRightAtOnce) {
  settle();
  server_.put("other", 15);
  go_to_wakeup();
  const auto request = elector_->poll(now_);
  ASSERT_TRUE(request.has_value());
  elector_->answered(serve(*request), now_);
  EXPECT_TRUE(leads());  // until we know more
  EXPECT_LE(elector_->next_wakeup() - now_.monotonic, seconds(1));
  go_to_wakeup();
  settle();
  EXPECT_FALSE(leads());
  EXPECT_EQ(elector_->holder(), "other");
}

TEST_F(LeaderElectorTest, AWriteWhoseAnswerWasLostIsReadBack) {
  settle();
  go_to_wakeup();
  const auto request = elector_->poll(now_);
  ASSERT_TRUE(request.has_value());
  ASSERT_TRUE(serve(*request).has_value());  // arrived
  elector_->answered(tl::unexpected(error_of(Kind::kDeadline)), now_);
  go_to_wakeup();
  EXPECT_EQ(settle(), 2);  // GET, PUT
  EXPECT_EQ(elector_->writes_allowed_until(), now_.monotonic + seconds(10));
}

TEST_F(LeaderElectorTest, ADeletedLeaseEndsOurRightUntilItIsMadeAgain) {
  settle();
  server_.remove();
  go_to_wakeup();
  const auto request = elector_->poll(now_);
  ASSERT_TRUE(request.has_value());
  elector_->answered(serve(*request), now_);
  EXPECT_FALSE(leads());
  live(seconds(3));
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, LosingTheRaceToCreateMakesACandidate) {
  const auto get = elector_->poll(now_);
  ASSERT_TRUE(get.has_value());
  elector_->answered(serve(*get), now_);
  server_.put("other", 15);
  settle();
  EXPECT_FALSE(leads());
  live(seconds(10));
  EXPECT_FALSE(leads());
  EXPECT_EQ(elector_->holder(), "other");
}

TEST_F(LeaderElectorTest, EveryErrorIsTriedAgain) {
  for (int kind = 0; kind <= static_cast<int>(Kind::kUnexpected); ++kind) {
    start("me");
    if (static_cast<Kind>(kind) == Kind::kNotFound) continue;  // means: create
    refuse(static_cast<Kind>(kind));
    EXPECT_GE(elector_->next_wakeup() - now_.monotonic, seconds(2));
    go_to_wakeup();
    ASSERT_TRUE(elector_->poll(now_).has_value());
  }
}

TEST_F(LeaderElectorTest, ACandidateObeysRetryAfter) {
  ASSERT_TRUE(elector_->poll(now_).has_value());
  KubeError error = error_of(Kind::kTooManyRequests);
  error.retry_after = seconds(9);
  elector_->answered(tl::unexpected(error), now_);
  EXPECT_EQ(elector_->next_wakeup(), now_.monotonic + seconds(9));
}

TEST_F(LeaderElectorTest, ShutDownReleasesTheLeaseOnce) {
  settle();
  advance(seconds(1));
  elector_->shut_down();
  EXPECT_FALSE(leads());
  EXPECT_FALSE(elector_->released());
  EXPECT_LE(elector_->next_wakeup(), now_.monotonic);
  const auto request = elector_->poll(now_);
  ASSERT_TRUE(request.has_value());
  const auto& write = std::get<LeaderElector::WriteLease>(*request);
  EXPECT_TRUE(write.release);
  EXPECT_EQ(write.lease.holder, "");
  EXPECT_EQ(write.lease.duration_seconds, 1);
  elector_->answered(serve(*request), now_);
  EXPECT_TRUE(elector_->released());
  EXPECT_FALSE(elector_->poll(now_).has_value());
  EXPECT_EQ(elector_->next_wakeup(), MonotonicTime::never());
  // The next one need not wait.
  start("next");
  settle();
  EXPECT_TRUE(leads());
}

TEST_F(LeaderElectorTest, ShutDownOfACandidateHasNothingToRelease) {
  server_.put("other", 15);
  settle();
  elector_->shut_down();
  EXPECT_FALSE(elector_->poll(now_).has_value());
  EXPECT_TRUE(elector_->released());
  EXPECT_EQ(server_.lease_->holder, "other");
}

TEST_F(LeaderElectorTest, ShutDownDuringARenewalReleasesAfterItsAnswerAndNeverLeadsAgain) {
  settle();
  go_to_wakeup();
  const auto renewal = elector_->poll(now_);
  ASSERT_TRUE(renewal.has_value());
  elector_->shut_down();
  EXPECT_FALSE(elector_->poll(now_).has_value());
  elector_->answered(serve(*renewal), now_);
  EXPECT_FALSE(leads());
  settle();
  EXPECT_TRUE(elector_->released());
  EXPECT_EQ(server_.lease_->holder, "");
}

TEST_F(LeaderElectorTest, AReleaseThatFailsIsNotRepeated) {
  settle();
  elector_->shut_down();
  refuse(Kind::kRefused);
  EXPECT_TRUE(elector_->released());
  EXPECT_FALSE(elector_->poll(now_).has_value());
}

TEST_F(LeaderElectorTest, SwitchedOffItLeadsAndAsksNothing) {
  config_.enabled = false;
  start("me");
  EXPECT_TRUE(leads());
  EXPECT_FALSE(elector_->poll(now_).has_value());
  EXPECT_EQ(elector_->next_wakeup(), MonotonicTime::never());
  EXPECT_EQ(elector_->holder(), "me");
  elector_->shut_down();
  EXPECT_FALSE(leads());
  EXPECT_TRUE(elector_->released());
}

// Electors whose clocks are set apart and run at different rates, whose requests take time, fail
// before they arrive, or arrive while their answer is lost, that pause, stop and start again.
// The API server's storage was restored from a backup.
TEST_F(LeaderElectorTest, NoticesThatTheLeaseWentBack) {
  live(seconds(10));
  const Lease backup = *server_.lease_;
  EXPECT_FALSE(elector_->take_went_back());
  live(seconds(10));
  server_.put("me", 15);  // another version, so that the next renewal meets a conflict
  server_.lease_->renewed = backup.renewed;
  live(seconds(5));
  EXPECT_TRUE(elector_->take_went_back());
  EXPECT_FALSE(elector_->take_went_back()) << "once";
  live(seconds(60));
  EXPECT_FALSE(elector_->take_went_back());
}

TEST_F(LeaderElectorTest, ACandidateNoticesItToo) {
  server_.put("other", 15);
  server_.lease_->transitions = 7;
  live(seconds(3));
  server_.put("other", 15);
  live(seconds(3));
  EXPECT_FALSE(elector_->take_went_back()) << "a renewal";
  server_.put("another", 15);
  server_.lease_->transitions = 8;
  live(seconds(3));
  EXPECT_FALSE(elector_->take_went_back()) << "another holder";
  server_.put("other", 15);
  server_.lease_->transitions = 7;
  live(seconds(3));
  EXPECT_TRUE(elector_->take_went_back()) << "fewer transitions";
  server_.remove();
  live(seconds(3));
  EXPECT_TRUE(elector_->take_went_back()) << "a backup from before there was a lease";
}

// Two candidates: the leader has renewed the restored Lease before the other one looks again.
TEST_F(LeaderElectorTest, ACandidateThatLookedOnlyBeforeAndAfterNoticesItToo) {
  live(seconds(4));
  Lease before = *server_.lease_;
  server_.put("me", 15);
  server_.lease_->renewed = *before.renewed - seconds(30);
  const Lease restored = *server_.lease_;
  live(seconds(5));
  ASSERT_TRUE(elector_->take_went_back());
  const Lease renewed = *server_.lease_;
  EXPECT_EQ(renewed.holder, "me");
  EXPECT_GT(renewed.renewed, before.renewed) << "its renewals alone would not tell";
  EXPECT_EQ(renewed.transitions, restored.transitions + 1);
  EXPECT_NE(renewed.acquired, restored.acquired);

  const auto notices = [&](const Lease& first, const Lease& then) {
    LeaderElector candidate(config_, "candidate", random_);
    for (const Lease& lease : {first, then}) {
      EXPECT_FALSE(candidate.take_went_back());
      now_.monotonic = now_.monotonic + seconds(5);
      EXPECT_TRUE(candidate.poll(now_).has_value());
      candidate.answered(lease, now_);
    }
    return candidate.take_went_back();
  };
  EXPECT_TRUE(notices(before, renewed));
  before.transitions = renewed.transitions;  // as with a backup from before the last transition
  EXPECT_TRUE(notices(before, renewed));
  Lease later = renewed;
  later.renewed = *later.renewed + seconds(2);
  EXPECT_FALSE(notices(renewed, later));

  live(seconds(60));
  EXPECT_EQ(server_.lease_->transitions, renewed.transitions) << "taken again once";
  EXPECT_EQ(server_.lease_->acquired, renewed.acquired);
}

// Leadership moved between backup and restore, and the process that led before is still there: what
// it finds is its own claim, which it made long ago.
TEST_F(LeaderElectorTest, AClaimOfItsOwnThatABackupBringsBackIsNoNews) {
  live(seconds(10));
  Lease backup = *server_.lease_;
  ASSERT_EQ(backup.holder, "me");
  server_.put("other", 15);
  server_.lease_->transitions = backup.transitions + 1;
  live(seconds(3));
  ASSERT_FALSE(elector_->take_went_back());
  backup.resource_version = "backup";
  server_.lease_ = backup;
  live(seconds(3));
  EXPECT_TRUE(elector_->take_went_back());
  EXPECT_EQ(server_.lease_->holder, "me");
  EXPECT_NE(server_.lease_->acquired, backup.acquired) << "taken again, for others to see";
}

// A proxy that mixes answers up gives that of an earlier renewal, and this one was refused.
TEST_F(LeaderElectorTest, AnAnswerToAnEarlierRenewalGivesNoRight) {
  live(seconds(4));
  const Lease earlier = *server_.lease_;
  const MonotonicTime until = elector_->writes_allowed_until();
  ASSERT_TRUE(leads());
  int renewals = 0;
  while (renewals < 3) {
    go_to_wakeup();
    const auto request = elector_->poll(now_);
    if (!request) continue;
    if (!is_get(*request)) ++renewals;
    elector_->answered(earlier, now_);
    EXPECT_EQ(elector_->writes_allowed_until(), until);
  }
}

TEST_F(LeaderElectorTest, ALeaseThatIsGivenUpHasNotGoneBack) {
  server_.put("other", 15);
  server_.lease_->transitions = 7;
  live(seconds(3));
  server_.put(std::string(), 1);
  server_.lease_->transitions = 7;
  live(seconds(3));
  EXPECT_EQ(server_.lease_->holder, "me");
  EXPECT_FALSE(elector_->take_went_back());
}

// `drain`, and then what its page says to go on.
TEST_F(LeaderElectorTest, ADrainedLeaseThatIsDeletedHasNotGoneBack) {
  live(seconds(3));
  server_.put(std::string(names::kDrainedHolder), 15);
  server_.lease_->transitions = 7;
  live(seconds(3));
  server_.remove();
  live(seconds(3));
  EXPECT_EQ(server_.lease_->holder, "me");
  EXPECT_FALSE(elector_->take_went_back());
}

// The other replica makes it anew before this one looks.
TEST_F(LeaderElectorTest, ADrainedLeaseThatAnotherMakesAnewHasNotGoneBack) {
  server_.put("other", 15);
  settle();
  Lease drained = *server_.lease_;
  drained.holder = std::string(names::kDrainedHolder);
  drained.transitions = 4;
  drained.acquired = now_.wall;
  drained.duration_seconds = 600;
  ASSERT_TRUE(server_.write(drained));
  live(seconds(5));
  server_.remove();
  Lease anew;
  anew.holder = "other";
  anew.duration_seconds = 15;
  anew.acquired = anew.renewed = now_.wall;
  ASSERT_TRUE(server_.write(anew));
  live(seconds(3));
  EXPECT_FALSE(elector_->take_went_back());

  Lease backup = *server_.lease_;
  backup.holder = std::string(names::kDrainedHolder);
  ASSERT_TRUE(server_.write(backup));
  live(seconds(3));
  backup.holder = "other";
  backup.acquired = *anew.acquired - seconds(100);
  backup.resource_version = server_.lease_->resource_version;
  ASSERT_TRUE(server_.write(backup));
  live(seconds(3));
  EXPECT_TRUE(elector_->take_went_back()) << "a backup from before the drain";
}

// A server that has just been restored is where answers are lost.
TEST_F(LeaderElectorTest, NoticesOnceHoweverManyAnswersAreLost) {
  live(seconds(10));
  Lease backup = *server_.lease_;
  live(seconds(10));
  backup.resource_version = "backup";
  server_.lease_ = backup;
  int noticed = 0;
  int to_lose = 3;
  const MonotonicTime end = now_.monotonic + seconds(20);
  while (now_.monotonic < end) {
    go_to_wakeup();
    const auto request = elector_->poll(now_);
    if (!request) continue;
    tl::expected<Lease, KubeError> answer = serve(*request);
    if (noticed > 0 && answer && !is_get(*request) && to_lose > 0) {
      --to_lose;
      answer = tl::unexpected(error_of(Kind::kDeadline));
    }
    elector_->answered(answer, now_);
    noticed += elector_->take_went_back() ? 1 : 0;
  }
  EXPECT_EQ(to_lose, 0);
  EXPECT_EQ(noticed, 1);
}

class ElectionWorld {
 public:
  explicit ElectionWorld(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) {
      Member member;
      member.offset = seconds(static_cast<int>(random_.below(100'000)));
      // 15 s of lease against 10 s of deadline bear a ratio of 1.5; this is 1.2.
      member.rate = 1.0 + static_cast<double>(random_.below(200)) / 1000;
      members_.push_back(std::move(member));
      restart(members_.back());
    }
  }

  void run(Duration duration) {
    const Duration end = time_ + duration;
    while (time_ < end && !testing::Test::HasFailure()) {
      time_ += milliseconds(100);
      for (Member& member : members_) step(member);
      int leaders = 0;
      for (const Member& member : members_) leaders += leads(member) ? 1 : 0;
      ASSERT_LE(leaders, 1) << "two leaders at " << std::chrono::duration<double>(time_).count();
      led_ += leaders;
    }
  }

  [[nodiscard]] int led() const { return led_; }
  void calm() { is_calm_ = true; }

 private:
  struct Member {
    Duration offset{};
    double rate = 1;
    std::unique_ptr<LeaderElector> elector;
    std::optional<tl::expected<Lease, KubeError>> answer;
    std::optional<LeaderElector::Request> request;
    Duration arrives_at{};
    Duration answers_at{};
    Duration paused_until{};
  };

  [[nodiscard]] Now now_of(const Member& member) const {
    const Duration local{
        static_cast<Duration::rep>(static_cast<double>(time_.count()) * member.rate)};
    return {MonotonicTime{member.offset + local}, WallTime(member.offset * 3 + local)};
  }
  [[nodiscard]] bool leads(const Member& member) const {
    return member.elector->is_leader(now_of(member).monotonic);
  }
  void restart(Member& member) {
    member.request.reset();
    member.answer.reset();
    member.elector = std::make_unique<LeaderElector>(
        LeaderElectionConfig{}, "elector-" + std::to_string(++identities_), random_);
  }
  bool happens(std::uint64_t one_in) { return !is_calm_ && random_.below(one_in) == 0; }

  void step(Member& member) {
    // A request under way reaches the server even if its sender is paused or gone.
    if (member.request && time_ >= member.arrives_at && !member.answer) arrive(member);
    if (happens(3000)) return restart(member);
    if (happens(2000)) member.elector->shut_down();
    if (member.elector->released() && (is_calm_ || happens(20))) return restart(member);
    if (happens(1000)) member.paused_until = time_ + seconds(static_cast<int>(random_.below(60)));
    if (time_ < member.paused_until) return;
    if (member.answer && time_ >= member.answers_at) {
      member.request.reset();
      member.elector->answered(*std::exchange(member.answer, std::nullopt), now_of(member));
    }
    if (member.request) return;
    member.request = member.elector->poll(now_of(member));
    if (!member.request) return;
    const auto most = is_calm_ ? 100U : 5000U;
    member.arrives_at = time_ + milliseconds(static_cast<int>(random_.below(most)));
    member.answers_at = member.arrives_at + milliseconds(static_cast<int>(random_.below(most)));
  }

  void arrive(Member& member) {
    if (happens(5)) {
      member.answer = tl::unexpected(error_of(Kind::kRefused));
      return;
    }
    if (happens(3000)) server_.remove_when_safe(time_);
    if (std::holds_alternative<LeaderElector::GetLease>(*member.request)) {
      member.answer = server_.get();
    } else {
      member.answer = server_.write(std::get<LeaderElector::WriteLease>(*member.request).lease);
    }
    if (happens(8)) member.answer = tl::unexpected(error_of(Kind::kDeadline));
  }

  class Server : public LeaseServer {
   public:
    // Deleting a lease that is held is asking for two leaders: nobody can defend that.
    void remove_when_safe(Duration) {
      if (lease_ && lease_->holder.empty()) remove();
    }
  };

  SeededRandom random_;
  Duration time_{};
  std::vector<Member> members_;
  Server server_;
  int identities_ = 0;
  int led_ = 0;
  bool is_calm_ = false;
};

TEST(LeaderElectorProperty, NeverTwoLeadersAndAlwaysOneInTheEnd) {
  int led = 0;
  for (std::uint64_t seed = 1; seed <= 60 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    ElectionWorld world(seed);
    world.run(std::chrono::minutes(15));
    led += world.led();
    world.calm();
    world.run(std::chrono::minutes(3));
    const int before = world.led();
    world.run(seconds(10));
    EXPECT_GT(world.led(), before);
  }
  // Somebody leads for a good part of the time, or nothing was tested: 9,000 tenths of a second a
  // world.
  EXPECT_GT(led, 60 * 9000 / 6);
}

}  // namespace
}  // namespace loglink
