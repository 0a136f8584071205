#include "lib/kube/reflector.h"

#include <gtest/gtest.h>

#include <set>

#include "lib/model/limits.h"

namespace loglink {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using Kind = KubeErrorKind;
using StreamKind = Reflector::StreamKind;

KubeError error_of(Kind kind, std::optional<Duration> retry_after = std::nullopt) {
  KubeError error;
  error.kind = kind;
  error.message = std::string(to_string(kind));
  error.retry_after = retry_after;
  return error;
}

// A reflector with its answers at hand, and a clock that is turned by hand.
class ReflectorTest : public testing::Test {
 protected:
  void begin(ReflectorOptions options = {}) {
    options.path = "/api/v1/pods";
    reflector_.emplace(options, random_);
    action_ = reflector_->start(now_);
  }

  // Gets to a watch that goes on from `version`, in the way of a server of today.
  void reach_watch(const std::string& version = "100") {
    begin();
    reflector_->good_answer(now_);
    ASSERT_TRUE(reflector_->event_seen(true, true, version));
  }

  [[nodiscard]] const Reflector::OpenStream* open() const {
    return std::get_if<Reflector::OpenStream>(&action_);
  }
  [[nodiscard]] std::optional<Duration> wait() const {
    const auto* wait = std::get_if<Reflector::Wait>(&action_);
    if (wait == nullptr) return std::nullopt;
    return wait->until - now_;
  }
  void fail(Kind kind, std::optional<Duration> retry_after = std::nullopt) {
    action_ = reflector_->failed(error_of(kind, retry_after), now_);
  }
  // Lets the wait pass that the last failure asked for.
  void wait_over() {
    ASSERT_TRUE(wait().has_value());
    now_ = now_ + *wait();
    action_ = reflector_->wait_ended(now_);
  }
  void expect_stream(StreamKind kind) const {
    ASSERT_NE(open(), nullptr);
    EXPECT_EQ(static_cast<int>(open()->kind), static_cast<int>(kind)) << open()->target;
  }
  [[nodiscard]] bool has(const std::string& part) const {
    return open() != nullptr && open()->target.find(part) != std::string::npos;
  }

