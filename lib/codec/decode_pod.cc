#include <string_view>
#include <utility>

#include "lib/codec/decode_object.h"
#include "lib/codec/decoded.h"

namespace loglink {
namespace {

void read_annotations(const JsonReader& metadata, PodView& pod) {
  metadata.child("annotations").members([&](std::string_view key, const JsonReader& value) {
    ++pod.annotation_count;
    if (!annotation_concerns_us(key)) return;
    if (value.is_list()) {
      value.report("expected a string, not a list; separate directories or patterns by commas");
      return;
    }
    pod.annotations.insert_or_assign(std::string(key), value.as_text());
  });
}

void read_owners(const JsonReader& metadata, std::vector<OwnerReference>& owners,
                 PartBudget& budget) {
  metadata.each("ownerReferences", [&](const JsonReader& owner) {
    if (!budget.take()) return;
    owners.push_back(
        {owner.text("apiVersion"), owner.text("kind"), owner.text("name"), owner.text("uid")});
  });
}

EnvironmentVariable read_variable(const JsonReader& variable) {
  EnvironmentVariable out;
  out.name = variable.text("name");
  const JsonReader from = variable.child("valueFrom");
  if (!from.present()) {
    out.value = variable.text("value");
    return out;
  }
  const JsonReader field = from.child("fieldRef");
  if (field.present()) {
    out.kind = EnvironmentVariable::Kind::kField;
    out.value = field.text("fieldPath");
  } else {
    out.kind = EnvironmentVariable::Kind::kOther;
  }
  return out;
}

ContainerView read_container(const JsonReader& container, ContainerKind kind, PartBudget& budget) {
  ContainerView out;
  out.name = container.text("name");
  out.kind = kind;
  container.each("envFrom", [&](const JsonReader&) { out.has_env_from = true; });
  container.each("env", [&](const JsonReader& variable) {
    if (budget.take()) out.env.push_back(read_variable(variable));
  });
  container.each("volumeMounts", [&](const JsonReader& mount) {
    if (!budget.take()) return;
    out.mounts.push_back({mount.text("name"), mount.text("mountPath"), mount.text("subPath"),
                          mount.text("subPathExpr")});
  });
  return out;
}

void read_containers(const JsonReader& spec, std::vector<ContainerView>& containers,
                     PartBudget& budget) {
  spec.each("containers", [&](const JsonReader& container) {
    if (!budget.take()) return;
    containers.push_back(read_container(container, ContainerKind::kContainer, budget));
  });
  spec.each("initContainers", [&](const JsonReader& container) {
    if (!budget.take()) return;
    ContainerKind kind = ContainerKind::kInit;
    if (container.text("restartPolicy") == "Always") kind = ContainerKind::kSidecar;
    containers.push_back(read_container(container, kind, budget));
  });
}

VolumeView read_volume(const JsonReader& volume) {
  VolumeView out;
  volume.members([&](std::string_view key, const JsonReader& value) {
    if (key == "name") {
      out.name = value.as_text();
    } else if (out.kind.empty() && value.present()) {
      out.kind = std::string(key);
    }
  });
  if (out.kind.empty()) out.kind = "unknown";
  if (out.kind == "hostPath") {
    const JsonReader host_path = volume.child("hostPath");
    out.host_path = host_path.text("path");
    out.host_path_type = host_path.text("type");
  } else if (out.kind == "emptyDir") {
    out.medium = volume.child("emptyDir").text("medium");
  }
  return out;
}

}  // namespace

PodView read_pod_template(const JsonReader& pod_template) {
  PodView pod;
  const JsonReader metadata = pod_template.child("metadata");
  pod.uid = metadata.text("uid");
  pod.resource_version = metadata.text("resourceVersion");
  bool readable = true;  // a time out of range only means: the oldest
  pod.created = metadata.time("creationTimestamp", readable).value_or(WallTime{});
  pod.deleting = metadata.has("deletionTimestamp");
  read_annotations(metadata, pod);
  PartBudget budget;
  read_owners(metadata, pod.owners, budget);

  const JsonReader spec = pod_template.child("spec");
  pod.node_name = spec.text("nodeName");
  pod.service_account = spec.text("serviceAccountName");
  read_containers(spec, pod.containers, budget);
  spec.each("volumes", [&](const JsonReader& volume) {
    if (budget.take()) pod.volumes.push_back(read_volume(volume));
  });
  drop_unread_variables(pod, budget);
  return pod;
}

PodView read_pod(const JsonReader& object) {
  PodView pod = read_pod_template(object);
  const JsonReader metadata = object.child("metadata");
  pod.namespace_name = metadata.text("namespace");
  pod.name = metadata.text("name");
  pod.phase = object.child("status").text("phase");
  return pod;
}

}  // namespace loglink
