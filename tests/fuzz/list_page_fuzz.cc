// Pages of a LIST.
#include <cstddef>
#include <cstdint>

#include "lib/codec/kube_json.h"
#include "tests/fuzz/require.h"

namespace loglink::fuzz {
namespace {

template <class Value>
void check_page(const ObjectCodec<Value>& codec, std::string_view body) {
  const auto page = codec.decode_page(body);
  if (!page) {
    require(page.error().kind == KubeErrorKind::kProtocol, "a bad page is a protocol error");
    return;
  }
  require(!page->resource_version.empty(), "a page has a version");
  for (const Decoded<Value>& item : page->items) {
    require(!item.key.name.empty(), "an item has a name");
  }
}

}  // namespace
}  // namespace loglink::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto pods = loglink::pod_codec();
  static const auto sets = loglink::node_link_set_codec();
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  loglink::fuzz::check_page(pods, body);
  loglink::fuzz::check_page(sets, body);
  return 0;
}
