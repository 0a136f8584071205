// LIST + WATCH of one resource, typed: bytes in, deltas out. The listener keeps the objects.
//
//   ListWatch<PodView> pods({.reflector = {.path = ...}}, pod_codec(), transport, clock, random,
//   *this); pods.start(now);                           // then: tick(now) at next_wakeup()
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lib/kube/resource_version.h"
#include "lib/kube/watch_driver.h"
#include "lib/model/pod_view.h"
#include "lib/model/watch_event.h"

namespace loglink {

// Called on the loop thread. Every object that is handed over has a value. A listener must not
// destroy or stop the ListWatch from inside a callback.
template <class T>
class ListWatchListener {
 public:
  virtual ~ListWatchListener() = default;
  // The whole state, sorted by key: what is not in it is gone. Comes first, and again after the
  // server could not go on from where we were.
  virtual void on_replaced(std::vector<Decoded<T>> objects,
                           const std::string& resource_version) = 0;
  virtual void on_upserted(Decoded<T> object) = 0;
  // The object is gone, or no longer concerns us, or was re-created (then on_upserted follows).
  // Only for objects that were handed over before; `uid` is the one that was handed over.
  virtual void on_deleted(const ObjectKey& key, const std::string& uid) = 0;
  // The API server's present trouble, when it changes; nullopt: it answers again. Told after what
  // the same bytes brought.
  virtual void on_trouble(const std::optional<KubeError>& error) = 0;
  // A stream ended and another follows; the label of loglink_watch_restarts_total.
  virtual void on_restart(std::string_view /*reason*/) {}
  // next_wakeup() became earlier, and no other callback told so.
  virtual void on_wakeup() {}
};

// An object's state never goes back to an older resourceVersion, except when the whole is replaced.
template <class T>
class ListWatch final : public WatchDriver {
 public:
  // `listener` must outlive it.
  ListWatch(ListWatchOptions options, ObjectCodec<T> codec, StreamTransport& transport,
            const Clock& clock, Random& random, ListWatchListener<T>& listener)
      : WatchDriver(std::move(options), transport, clock, random),
        codec_(std::move(codec)),
        listener_(listener) {}

 private:
  // What the listener knows of an object.
  struct Version {
    std::string uid;
    std::string resource_version;
  };

  void begin_set() override { collected_.clear(); }

  std::optional<KubeError> take_event(Encoding encoding, std::string_view bytes) override {
    const bool is_protobuf = encoding == Encoding::kProtobuf;
    const auto& decode = is_protobuf ? codec_.decode_protobuf_event : codec_.decode_event;
    if (!decode) return unasked_encoding();
    tl::expected<WatchEvent<T>, KubeError> event = decode(bytes);
    if (!event) return std::move(event).error();
    if (event->type == WatchEventType::kError) return std::move(event->error);
    const bool is_bookmark = event->type == WatchEventType::kBookmark;
    const bool collecting = reflector().collecting();
    const bool completes = reflector().event_seen(is_bookmark, event->initial_events_end,
                                                  event->object.resource_version);
    if (completes) complete_set(reflector().resource_version());
    if (is_bookmark) return std::nullopt;
    const bool is_deleted = event->type == WatchEventType::kDeleted;
    if (is_deleted) event->object.value.reset();
    if (collecting) {
      collect(std::move(event->object));
    } else {
      change(std::move(event->object));
    }
    return std::nullopt;
  }

  tl::expected<PageHead, KubeError> take_page(Encoding encoding, std::string_view body) override {
    const bool is_protobuf = encoding == Encoding::kProtobuf;
    const auto& decode = is_protobuf ? codec_.decode_protobuf_page : codec_.decode_page;
    if (!decode) return tl::unexpected(unasked_encoding());
    tl::expected<ListPage<T>, KubeError> page = decode(body);
    if (!page) return tl::unexpected(std::move(page).error());
    for (Decoded<T>& item : page->items) collect(std::move(item));
    return PageHead{std::move(page->resource_version), std::move(page->continue_token)};
  }

  void complete_set(const std::string& resource_version) override {
    known_.clear();
    std::vector<Decoded<T>> objects;
    objects.reserve(collected_.size());
    // Freed one by one: the first list of a large cluster is the most that we ever hold.
    for (auto next = collected_.begin(); next != collected_.end(); next = collected_.erase(next)) {
      auto& [key, object] = *next;
      known_.emplace_hint(known_.end(), key, Version{object.uid, object.resource_version});
      objects.push_back(std::move(object));
    }
    listener_.on_replaced(std::move(objects), resource_version);
  }

  static KubeError unasked_encoding() {
    KubeError error;
    error.kind = KubeErrorKind::kProtocol;
    error.message = "the answer is in protobuf, which was not asked for";
    return error;
  }

  KubeError decode_error(int status, std::string_view content_type,
                         std::string_view body) override {
    return codec_.decode_error(status, content_type, body);
  }
  void trouble_changed(const std::optional<KubeError>& error) override {
    listener_.on_trouble(error);
  }
  void restarted(std::string_view reason) override { listener_.on_restart(reason); }
  void wakeup_changed() override { listener_.on_wakeup(); }

  // Objects that do not concern us are not even remembered: in a big cluster they are most.
  void collect(Decoded<T> object) {
    const auto known = collected_.find(object.key);
    if (known != collected_.end() &&
        is_older_version(object.resource_version, known->second.resource_version)) {
      return;
    }
    if (!object.value) {
      if (known != collected_.end()) collected_.erase(known);
      return;
    }
    ObjectKey key = object.key;
    collected_.insert_or_assign(std::move(key), std::move(object));
  }

  void change(Decoded<T> object) {
    const auto known = known_.find(object.key);
    if (known != known_.end()) {
      if (is_older_version(object.resource_version, known->second.resource_version)) return;
      if (!object.value || known->second.uid != object.uid) {
        const std::string uid = std::move(known->second.uid);
        known_.erase(known);
        listener_.on_deleted(object.key, uid);
      }
    }
    if (!object.value) return;
    known_.insert_or_assign(object.key, Version{object.uid, object.resource_version});
    listener_.on_upserted(std::move(object));
  }

  ObjectCodec<T> codec_;
  ListWatchListener<T>& listener_;
  std::map<ObjectKey, Decoded<T>> collected_;  // of the initial set that is under way
  std::map<ObjectKey, Version> known_;
};

}  // namespace loglink
