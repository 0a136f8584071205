// Manifests that people hand to `explain`, `apply` and `--from-file`.
#include <cstddef>
#include <cstdint>

#include "lib/codec/manifest.h"
#include "tests/fuzz/require.h"

namespace {

void require_one_line(const loglink::Error& error) {
  using loglink::fuzz::require;
  require(error.message.find('\n') == std::string::npos, "an error is one line");
  require(error.message.starts_with("f.yaml:"), "an error names the file");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using loglink::fuzz::require;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto pods = loglink::read_pods(text, "f.yaml");
  if (!pods) require_one_line(pods.error());
  if (pods) {
    for (const loglink::PodView& pod : pods->pods) {
      require(!pod.name.empty() && !pod.uid.empty() && !pod.node_name.empty(), "a pod is complete");
    }
  }
  auto set = loglink::read_node_link_set(text, "f.yaml");
  if (!set) {
    require_one_line(set.error());
    return 0;
  }
  set->resource_version.clear();
  for (loglink::Source& source : set->spec.sources) {
    require(loglink::check_source_bounds(source).has_value(), "a source is within its bounds");
    // Whole seconds are what is printed.
    source.since.reset();
    source.remove_after.reset();
  }
  set->status = {};
  const auto yaml = loglink::read_node_link_set(loglink::node_link_set_to_yaml(*set), "f.yaml");
  require(yaml == *set, "what is printed as YAML is read back");
  const auto json = loglink::read_node_link_set(loglink::node_link_set_to_json(*set), "f.yaml");
  require(json == *set, "what is printed as JSON is read back");
  return 0;
}
