#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "lib/codec/decode_object.h"

namespace loglink {
namespace {

constexpr std::int64_t kGenerationMax = std::numeric_limits<std::int64_t>::max();

// nullopt: a time that this program cannot hold. The API server takes any RFC 3339 time, and one
// such source must not hide the others of its node.
std::optional<Source> read_source(const JsonReader& source) {
  Source out;
  bool readable = true;
  out.namespace_name = source.text("namespace");
  out.pod = source.text("pod");
  out.uid = source.text("uid");
  out.container = source.text("container");
  out.root = source.text("root");
  out.path = source.text("path");
  out.include = source.texts("include");
  out.exclude = source.texts("exclude");
  out.max_depth = source.count("maxDepth", out.max_depth);
  if (source.has("naming")) out.naming = source.text("naming");
  out.plain_names = source.flag("plainNames");
  out.finished = source.flag("finished");
  out.required_features = source.texts("requires");
  out.since = source.time("since", readable);
  out.remove_after = source.time("removeAfter", readable);
  if (!readable) return std::nullopt;
  return out;
}

PodLinks read_pod_links(const JsonReader& pod) {
  PodLinks out;
  out.namespace_name = pod.text("namespace");
  out.pod = pod.text("pod");
  out.uid = pod.text("uid");
  out.links = pod.count("links");
  out.refused = pod.count("refused");
  out.reason = pod.text("reason");
  out.message = pod.text("message");
  return out;
}

Condition read_condition(const JsonReader& condition) {
  Condition out;
  out.type = condition.text("type");
  out.status = condition.text("status");
  out.reason = condition.text("reason");
  out.message = condition.text("message");
  out.observed_generation = condition.integer("observedGeneration", 0, 0, kGenerationMax);
  bool readable = true;
  out.last_transition = condition.time("lastTransitionTime", readable).value_or(WallTime{});
  return out;
}

NodeLinkSetStatus read_status_of_set(const JsonReader& status) {
  NodeLinkSetStatus out;
  out.observed_generation = status.integer("observedGeneration", 0, 0, kGenerationMax);
  out.pod_count = status.count("podCount");
  out.links = status.count("links");
  out.refused = status.count("refused");
  status.each("pods", [&](const JsonReader& pod) { out.pods.push_back(read_pod_links(pod)); });
  status.each("conditions", [&](const JsonReader& condition) {
    out.conditions.push_back(read_condition(condition));
  });
  return out;
}

std::string read_foreign_metadata(const JsonReader& metadata) {
  std::string text;
  for (const std::string key : {"annotations", "finalizers", "labels"}) {
    const JsonReader value = metadata.child(key);
    if (!value.present()) continue;
    text += (text.empty() ? "{\"" : ",\"") + key + "\":" + value.raw();
  }
  return text.empty() ? text : text + "}";
}

}  // namespace

NodeLinkSet read_node_link_set_object(const JsonReader& object) {
  NodeLinkSet out;
  const JsonReader metadata = object.child("metadata");
  out.name = metadata.text("name");
  out.uid = metadata.text("uid");
  out.resource_version = metadata.text("resourceVersion");
  out.generation = metadata.integer("generation", 0, 0, kGenerationMax);
  metadata.each("ownerReferences", [&](const JsonReader& owner) {
    out.owners.push_back({owner.text("apiVersion"), owner.text("kind"), owner.text("name"),
                          owner.text("uid"), owner.optional_flag("controller"),
                          owner.optional_flag("blockOwnerDeletion")});
  });
  out.foreign_metadata = read_foreign_metadata(metadata);
  object.child("spec").each("sources", [&](const JsonReader& source) {
    if (std::optional<Source> read = read_source(source)) {
      out.spec.sources.push_back(*std::move(read));
    } else {
      ++out.spec.unreadable;
    }
  });
  out.status = read_status_of_set(object.child("status"));
  return out;
}

Lease read_lease(const JsonReader& object) {
  Lease out;
  const JsonReader metadata = object.child("metadata");
  out.namespace_name = metadata.text("namespace");
  out.name = metadata.text("name");
  out.resource_version = metadata.text("resourceVersion");
  const JsonReader spec = object.child("spec");
  out.holder = spec.text("holderIdentity");
  out.duration_seconds = spec.count("leaseDurationSeconds");
  out.transitions = spec.count("leaseTransitions");
  out.acquired = spec.any_time("acquireTime");
  out.renewed = spec.any_time("renewTime");
  return out;
}

}  // namespace loglink
