#include "lib/kube/list_watch.h"

#include <gtest/gtest.h>

#include <sstream>

#include "lib/base/text.h"
#include "lib/model/limits.h"

namespace loglink {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Kind = KubeErrorKind;
using Log = std::vector<std::string>;

class HandClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override { return now_; }
  void advance(Duration duration) { now_.monotonic = now_.monotonic + duration; }

 private:
  Now now_{MonotonicTime{hours(1)}, WallTime{}};
};

// Holds one stream at a time; the test plays the server.
class FakeTransport final : public StreamTransport {
 public:
  StreamId open(StreamRequest request, StreamHandler& handler) override {
    EXPECT_EQ(handler_, nullptr) << "two streams at once";
    requests.push_back(std::move(request));
    handler_ = &handler;
    return ++last_id_;
  }
  void cancel(StreamId id) override {
    if (id != last_id_ || handler_ == nullptr) return;
    handler_ = nullptr;
    ++cancelled;
  }

  [[nodiscard]] bool is_open() const { return handler_ != nullptr; }
  void head(int status = 200, std::optional<Duration> retry_after = std::nullopt) {
    handler_->on_head({status, "text/plain", retry_after});
  }
  void data(std::string_view bytes) { handler_->on_data(bytes); }
  void end(std::optional<KubeError> error = std::nullopt) {
    std::exchange(handler_, nullptr)->on_end(std::move(error));
  }
  void fail(Kind kind) {
    KubeError error;
    error.kind = kind;
    error.message = std::string(to_string(kind));
    end(error);
  }
  // A whole answer.
  void answer(int status, std::string_view body) {
    head(status);
    data(body);
    end();
  }

  std::vector<StreamRequest> requests;
  int cancelled = 0;

 private:
  StreamHandler* handler_ = nullptr;
  StreamId last_id_ = 0;
};

// An object is "name uid version value", its value "-" when it does not concern us. An event is
// "TYPE object", a bookmark "BOOKMARK version [end]", a page its objects after "version token" ("."
// for no token).
Decoded<std::string> decode_object(std::istringstream& text) {
  Decoded<std::string> object;
  std::string value;
  text >> object.key.name >> object.uid >> object.resource_version >> value;
  if (value != "-") object.value = value;
  return object;
}

KubeError error_of(Kind kind, std::string message) {
  KubeError error;
  error.kind = kind;
  error.message = std::move(message);
  return error;
}

tl::expected<WatchEvent<std::string>, KubeError> decode_event(std::string_view line) {
  std::istringstream text{std::string(line)};
  std::string type;
  text >> type;
  WatchEvent<std::string> event;
  if (type == "BOOKMARK") {
    std::string end;
    text >> event.object.resource_version >> end;
    event.initial_events_end = end == "end";
  } else if (type == "ERROR") {
    event.type = WatchEventType::kError;
    event.error = error_of(Kind::kGone, "too old");
  } else if (type == "ADDED" || type == "MODIFIED" || type == "DELETED") {
    event.type = type == "ADDED"      ? WatchEventType::kAdded
                 : type == "MODIFIED" ? WatchEventType::kModified
                                      : WatchEventType::kDeleted;
    event.object = decode_object(text);
  } else {
    return tl::unexpected(error_of(Kind::kProtocol, "not an event"));
  }
  return event;
}

tl::expected<ListPage<std::string>, KubeError> decode_page(std::string_view body) {
  if (body == "broken") return tl::unexpected(error_of(Kind::kProtocol, "not a page"));
  const std::vector<std::string> lines = split(body, ';');
  ListPage<std::string> page;
  std::istringstream first{lines[0]};
  first >> page.resource_version >> page.continue_token;
  if (page.continue_token == ".") page.continue_token.clear();
  for (std::size_t i = 1; i < lines.size(); ++i) {
    std::istringstream text{lines[i]};
    page.items.push_back(decode_object(text));
  }
  return page;
}

KubeError decode_error(int status, std::string_view, std::string_view body) {
  KubeError error = error_of(Kind::kUnexpected, std::string(body));
  error.http_status = status;
  if (status == 410) error.kind = Kind::kGone;
  if (status == 422) error.kind = Kind::kInvalid;
  if (status == 429) error.kind = Kind::kTooManyRequests;
  return error;
}

