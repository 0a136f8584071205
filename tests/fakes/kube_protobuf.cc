#include "tests/fakes/kube_protobuf.h"

#include <array>
#include <functional>
#include <protozero/exception.hpp>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>

#include "lib/base/time_text.h"

namespace loglink::fakes {
namespace {

using Json = nlohmann::json;
using Writer = protozero::pbf_writer;
// Writes the fields of one JSON object.
using Message = std::function<void(Writer&, const Json&)>;

const Json& field(const Json& object, const char* key) {
  static const Json kAbsent;
  const auto found = object.find(key);
  return found == object.end() ? kAbsent : *found;
}

bool present(const Json& object, const char* key) { return !field(object, key).is_null(); }

// Go writes a string that is no pointer also when it is empty.
void put_text(Writer& writer, protozero::pbf_tag_type tag, const Json& object, const char* key) {
  const Json& value = field(object, key);
  writer.add_string(tag, value.is_string() ? value.get<std::string>() : std::string());
}

// A pointer: absent when it is absent.
void put_optional_text(Writer& writer, protozero::pbf_tag_type tag, const Json& object,
                       const char* key) {
  if (present(object, key)) put_text(writer, tag, object, key);
}

void put_number(Writer& writer, protozero::pbf_tag_type tag, const Json& object, const char* key) {
  if (present(object, key)) writer.add_int64(tag, field(object, key).get<std::int64_t>());
}

void put_flag(Writer& writer, protozero::pbf_tag_type tag, const Json& object, const char* key) {
  if (present(object, key)) writer.add_bool(tag, field(object, key).get<bool>());
}

void put_message(Writer& writer, protozero::pbf_tag_type tag, const Json& object,
                 const Message& message) {
  std::string bytes;
  Writer inner(bytes);
  message(inner, object);
  writer.add_message(tag, bytes);
}

void put_optional(Writer& writer, protozero::pbf_tag_type tag, const Json& object, const char* key,
                  const Message& message) {
  if (present(object, key)) put_message(writer, tag, field(object, key), message);
}

void put_each(Writer& writer, protozero::pbf_tag_type tag, const Json& object, const char* key,
              const Message& message) {
  for (const Json& item : field(object, key)) put_message(writer, tag, item, message);
}

void put_map(Writer& writer, protozero::pbf_tag_type tag, const Json& object, const char* key) {
  for (const auto& [name, value] : field(object, key).items()) {
    const std::string& entry_name = name;
    const std::string text = value.get<std::string>();
    put_message(writer, tag, value, [&](Writer& entry, const Json&) {
      entry.add_string(1, entry_name);
      entry.add_string(2, text);
    });
  }
}

void nothing(Writer&, const Json&) {}

void time_message(Writer& writer, const Json& text) {
  const Expected<WallTime> time = parse_time(text.get<std::string>());
  if (!time) return;
  writer.add_int64(1, std::chrono::floor<std::chrono::seconds>(time->time_since_epoch()).count());
  writer.add_int32(2, 0);
}

void managed_fields_message(Writer& writer, const Json& entry) {
  put_text(writer, 1, entry, "manager");
  put_text(writer, 2, entry, "operation");
  put_text(writer, 3, entry, "apiVersion");
  put_optional(writer, 4, entry, "time", time_message);
  put_text(writer, 6, entry, "fieldsType");
  put_optional(writer, 7, entry, "fieldsV1",
               [](Writer& fields, const Json& value) { fields.add_bytes(1, value.dump()); });
  put_text(writer, 8, entry, "subresource");
}

void owner_message(Writer& writer, const Json& owner) {
  put_text(writer, 1, owner, "kind");
  put_text(writer, 3, owner, "name");
  put_text(writer, 4, owner, "uid");
  put_text(writer, 5, owner, "apiVersion");
  put_flag(writer, 6, owner, "controller");
  put_flag(writer, 7, owner, "blockOwnerDeletion");
}

void metadata_message(Writer& writer, const Json& metadata) {
  put_text(writer, 1, metadata, "name");
  put_text(writer, 2, metadata, "generateName");
  put_text(writer, 3, metadata, "namespace");
  put_text(writer, 4, metadata, "selfLink");
  put_text(writer, 5, metadata, "uid");
  put_text(writer, 6, metadata, "resourceVersion");
  put_number(writer, 7, metadata, "generation");
  // Not a pointer: the zero time is an empty message.
  put_message(writer, 8, field(metadata, "creationTimestamp"), [](Writer& time, const Json& text) {
    if (text.is_string()) time_message(time, text);
  });
  put_optional(writer, 9, metadata, "deletionTimestamp", time_message);
  put_number(writer, 10, metadata, "deletionGracePeriodSeconds");
  put_map(writer, 11, metadata, "labels");
  put_map(writer, 12, metadata, "annotations");
  put_each(writer, 13, metadata, "ownerReferences", owner_message);
  for (const Json& finalizer : field(metadata, "finalizers")) {
    writer.add_string(14, finalizer.get<std::string>());
  }
  put_each(writer, 17, metadata, "managedFields", managed_fields_message);
}

void volume_message(Writer& writer, const Json& volume) {
  static constexpr std::array<const char*, 30> kKinds = {"hostPath",
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
  put_text(writer, 1, volume, "name");
  put_message(writer, 2, volume, [](Writer& source, const Json& all) {
    protozero::pbf_tag_type tag = 0;
    for (const char* kind : kKinds) {
      ++tag;
      put_optional(source, tag, all, kind, [&](Writer& inner, const Json& value) {
        if (tag == 1) {
          put_text(inner, 1, value, "path");
          put_optional_text(inner, 2, value, "type");
        } else if (tag == 2) {
          put_text(inner, 1, value, "medium");
        }
      });
    }
  });
}

void variable_message(Writer& writer, const Json& variable) {
  put_text(writer, 1, variable, "name");
  put_text(writer, 2, variable, "value");
  put_optional(writer, 3, variable, "valueFrom", [](Writer& source, const Json& from) {
    put_optional(source, 1, from, "fieldRef", [](Writer& inner, const Json& reference) {
      put_text(inner, 1, reference, "apiVersion");
      put_text(inner, 2, reference, "fieldPath");
    });
    put_optional(source, 2, from, "resourceFieldRef", nothing);
    put_optional(source, 3, from, "configMapKeyRef", nothing);
    put_optional(source, 4, from, "secretKeyRef", nothing);
    put_optional(source, 5, from, "fileKeyRef", nothing);
  });
}

void mount_message(Writer& writer, const Json& mount) {
  put_text(writer, 1, mount, "name");
  put_flag(writer, 2, mount, "readOnly");
  put_text(writer, 3, mount, "mountPath");
  put_text(writer, 4, mount, "subPath");
  put_text(writer, 6, mount, "subPathExpr");
}

void container_message(Writer& writer, const Json& container) {
  put_text(writer, 1, container, "name");
  put_text(writer, 2, container, "image");
  put_each(writer, 7, container, "env", variable_message);
  put_message(writer, 8, container, nothing);
  put_each(writer, 9, container, "volumeMounts", mount_message);
  put_each(writer, 19, container, "envFrom", nothing);
  put_optional_text(writer, 24, container, "restartPolicy");
}

void spec_message(Writer& writer, const Json& spec) {
  put_each(writer, 1, spec, "volumes", volume_message);
  put_each(writer, 2, spec, "containers", container_message);
  put_text(writer, 3, spec, "restartPolicy");
  put_text(writer, 8, spec, "serviceAccountName");
  put_text(writer, 9, spec, "serviceAccount");
  put_text(writer, 10, spec, "nodeName");
  put_each(writer, 20, spec, "initContainers", container_message);
  put_each(writer, 34, spec, "ephemeralContainers", [](Writer& ephemeral, const Json& container) {
    put_message(ephemeral, 1, container, container_message);
  });
}

void pod_message(Writer& writer, const Json& pod) {
  put_message(writer, 1, field(pod, "metadata"), metadata_message);
  put_message(writer, 2, field(pod, "spec"), spec_message);
  put_message(writer, 3, field(pod, "status"), [](Writer& status, const Json& value) {
    put_text(status, 1, value, "phase");
    put_text(status, 6, value, "podIP");
  });
}

void list_metadata_message(Writer& writer, const Json& metadata) {
  put_text(writer, 1, metadata, "selfLink");
  put_text(writer, 2, metadata, "resourceVersion");
  put_text(writer, 3, metadata, "continue");
  put_number(writer, 4, metadata, "remainingItemCount");
}

void status_message(Writer& writer, const Json& status) {
  put_message(writer, 1, field(status, "metadata"), list_metadata_message);
  put_text(writer, 2, status, "status");
  put_text(writer, 3, status, "message");
  put_text(writer, 4, status, "reason");
  put_optional(writer, 5, status, "details", [](Writer& details, const Json& value) {
    put_text(details, 1, value, "name");
    put_text(details, 2, value, "group");
    put_text(details, 3, value, "kind");
    put_each(details, 4, value, "causes", [](Writer& cause, const Json& one) {
      put_text(cause, 1, one, "reason");
      put_text(cause, 2, one, "message");
      put_text(cause, 3, one, "field");
    });
    put_number(details, 5, value, "retryAfterSeconds");
    put_text(details, 6, value, "uid");
  });
  put_number(writer, 6, status, "code");
}

std::string encoded(const Json& object, const Message& message) {
  std::string bytes;
  Writer writer(bytes);
  message(writer, object);
  return bytes;
}

// What a person gives a new object.
Json metadata_of(protozero::pbf_reader reader) {
  Json metadata = Json::object();
  while (reader.next()) {
    switch (reader.tag()) {
      case 1:
        metadata["name"] = reader.get_string();
        break;
      case 11:
      case 12: {
        const char* const map = reader.tag() == 11 ? "labels" : "annotations";
        protozero::pbf_reader entry = reader.get_message();
        std::string key;
        std::string value;
        while (entry.next()) {
          if (entry.tag() == 1) {
            key = entry.get_string();
          } else if (entry.tag() == 2) {
            value = entry.get_string();
          } else {
            entry.skip();
          }
        }
        metadata[map][key] = value;
        break;
      }
      default:
        reader.skip();
    }
  }
  return metadata;
}

// Of runtime.Unknown: the kind, and the object's own message.
std::pair<std::string, std::string> kind_and_message(std::string_view bytes) {
  std::string kind;
  std::string message;
  protozero::pbf_reader unknown(bytes.data(), bytes.size());
  while (unknown.next()) {
    if (unknown.tag() == 1) {
      protozero::pbf_reader type = unknown.get_message();
      while (type.next()) {
        if (type.tag() == 2) {
          kind = type.get_string();
        } else {
          type.skip();
        }
      }
    } else if (unknown.tag() == 2) {
      message = unknown.get_string();
    } else {
      unknown.skip();
    }
  }
  return {kind, message};
}

}  // namespace

std::optional<Json> namespace_of_protobuf(std::string_view bytes) {
  constexpr std::string_view kMagic("k8s\0", 4);
  if (bytes.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  try {
    const auto [kind, message] = kind_and_message(bytes.substr(kMagic.size()));
    if (kind != "Namespace") return std::nullopt;
    Json object = {{"apiVersion", "v1"}, {"kind", kind}};
    protozero::pbf_reader reader(message);
    while (reader.next()) {
      if (reader.tag() == 1) {
        object["metadata"] = metadata_of(reader.get_message());
      } else {
        reader.skip();
      }
    }
    return object;
  } catch (const protozero::exception&) {
    return std::nullopt;
  }
}

std::string protobuf_pod(const Json& pod) { return encoded(pod, pod_message); }

std::string protobuf_status(const Json& status) { return encoded(status, status_message); }

std::string protobuf_object(const Json& object) {
  const std::string kind = object.value("kind", "");
  std::string raw;
  if (kind == "PodList") {
    Writer list(raw);
    put_message(list, 1, field(object, "metadata"), list_metadata_message);
    put_each(list, 2, object, "items", pod_message);
  } else {
    raw = kind == "Status" ? protobuf_status(object) : protobuf_pod(object);
  }
  std::string bytes("k8s\0", 4);
  Writer unknown(bytes);
  put_message(unknown, 1, object, [](Writer& type, const Json& value) {
    put_text(type, 1, value, "apiVersion");
    put_text(type, 2, value, "kind");
  });
  unknown.add_message(2, raw);
  unknown.add_string(3, "");
  unknown.add_string(4, "");
  return bytes;
}

std::string protobuf_frame(const Json& event) {
  std::string bytes;
  Writer writer(bytes);
  put_text(writer, 1, event, "type");
  put_message(writer, 2, field(event, "object"), [](Writer& extension, const Json& object) {
    extension.add_bytes(1, protobuf_object(object));
  });
  std::string frame;
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    frame += static_cast<char>(bytes.size() >> shift & 0xffU);
  }
  return frame + bytes;
}

}  // namespace loglink::fakes
