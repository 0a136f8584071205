// An expression in the first line, then one environment variable a line as NAME=value. Whatever it
// expands to, the directory stays in its volume.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "controller/core/resolve.h"
#include "controller/core/sub_path_expr.h"
#include "lib/base/text.h"
#include "lib/model/path.h"
#include "tests/fuzz/require.h"

namespace {

using loglink::fuzz::require;
using Kind = loglink::EnvironmentVariable::Kind;

// "NAME=value" is a literal, "NAME:field" a fieldRef, a bare "NAME" comes from elsewhere.
loglink::EnvironmentVariable variable(const std::string& line) {
  const std::size_t end = line.find_first_of("=:");
  if (end == std::string::npos) return {line, Kind::kOther, ""};
  const Kind kind = line[end] == '=' ? Kind::kLiteral : Kind::kField;
  return {line.substr(0, end), kind, line.substr(end + 1)};
}

loglink::PodView pod_of(const std::string& text) {
  loglink::PodView pod;
  pod.namespace_name = "prod";
  pod.name = "web-0";
  pod.uid = "u-1";
  pod.annotations[std::string("loglink/watch-dir")] = "/logs/x";
  loglink::ContainerView container;
  container.name = "app";
  const std::vector<std::string> lines = loglink::split(text, '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) container.env.push_back(variable(lines[i]));
  container.mounts.push_back({"host", "/logs", "", lines.front()});
  pod.containers.push_back(container);
  pod.volumes.push_back({"host", "hostPath", "/srv/apps/web", "", ""});
  return pod;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const loglink::PodView pod = pod_of(text);
  const loglink::ContainerView& container = pod.containers.front();
  const loglink::Expected<std::string> expanded = loglink::expand_sub_path_expr(
      container.mounts.front().sub_path_expr, container, pod, pod.uid);
  if (expanded) require(expanded->size() <= 4096, "an expansion has its bound");

  loglink::ControllerConfig config;
  config.roots.push_back({"apps", "/srv/apps", {"*"}, false});
  const loglink::Resolution resolution = loglink::resolve(pod, config, {});
  require(resolution.sources.size() + resolution.refusals.size() == 1, "there is one outcome");
  for (const loglink::Source& source : resolution.sources) {
    require(loglink::path_contains("web", source.path), "the directory is in the volume");
    require(!loglink::has_dot_dot(source.path), "and nothing climbs out of it");
  }
  return 0;
}
