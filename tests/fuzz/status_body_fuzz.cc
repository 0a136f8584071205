// Bodies of answers that are no success, and single objects.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "lib/codec/kube_json.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using loglink::fuzz::require;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  constexpr std::array<int, 12> kCodes = {200, 400, 401, 403, 404, 409,
                                          410, 415, 422, 429, 500, 504};
  for (const int code : kCodes) {
    for (const char* type : {"application/json", "text/plain; charset=utf-8"}) {
      const loglink::KubeError error = loglink::decode_error(code, type, body);
      require(error.http_status == code, "the status is the answer's");
      require(!error.message.empty() && error.message.size() <= 600, "the message is bounded");
      require(std::all_of(error.message.begin(), error.message.end(),
                          [](char c) { return c >= 0x20 && c < 0x7f; }),
              "the message is one printable line");
    }
  }
  const auto lease = loglink::decode_lease(body);
  if (lease) {
    loglink::Lease expected = *lease;
    const auto back = loglink::decode_lease(loglink::encode_lease(expected));
    require(back.has_value() && back->holder == expected.holder, "a lease is read back");
  }
  (void)loglink::decode_pod(body);
  (void)loglink::decode_uid(body, "n");
  return 0;
}
