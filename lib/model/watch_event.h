// What a LIST page or an event of a WATCH says, decoded. lib/codec makes these, ListWatch eats
// them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "lib/model/kube_error.h"
#include "lib/model/pod_view.h"

namespace loglink {

// An object of a list or an event. Of an object that does not concern us (a pod
// without annotations of ours that is no static pod) only the head is decoded and value is empty:
// it removes what was known under its key.
template <class T>
struct Decoded {
  ObjectKey key;
  std::string uid;
  std::string resource_version;
  std::optional<T> value;
};

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark, kError };

template <class T>
struct WatchEvent {
  WatchEventType type = WatchEventType::kBookmark;
  Decoded<T> object;                // ADDED, MODIFIED, DELETED; of a BOOKMARK only resource_version
  bool initial_events_end = false;  // BOOKMARK with k8s.io/initial-events-end: "true"
  KubeError error;                  // ERROR
};

template <class T>
struct ListPage {
  std::string resource_version;
  std::string continue_token;  // "" on the last page
  std::vector<Decoded<T>> items;
};

// What an answer's Content-Type begins with where pods come as protobuf.
inline constexpr std::string_view kProtobufMediaType = "application/vnd.kubernetes.protobuf";

// Bytes to values; injected, so that lib/kube knows no format. Views are valid during the call.
template <class T>
struct ObjectCodec {
  std::function<tl::expected<WatchEvent<T>, KubeError>(std::string_view line)> decode_event;
  std::function<tl::expected<ListPage<T>, KubeError>(std::string_view body)> decode_page;
  // The error that an answer with a status other than 200 stands for.
  std::function<KubeError(int status, std::string_view content_type, std::string_view body)>
      decode_error;
  // The same of protobuf: the bytes of a frame, without its length, and of a page. Empty where the
  // resource is not asked for in protobuf.
  std::function<tl::expected<WatchEvent<T>, KubeError>(std::string_view frame)>
      decode_protobuf_event = nullptr;
  std::function<tl::expected<ListPage<T>, KubeError>(std::string_view body)> decode_protobuf_page =
      nullptr;
};

}  // namespace loglink
