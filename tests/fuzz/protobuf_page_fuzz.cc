// Pages of a LIST of pods in protobuf, and answers that are a Status in it.
#include <cstddef>
#include <cstdint>

#include "lib/codec/kube_json.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

void check_page(std::string_view body) {
  static const auto codec = pod_codec();
  const auto page = codec.decode_protobuf_page(body);
  if (!page) {
    require(page.error().kind == KubeErrorKind::kProtocol, "a bad page is a protocol error");
    return;
  }
  require(!page->resource_version.empty(), "a page has a version");
  for (const Decoded<PodView>& item : page->items) {
    require(!item.key.name.empty(), "an item has a name");
  }
}

void check_status(std::string_view body) {
  const KubeError error = decode_error(410, kProtobufMediaType, body);
  require(error.http_status == 410, "the status is the answer's");
  require(error.kind == KubeErrorKind::kGone, "the kind is the status's");
  require(!error.message.empty(), "an error says what is wrong");
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  loglink::fuzz::check_page(body);
  loglink::fuzz::check_status(body);
  return 0;
}