class ListWatchTest : public testing::Test, public ListWatchListener<std::string> {
 protected:
  ListWatchTest() {
    ListWatchOptions options;
    options.reflector.path = "/things";
    list_watch_.emplace(options, ObjectCodec<std::string>{decode_event, decode_page, decode_error},
                        transport_, clock_, random_, *this);
    list_watch_->start(clock_.now());
  }

  void on_replaced(std::vector<Decoded<std::string>> objects, const std::string& version) override {
    std::string text = "replaced " + version;
    for (const Decoded<std::string>& each : objects)
      text += " " + each.key.name + "=" + *each.value;
    log_.push_back(text);
  }
  void on_upserted(Decoded<std::string> object) override {
    log_.push_back("upserted " + object.key.name + "=" + *object.value);
  }
  void on_deleted(const ObjectKey& key, const std::string& uid) override {
    log_.push_back("deleted " + key.name + " " + uid);
  }
  void on_trouble(const std::optional<KubeError>& error) override {
    log_.push_back(error ? "trouble " + error->message : "well");
  }
  void on_restart(std::string_view reason) override { restarts_.emplace_back(reason); }
  void on_wakeup() override { ++wakeups_; }

  // What the listener heard since it was asked last.
  Log heard() { return std::exchange(log_, {}); }
  void wait_over() {
    ASSERT_FALSE(transport_.is_open());
    ASSERT_NE(list_watch_->next_wakeup(), MonotonicTime::never());
    clock_.advance(list_watch_->next_wakeup() - clock_.now().monotonic);
    list_watch_->tick(clock_.now());
    ASSERT_TRUE(transport_.is_open());
  }
  // A set of a and b, as of version 10, and the watch that follows it.
  void reach_watch() {
    transport_.head();
    transport_.data("ADDED a ua 5 1\nADDED b ub 7 2\nBOOKMARK 10 end\n");
    ASSERT_EQ(heard(), (Log{"replaced 10 a=1 b=2"}));
  }
  [[nodiscard]] std::string last_target() const { return transport_.requests.back().target; }

  HandClock clock_;
  SeededRandom random_{1};
  FakeTransport transport_;
  std::optional<ListWatch<std::string>> list_watch_;
  Log log_;
  Log restarts_;
  int wakeups_ = 0;
};

TEST_F(ListWatchTest, HandsOverTheInitialSetInWholeAtItsBookmark) {
  transport_.head();
  transport_.data("ADDED b ub 7 2\nADDED a ua 5 1\n");
  EXPECT_EQ(heard(), Log{});
  EXPECT_FALSE(list_watch_->synced());
  transport_.data("BOOKMARK 10 end\n");
  EXPECT_EQ(heard(), (Log{"replaced 10 a=1 b=2"}));
  EXPECT_TRUE(list_watch_->synced());
  EXPECT_EQ(list_watch_->next_wakeup(), MonotonicTime::never());
}

