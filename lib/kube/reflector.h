// LIST + WATCH of one resource as a pure state machine: (state, input, now) -> effects.
// No bytes, no sockets, no clock; ListWatch (list_watch.h) drives it.
//
// Rules, as client-go's tools/cache/reflector.go and kube-apiserver 1.36 have them:
//   watch-list first (sendInitialEvents); pages of 500 when the server cannot (422, 400, any end
//   before the initial set is whole), for this one set: the next relist asks again;
//   the initial set is swapped in whole at its end: absence is what deletes;
//   after a clean end the watch goes on from the last resourceVersion at once, but one that ends
//   within a second backs off, but for the first that brought something;
//   410, as status or event: list again, for the first time after the shortest delay, because the
//   server has been waited for already; 504 for a version from the future: list without one;
//   429, refused, cut, stalled: the same resourceVersion after a backoff, no relist; three watches
//   in a row that brought nothing but server errors or silence: list again, because a server whose
//   storage was restored never answers a version from its future, until it has come as far again,
//   and then hides what lies between: who learns of it sooner calls forget();
//   a list of more than limits::kListPages pages is given up as one that never ends, and is begun
//   again after a backoff; that trouble stays until a list is whole;
//   Retry-After is obeyed; whatever the error, it is tried again for ever;
//   trouble ends with the first event, page, or second of an open watch;
//   the backoff grows until a watch has lived for as long as the longest delay is (client-go, whose
//   longest is 30 s, forgets after two minutes without a failure). So a server, or a proxy, that
//   gives an event and then an error is asked no more often than one that gives nothing;
//   after an outage of more than outage_spread_after, attempts are spread over outage_spread, those
//   that would come before a Retry-After less.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "lib/base/backoff.h"
#include "lib/base/clock.h"
#include "lib/base/random.h"
#include "lib/model/kube_error.h"

namespace loglink {

struct ReflectorOptions {
  std::string path;            // "/api/v1/pods"
  std::string field_selector;  // "metadata.name=node-a"; "" for none
  std::string label_selector;
  bool try_watch_list = true;
  // The set is one small object: a list costs no more than going on, and finds a server whose
  // storage was restored meanwhile, whose versions are others.
  bool list_after_failure = false;
  BackoffPolicy backoff;
  Duration outage_spread_after = std::chrono::seconds(60);
  Duration outage_spread = std::chrono::seconds(15);
};

class Reflector {
 public:
  // What the driver is to do next. Exactly one stream or wait is under way at any time.
  enum class StreamKind { kPage, kWatchList, kWatch };
  struct OpenStream {
    StreamKind kind = StreamKind::kPage;
    std::string target;  // path and query
    Duration deadline{};
    bool begins_set = false;  // the first request of a new initial set
    bool operator==(const OpenStream&) const = default;
  };
  struct Wait {
    MonotonicTime until;
    bool operator==(const Wait&) const = default;
  };
  using Action = std::variant<OpenStream, Wait>;

  Reflector(ReflectorOptions options, Random& random);

  Action start(MonotonicTime now);
  // The wait is over.
  Action wait_ended(MonotonicTime now);
  // What is known is not to be gone on from: the next stream begins a new initial set.
  void forget();
  // Nothing is to come any more.
  void stop() { state_ = State::kIdle; }

  // The stream of the last OpenStream answered. Events first, then exactly one of the ends.
  void good_answer(MonotonicTime now);  // a head with status 200
  // When an open watch ends the trouble although it is silent; never() when there is none to judge.
  [[nodiscard]] MonotonicTime settles_at() const;
  void settle(MonotonicTime now);
  // A page is whole. Sets the state to watching when it is the last one.
  struct PageEnd {
    bool initial_set_complete = false;
    Action next;
    std::optional<KubeError> error = std::nullopt;  // why the list is given up
  };
  PageEnd page_ended(const std::string& resource_version, const std::string& continue_token,
                     MonotonicTime now);
  // An object event or bookmark was seen; moves the resume point. Returns true when this is the
  // bookmark that completes the initial set of a watch-list.
  bool event_seen(bool is_bookmark, bool initial_events_end, const std::string& resource_version);
  Action watch_ended_cleanly(MonotonicTime now);
  Action failed(const KubeError& error, MonotonicTime now);

  // True from the first complete initial set on.
  [[nodiscard]] bool synced() const { return synced_; }
  // True while objects that arrive belong to an initial set that is not complete.
  [[nodiscard]] bool collecting() const;
  [[nodiscard]] const std::string& resource_version() const { return resource_version_; }
  // nullopt while the API answers; else what it said last, and since when.
  struct Trouble {
    KubeError error;
    MonotonicTime since;
  };
  [[nodiscard]] const std::optional<Trouble>& trouble() const { return trouble_; }

 private:
  enum class State { kIdle, kPaging, kWatchListInitial, kWatching, kWaiting };

  Action open_next();
  Action open_page();
  Action open_watch(bool watch_list);
  [[nodiscard]] KubeError endless_list() const;
  Action initial_watch_failed(const KubeError& error, MonotonicTime now);
  Action page_failed(const KubeError& error, MonotonicTime now);
  Action watch_failed(const KubeError& error, MonotonicTime now);
  Action back_off(const KubeError& error, MonotonicTime now);
  void note_trouble(const KubeError& error, MonotonicTime now);
  Wait wait(Duration delay, MonotonicTime now);
  void list_again();
  void forgive(MonotonicTime now);
  [[nodiscard]] bool lived(Duration time, MonotonicTime now) const;

  ReflectorOptions options_;
  Random& random_;
  Backoff backoff_;
  State state_ = State::kIdle;
  bool watch_list_;  // false once the server could not, until the next relist
  bool need_list_ = true;
  bool synced_ = false;
  bool saw_event_ = false;                  // on the stream that is open
  bool excused_ = false;                    // a short watch, since the backoff was forgotten
  bool excused_gone_ = false;               // a 410, since then
  int fruitless_watches_ = 0;               // in a row
  int pages_ = 0;                           // that a list has given so far
  bool endless_ = false;                    // the last list was given up
  std::optional<MonotonicTime> opened_at_;  // when the stream that is open answered 200
  std::string resource_version_;
  std::string continue_token_;
  std::optional<Trouble> trouble_;
};

}  // namespace loglink
