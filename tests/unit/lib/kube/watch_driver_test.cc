#include "lib/kube/watch_driver.h"

#include <gtest/gtest.h>

#include "lib/model/limits.h"

namespace loglink {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Kind = KubeErrorKind;
using Log = std::vector<std::string>;

class HandClock final : public Clock {
 public:
  [[nodiscard]] Now now() const override { return now_; }
  void advance(Duration duration) { now_.monotonic = now_.monotonic + duration; }

 private:
  Now now_{MonotonicTime{minutes(60)}, WallTime{}};
};

class FakeTransport final : public StreamTransport {
 public:
  StreamId open(StreamRequest request, StreamHandler& handler) override {
    requests.push_back(std::move(request));
    handler_ = &handler;
    return requests.size();
  }
  void cancel(StreamId id) override {
    if (id == requests.size()) handler_ = nullptr;
    ++cancelled;
  }
  [[nodiscard]] bool is_open() const { return handler_ != nullptr; }
  void head(int status = 200, std::optional<Duration> retry_after = std::nullopt) {
    handler_->on_head({status, "application/json", retry_after});
  }
  void protobuf_head() {
    handler_->on_head({200, "application/vnd.kubernetes.protobuf;stream=watch", std::nullopt});
  }
  void data(std::string_view bytes) { handler_->on_data(bytes); }
  void end(std::optional<KubeError> error = std::nullopt) {
    std::exchange(handler_, nullptr)->on_end(std::move(error));
  }

  std::vector<StreamRequest> requests;
  int cancelled = 0;

 private:
  StreamHandler* handler_ = nullptr;
};

// Logs what the typed half would be told. A line "end" completes the set, "bad" is no event; a page
// is "version token".
class Driver final : public WatchDriver {
 public:
  using WatchDriver::WatchDriver;
  Log log;

 private:
  void begin_set() override { log.emplace_back("begin"); }
  std::optional<KubeError> take_event(Encoding encoding, std::string_view line) override {
    if (line == "bad") return error(Kind::kProtocol, "not an event");
    const bool end = line == "end";
    log.push_back((encoding == Encoding::kJson ? "line " : "frame ") + std::string(line));
    if (reflector().event_seen(end, end, "7")) complete_set("7");
    return std::nullopt;
  }
  tl::expected<PageHead, KubeError> take_page(Encoding encoding, std::string_view body) override {
    if (body == "bad") return tl::unexpected(error(Kind::kProtocol, "not a page"));
    log.push_back((encoding == Encoding::kJson ? "page " : "protobuf page ") + std::string(body));
    const std::size_t blank = body.find(' ');
    return PageHead{std::string(body.substr(0, blank)), std::string(body.substr(blank + 1))};
  }
  void complete_set(const std::string& resource_version) override {
    log.push_back("complete " + resource_version);
  }
  KubeError decode_error(int status, std::string_view, std::string_view body) override {
    KubeError decoded = error(status == 410 ? Kind::kGone : Kind::kServerError, std::string(body));
    decoded.http_status = status;
    return decoded;
  }
  void trouble_changed(const std::optional<KubeError>& error) override {
    log.push_back(error ? "trouble " + error->message : "well");
  }
  void restarted(std::string_view reason) override {
    log.push_back("restart " + std::string(reason));
  }
  void wakeup_changed() override {}

  static KubeError error(Kind kind, std::string message) {
    KubeError made;
    made.kind = kind;
    made.message = std::move(message);
    return made;
  }
};

class WatchDriverTest : public testing::Test {
 protected:
  void start(bool watch_list = true) {
    ListWatchOptions options;
    options.reflector.path = "/things";
    options.reflector.try_watch_list = watch_list;
    options.accept = "application/x";
    driver_.emplace(options, transport_, clock_, random_);
    driver_->start(clock_.now());
  }
  void synced() {
    start();
    transport_.head();
    transport_.data("a\nend\n");
    ASSERT_TRUE(driver_->synced());
    driver_->log.clear();
  }
  void wait() {
    clock_.advance(driver_->next_wakeup() - clock_.now().monotonic);
    driver_->tick(clock_.now());
  }
  Log take_log() { return std::exchange(driver_->log, {}); }

