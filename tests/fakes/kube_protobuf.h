// Pods as kube-apiserver encodes them in protobuf, made from its JSON: what loglink reads of them,
// and enough of the rest for an honest size. Written from the API's generated.proto files and not
// from the decoder, and held to bytes of a real server by tests.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace loglink::fakes {

// A Namespace, as clients with typed objects send it (`kubectl create namespace`); nullopt for
// another kind and for bytes that are none.
std::optional<nlohmann::json> namespace_of_protobuf(std::string_view bytes);

// The message alone.
std::string protobuf_pod(const nlohmann::json& pod);
std::string protobuf_status(const nlohmann::json& status);

// "k8s\0" and runtime.Unknown around a Pod, PodList or Status, as its "kind" says.
std::string protobuf_object(const nlohmann::json& object);
// The frame of a watch, with its length: {"type": "ADDED", "object": {…}}.
std::string protobuf_frame(const nlohmann::json& event);

}  // namespace loglink::fakes