TEST_F(ListWatchTest, DeltasFollowOnTheSameStream) {
  reach_watch();
  transport_.data("MODIFIED a ua 11 3\nADDED c uc 12 4\nDELETED b ub 13 2\nBOOKMARK 20\n");
  EXPECT_EQ(heard(), (Log{"upserted a=3", "upserted c=4", "deleted b ub"}));
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(ListWatchTest, LinesMayBeCutAnywhere) {
  const std::string text = "ADDED a ua 5 1\nBOOKMARK 10 end\nMODIFIED a ua 11 2\n";
  transport_.head();
  for (const char c : text) transport_.data(std::string_view(&c, 1));
  EXPECT_EQ(heard(), (Log{"replaced 10 a=1", "upserted a=2"}));
}

TEST_F(ListWatchTest, ObjectsThatDoNotConcernUsAreNotHandedOver) {
  transport_.head();
  transport_.data("ADDED a ua 5 1\nADDED x ux 6 -\nBOOKMARK 10 end\n");
  EXPECT_EQ(heard(), (Log{"replaced 10 a=1"}));
  transport_.data("ADDED y uy 11 -\nMODIFIED x ux 12 -\nDELETED x ux 13 -\nDELETED z uz 14 9\n");
  EXPECT_EQ(heard(), Log{});
}

TEST_F(ListWatchTest, AnObjectThatNoLongerConcernsUsIsDeleted) {
  reach_watch();
  transport_.data("MODIFIED a ua 11 -\n");
  EXPECT_EQ(heard(), (Log{"deleted a ua"}));
  transport_.data("DELETED a ua 12 -\n");
  EXPECT_EQ(heard(), Log{});
  transport_.data("MODIFIED a ua 13 5\n");
  EXPECT_EQ(heard(), (Log{"upserted a=5"}));
}

TEST_F(ListWatchTest, AReCreatedObjectIsDeletedFirst) {
  reach_watch();
  transport_.data("MODIFIED a other 11 3\n");
  EXPECT_EQ(heard(), (Log{"deleted a ua", "upserted a=3"}));
}

TEST_F(ListWatchTest, NothingGoesBackToAnOlderVersion) {
  reach_watch();
  transport_.data("MODIFIED a ua 100 3\nMODIFIED a ua 99 4\nDELETED a ua 98 4\n");
  EXPECT_EQ(heard(), (Log{"upserted a=3"}));
  // Versions that are no numbers say nothing: accepted.
  transport_.data("MODIFIED a ua x1 5\nMODIFIED a ua 1 6\n");
  EXPECT_EQ(heard(), (Log{"upserted a=5", "upserted a=6"}));
}

TEST_F(ListWatchTest, ChangesDuringTheInitialSetAreOfTheSet) {
  transport_.head();
  transport_.data(
      "ADDED a ua 5 1\nMODIFIED a ua 6 2\nADDED a ua 4 0\nADDED b ub 5 1\n"
      "DELETED b ub 7 1\nADDED c uc 5 1\nMODIFIED c uc 8 -\nBOOKMARK 10 end\n");
  EXPECT_EQ(heard(), (Log{"replaced 10 a=2"}));
}

TEST_F(ListWatchTest, ACleanEndGoesOnFromTheLastVersion) {
  reach_watch();
  transport_.data("BOOKMARK 33\n");
  transport_.end();
  EXPECT_EQ(heard(), Log{});
  EXPECT_EQ(restarts_, (Log{"Ended"}));
  EXPECT_NE(last_target().find("resourceVersion=33&"), std::string::npos);
  EXPECT_EQ(last_target().find("sendInitialEvents"), std::string::npos);
  transport_.head();
  transport_.data("MODIFIED a ua 34 9\n");
  EXPECT_EQ(heard(), (Log{"upserted a=9"}));
}

TEST_F(ListWatchTest, GoneInAnEventListsAgainAndAbsenceDeletes) {
  reach_watch();
  transport_.data("ERROR\nMODIFIED a ua 50 never\n");
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_EQ(heard(), (Log{"trouble too old"}));
  EXPECT_EQ(restarts_, (Log{"Gone"}));
  wait_over();
  EXPECT_NE(last_target().find("sendInitialEvents=true"), std::string::npos);
  transport_.head();
  transport_.data("ADDED b ub 7 2\n");
  EXPECT_EQ(heard(), (Log{"well"}));
  transport_.data("BOOKMARK 60 end\n");
  EXPECT_EQ(heard(), (Log{"replaced 60 b=2"}));
  // What went with the swap is not known any more.
  transport_.data("DELETED a ua 61 1\n");
  EXPECT_EQ(heard(), Log{});
}

TEST_F(ListWatchTest, AReplacedWholeMayGoBack) {
  // A server whose storage was restored from a backup.
  reach_watch();
  transport_.data("MODIFIED a ua 100 3\nERROR\n");
  wait_over();
  transport_.head();
  transport_.data("ADDED a ua 5 1\nBOOKMARK 20 end\nMODIFIED a ua 21 2\n");
  EXPECT_EQ(heard(),
            (Log{"upserted a=3", "trouble too old", "replaced 20 a=1", "upserted a=2", "well"}));
}

TEST_F(ListWatchTest, AnUnfinishedSetIsThrownAway) {
  transport_.head();
  transport_.data("ADDED a ua 5 1\n");
  transport_.fail(Kind::kTruncated);
  EXPECT_EQ(heard(), (Log{"trouble Truncated"}));
  wait_over();
  EXPECT_EQ(last_target(), "/things?limit=500");
  transport_.answer(200, "20 .;b ub 6 2");
  EXPECT_EQ(heard(), (Log{"replaced 20 b=2", "well"}));
}

TEST_F(ListWatchTest, PagesArePutTogether) {
  transport_.answer(422, "sendInitialEvents is forbidden");
  EXPECT_EQ(heard(), Log{});
  transport_.head();
  transport_.data("10 next;b ub");
  transport_.data(" 5 2;x ux 6 -");
  transport_.end();
  EXPECT_EQ(last_target(), "/things?limit=500&continue=next");
  EXPECT_EQ(heard(), Log{});
  transport_.answer(200, "10 .;a ua 5 1");
  EXPECT_EQ(heard(), (Log{"replaced 10 a=1 b=2"}));
  EXPECT_NE(last_target().find("watch=1"), std::string::npos);
  EXPECT_NE(last_target().find("resourceVersion=10&"), std::string::npos);
}

TEST_F(ListWatchTest, AListThatNeverEndsIsToldAndCountedAndItsPartIsThrownAway) {
  transport_.answer(422, "");
  static_cast<void>(heard());
  for (int page = 0; page < limits::kListPages; ++page) {
    transport_.answer(200, "10 next;a ua 5 1");
  }
  const Log told = heard();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].rfind("trouble the list of /things does not end after", 0), 0U) << told[0];
  EXPECT_EQ(restarts_.back(), "Protocol");
  EXPECT_EQ(transport_.requests.size(), 1U + limits::kListPages) << "asked again without a pause";
  wait_over();
  transport_.answer(422, "");
  EXPECT_EQ(last_target(), "/things?limit=500");
  transport_.answer(200, "20 .;b ub 6 2");
  EXPECT_EQ(heard(), (Log{"replaced 20 b=2", "well"}));
}