  SeededRandom random_{1};
  MonotonicTime now_{std::chrono::hours(1)};
  std::optional<Reflector> reflector_;
  Reflector::Action action_{Reflector::Wait{}};
};

// Whose server's storage was restored meanwhile: a watch from its future would hide what happens
// until it has come as far again.
TEST_F(ReflectorTest, ASmallSetIsListedAgainAfterEachFailure) {
  ReflectorOptions options;
  options.list_after_failure = true;
  for (const Kind kind : {Kind::kRefused, Kind::kTruncated, Kind::kIdleTimeout}) {
    begin(options);
    reflector_->good_answer(now_);
    ASSERT_TRUE(reflector_->event_seen(true, true, "100"));
    fail(kind);
    wait_over();
    expect_stream(StreamKind::kWatchList);
    EXPECT_FALSE(has("resourceVersion=100"));
  }
  begin(options);
  reflector_->good_answer(now_);
  ASSERT_TRUE(reflector_->event_seen(true, true, "100"));
  now_ = now_ + minutes(5);
  action_ = reflector_->watch_ended_cleanly(now_);
  expect_stream(StreamKind::kWatch);
  EXPECT_TRUE(has("resourceVersion=100")) << "a good end is none";
}

TEST_F(ReflectorTest, AsksForAWatchListFirst) {
  begin();
  expect_stream(StreamKind::kWatchList);
  EXPECT_TRUE(open()->begins_set);
  EXPECT_TRUE(reflector_->collecting());
  EXPECT_FALSE(reflector_->synced());
  EXPECT_EQ(open()->target.rfind("/api/v1/pods?watch=1&sendInitialEvents=true"
                                 "&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
                                 "&timeoutSeconds=",
                                 0),
            0U)
      << open()->target;
  EXPECT_FALSE(has("resourceVersion="));
}

TEST_F(ReflectorTest, SelectorsGoIntoEveryRequestEscaped) {
  ReflectorOptions options;
  options.field_selector = "metadata.name=node-a";
  options.label_selector = "app in (a,b)";
  const std::string selectors =
      "&fieldSelector=metadata.name%3Dnode-a&labelSelector=app%20in%20%28a%2Cb%29";
  begin(options);
  EXPECT_TRUE(has(selectors));
  fail(Kind::kInvalid);
  EXPECT_TRUE(has(selectors));
  action_ = reflector_->page_ended("5", "", now_).next;
  EXPECT_TRUE(has(selectors));
}

TEST_F(ReflectorTest, TimeoutsAreSpreadOverFiveMinutesAndTheDeadlineIsFiveSecondsLater) {
  std::set<std::string> seen;
  for (int round = 0; round < 200; ++round) {
    begin();
    const std::string& target = open()->target;
    const std::size_t begins = target.find("timeoutSeconds=") + 15;
    const std::string text = target.substr(begins, target.find('&', begins) - begins);
    const int value = std::stoi(text);
    EXPECT_GE(value, 300);
    EXPECT_LT(value, 600);
    EXPECT_EQ(open()->deadline, seconds(value + 5));
    seen.insert(text);
  }
  EXPECT_GT(seen.size(), 100U);
}

TEST_F(ReflectorTest, TheInitialSetIsWholeAtItsBookmarkAndTheStreamGoesOn) {
  begin();
  reflector_->good_answer(now_);
  EXPECT_FALSE(reflector_->event_seen(false, false, "90"));
  EXPECT_FALSE(reflector_->event_seen(true, false, "95"));  // a bookmark of another kind
  // The versions of synthetic events are no place to resume from.
  EXPECT_EQ(reflector_->resource_version(), "");
  EXPECT_FALSE(reflector_->synced());
  EXPECT_TRUE(reflector_->event_seen(true, true, "100"));
  EXPECT_TRUE(reflector_->synced());
  EXPECT_FALSE(reflector_->collecting());
  EXPECT_EQ(reflector_->resource_version(), "100");
  // A second such bookmark is only a bookmark.
  EXPECT_FALSE(reflector_->event_seen(true, true, "101"));
  EXPECT_EQ(reflector_->resource_version(), "101");
}

TEST_F(ReflectorTest, ACleanEndResumesAtOnceFromTheLastVersion) {
  reach_watch();
  reflector_->event_seen(false, false, "105");
  reflector_->event_seen(true, false, "110");
  now_ = now_ + seconds(1);
  action_ = reflector_->watch_ended_cleanly(now_);
  expect_stream(StreamKind::kWatch);
  EXPECT_FALSE(open()->begins_set);
  EXPECT_TRUE(has("?watch=1&allowWatchBookmarks=true&resourceVersion=110&timeoutSeconds="));
  EXPECT_FALSE(has("sendInitialEvents"));
  EXPECT_FALSE(has("resourceVersionMatch"));
  EXPECT_FALSE(reflector_->trouble().has_value());
}

TEST_F(ReflectorTest, ASilentWatchThatLivedASecondResumesAtOnce) {
  reach_watch();
  for (int round = 0; round < 2; ++round) {
    now_ = now_ + seconds(1);
    action_ = reflector_->watch_ended_cleanly(now_);
    expect_stream(StreamKind::kWatch);
    reflector_->good_answer(now_);
  }
}

TEST_F(ReflectorTest, AVeryShortWatchBacksOffMoreAndMoreWhateverItBrought) {
  reach_watch();
  action_ = reflector_->watch_ended_cleanly(now_);  // the first is excused: it brought something
  expect_stream(StreamKind::kWatch);
  reflector_->good_answer(now_);
  for (const auto least : {milliseconds(800), milliseconds(1600), milliseconds(3200)}) {
    reflector_->event_seen(true, false, "101");
    now_ = now_ + milliseconds(999);
    action_ = reflector_->watch_ended_cleanly(now_);
    ASSERT_TRUE(wait().has_value());
    EXPECT_GE(*wait(), least);
    EXPECT_LT(*wait(), least * 2);
    wait_over();
    expect_stream(StreamKind::kWatch);
    reflector_->good_answer(now_);
  }
}

// How often in ten minutes the server is asked that gives `what` to each watch, and then ends it.
struct ShortWatch {
  std::string name;
  bool gives_set;
  bool gives_event;
  std::optional<Kind> ends_with;
};
void PrintTo(const ShortWatch& watch, std::ostream* out) { *out << watch.name; }

class ShortWatches : public ReflectorTest, public testing::WithParamInterface<ShortWatch> {};

TEST_P(ShortWatches, AreAskedForNoMoreOftenThanTheLongestBackoffHasIt) {
  begin();
  int requests = 0;
  for (const MonotonicTime end = now_ + minutes(10); now_ < end; ++requests) {
    if (wait()) wait_over();
    reflector_->good_answer(now_);
    now_ = now_ + milliseconds(10);
    if (open()->kind == StreamKind::kPage) {
      action_ = reflector_->page_ended("100", "", now_).next;
      continue;
    }
    if (GetParam().gives_set) reflector_->event_seen(true, true, "100");
    if (GetParam().gives_event) reflector_->event_seen(false, false, "101");
    if (GetParam().ends_with) {
      fail(*GetParam().ends_with);
    } else {
      action_ = reflector_->watch_ended_cleanly(now_);
    }
  }
  // A wait each 10 s in the end; for one without watch-lists two requests for each.
  EXPECT_LE(requests, 130);
}

INSTANTIATE_TEST_SUITE_P(
    Ends, ShortWatches,
    testing::Values(ShortWatch{"the set, then 410", true, false, Kind::kGone},
                    ShortWatch{"the set and an event, then 410", true, true, Kind::kGone},
                    ShortWatch{"an event, then a cut", false, true, Kind::kTruncated},
                    ShortWatch{"the set and an event, then a cut", true, true, Kind::kTruncated},
                    ShortWatch{"the set and an event, then 429", true, true,
                               Kind::kTooManyRequests},
                    ShortWatch{"the set and an event, then the end", true, true, std::nullopt},
                    ShortWatch{"an event, then the end", false, true, std::nullopt}));

class NoWatchList : public ReflectorTest, public testing::WithParamInterface<Kind> {};

TEST_P(NoWatchList, FallsBackToPagesAtOnceWithoutTrouble) {
  begin();
  fail(GetParam());
  expect_stream(StreamKind::kPage);
  EXPECT_EQ(open()->target, "/api/v1/pods?limit=500");
  EXPECT_TRUE(open()->begins_set);
  EXPECT_FALSE(reflector_->trouble().has_value());
}

// 422 and 400; 406 and whatever else an old server may say.
INSTANTIATE_TEST_SUITE_P(Errors, NoWatchList, testing::Values(Kind::kInvalid, Kind::kUnexpected));

TEST_F(ReflectorTest, AWatchListThatEndsBeforeItsBookmarkFallsBackToPages) {
  begin();
  reflector_->good_answer(now_);
  reflector_->event_seen(false, false, "7");
  action_ = reflector_->watch_ended_cleanly(now_);
  expect_stream(StreamKind::kPage);
  EXPECT_TRUE(open()->begins_set);
}

class BrokenWatchList : public ReflectorTest, public testing::WithParamInterface<Kind> {};

TEST_P(BrokenWatchList, FallsBackToPagesAfterABackoff) {
  begin();
  reflector_->good_answer(now_);
  fail(GetParam());
  EXPECT_TRUE(wait().has_value());
  EXPECT_TRUE(reflector_->trouble().has_value());
  wait_over();
  expect_stream(StreamKind::kPage);
}

INSTANTIATE_TEST_SUITE_P(Errors, BrokenWatchList,
                         testing::Values(Kind::kTruncated, Kind::kIdleTimeout, Kind::kDeadline,
                                         Kind::kProtocol));

class WatchListAgain : public ReflectorTest, public testing::WithParamInterface<Kind> {};

TEST_P(WatchListAgain, IsAskedForAfterABackoff) {
  begin();
  for (int round = 0; round < 5; ++round) {
    fail(GetParam());
    ASSERT_TRUE(wait().has_value());
    EXPECT_EQ(reflector_->trouble()->error.kind, GetParam());
    wait_over();
    expect_stream(StreamKind::kWatchList);
  }
}

INSTANTIATE_TEST_SUITE_P(Errors, WatchListAgain,
                         testing::Values(Kind::kRefused, Kind::kDns, Kind::kTls,
                                         Kind::kConnectTimeout, Kind::kUnauthorized,
                                         Kind::kForbidden, Kind::kNotFound, Kind::kNotServed,
                                         Kind::kTooManyRequests, Kind::kServerError, Kind::kGone));

TEST_F(ReflectorTest, TheNextRelistAsksForAWatchListAgain) {
  begin();
  fail(Kind::kInvalid);
  action_ = reflector_->page_ended("10", "", now_).next;
  expect_stream(StreamKind::kWatch);
  fail(Kind::kGone);
  wait_over();
  expect_stream(StreamKind::kWatchList);
}

TEST_F(ReflectorTest, PagesFollowEachOtherAndTheLastOneCompletesTheSet) {
  ReflectorOptions options;
  options.try_watch_list = false;
  begin(options);
  EXPECT_EQ(open()->target, "/api/v1/pods?limit=500");
  EXPECT_TRUE(open()->begins_set);
  Reflector::PageEnd end = reflector_->page_ended("50", "tok/en==", now_);
  EXPECT_FALSE(end.initial_set_complete);
  EXPECT_FALSE(reflector_->synced());
  EXPECT_TRUE(reflector_->collecting());
  action_ = end.next;
  EXPECT_EQ(open()->target, "/api/v1/pods?limit=500&continue=tok%2Fen%3D%3D");
  EXPECT_FALSE(open()->begins_set);
  end = reflector_->page_ended("50", "", now_);
  EXPECT_TRUE(end.initial_set_complete);
  EXPECT_TRUE(reflector_->synced());
  EXPECT_FALSE(reflector_->collecting());
  action_ = end.next;
  expect_stream(StreamKind::kWatch);
  EXPECT_TRUE(has("resourceVersion=50&"));
}

// A server or proxy gave "continue" for ever, and was asked for page after page without a pause.
TEST_F(ReflectorTest, AListThatNeverEndsIsGivenUpAndBegunAgainAfterAPause) {
  ReflectorOptions options;
  options.try_watch_list = false;
  options.backoff = {seconds(1), 2, seconds(10), 0};
  begin(options);
  Duration last{0};
  for (int round = 0; round < 4; ++round) {
    for (int page = 1; page < limits::kListPages; ++page) {
      action_ = reflector_->page_ended("50", "tok" + std::to_string(page), now_).next;
      ASSERT_NE(open(), nullptr) << page;
      ASSERT_EQ(reflector_->trouble().has_value(), round > 0) << "pages are no good news now";
    }
    // A page that has to be fetched again is not one more.
    fail(Kind::kTruncated);
    wait_over();
    const Reflector::PageEnd end = reflector_->page_ended("50", "tok", now_);
    action_ = end.next;
    ASSERT_TRUE(wait().has_value()) << "round " << round;
    EXPECT_GE(*wait(), last);
    last = *wait();
    EXPECT_FALSE(end.initial_set_complete);
    ASSERT_TRUE(end.error.has_value());
    EXPECT_EQ(end.error->kind, Kind::kProtocol);
    EXPECT_EQ(end.error->message,
              "the list of /api/v1/pods does not end after 2000 pages: look at what stands between "
              "us and the API server, which gives \"continue\" again and again");
    EXPECT_EQ(reflector_->trouble()->error, *end.error);
    EXPECT_FALSE(reflector_->synced());
    wait_over();
    EXPECT_EQ(open()->target, "/api/v1/pods?limit=500");
    EXPECT_TRUE(open()->begins_set);
  }
  EXPECT_EQ(last, seconds(10)) << "no good page has shortened the pause";
  const Reflector::PageEnd end = reflector_->page_ended("60", "", now_);
  EXPECT_TRUE(end.initial_set_complete);
  EXPECT_FALSE(reflector_->trouble().has_value());
}

// 150,000 pods, and a server that gives a fifth of what it is asked for.
TEST_F(ReflectorTest, TheListOfTheLargestClusterEndsInTime) {
  ReflectorOptions options;
  options.try_watch_list = false;
  begin(options);
  for (int page = 1; page < 150'000 / (limits::kPageItems / 5); ++page) {
    action_ = reflector_->page_ended("50", "tok", now_).next;
    ASSERT_NE(open(), nullptr) << page;
  }
  EXPECT_TRUE(reflector_->page_ended("50", "", now_).initial_set_complete);
}

TEST_F(ReflectorTest, APageThatCouldNotBeFetchedIsFetchedAgain) {
  ReflectorOptions options;
  options.try_watch_list = false;
  begin(options);
  action_ = reflector_->page_ended("50", "tok", now_).next;
  for (const Kind kind : {Kind::kTooManyRequests, Kind::kRefused, Kind::kTruncated,
                          Kind::kServerError, Kind::kDeadline, Kind::kForbidden}) {
    fail(kind);
    EXPECT_TRUE(wait().has_value());
    wait_over();
    EXPECT_TRUE(has("continue=tok")) << to_string(kind);
    EXPECT_FALSE(open()->begins_set);
  }
}

TEST_F(ReflectorTest, AnExpiredOrUnreadablePageBeginsTheSetAnew) {
  for (const Kind kind : {Kind::kGone, Kind::kInvalid, Kind::kProtocol}) {
    ReflectorOptions options;
    options.try_watch_list = false;
    begin(options);
    action_ = reflector_->page_ended("50", "tok", now_).next;
    fail(kind);
    wait_over();
    EXPECT_EQ(open()->target, "/api/v1/pods?limit=500") << to_string(kind);
    EXPECT_TRUE(open()->begins_set);
  }
}

class SameVersion : public ReflectorTest, public testing::WithParamInterface<Kind> {};

TEST_P(SameVersion, ResumesAfterABackoffWithoutARelist) {
  reach_watch("123");
  fail(GetParam());
  ASSERT_TRUE(wait().has_value());
  EXPECT_GE(*wait(), milliseconds(800));
  EXPECT_LT(*wait(), milliseconds(1200));
  EXPECT_TRUE(reflector_->synced());
  EXPECT_EQ(reflector_->trouble()->error.kind, GetParam());
  wait_over();
  expect_stream(StreamKind::kWatch);
  EXPECT_TRUE(has("resourceVersion=123&"));
}

INSTANTIATE_TEST_SUITE_P(Errors, SameVersion,
                         testing::Values(Kind::kTooManyRequests, Kind::kRefused, Kind::kTruncated,
                                         Kind::kIdleTimeout, Kind::kDns, Kind::kTls,
                                         Kind::kConnectTimeout, Kind::kUnauthorized,
                                         Kind::kForbidden, Kind::kNotServed, Kind::kServerError));

TEST_F(ReflectorTest, AWatchThatReachedItsDeadlineResumesAtOnce) {
  reach_watch();
  now_ = now_ + minutes(6);
  fail(Kind::kDeadline);
  expect_stream(StreamKind::kWatch);
  EXPECT_FALSE(reflector_->trouble().has_value());
}

TEST_F(ReflectorTest, GoneListsAgainAndNeverFromBeforeWhatIsKnown) {
  reach_watch("123");
  fail(Kind::kGone);
  EXPECT_TRUE(wait().has_value());
  wait_over();
  expect_stream(StreamKind::kWatchList);
  EXPECT_TRUE(open()->begins_set);
  EXPECT_TRUE(has("resourceVersion=123&"));
  EXPECT_TRUE(reflector_->collecting());
  EXPECT_TRUE(reflector_->synced());
}

// A server that was restarted is waited for, and has then forgotten the version: the delay had
// grown to its longest, and was waited for twice.
TEST_F(ReflectorTest, GoneAfterAnOutageListsAfterTheShortestDelay) {
  for (const Duration outage : {Duration(seconds(30)), Duration(minutes(2))}) {
    reach_watch("123");
    const MonotonicTime back = now_ + outage;
    fail(Kind::kRefused);
    while (now_ < back) {
      wait_over();
      fail(Kind::kRefused);
    }
    wait_over();
    reflector_->good_answer(now_);
    fail(Kind::kGone);
    ASSERT_TRUE(wait().has_value());
    EXPECT_GE(*wait(), milliseconds(800));
    EXPECT_LT(*wait(), milliseconds(1200));
    wait_over();
    expect_stream(StreamKind::kWatchList);
  }
}

TEST_F(ReflectorTest, AVersionFromTheFutureIsGivenUp) {
  reach_watch("999");
  fail(Kind::kTooLargeVersion, seconds(1));
  wait_over();
  expect_stream(StreamKind::kWatchList);
  EXPECT_FALSE(has("resourceVersion="));

  // The same when the relist is what finds out.
  reach_watch("999");
  fail(Kind::kGone);
  wait_over();
  EXPECT_TRUE(has("resourceVersion=999"));
  fail(Kind::kTooLargeVersion);
  wait_over();
  expect_stream(StreamKind::kWatchList);
  EXPECT_FALSE(has("resourceVersion="));
}

TEST_F(ReflectorTest, BytesThatCannotBeReadMakeARelist) {
  reach_watch();
  fail(Kind::kProtocol);
  wait_over();
  expect_stream(StreamKind::kWatchList);
}

TEST_F(ReflectorTest, ThreeSilentWatchesMakeARelist) {
  for (const Kind kind : {Kind::kIdleTimeout, Kind::kServerError}) {
    reach_watch("123");
    now_ = now_ + seconds(1);
    action_ = reflector_->watch_ended_cleanly(now_);
    for (int round = 0; round < 2; ++round) {
      reflector_->good_answer(now_);
      fail(kind);
      wait_over();
      expect_stream(StreamKind::kWatch);
    }
    fail(kind);
    wait_over();
    expect_stream(StreamKind::kWatchList);
  }
}

TEST_F(ReflectorTest, AnEventBetweenSilentWatchesIsProofOfLife) {
  reach_watch("123");
  for (int round = 0; round < 10; ++round) {
    fail(Kind::kIdleTimeout);
    wait_over();
    expect_stream(StreamKind::kWatch);
    reflector_->good_answer(now_);
    if (round % 2 == 1) reflector_->event_seen(true, false, "124");
  }
}

TEST_F(ReflectorTest, RetryAfterIsObeyedAndSpread) {
  std::set<Duration> waits;
  for (int round = 0; round < 20; ++round) {
    reach_watch();
    fail(Kind::kTooManyRequests, seconds(7));
    EXPECT_GE(*wait(), seconds(7));
    EXPECT_LT(*wait(), seconds(9));
    waits.insert(*wait());
  }
  EXPECT_GT(waits.size(), 10U);
}

TEST_F(ReflectorTest, ARetryAfterShorterThanTheBackoffDoesNotShortenIt) {
  reach_watch();
  for (int round = 0; round < 6; ++round) {
    fail(Kind::kTooManyRequests, seconds(1));
    wait_over();
  }
  fail(Kind::kTooManyRequests, seconds(1));
  EXPECT_GE(*wait(), seconds(10));
}

TEST_F(ReflectorTest, AnAbsurdRetryAfterIsBounded) {
  reach_watch();
  fail(Kind::kTooManyRequests, std::chrono::hours(1000));
  EXPECT_GE(*wait(), seconds(10));
  EXPECT_LE(*wait(), milliseconds(12500));
}

TEST_F(ReflectorTest, TheBackoffGrowsToItsMaximumAndIsTriedForEver) {
  begin();
  Duration longest{0};
  for (int round = 0; round < 1000; ++round) {
    fail(Kind::kForbidden);
    ASSERT_TRUE(wait().has_value());
    longest = std::max(longest, *wait());
    wait_over();
  }
  EXPECT_LE(longest, seconds(16));
}

TEST_F(ReflectorTest, TroubleEndsWithAnEventAPageOrASecondOfWatching) {
  const auto troubled = [&] {
    reach_watch();
    for (int round = 0; round < 4; ++round) {
      fail(Kind::kRefused);
      wait_over();
    }
    reflector_->good_answer(now_);
    ASSERT_TRUE(reflector_->trouble().has_value());
  };
  const auto expect_well = [&] {
    EXPECT_FALSE(reflector_->trouble().has_value());
    EXPECT_EQ(reflector_->settles_at(), MonotonicTime::never());
  };
  troubled();
  reflector_->event_seen(true, false, "200");
  expect_well();

  troubled();
  EXPECT_EQ(reflector_->settles_at(), now_ + seconds(1));
  reflector_->settle(now_ + milliseconds(999));
  EXPECT_TRUE(reflector_->trouble().has_value());
  reflector_->settle(now_ + seconds(1));
  expect_well();

  begin();
  fail(Kind::kTruncated);
  wait_over();
  expect_stream(StreamKind::kPage);
  action_ = reflector_->page_ended("1", "more", now_).next;
  EXPECT_FALSE(reflector_->trouble().has_value());
}

TEST_F(ReflectorTest, TheBackoffEndsWhenAWatchHasLivedAsLongAsTheLongestDelay) {
  for (const auto& [lived, is_fresh] :
       {std::pair(milliseconds(9999), false), std::pair(milliseconds(10000), true)}) {
    reach_watch();
    for (int round = 0; round < 4; ++round) {
      fail(Kind::kRefused);
      wait_over();
    }
    reflector_->good_answer(now_);
    reflector_->event_seen(true, false, "200");
    now_ = now_ + lived;
    fail(Kind::kTooManyRequests);
    if (is_fresh) {
      EXPECT_LT(*wait(), milliseconds(1200));
    } else {
      EXPECT_GE(*wait(), seconds(10));
    }
  }
}

TEST_F(ReflectorTest, TroubleSaysTheLastErrorAndTheFirstTime) {
  reach_watch();
  const MonotonicTime first = now_;
  fail(Kind::kRefused);
  wait_over();
  fail(Kind::kTls);
  EXPECT_EQ(reflector_->trouble()->error.kind, Kind::kTls);
  EXPECT_EQ(reflector_->trouble()->since, first);
}

TEST_F(ReflectorTest, AfterALongOutageAttemptsAreSpreadOverFifteenSeconds) {
  Duration shortest = minutes(1);
  Duration longest{0};
  for (int client = 0; client < 200; ++client) {
    reach_watch();
    const MonotonicTime start = now_;
    while (now_ - start <= seconds(60)) {
      fail(Kind::kRefused);
      EXPECT_LT(*wait(), seconds(15));
      wait_over();
    }
    fail(Kind::kRefused);
    shortest = std::min(shortest, *wait());
    longest = std::max(longest, *wait());
  }
  EXPECT_LT(shortest, seconds(2));
  EXPECT_GT(longest, seconds(14));
  EXPECT_LT(longest, seconds(16));
}

TEST_F(ReflectorTest, NoSequenceOfAnswersStopsIt) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    begin();
    std::string version = "1";
    for (int step = 0; step < 200; ++step) {
      now_ = now_ + milliseconds(static_cast<int>(random.below(2000)));
      if (wait()) {
        wait_over();
        continue;
      }
      ASSERT_NE(open(), nullptr);
      const bool is_page = open()->kind == StreamKind::kPage;
      const auto kind =
          static_cast<Kind>(random.below(static_cast<std::uint64_t>(Kind::kUnexpected) + 1));
      switch (random.below(4)) {
        case 0:
          fail(kind);
          break;
        case 1:
          reflector_->good_answer(now_);
          fail(kind);
          break;
        case 2:
          reflector_->good_answer(now_);
          version += "0";
          if (is_page) {
            action_ = reflector_->page_ended(version, random.below(2) == 0 ? "t" : "", now_).next;
          } else {
            reflector_->event_seen(random.below(2) == 0, random.below(2) == 0, version);
          }
          break;
        default:
          reflector_->good_answer(now_);
          if (!is_page) action_ = reflector_->watch_ended_cleanly(now_);
      }
    }
    // A server that is well again gets it to a watch within a few exchanges.
    for (int step = 0; step < 5; ++step) {
      if (wait()) wait_over();
      if (open()->kind == StreamKind::kPage) {
        action_ = reflector_->page_ended("77", "", now_).next;
      } else {
        reflector_->event_seen(true, true, "77");
      }
    }
    EXPECT_TRUE(reflector_->synced());
    EXPECT_FALSE(reflector_->collecting());
    EXPECT_EQ(reflector_->resource_version(), "77");
    EXPECT_FALSE(reflector_->trouble().has_value());
  }
}

}  // namespace
}  // namespace loglink
