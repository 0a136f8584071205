// Lines of a WATCH.
#include <cstddef>
#include <cstdint>

#include "lib/codec/kube_json.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

template <class Value>
void check_event(const ObjectCodec<Value>& codec, std::string_view line) {
  const auto event = codec.decode_event(line);
  if (!event) {
    require(event.error().kind == KubeErrorKind::kProtocol, "a bad line is a protocol error");
    require(!event.error().message.empty(), "an error says what is wrong");
    return;
  }
  switch (event->type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
    case WatchEventType::kDeleted:
      require(!event->object.key.name.empty(), "an object has a name");
      return;
    case WatchEventType::kBookmark:
      require(!event->object.resource_version.empty(), "a bookmark has a version");
      return;
    case WatchEventType::kError:
      require(!event->error.message.empty(), "an error says what is wrong");
      return;
  }
}

// What we write of a set is what we read.
void check_round_trip(std::string_view line) {
  const auto event = node_link_set_codec().decode_event(line);
  if (!event || !event->object.value) return;
  NodeLinkSet set = *event->object.value;
  set.generation = 0;  // the server's
  const NodeLinkSetStatus status = set.status;
  const auto written = decode_node_link_set(encode_node_link_set_status(set));
  require(written.has_value() && written->status.pods == status.pods, "a status is read back");
  set.status = {};
  set.spec.unreadable = 0;  // what could not be read is not written
  for (Source& source : set.spec.sources) {
    // Whole seconds are what the API keeps.
    source.since.reset();
    source.remove_after.reset();
  }
  const auto once = decode_node_link_set(encode_node_link_set(set));
  require(once.has_value(), "what is written can be read");
  // Metadata of others is kept as text, and written with its keys in order.
  require(once->foreign_metadata.empty() == set.foreign_metadata.empty(), "metadata is kept");
  require(decode_node_link_set(encode_node_link_set(*once)) == once, "metadata is read back");
  set.foreign_metadata = once->foreign_metadata;
  require(once == set, "a spec is read back");
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto pods = loglink::pod_codec();
  static const auto sets = loglink::node_link_set_codec();
  const std::string_view line(reinterpret_cast<const char*>(data), size);
  loglink::fuzz::check_event(pods, line);
  loglink::fuzz::check_event(sets, line);
  loglink::fuzz::check_round_trip(line);
  return 0;
}