TEST_F(ListWatchTest, AnExpiredPageStartsTheSetAnew) {
  transport_.answer(422, "");
  transport_.answer(200, "10 next;a ua 5 1");
  transport_.answer(410, "expired");
  EXPECT_EQ(heard(), (Log{"trouble expired"}));
  wait_over();
  EXPECT_EQ(last_target(), "/things?limit=500");
  transport_.answer(200, "20 .;b ub 6 2");
  EXPECT_EQ(heard(), (Log{"replaced 20 b=2", "well"}));
}

TEST_F(ListWatchTest, APageThatCannotBeReadOrHasNoVersionIsTrouble) {
  transport_.answer(422, "");
  transport_.answer(200, "broken");
  EXPECT_EQ(heard(), (Log{"trouble not a page"}));
  wait_over();
  transport_.answer(200, "");
  EXPECT_EQ(heard(), (Log{"trouble a page of /things has no resourceVersion"}));
  EXPECT_FALSE(list_watch_->synced());
}

TEST_F(ListWatchTest, ALineThatCannotBeReadMakesARelist) {
  reach_watch();
  transport_.data("<html>\n");
  EXPECT_EQ(heard(), (Log{"trouble not an event"}));
  EXPECT_EQ(transport_.cancelled, 1);
  wait_over();
  EXPECT_NE(last_target().find("sendInitialEvents=true"), std::string::npos);
}

TEST_F(ListWatchTest, AnEventThatIsTooLargeEndsTheStream) {
  reach_watch();
  const std::string block(1 << 20, 'x');
  int blocks = 0;
  while (transport_.is_open() && blocks < 100) {
    transport_.data(block);
    ++blocks;
  }
  EXPECT_EQ(blocks, 17);
  EXPECT_EQ(heard(), (Log{"trouble an event of /things is larger than 16777216 bytes"}));
}

TEST_F(ListWatchTest, APageThatIsTooLargeEndsTheStream) {
  transport_.answer(422, "");
  transport_.head();
  const std::string block(1 << 20, 'x');
  int blocks = 0;
  while (transport_.is_open() && blocks < 100) {
    transport_.data(block);
    ++blocks;
  }
  EXPECT_EQ(blocks, 65);
  EXPECT_EQ(heard(), (Log{"trouble a page of /things is larger than 67108864 bytes"}));
}

TEST_F(ListWatchTest, AnErrorAnswerIsReadWithItsBodyAndRetryAfter) {
  reach_watch();
  transport_.end();
  transport_.head(429, seconds(8));
  transport_.data("Too many ");
  transport_.data("requests");
  transport_.end();
  EXPECT_EQ(heard(), (Log{"trouble Too many requests"}));
  EXPECT_GE(list_watch_->next_wakeup(), clock_.now().monotonic + seconds(8));
  EXPECT_EQ(restarts_, (Log{"Ended", "TooManyRequests"}));
}