  HandClock clock_;
  SeededRandom random_{1};
  FakeTransport transport_;
  std::optional<Driver> driver_;
};

TEST_F(WatchDriverTest, PutsLinesTogetherHoweverTheyAreCut) {
  start();
  EXPECT_EQ(transport_.requests.back().accept, "application/x");
  transport_.head();
  for (const char c : std::string("one\ntwo\nend\n")) transport_.data(std::string(1, c));
  EXPECT_EQ(take_log(), (Log{"begin", "line one", "line two", "line end", "complete 7"}));
  EXPECT_TRUE(driver_->synced());
}

std::string frame(const std::string& bytes) {
  return std::string(3, '\0') + static_cast<char>(bytes.size()) + bytes;
}

TEST_F(WatchDriverTest, TheContentTypeOfTheAnswerSaysWhatItIsMadeOf) {
  start();
  transport_.protobuf_head();
  for (const char c : frame("o\ne") + frame("end")) transport_.data(std::string(1, c));
  EXPECT_EQ(take_log(), (Log{"begin", "frame o\ne", "frame end", "complete 7"}));
  transport_.end();
  transport_.head();
  transport_.data("one\n");
  EXPECT_EQ(take_log(), (Log{"restart Ended", "line one"})) << "the next answer is in JSON";
}

TEST_F(WatchDriverTest, APageInProtobufIsTakenAsOne) {
  start(false);
  transport_.protobuf_head();
  transport_.data("9 ");
  transport_.end();
  EXPECT_EQ(take_log(), (Log{"begin", "protobuf page 9 ", "complete 9"}));
}

TEST_F(WatchDriverTest, AStreamThatEndsInsideAFrameIsCutNotEnded) {
  start();
  transport_.protobuf_head();
  transport_.data(frame("end") + frame("half").substr(0, 6));
  transport_.end();
  EXPECT_EQ(driver_->trouble()->error.kind, Kind::kTruncated);
}

// A frame that says so is not waited for.
TEST_F(WatchDriverTest, AFrameBeyondItsBoundEndsTheStreamAtItsLength) {
  start();
  transport_.protobuf_head();
  transport_.data(frame("end"));
  transport_.data(std::string("\x01\x00\x00\x01", 4));
  EXPECT_FALSE(transport_.is_open());
  EXPECT_NE(driver_->trouble()->error.message.find(std::to_string(limits::kEventBytes)),
            std::string::npos);
}

// One pod that our decoder cannot read must not keep us from all others for ever.
TEST_F(WatchDriverTest, AfterUnreadableProtobufJsonIsAskedForUntilAWatchEndsWell) {
  start();
  transport_.protobuf_head();
  transport_.data(frame("bad"));
  EXPECT_FALSE(transport_.is_open());
  wait();
  EXPECT_EQ(transport_.requests.back().accept, "application/json");
  transport_.head();
  transport_.data("9 ");
  transport_.end();  // the page; the watch follows
  EXPECT_TRUE(driver_->synced());
  EXPECT_EQ(transport_.requests.back().accept, "application/json");
  transport_.head();
  transport_.data("one\n");
  transport_.end();
  EXPECT_EQ(transport_.requests.back().accept, "application/x");
}

TEST_F(WatchDriverTest, AfterAnUnreadablePageInProtobufJsonIsAskedFor) {
  start(false);
  transport_.protobuf_head();
  transport_.data("bad");
  transport_.end();
  wait();
  EXPECT_EQ(transport_.requests.back().accept, "application/json");
}

TEST_F(WatchDriverTest, UnreadableJsonChangesNothingAboutWhatIsAskedFor) {
  start();
  transport_.head();
  transport_.data("bad\n");
  wait();
  EXPECT_EQ(transport_.requests.back().accept, "application/x");
}

TEST_F(WatchDriverTest, APageIsTakenWholeAndTheNextOneAskedFor) {
  start(false);
  transport_.head();
  transport_.data("9 to");
  EXPECT_EQ(take_log(), Log{"begin"}) << "half a page is nothing";
  transport_.data("ken");
  transport_.end();
  EXPECT_EQ(take_log(), Log{"page 9 token"});
  EXPECT_NE(transport_.requests.back().target.find("continue=token"), std::string::npos);
  transport_.head();
  transport_.data("9 ");
  transport_.end();
  EXPECT_EQ(take_log(), (Log{"page 9 ", "complete 9"}));
}

TEST_F(WatchDriverTest, ABadLineEndsItsStreamAndIsToldOnce) {
  synced();
  transport_.data("x\nbad\ny\n");
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_FALSE(transport_.is_open());
  EXPECT_EQ(take_log(), (Log{"line x", "restart Protocol", "trouble not an event"}));
  wait();
  transport_.head();
  transport_.data("bad\n");
  EXPECT_EQ(take_log(), (Log{"begin", "restart Protocol"})) << "the same trouble is no news";
  // A server that cannot say it as a stream is asked for pages.
  wait();
  transport_.head();
  transport_.data("9 ");
  transport_.end();
  EXPECT_EQ(take_log(), (Log{"begin", "page 9 ", "complete 9", "well"}));
}

TEST_F(WatchDriverTest, AnAnswerOtherThan200IsReadToItsEndThenDecoded) {
  synced();
  transport_.end();
  EXPECT_EQ(take_log(), Log{"restart Ended"});
  transport_.head(503, seconds(8));
  transport_.data("out of ");
  transport_.data("order");
  transport_.end();
  EXPECT_EQ(take_log(), (Log{"restart ServerError", "trouble out of order"}));
  EXPECT_GE(driver_->next_wakeup(), clock_.now().monotonic + seconds(8)) << "Retry-After";
}

TEST_F(WatchDriverTest, AnErrorsBodyIsBounded) {
  synced();
  transport_.end();
  transport_.head(503);
  for (int i = 0; i < 100; ++i) transport_.data(std::string(16 * 1024, 'x'));
  transport_.end();
  ASSERT_TRUE(driver_->trouble());
  EXPECT_EQ(driver_->trouble()->error.message.size(), 256U * 1024);
}

TEST_F(WatchDriverTest, AStreamThatEndsInsideAnEventIsCutNotEnded) {
  synced();
  transport_.data("half an ev");
  transport_.end();
  EXPECT_EQ(take_log().front(), "restart Truncated");
  EXPECT_EQ(driver_->trouble()->error.kind, Kind::kTruncated);
}

TEST_F(WatchDriverTest, AnEventBeyondItsBoundEndsTheStream) {
  synced();
  const std::string piece(1024 * 1024, 'x');
  for (int i = 0; i < 20 && transport_.is_open(); ++i) transport_.data(piece);
  EXPECT_FALSE(transport_.is_open());
  EXPECT_NE(driver_->trouble()->error.message.find(std::to_string(limits::kEventBytes)),
            std::string::npos);
}

TEST_F(WatchDriverTest, AnAnswerWithoutAHeadIsTrouble) {
  start();
  transport_.end();
  EXPECT_EQ(driver_->trouble()->error.message, "the answer has no head");
  EXPECT_FALSE(driver_->synced());
}

TEST_F(WatchDriverTest, APageWithoutAVersionIsNoPage) {
  start(false);
  transport_.head();
  transport_.data(" ");
  transport_.end();
  EXPECT_FALSE(driver_->synced());
  EXPECT_NE(driver_->trouble()->error.message.find("resourceVersion"), std::string::npos);
}

TEST_F(WatchDriverTest, ListsAgainWhenItIsToldTo) {
  synced();
  driver_->list_again(clock_.now());
  EXPECT_EQ(transport_.cancelled, 1);
  EXPECT_EQ(take_log(), (Log{"begin"}));
  EXPECT_NE(transport_.requests.back().target.find("sendInitialEvents=true"), std::string::npos);
  EXPECT_EQ(transport_.requests.back().target.find("&resourceVersion="), std::string::npos)
      << "the server may not have come to what we know";
  transport_.head();
  transport_.data("b\nend\n");
  EXPECT_EQ(take_log(), (Log{"line b", "line end", "complete 7"}));
}

TEST_F(WatchDriverTest, ListsAgainAfterTheWaitThatItIsIn) {
  synced();
  KubeError refused;
  refused.kind = Kind::kRefused;
  transport_.end(refused);
  const MonotonicTime until = driver_->next_wakeup();
  driver_->list_again(clock_.now());
  EXPECT_EQ(driver_->next_wakeup(), until);
  wait();
  EXPECT_NE(transport_.requests.back().target.find("sendInitialEvents=true"), std::string::npos);
}

TEST_F(WatchDriverTest, StoppedItCancelsAndAsksNothingMore) {
  synced();
  driver_->stop();
  EXPECT_FALSE(transport_.is_open());
  EXPECT_EQ(driver_->next_wakeup(), MonotonicTime::never());
  const std::size_t before = transport_.requests.size();
  clock_.advance(minutes(60));
  driver_->tick(clock_.now());
  EXPECT_EQ(transport_.requests.size(), before);
}

TEST_F(WatchDriverTest, TheDestructorCancelsWhatIsOpen) {
  start();
  driver_.reset();
  EXPECT_FALSE(transport_.is_open());
}

}  // namespace
}  // namespace loglink
