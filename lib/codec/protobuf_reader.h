// Protobuf of the Kubernetes API, message by message. For the .cc files of this library only.
//
// There is no generated code: a reader names the few fields that it wants by their number and
// everything else is skipped by its length. All functions throw protozero::exception for bytes that
// are no message; the codec that calls them catches it.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <string>
#include <string_view>

#include "lib/base/clock.h"

namespace loglink {

// One field of a message. Asking it for a type that it has not on the wire throws.
class ProtobufField {
 public:
  // Reads the field that `reader` stands on.
  explicit ProtobufField(protozero::pbf_reader& reader);

  [[nodiscard]] std::uint32_t number() const { return number_; }
  // A string as it came, bytes, or a message.
  [[nodiscard]] std::string_view bytes() const;
  // A string. What is not UTF-8 becomes U+FFFD byte by byte, as where the server writes JSON.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::int64_t integer() const;
  [[nodiscard]] bool flag() const { return integer() != 0; }

 private:
  std::uint32_t number_;
  protozero::pbf_wire_type type_;
  std::string_view bytes_;
  std::uint64_t integer_ = 0;
};

// function(const ProtobufField&) for each field of `message`, in order.
template <class Function>
void each_field(std::string_view message, Function function) {
  protozero::pbf_reader reader(message.data(), message.size());
  while (reader.next()) function(ProtobufField(reader));
}

// meta.v1.Time in whole seconds, as JSON has it; 1970 for one that is absent or out of range.
WallTime read_protobuf_time(std::string_view message);

// runtime.Unknown: the envelope around every object, "k8s\0" and what is inside.
struct ProtobufEnvelope {
  std::string_view kind;
  std::string_view object;
};

// An envelope of `bytes`; throws for anything else.
ProtobufEnvelope open_envelope(std::string_view bytes);

}  // namespace loglink
