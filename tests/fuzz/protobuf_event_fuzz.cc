// Frames of a WATCH of pods in protobuf.
#include <cstddef>
#include <cstdint>

#include "lib/codec/kube_json.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

void check_event(std::string_view frame) {
  static const auto codec = pod_codec();
  const auto event = codec.decode_protobuf_event(frame);
  if (!event) {
    require(event.error().kind == KubeErrorKind::kProtocol, "a bad frame is a protocol error");
    require(!event.error().message.empty(), "an error says what is wrong");
    return;
  }
  switch (event->type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
    case WatchEventType::kDeleted:
      require(!event->object.key.name.empty(), "an object has a name");
      if (event->object.value) {
        require(event->object.value->key() == event->object.key, "the value has the same name");
      }
      return;
    case WatchEventType::kBookmark:
      require(!event->object.resource_version.empty(), "a bookmark has a version");
      return;
    case WatchEventType::kError:
      require(!event->error.message.empty(), "an error says what is wrong");
      return;
  }
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  loglink::fuzz::check_event({reinterpret_cast<const char*>(data), size});
  return 0;
}
