// Pods and Status as protobuf messages. The numbers are those of the API's generated.proto files;
// they are part of the wire format and never change their meaning.
#include <array>
#include <string_view>
#include <utility>

#include "lib/codec/decode_object.h"
#include "lib/codec/decoded.h"
#include "lib/codec/protobuf_reader.h"

namespace loglink {
namespace {

// VolumeSource: the field's number is the index.
constexpr std::array<std::string_view, 31> kVolumeKinds = {"unknown",
                                                           "hostPath",
                                                           "emptyDir",
                                                           "gcePersistentDisk",
                                                           "awsElasticBlockStore",
                                                           "gitRepo",
                                                           "secret",
                                                           "nfs",
                                                           "iscsi",
                                                           "glusterfs",
                                                           "persistentVolumeClaim",
                                                           "rbd",
                                                           "flexVolume",
                                                           "cinder",
                                                           "cephfs",
                                                           "flocker",
                                                           "downwardAPI",
                                                           "fc",
                                                           "azureFile",
                                                           "configMap",
                                                           "vsphereVolume",
                                                           "quobyte",
                                                           "azureDisk",
                                                           "photonPersistentDisk",
                                                           "portworxVolume",
                                                           "scaleIO",
                                                           "projected",
                                                           "storageos",
                                                           "csi",
                                                           "ephemeral",
                                                           "image"};

void read_annotation(std::string_view entry, PodView& pod) {
  std::string key;
  std::string text;
  each_field(entry, [&](const ProtobufField& field) {
    if (field.number() == 1) key = field.text();
    if (field.number() == 2) text = field.text();
  });
  ++pod.annotation_count;
  if (annotation_concerns_us(key))
    pod.annotations.insert_or_assign(std::move(key), std::move(text));
}

OwnerReference read_owner(std::string_view message) {
  OwnerReference owner;
  each_field(message, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        owner.kind = field.text();
        break;
      case 3:
        owner.name = field.text();
        break;
      case 4:
        owner.uid = field.text();
        break;
      case 5:
        owner.api_version = field.text();
        break;
      default:
        break;
    }
  });
  return owner;
}

void read_metadata(std::string_view message, PodView& pod, PartBudget& budget) {
  each_field(message, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        pod.name = field.text();
        break;
      case 3:
        pod.namespace_name = field.text();
        break;
      case 5:
        pod.uid = field.text();
        break;
      case 6:
        pod.resource_version = field.text();
        break;
      case 8:
        pod.created = read_protobuf_time(field.bytes());
        break;
      case 9:
        pod.deleting = true;
        break;
      case 12:
        read_annotation(field.bytes(), pod);
        break;
      case 13:
        if (budget.take()) pod.owners.push_back(read_owner(field.bytes()));
        break;
      default:
        break;
    }
  });
}

// EnvVarSource.
void read_variable_source(std::string_view message, EnvironmentVariable& variable) {
  variable.kind = EnvironmentVariable::Kind::kOther;
  variable.value.clear();
  each_field(message, [&](const ProtobufField& source) {
    if (source.number() != 1) return;
    variable.kind = EnvironmentVariable::Kind::kField;
    each_field(source.bytes(), [&](const ProtobufField& field) {
      if (field.number() == 2) variable.value = field.text();
    });
  });
}

EnvironmentVariable read_variable(std::string_view message) {
  EnvironmentVariable variable;
  each_field(message, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        variable.name = field.text();
        break;
      case 2:
        if (variable.kind == EnvironmentVariable::Kind::kLiteral) variable.value = field.text();
        break;
      case 3:
        read_variable_source(field.bytes(), variable);
        break;
      default:
        break;
    }
  });
  return variable;
}

VolumeMount read_mount(std::string_view message) {
  VolumeMount mount;
  each_field(message, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        mount.volume = field.text();
        break;
      case 3:
        mount.mount_path = field.text();
        break;
      case 4:
        mount.sub_path = field.text();
        break;
      case 6:
        mount.sub_path_expr = field.text();
        break;
      default:
        break;
    }
  });
  return mount;
}

