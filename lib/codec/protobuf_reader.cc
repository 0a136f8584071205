#include "lib/codec/protobuf_reader.h"

#include <simdjson.h>

#include <algorithm>

namespace loglink {
namespace {

constexpr std::string_view kMagic{"k8s\0", 4};
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// runtime.Unknown and its TypeMeta.
constexpr std::uint32_t kUnknownType = 1;
constexpr std::uint32_t kUnknownRaw = 2;
constexpr std::uint32_t kUnknownEncoding = 3;
constexpr std::uint32_t kTypeKind = 2;
constexpr std::uint32_t kTimeSeconds = 1;

// A prefix of `text` is valid so far: how long the character behind it is, 0 when it is none.
std::size_t character_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  std::size_t size = 1;
  if (lead >= 0xf0) {
    size = 4;
  } else if (lead >= 0xe0) {
    size = 3;
  } else if (lead >= 0x80) {
    size = 2;
  }
  if (size > text.size() || !simdjson::validate_utf8(text.data(), size)) return 0;
  return size;
}

std::string repaired(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t size = character_size(text);
    out += size == 0 ? kReplacement : text.substr(0, size);
    text.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return out;
}

[[noreturn]] void wrong_type() { throw protozero::unknown_pbf_wire_type_exception{}; }

}  // namespace

ProtobufField::ProtobufField(protozero::pbf_reader& reader)
    : number_(reader.tag()), type_(reader.wire_type()) {
  if (type_ == protozero::pbf_wire_type::length_delimited) {
    const protozero::data_view view = reader.get_view();
    bytes_ = std::string_view(view.data(), view.size());
  } else if (type_ == protozero::pbf_wire_type::varint) {
    integer_ = reader.get_uint64();
  } else {
    reader.skip();
  }
}

std::string_view ProtobufField::bytes() const {
  if (type_ != protozero::pbf_wire_type::length_delimited) wrong_type();
  return bytes_;
}

std::string ProtobufField::text() const {
  const std::string_view text = bytes();
  if (simdjson::validate_utf8(text.data(), text.size())) return std::string(text);
  return repaired(text);
}

std::int64_t ProtobufField::integer() const {
  if (type_ != protozero::pbf_wire_type::varint) wrong_type();
  return static_cast<std::int64_t>(integer_);
}

WallTime read_protobuf_time(std::string_view message) {
  // Nanoseconds since 1970 in 64 bits end in 2262.
  static constexpr std::chrono::sys_days kEnd{std::chrono::year{2262} / 1 / 1};
  std::int64_t seconds = 0;
  each_field(message, [&](const ProtobufField& field) {
    if (field.number() == kTimeSeconds) seconds = field.integer();
  });
  if (seconds < 0 || seconds >= std::chrono::seconds(kEnd.time_since_epoch()).count()) return {};
  return WallTime(std::chrono::seconds(seconds));
}

ProtobufEnvelope open_envelope(std::string_view bytes) {
  if (!bytes.starts_with(kMagic)) throw protozero::invalid_tag_exception{};
  ProtobufEnvelope envelope;
  bool encoded = false;
  each_field(bytes.substr(kMagic.size()), [&](const ProtobufField& field) {
    if (field.number() == kUnknownType) {
      each_field(field.bytes(), [&](const ProtobufField& part) {
        if (part.number() == kTypeKind) envelope.kind = part.bytes();
      });
    } else if (field.number() == kUnknownRaw) {
      envelope.object = field.bytes();
    } else if (field.number() == kUnknownEncoding) {
      encoded = !field.bytes().empty();
    }
  });
  if (encoded) throw protozero::invalid_tag_exception{};  // no server does that
  return envelope;
}

}  // namespace loglink