TEST_F(ListWatchTest, AnErrorAnswerCountsEvenIfItIsCut) {
  reach_watch();
  transport_.end();
  transport_.head(410);
  transport_.data("expi");
  transport_.fail(Kind::kTruncated);
  EXPECT_EQ(heard(), (Log{"trouble expi"}));
  wait_over();
  EXPECT_NE(last_target().find("sendInitialEvents=true"), std::string::npos);
}

TEST_F(ListWatchTest, AnErrorBodyIsBounded) {
  transport_.head(500);
  const std::string block(1 << 20, 'x');
  transport_.data(block);
  transport_.data(block);
  transport_.end();
  EXPECT_EQ(restarts_, (Log{"Unexpected"}));
  EXPECT_EQ(last_target(), "/things?limit=500");
}

TEST_F(ListWatchTest, AWatchThatEndsInsideALineWasCut) {
  reach_watch();
  transport_.data("MODIFIED a ua 11");
  transport_.end();
  EXPECT_EQ(heard(), (Log{"trouble the watch of /things ended inside an event"}));
  wait_over();
  EXPECT_NE(last_target().find("resourceVersion=10&"), std::string::npos);
  transport_.head();
  transport_.data("MODIFIED a ua 11 3\n");
  EXPECT_EQ(heard(), (Log{"upserted a=3", "well"}));
}

TEST_F(ListWatchTest, TroubleIsToldOnceUntilItChanges) {
  for (int round = 0; round < 3; ++round) {
    transport_.fail(Kind::kRefused);
    wait_over();
  }
  transport_.fail(Kind::kTls);
  EXPECT_EQ(heard(), (Log{"trouble Refused", "trouble Tls"}));
  ASSERT_TRUE(list_watch_->trouble().has_value());
  EXPECT_EQ(list_watch_->trouble()->since, MonotonicTime{hours(1)});
}

TEST_F(ListWatchTest, ASilentWatchIsWellAfterASecond) {
  reach_watch();
  transport_.fail(Kind::kRefused);
  wait_over();
  heard();
  EXPECT_EQ(wakeups_, 0);
  transport_.head();
  EXPECT_EQ(wakeups_, 1);
  EXPECT_EQ(list_watch_->next_wakeup(), clock_.now().monotonic + seconds(1));
  clock_.advance(milliseconds(500));
  list_watch_->tick(clock_.now());
  EXPECT_EQ(heard(), Log{});
  clock_.advance(milliseconds(500));
  list_watch_->tick(clock_.now());
  EXPECT_EQ(heard(), (Log{"well"}));
  EXPECT_EQ(list_watch_->next_wakeup(), MonotonicTime::never());
}

TEST_F(ListWatchTest, TicksBeforeTheirTimeDoNothing) {
  transport_.fail(Kind::kRefused);
  list_watch_->tick(clock_.now());
  EXPECT_FALSE(transport_.is_open());
  EXPECT_EQ(transport_.requests.size(), 1U);
}

TEST_F(ListWatchTest, RequestsCarryTheirBounds) {
  EXPECT_EQ(transport_.requests[0].accept, "application/json");
  EXPECT_EQ(transport_.requests[0].header_timeout, seconds(10));
  EXPECT_EQ(transport_.requests[0].idle_timeout, seconds(90));
  EXPECT_GE(transport_.requests[0].deadline, seconds(305));
  EXPECT_LT(transport_.requests[0].deadline, seconds(605));
}

TEST_F(ListWatchTest, StopAndDestructionCancelTheStream) {
  list_watch_->stop();
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_EQ(list_watch_->next_wakeup(), MonotonicTime::never());
  list_watch_->tick(clock_.now());
  EXPECT_EQ(transport_.requests.size(), 1U);

  ListWatchOptions options;
  list_watch_.emplace(options, ObjectCodec<std::string>{decode_event, decode_page, decode_error},
                      transport_, clock_, random_, *this);
  list_watch_->start(clock_.now());
  list_watch_.reset();
  EXPECT_EQ(transport_.cancelled, 2);
}

