// kubeconfig files: one text as one file, or, where it has the YAML separator, as two that are
// merged.
#include <cstddef>
#include <cstdint>

#include "lib/io/kubeconfig.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using loglink::fuzz::require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<loglink::KubeconfigFile> files;
  const std::size_t second = text.find("\n---\n");
  files.push_back({"dir/a", std::string(text.substr(0, second))});
  if (second != std::string_view::npos) {
    files.push_back({"dir/b", std::string(text.substr(second + 5))});
  }
  const loglink::Expected<loglink::KubeconfigAccess> access = loglink::resolve_kubeconfig(files);
  if (!access) {
    require(!access.error().message.empty(), "an error says something");
    require(access.error().message.find('\n') == std::string::npos, "an error is one line");
    return 0;
  }
  require(!access->server_url.empty(), "an access has a server");
  require(!access->endpoint.host.empty(), "an access has a host");
  require(access->endpoint.port > 0, "an access has a port");
  return 0;
}
