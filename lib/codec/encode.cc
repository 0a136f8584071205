#include <nlohmann/json.hpp>
#include <string_view>

#include "lib/base/time_text.h"
#include "lib/codec/encode_object.h"
#include "lib/codec/kube_json.h"
#include "lib/model/names.h"

namespace loglink {
namespace {

using Json = nlohmann::json;

// Bytes that are not UTF-8 cannot be in JSON; dump() must not throw over them.
std::string to_text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json source_to_json(const Source& source) {
  Json json = {{"namespace", source.namespace_name},
               {"pod", source.pod},
               {"uid", source.uid},
               {"container", source.container},
               {"root", source.root},
               {"path", source.path},
               {"include", source.include},
               {"maxDepth", source.max_depth},
               {"naming", source.naming},
               {"plainNames", source.plain_names},
               {"finished", source.finished}};
  if (!source.exclude.empty()) json["exclude"] = source.exclude;
  if (!source.required_features.empty()) json["requires"] = source.required_features;
  if (source.since) json["since"] = format_time(*source.since);
  if (source.remove_after) json["removeAfter"] = format_time(*source.remove_after);
  return json;
}

enum class Foreign { kKept, kLeftOut };

Json metadata_to_json(const NodeLinkSet& object, Foreign foreign) {
  Json json = Json::object();
  if (foreign == Foreign::kKept && !object.foreign_metadata.empty()) {
    json = Json::parse(object.foreign_metadata, nullptr, false);
    if (!json.is_object()) json = Json::object();
  }
  json["name"] = object.name;
  if (!object.uid.empty()) json["uid"] = object.uid;
  if (!object.resource_version.empty()) json["resourceVersion"] = object.resource_version;
  for (const OwnerReference& owner : object.owners) {
    Json& reference = json["ownerReferences"].emplace_back(Json{{"apiVersion", owner.api_version},
                                                                {"kind", owner.kind},
                                                                {"name", owner.name},
                                                                {"uid", owner.uid}});
    if (owner.controller) reference["controller"] = *owner.controller;
    if (owner.block_owner_deletion) reference["blockOwnerDeletion"] = *owner.block_owner_deletion;
  }
  return json;
}

Json pod_links_to_json(const PodLinks& pod) {
  Json json = {{"namespace", pod.namespace_name},
               {"pod", pod.pod},
               {"uid", pod.uid},
               {"links", pod.links},
               {"refused", pod.refused}};
  if (!pod.reason.empty()) json["reason"] = pod.reason;
  if (!pod.message.empty()) json["message"] = pod.message;
  return json;
}

Json condition_to_json(const Condition& condition) {
  return {{"type", condition.type},
          {"status", condition.status},
          {"reason", condition.reason},
          {"message", condition.message},
          {"observedGeneration", condition.observed_generation},
          {"lastTransitionTime", format_time(condition.last_transition)}};
}

Json spec_to_json(const NodeLinkSetSpec& spec) {
  Json sources = Json::array();
  for (const Source& source : spec.sources) sources.push_back(source_to_json(source));
  return {{"sources", std::move(sources)}};
}

Json status_to_json(const NodeLinkSetStatus& status) {
  Json pods = Json::array();
  for (const PodLinks& pod : status.pods) pods.push_back(pod_links_to_json(pod));
  Json conditions = Json::array();
  for (const Condition& condition : status.conditions) {
    conditions.push_back(condition_to_json(condition));
  }
  return {{"observedGeneration", status.observed_generation},
          {"podCount", status.pod_count},
          {"links", status.links},
          {"refused", status.refused},
          {"pods", std::move(pods)},
          {"conditions", std::move(conditions)}};
}

Json head_to_json(const NodeLinkSet& object, Foreign foreign = Foreign::kKept) {
  return {{"apiVersion", names::kApiVersion},
          {"kind", names::kKind},
          {"metadata", metadata_to_json(object, foreign)}};
}

}  // namespace

std::string encode_node_link_set(const NodeLinkSet& object) {
  Json json = head_to_json(object);
  json["spec"] = spec_to_json(object.spec);
  return to_text(json);
}

std::string encode_whole_node_link_set(const NodeLinkSet& object) {
  Json json = head_to_json(object);
  if (object.generation != 0) json["metadata"]["generation"] = object.generation;
  json["spec"] = spec_to_json(object.spec);
  if (object.status != NodeLinkSetStatus{}) json["status"] = status_to_json(object.status);
  return to_text(json);
}

std::string encode_node_link_set_status(const NodeLinkSet& object) {
  // The server takes no metadata from a write of status.
  Json json = head_to_json(object, Foreign::kLeftOut);
  json["status"] = status_to_json(object.status);
  return to_text(json);
}

std::string encode_lease(const Lease& lease) {
  Json metadata = {{"name", lease.name}, {"namespace", lease.namespace_name}};
  if (!lease.resource_version.empty()) metadata["resourceVersion"] = lease.resource_version;
  Json spec = {{"leaseTransitions", lease.transitions}};
  // Absent is how a released lease says "nobody": the server refuses a duration of 0.
  if (!lease.holder.empty()) spec["holderIdentity"] = lease.holder;
  if (lease.duration_seconds > 0) spec["leaseDurationSeconds"] = lease.duration_seconds;
  if (lease.acquired) spec["acquireTime"] = format_micro_time(*lease.acquired);
  if (lease.renewed) spec["renewTime"] = format_micro_time(*lease.renewed);
  return to_text({{"apiVersion", "coordination.k8s.io/v1"},
                  {"kind", "Lease"},
                  {"metadata", std::move(metadata)},
                  {"spec", std::move(spec)}});
}

std::string encode_pod_answers_patch(const std::string& pod_uid, const PodAnswers& answers) {
  const auto value = [](const std::optional<std::string>& text) {
    return text ? Json(*text) : Json(nullptr);  // null removes in a merge patch
  };
  Json annotations = {{names::kStatus, value(answers.status)},
                      {names::kLinks, value(answers.links)},
                      {names::kMessage, value(answers.message)}};
  return to_text({{"metadata", {{"uid", pod_uid}, {"annotations", std::move(annotations)}}}});
}

std::string encode_event(const KubeEvent& event) {
  return to_text({{"apiVersion", "events.k8s.io/v1"},
                  {"kind", "Event"},
                  {"metadata", {{"name", event.name}, {"namespace", event.namespace_name}}},
                  {"eventTime", format_micro_time(event.time)},
                  {"type", event.type},
                  {"reason", event.reason},
                  {"action", event.action},
                  {"note", event.note},
                  {"reportingController", event.reporting_controller},
                  {"reportingInstance", event.reporting_instance},
                  {"regarding",
                   {{"apiVersion", event.regarding_api_version},
                    {"kind", event.regarding_kind},
                    {"namespace", event.regarding_namespace},
                    {"name", event.regarding_name},
                    {"uid", event.regarding_uid}}}});
}

std::string encode_event_series_patch(int count, WallTime last) {
  return to_text({{"series", {{"count", count}, {"lastObservedTime", format_micro_time(last)}}}});
}

}  // namespace loglink
