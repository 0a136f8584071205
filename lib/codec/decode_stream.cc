#include <memory>
#include <string>
#include <string_view>

#include "lib/codec/decode_object.h"
#include "lib/codec/decoded.h"
#include "lib/codec/foreign_text.h"
#include "lib/codec/kube_json.h"

namespace loglink {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

// A memory that one large page needed is not kept for the small events after it.
constexpr std::size_t kKeptBytes = 1024 * 1024;

struct Head {
  std::string_view namespace_name, name, uid, resource_version;
};

// Decodes in two ways: most objects by walking to their metadata only, ours as a whole.
// One thread at a time; views of a result are valid until the next call.
class Decoder {
 public:
  // simdjson reads up to 64 bytes beyond the end.
  simdjson::padded_string_view padded(std::string_view json) {
    if (buffer_.capacity() > kKeptBytes && json.size() < kKeptBytes) release();
    buffer_.assign(json);
    mend_utf8(buffer_);
    buffer_.append(simdjson::SIMDJSON_PADDING, ' ');
    return simdjson::padded_string_view(buffer_.data(), json.size(), buffer_.size());
  }

  // `json` is, or lies inside, what padded() returned.
  simdjson::simdjson_result<dom::element> tree(std::string_view json) {
    if (whole_.max_depth() != kJsonDepth) {
      if (const auto code = whole_.allocate(json.size(), kJsonDepth)) return code;
    }
    return whole_.parse(json.data(), json.size(), false);
  }

  simdjson::padded_string_view inside(std::string_view json) const {
    const auto offset = static_cast<std::size_t>(json.data() - buffer_.data());
    return simdjson::padded_string_view(json.data(), json.size(), buffer_.size() - offset);
  }

  ondemand::parser& outer() { return outer_; }
  ondemand::parser& inner() { return inner_; }

 private:
  void release() {
    buffer_ = std::string();
    whole_ = dom::parser();
    outer_ = ondemand::parser();
    inner_ = ondemand::parser();
  }

