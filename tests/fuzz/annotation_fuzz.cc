// The request annotations of a pod: four values, one a line, and then a key of ours that may be
// anything. What is accepted must be fit to publish; what is told must be fit to show.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "controller/core/answers.h"
#include "lib/base/text.h"
#include "lib/model/limits.h"
#include "lib/model/names.h"
#include "lib/model/path.h"
#include "lib/model/source_bounds.h"
#include "tests/fuzz/require.h"

namespace {

using loglink::fuzz::require;

loglink::PodView pod_of(const std::string& text) {
  loglink::PodView pod;
  pod.namespace_name = "prod";
  pod.name = "web-0";
  pod.uid = "u-1";
  pod.node_name = "node-a";
  std::vector<std::string> values = loglink::split(text, '\n');
  const auto take = [&](std::string_view key, std::size_t index) {
    if (index < values.size() && !values[index].empty()) {
      pod.annotations[std::string(key)] = values[index];
    }
  };
  take(loglink::names::kWatchDir, 0);
  take(loglink::names::kInclude, 1);
  take(loglink::names::kExclude, 2);
  take(loglink::names::kMaxDepth, 3);
  if (values.size() > 4) pod.annotations["loglink/" + values[4]] = "x";
  loglink::ContainerView container;
  container.name = "app";
  container.mounts.push_back({"logs", "/", "", ""});
  container.mounts.push_back({"host", "/host", "", ""});
  pod.containers.push_back(container);
  pod.volumes.push_back({"logs", "emptyDir", "", "", ""});
  pod.volumes.push_back({"host", "hostPath", "/srv/apps", "", ""});
  return pod;
}

void check_source(const loglink::Source& source) {
  require(loglink::check_source_bounds(source).has_value(), "a source is within the bounds");
  require(!loglink::has_dot_dot(source.path), "a source does not climb");
}

void check_answer(const loglink::Answer& answer, const loglink::Resolution& resolution) {
  require(answer.message.size() <= loglink::limits::kMessageBytes, "a message has its bound");
  require(loglink::sanitize(answer.message) == answer.message, "a message is printable");
  if (!resolution.refusals.empty()) require(!answer.message.empty(), "a refusal is told");
  if (resolution.sources.empty()) {
    require(answer.word == loglink::StatusWord::kInvalid, "nothing accepted is Invalid");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  loglink::ControllerConfig config;
  config.roots.push_back({"apps", "/srv/apps", {"*"}, false});
  loglink::ResolvedPod pod;
  pod.pod = pod_of(text);
  pod.resolution = loglink::resolve(pod.pod, config, {});
  require(pod.resolution.sources.size() == pod.resolution.watch_dirs.size(),
          "every source has its watch dir");
  require(pod.resolution.sources.size() <= loglink::limits::kSourcesPerPod, "a pod has its bound");
  for (const loglink::Source& source : pod.resolution.sources) check_source(source);
  if (!pod.resolution.requested) return 0;
  loglink::AnswerInput input;
  input.pod = &pod;
  check_answer(loglink::answer(input), pod.resolution);
  return 0;
}