// Any history of a server, cut and resumed anywhere: the listener ends up with the server's
// objects.
TEST(ListWatchProperty, TheListenersStateBecomesTheServers) {
  class Mirror final : public ListWatchListener<std::string> {
   public:
    void on_replaced(std::vector<Decoded<std::string>> all, const std::string&) override {
      objects.clear();
      for (const auto& each : all) objects[each.key.name] = *each.value;
    }
    void on_upserted(Decoded<std::string> object) override {
      objects[object.key.name] = *object.value;
    }
    void on_deleted(const ObjectKey& key, const std::string&) override {
      EXPECT_EQ(objects.erase(key.name), 1U) << "deleted what was not handed over";
    }
    void on_trouble(const std::optional<KubeError>&) override {}
    std::map<std::string, std::string> objects;
  };

  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SeededRandom random(seed);
    HandClock clock;
    FakeTransport transport;
    Mirror mirror;
    ListWatchOptions options;
    options.reflector.path = "/things";
    options.reflector.try_watch_list = seed % 3 != 0;
    ListWatch<std::string> list_watch(
        options, ObjectCodec<std::string>{decode_event, decode_page, decode_error}, transport,
        clock, random, mirror);

    // The server: objects by name, and the events since the start, by version.
    struct Object {
      std::string uid;
      int version;
      std::string value;
    };
    std::map<std::string, Object> objects;
    std::vector<std::pair<int, std::string>> history;
    int version = 10;
    const auto line = [](const std::string& type, const std::string& name, const Object& object) {
      return type + " " + name + " " + object.uid + " " + std::to_string(object.version) + " " +
             object.value + "\n";
    };
    const auto change = [&] {
      const std::string name(1, "abcdef"[random.below(6)]);
      const auto known = objects.find(name);
      ++version;
      if (known != objects.end() && random.below(3) == 0) {
        Object gone = known->second;
        gone.version = version;
        objects.erase(known);
        history.emplace_back(version, line("DELETED", name, gone));
        return;
      }
      const bool is_new = known == objects.end();
      Object& object = objects[name];
      if (is_new) object.uid = "u" + std::to_string(version);
      object.version = version;
      object.value = random.below(4) == 0 ? "-" : std::to_string(version);
      history.emplace_back(version, line(is_new ? "ADDED" : "MODIFIED", name, object));
    };
    int sent = 0;  // the version up to which the open watch was served
    const auto serve = [&](bool well) {
      const std::string& target = transport.requests.back().target;
      if (!well && random.below(4) == 0) return transport.fail(Kind::kRefused);
      transport.head();
      if (target.find("watch=1") == std::string::npos) {
        std::string page = std::to_string(version) + " .";
        for (const auto& [name, object] : objects) {
          page += ";" + line("", name, object);
        }
        transport.data(page);
        return transport.end();
      }
      if (target.find("sendInitialEvents") != std::string::npos) {
        for (const auto& [name, object] : objects) transport.data(line("ADDED", name, object));
        transport.data("BOOKMARK " + std::to_string(version) + " end\n");
        sent = version;
        return;
      }
      const std::size_t at = target.find("resourceVersion=") + 16;
      sent = std::stoi(target.substr(at));
      if (!well && random.below(3) == 0) transport.data("ERROR\n");
    };
    list_watch.start(clock.now());
    bool is_served = false;
    for (int step = 0; step < 300; ++step) {
      const bool well = step > 270;
      clock.advance(milliseconds(200));
      if (!transport.is_open()) {
        is_served = false;
        clock.advance(seconds(20));
        list_watch.tick(clock.now());
      } else if (!is_served) {
        is_served = true;
        const std::size_t before = transport.requests.size();
        serve(well);
        if (transport.requests.size() != before) is_served = false;
      } else if (!well && random.below(8) == 0) {
        is_served = false;
        if (random.below(2) == 0)
          transport.end();
        else
          transport.fail(Kind::kTruncated);
      } else {
        for (const auto& [at, text] : history) {
          if (at > sent && transport.is_open()) transport.data(text);
        }
        sent = version;
      }
      if (!well) change();
    }
    std::map<std::string, std::string> expected;
    for (const auto& [name, object] : objects) {
      if (object.value != "-") expected[name] = object.value;
    }
    EXPECT_EQ(mirror.objects, expected) << "seed " << seed;
    EXPECT_TRUE(list_watch.synced());
  }
}

}  // namespace
}  // namespace loglink