  std::string buffer_;
  dom::parser whole_;
  ondemand::parser outer_;
  ondemand::parser inner_;
};

simdjson::error_code read_text(ondemand::value value, std::string_view& text) {
  bool null = false;
  if (const auto code = value.is_null().get(null)) return code;
  if (null) return simdjson::SUCCESS;
  return value.get_string().get(text);
}

simdjson::error_code read_metadata(ondemand::object metadata, Head& head) {
  for (auto field : metadata) {
    std::string_view key;
    ondemand::value value;
    if (const auto code = field.unescaped_key().get(key)) return code;
    if (const auto code = field.value().get(value)) return code;
    std::string_view* target = nullptr;
    if (key == "namespace") target = &head.namespace_name;
    if (key == "name") target = &head.name;
    if (key == "uid") target = &head.uid;
    if (key == "resourceVersion") target = &head.resource_version;
    if (target == nullptr) continue;
    if (const auto code = read_text(value, *target)) return code;
    const bool all = !head.namespace_name.empty() && !head.name.empty() && !head.uid.empty() &&
                     !head.resource_version.empty();
    if (all) break;  // the rest of the object is never looked at
  }
  return simdjson::SUCCESS;
}

simdjson::error_code read_head(ondemand::object object, Head& head) {
  ondemand::object metadata;
  if (const auto code = object.find_field_unordered("metadata").get_object().get(metadata)) {
    return code;
  }
  return read_metadata(metadata, head);
}

template <class Value>
Decoded<Value> head_only(const Head& head) {
  Decoded<Value> decoded;
  decoded.key = {std::string(head.namespace_name), std::string(head.name)};
  decoded.uid = std::string(head.uid);
  decoded.resource_version = std::string(head.resource_version);
  return decoded;
}

template <class Value>
struct Format {
  std::string_view what;  // "Pod"
  Value (*read)(const JsonReader&);
};

tl::unexpected<KubeError> bad_json(std::string_view what, simdjson::error_code code) {
  return tl::unexpected(
      protocol_error("cannot decode " + std::string(what) + ": " + simdjson::error_message(code)));
}

tl::unexpected<KubeError> bad_value(std::string_view what, const std::string& problem) {
  return tl::unexpected(protocol_error("cannot decode " + std::string(what) + ": " + problem));
}

bool carries_object(WatchEventType type) {
  switch (type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
    case WatchEventType::kDeleted:
      return true;
    case WatchEventType::kBookmark:
    case WatchEventType::kError:
      return false;
  }
  return false;
}

// An event about an object that does not concern us. False: not one of those, or not as expected;
// the whole decoder then says what is wrong.
template <class Value>
bool read_foreign_event(ondemand::parser& parser, simdjson::padded_string_view line,
                        WatchEvent<Value>& event) {
  ondemand::document document;
  ondemand::object root;
  std::string_view word;
  std::string_view all;
  if (parser.iterate(line).get(document) || document.get_object().get(root)) return false;
  // A line that is cut off behind the head must not pass for an object without our annotations.
  if (root.raw_json().get(all) || root.reset().error()) return false;
  if (root.find_field_unordered("type").get_string().get(word)) return false;
  const std::optional<WatchEventType> type = event_type(word);
  if (!type || !carries_object(*type)) return false;
  ondemand::object object;
  Head head;
  if (root.find_field_unordered("object").get_object().get(object)) return false;
  if (read_head(object, head) || head.name.empty()) return false;
  event.type = *type;
  event.object = head_only<Value>(head);
  return true;
}

void read_bookmark(const JsonReader& object, std::string& resource_version,
                   bool& initial_events_end) {
  const JsonReader metadata = object.child("metadata");
  resource_version = metadata.text("resourceVersion");
  if (resource_version.empty()) metadata.child("resourceVersion").report("missing");
  initial_events_end = metadata.child("annotations").text(kInitialEventsEnd) == "true";
}

template <class Value>
void read_event(const Format<Value>& format, const JsonReader& root, WatchEvent<Value>& event) {
  const std::string word = root.text("type");
  const std::optional<WatchEventType> type = event_type(word);
  const JsonReader object = root.child("object");
  if (!type) return root.child("type").report("unknown event type \"" + word + "\"");
  if (!object.present()) return object.report("missing");
  event.type = *type;
  switch (*type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
    case WatchEventType::kDeleted:
      event.object = whole(format.read(object));
      if (event.object.key.name.empty()) object.child("metadata").child("name").report("missing");
      return;
    case WatchEventType::kBookmark:
      return read_bookmark(object, event.object.resource_version, event.initial_events_end);
    case WatchEventType::kError:
      event.error = read_status(object, 0);
      return;
  }
}

template <class Value>
tl::expected<WatchEvent<Value>, KubeError> decode_event(const Format<Value>& format,
                                                        Decoder& decoder, std::string_view line) {
  const simdjson::padded_string_view json = decoder.padded(line);
  WatchEvent<Value> event;
  if (!object_concerns_us(line) && read_foreign_event(decoder.outer(), json, event)) return event;
  dom::element root;
  if (const auto code = decoder.tree(json).get(root)) return bad_json("a watch event", code);
  DecodeProblem problem;
  read_event(format, JsonReader(root, problem), event);
  if (problem.found()) return bad_value("a watch event", problem.text());
  return event;
}

template <class Value>
tl::expected<Decoded<Value>, KubeError> decode_item(const Format<Value>& format, Decoder& decoder,
                                                    std::string_view json) {
  if (!object_concerns_us(json)) {
    ondemand::document document;
    ondemand::object object;
    Head head;
    if (const auto code = decoder.inner().iterate(decoder.inside(json)).get(document)) {
      return bad_json("a list item", code);
    }
    if (const auto code = document.get_object().get(object)) return bad_json("a list item", code);
    if (const auto code = read_head(object, head)) return bad_json("a list item", code);
    if (head.name.empty()) return bad_value("a list item", "metadata.name: missing");
    return head_only<Value>(head);
  }
  dom::element root;
  if (const auto code = decoder.tree(json).get(root)) return bad_json("a list item", code);
  DecodeProblem problem;
  const JsonReader reader(root, problem);
  Decoded<Value> item = whole(format.read(reader));
  if (item.key.name.empty()) reader.child("metadata").child("name").report("missing");
  if (problem.found()) return bad_value("a list item", problem.text());
  return item;
}

simdjson::error_code read_list_metadata(ondemand::object metadata, std::string& resource_version,
                                        std::string& continue_token) {
  for (auto field : metadata) {
    std::string_view key;
    std::string_view text;
    ondemand::value value;
    if (const auto code = field.unescaped_key().get(key)) return code;
    if (const auto code = field.value().get(value)) return code;
    if (key != "resourceVersion" && key != "continue") continue;
    if (const auto code = read_text(value, text)) return code;
    if (key == "continue") continue_token = std::string(text);
    if (key == "resourceVersion") resource_version = std::string(text);
  }
  return simdjson::SUCCESS;
}

// The items of a page as slices of the text: each is decoded on its own, so that a page needs no
// tree of all of it.
template <class Value>
tl::expected<void, KubeError> read_items(const Format<Value>& format, Decoder& decoder,
                                         ondemand::value list, ListPage<Value>& page) {
  bool null = false;
  if (const auto code = list.is_null().get(null)) return bad_json("a list", code);
  if (null) return {};
  ondemand::array items;
  if (const auto code = list.get_array().get(items)) return bad_json("a list", code);
  for (auto element : items) {
    ondemand::object object;
    std::string_view json;
    if (const auto code = element.get_object().get(object)) return bad_json("a list", code);
    if (const auto code = object.raw_json().get(json)) return bad_json("a list", code);
    auto item = decode_item(format, decoder, json);
    if (!item) return tl::unexpected(std::move(item).error());
    page.items.push_back(*std::move(item));
  }
  return {};
}

template <class Value>
tl::expected<ListPage<Value>, KubeError> decode_page(const Format<Value>& format, Decoder& decoder,
                                                     std::string_view body) {
  ondemand::document document;
  ondemand::object root;
  ListPage<Value> page;
  if (const auto code = decoder.outer().iterate(decoder.padded(body)).get(document)) {
    return bad_json("a list", code);
  }
  if (const auto code = document.get_object().get(root)) return bad_json("a list", code);
  for (auto field : root) {
    std::string_view key;
    ondemand::value value;
    if (const auto code = field.unescaped_key().get(key)) return bad_json("a list", code);
    if (const auto code = field.value().get(value)) return bad_json("a list", code);
    if (key == "metadata") {
      ondemand::object metadata;
      if (const auto code = value.get_object().get(metadata)) return bad_json("a list", code);
      const auto code = read_list_metadata(metadata, page.resource_version, page.continue_token);
      if (code) return bad_json("a list", code);
    } else if (key == "items") {
      auto read = read_items(format, decoder, value, page);
      if (!read) return tl::unexpected(std::move(read).error());
    }
  }
  if (page.resource_version.empty()) {
    return bad_value("a list", "metadata.resourceVersion: missing");
  }
  return page;
}

template <class Value>
ObjectCodec<Value> make_codec(Format<Value> format) {
  // Shared by the two functions, whose copies must be used by one thread.
  const auto decoder = std::make_shared<Decoder>();
  return {[=](std::string_view line) { return decode_event(format, *decoder, line); },
          [=](std::string_view body) { return decode_page(format, *decoder, body); }, &decode_error,
          nullptr, nullptr};
}

}  // namespace

ObjectCodec<PodView> pod_codec() {
  ObjectCodec<PodView> codec = make_codec<PodView>({"Pod", &read_pod});
  codec.decode_protobuf_event = &decode_pod_protobuf_event;
  codec.decode_protobuf_page = &decode_pod_protobuf_page;
  return codec;
}

ObjectCodec<NodeLinkSet> node_link_set_codec() {
  return make_codec<NodeLinkSet>({"NodeLinkSet", &read_node_link_set_object});
}

}  // namespace loglink
