// Configuration files.
#include <cstddef>
#include <cstdint>

#include "lib/codec/config_yaml.h"
#include "tests/fuzz/require.h"

namespace {

template <class Config>
void check(const loglink::Expected<Config>& config) {
  using loglink::fuzz::require;
  if (config) {
    require(loglink::validate(*config).has_value(), "a configuration that is read is valid");
    return;
  }
  require(config.error().code == loglink::ErrorCode::kInvalidArgument, "a bad file is bad input");
  require(config.error().message.starts_with("f.yaml:"), "an error names the file");
  require(config.error().message.find('\n') == std::string::npos, "an error is one line");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check(loglink::parse_controller_config(text, "f.yaml"));
  check(loglink::parse_agent_config(text, "f.yaml"));
  return 0;
}