ContainerView read_container(std::string_view message, ContainerKind kind, PartBudget& budget) {
  ContainerView container;
  container.kind = kind;
  each_field(message, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        container.name = field.text();
        break;
      case 7:
        if (budget.take()) container.env.push_back(read_variable(field.bytes()));
        break;
      case 9:
        if (budget.take()) container.mounts.push_back(read_mount(field.bytes()));
        break;
      case 19:
        container.has_env_from = true;
        break;
      case 24:
        if (kind == ContainerKind::kInit && field.bytes() == "Always") {
          container.kind = ContainerKind::kSidecar;
        }
        break;
      default:
        break;
    }
  });
  return container;
}

void read_volume_source(std::string_view message, VolumeView& volume) {
  each_field(message, [&](const ProtobufField& source) {
    if (volume.kind != "unknown") return;
    if (source.number() < kVolumeKinds.size()) volume.kind = kVolumeKinds[source.number()];
    const bool is_host_path = volume.kind == "hostPath";
    const bool is_empty_dir = volume.kind == "emptyDir";
    if (!is_host_path && !is_empty_dir) return;
    each_field(source.bytes(), [&](const ProtobufField& field) {
      if (is_host_path && field.number() == 1) volume.host_path = field.text();
      if (is_host_path && field.number() == 2) volume.host_path_type = field.text();
      if (is_empty_dir && field.number() == 1) volume.medium = field.text();
    });
  });
}

VolumeView read_volume(std::string_view message) {
  VolumeView volume;
  volume.kind = "unknown";
  each_field(message, [&](const ProtobufField& field) {
    if (field.number() == 1) volume.name = field.text();
    if (field.number() == 2) read_volume_source(field.bytes(), volume);
  });
  return volume;
}

void read_spec(std::string_view message, PodView& pod, PartBudget& budget) {
  std::vector<ContainerView> init_containers;
  const auto read_into = [&](std::vector<ContainerView>& containers, const ProtobufField& field,
                             ContainerKind kind) {
    if (budget.take()) containers.push_back(read_container(field.bytes(), kind, budget));
  };
  each_field(message, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        if (budget.take()) pod.volumes.push_back(read_volume(field.bytes()));
        break;
      case 2:
        read_into(pod.containers, field, ContainerKind::kContainer);
        break;
      case 8:
        pod.service_account = field.text();
        break;
      case 10:
        pod.node_name = field.text();
        break;
      case 20:
        read_into(init_containers, field, ContainerKind::kInit);
        break;
      default:
        break;
    }
  });
  for (ContainerView& container : init_containers) pod.containers.push_back(std::move(container));
}

StatusCause read_cause(std::string_view message) {
  StatusCause cause;
  each_field(message, [&](const ProtobufField& field) {
    if (field.number() == 1) cause.reason = field.text();
    if (field.number() == 2) cause.message = field.text();
    if (field.number() == 3) cause.field = field.text();
  });
  return cause;
}

}  // namespace

PodView read_protobuf_pod(std::string_view object) {
  PodView pod;
  PartBudget budget;
  each_field(object, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 1:
        read_metadata(field.bytes(), pod, budget);
        break;
      case 2:
        read_spec(field.bytes(), pod, budget);
        break;
      case 3:
        each_field(field.bytes(), [&](const ProtobufField& status) {
          if (status.number() == 1) pod.phase = status.text();
        });
        break;
      default:
        break;
    }
  });
  drop_unread_variables(pod, budget);
  return pod;
}

StatusWords read_protobuf_status(std::string_view object) {
  StatusWords status;
  const auto read_details = [&](const ProtobufField& field) {
    if (field.number() == 1) status.names_object = !field.bytes().empty();
    if (field.number() == 4) status.causes.push_back(read_cause(field.bytes()));
    if (field.number() == 5) status.retry_after_seconds = field.integer();
  };
  each_field(object, [&](const ProtobufField& field) {
    switch (field.number()) {
      case 3:
        status.message = field.text();
        break;
      case 4:
        status.reason = field.text();
        break;
      case 5:
        each_field(field.bytes(), read_details);
        break;
      case 6:
        status.code = static_cast<int>(field.integer());
        break;
      default:
        break;
    }
  });
  return status;
}

}  // namespace loglink
