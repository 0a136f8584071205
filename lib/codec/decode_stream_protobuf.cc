// Frames of a WATCH and pages of a LIST of pods in protobuf.
#include <protozero/exception.hpp>
#include <string>
#include <string_view>

#include "lib/codec/decode_object.h"
#include "lib/codec/decoded.h"
#include "lib/codec/protobuf_reader.h"

namespace loglink {
namespace {

// Pod and PodList.
constexpr std::uint32_t kMetadata = 1;
constexpr std::uint32_t kItems = 2;

// Calls read(), and makes an error of an exception and of a problem that it returns.
template <class Function>
tl::expected<void, KubeError> guarded(std::string_view what, Function read) {
  std::string problem;
  try {
    problem = read();
  } catch (const protozero::exception& exception) {
    problem = exception.what();
  }
  if (problem.empty()) return {};
  return tl::unexpected(protocol_error("cannot decode " + std::string(what) + ": " + problem));
}

Decoded<PodView> read_head(std::string_view object) {
  Decoded<PodView> head;
  each_field(object, [&](const ProtobufField& part) {
    if (part.number() != kMetadata) return;
    each_field(part.bytes(), [&](const ProtobufField& field) {
      switch (field.number()) {
        case 1:
          head.key.name = field.text();
          break;
        case 3:
          head.key.namespace_name = field.text();
          break;
        case 5:
          head.uid = field.text();
          break;
        case 6:
          head.resource_version = field.text();
          break;
        default:
          break;
      }
    });
  });
  return head;
}

Decoded<PodView> read_object(std::string_view object) {
  if (object_concerns_us(object)) return whole(read_protobuf_pod(object));
  return read_head(object);
}

void read_bookmark(std::string_view object, WatchEvent<PodView>& event) {
  const auto read_annotation = [&](std::string_view entry) {
    std::string_view key;
    std::string_view value;
    each_field(entry, [&](const ProtobufField& field) {
      if (field.number() == 1) key = field.bytes();
      if (field.number() == 2) value = field.bytes();
    });
    if (key == kInitialEventsEnd) event.initial_events_end = value == "true";
  };
  each_field(object, [&](const ProtobufField& part) {
    if (part.number() != kMetadata) return;
    each_field(part.bytes(), [&](const ProtobufField& field) {
      if (field.number() == 6) event.object.resource_version = field.text();
      if (field.number() == 12) read_annotation(field.bytes());
    });
  });
}

std::string unexpected_kind(std::string_view kind) {
  return "an object of kind \"" + std::string(kind) + "\" is not expected";
}

// Fills `event` from the object inside the envelope; what is wrong, or "".
std::string read_event_object(const ProtobufEnvelope& envelope, WatchEvent<PodView>& event) {
  const bool is_error = event.type == WatchEventType::kError;
  if (envelope.kind != (is_error ? "Status" : "Pod")) return unexpected_kind(envelope.kind);
  switch (event.type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
    case WatchEventType::kDeleted:
      event.object = read_object(envelope.object);
      if (event.object.key.name.empty()) return "object.metadata.name: missing";
      return {};
    case WatchEventType::kBookmark:
      read_bookmark(envelope.object, event);
      if (event.object.resource_version.empty()) return "object.metadata.resourceVersion: missing";
      return {};
    case WatchEventType::kError:
      event.error = status_error(read_protobuf_status(envelope.object), 0);
      return {};
  }
  __builtin_unreachable();
}

// meta.v1.WatchEvent: a word, and a RawExtension with an envelope of its own.
std::string read_event(std::string_view frame, WatchEvent<PodView>& event) {
  std::string_view word;
  std::string_view raw;
  each_field(frame, [&](const ProtobufField& field) {
    if (field.number() == 1) word = field.bytes();
    if (field.number() != 2) return;
    each_field(field.bytes(), [&](const ProtobufField& part) {
      if (part.number() == 1) raw = part.bytes();
    });
  });
  const std::optional<WatchEventType> type = event_type(word);
  if (!type) return "unknown event type \"" + std::string(word) + "\"";
  if (raw.empty()) return "object: missing";
  event.type = *type;
  return read_event_object(open_envelope(raw), event);
}

std::string read_page(std::string_view body, ListPage<PodView>& page) {
  const ProtobufEnvelope envelope = open_envelope(body);
  if (envelope.kind != "PodList") return unexpected_kind(envelope.kind);
  bool named = true;
  each_field(envelope.object, [&](const ProtobufField& field) {
    if (field.number() == kMetadata) {
      each_field(field.bytes(), [&](const ProtobufField& part) {
        if (part.number() == 2) page.resource_version = part.text();
        if (part.number() == 3) page.continue_token = part.text();
      });
    } else if (field.number() == kItems) {
      page.items.push_back(read_object(field.bytes()));
      if (page.items.back().key.name.empty()) named = false;
    }
  });
  if (!named) return "metadata.name: missing";
  if (page.resource_version.empty()) return "metadata.resourceVersion: missing";
  return {};
}

}  // namespace

tl::expected<WatchEvent<PodView>, KubeError> decode_pod_protobuf_event(std::string_view frame) {
  WatchEvent<PodView> event;
  const auto read = guarded("a watch event", [&] { return read_event(frame, event); });
  if (!read) return tl::unexpected(read.error());
  return event;
}

tl::expected<ListPage<PodView>, KubeError> decode_pod_protobuf_page(std::string_view body) {
  ListPage<PodView> page;
  const auto read = guarded("a list", [&] { return read_page(body, page); });
  if (!read) return tl::unexpected(read.error());
  return page;
}

std::optional<KubeError> decode_protobuf_status(std::string_view body, int http_status) {
  std::optional<KubeError> error;
  const auto read = guarded("a status", [&]() -> std::string {
    const ProtobufEnvelope envelope = open_envelope(body);
    if (envelope.kind != "Status") return unexpected_kind(envelope.kind);
    error = status_error(read_protobuf_status(envelope.object), http_status);
    return {};
  });
  if (!read) return std::nullopt;
  return error;
}

}  // namespace loglink
