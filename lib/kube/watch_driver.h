// Drives a Reflector over a StreamTransport: opens streams, waits, puts pages and lines together.
// Knows no types; ListWatch<T> (list_watch.h) is the typed half.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/kube/api_port.h"
#include "lib/kube/frame_splitter.h"
#include "lib/kube/line_splitter.h"
#include "lib/kube/reflector.h"

namespace loglink {

inline constexpr std::string_view kAcceptJson = "application/json";
// For built-in types only. A server encodes protobuf three to four times faster than JSON.
inline constexpr std::string_view kAcceptProtobufOrJson =
    "application/vnd.kubernetes.protobuf;stream=watch,application/vnd.kubernetes.protobuf,"
    "application/json";

enum class Encoding { kJson, kProtobuf };

struct ListWatchOptions {
  ReflectorOptions reflector;
  // What the server is asked for; its answer's Content-Type says what came. After an answer in
  // protobuf that cannot be read, JSON is asked for until a watch ends as it should.
  std::string accept = std::string(kAcceptJson);
  Duration header_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(90);  // bookmarks count as bytes
};

// Loop thread only; neither copied nor moved, because the transport keeps a reference to it. The
// destructor cancels the open stream.
class WatchDriver : private StreamHandler {
 public:
  // `transport`, `clock` and `random` must outlive it.
  WatchDriver(ListWatchOptions options, StreamTransport& transport, const Clock& clock,
              Random& random);
  ~WatchDriver() override;
  WatchDriver(const WatchDriver&) = delete;
  WatchDriver& operator=(const WatchDriver&) = delete;

  // Once.
  void start(Now now);
  // To be called at next_wakeup() or at any other time.
  void tick(Now now);
  [[nodiscard]] MonotonicTime next_wakeup() const {
    return std::min(waiting_until_, reflector_.settles_at());
  }
  // Lists again whatever the server says: what is known may not be what it has any more.
  void list_again(Now now);
  // Cancels for good; no callback of the listener comes after it.
  void stop();

  // True from the first complete initial set on; stays true.
  [[nodiscard]] bool synced() const { return reflector_.synced(); }
  [[nodiscard]] const std::optional<Reflector::Trouble>& trouble() const {
    return reflector_.trouble();
  }

 protected:
  struct PageHead {
    std::string resource_version;
    std::string continue_token;
  };

  // A new initial set begins: what was collected of an earlier one is void.
  virtual void begin_set() = 0;
  // A line or frame of a watch. An error ends the stream.
  virtual std::optional<KubeError> take_event(Encoding encoding, std::string_view bytes) = 0;
  // A whole page, whose objects belong to the initial set.
  virtual tl::expected<PageHead, KubeError> take_page(Encoding encoding, std::string_view body) = 0;
  // The initial set is whole, as of `resource_version`.
  virtual void complete_set(const std::string& resource_version) = 0;
  virtual KubeError decode_error(int status, std::string_view content_type,
                                 std::string_view body) = 0;
  virtual void trouble_changed(const std::optional<KubeError>& error) = 0;
  // A stream ended and another follows: "Ended" or the name of a KubeErrorKind.
  virtual void restarted(std::string_view reason) = 0;
  // next_wakeup() became earlier outside of tick(), and nothing else is told.
  virtual void wakeup_changed() = 0;

  Reflector& reflector() { return reflector_; }

 private:
  struct Stream {
    Reflector::StreamKind kind = Reflector::StreamKind::kPage;
    StreamId id = 0;
    std::optional<StreamHead> head;
    Encoding encoding = Encoding::kJson;
    std::string body;  // of a page, or of an answer other than 200
  };

  void on_head(const StreamHead& head) override;
  void on_data(std::string_view bytes) override;
  void on_end(std::optional<KubeError> error) override;

  std::optional<KubeError> take_data(std::string_view bytes);
  std::optional<KubeError> take_events(std::string_view bytes);
  [[nodiscard]] bool ends_inside_event() const;
  void unreadable(const KubeError& error, MonotonicTime now);
  void end_page(MonotonicTime now);
  void fail_stream(const KubeError& error, MonotonicTime now);
  void apply(const Reflector::Action& action);
  void tell_trouble();

  ListWatchOptions options_;
  StreamTransport& transport_;
  const Clock& clock_;
  Reflector reflector_;
  LineSplitter lines_;
  FrameSplitter frames_;
  bool only_json_ = false;
  std::optional<Stream> stream_;
  MonotonicTime waiting_until_ = MonotonicTime::never();
  std::optional<KubeError> told_trouble_;
};

}  // namespace loglink
