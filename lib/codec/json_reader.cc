#include "lib/codec/json_reader.h"

#include <limits>

#include "lib/base/text.h"
#include "lib/base/time_text.h"

namespace loglink {

bool JsonReader::as_object(simdjson::dom::object& object) const {
  if (element_.get(object) == simdjson::SUCCESS) return true;
  report("expected an object");
  return false;
}

bool JsonReader::has(std::string_view key) const { return child(key).present(); }

JsonReader JsonReader::child(std::string_view key) const {
  simdjson::dom::object object;
  simdjson::dom::element value;
  if (present_ && as_object(object) && object.at_key(key).get(value) == simdjson::SUCCESS) {
    return JsonReader(value, *problem_, this, key, -1);
  }
  return JsonReader(*problem_, this, key);
}

std::string JsonReader::as_text() const {
  if (!present_) return {};
  std::string_view value;
  if (element_.get(value) == simdjson::SUCCESS) return std::string(value);
  const bool scalar = element_.is_bool() || element_.is_number();
  report(scalar ? "expected a string; put the value in quotes" : "expected a string");
  return {};
}

std::string JsonReader::text(std::string_view key) const { return child(key).as_text(); }

std::int64_t JsonReader::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                 std::int64_t max) const {
  const JsonReader field = child(key);
  if (!field.present()) return fallback;
  std::int64_t value = 0;
  if (field.element_.get(value) != simdjson::SUCCESS) {
    field.report("expected a whole number");
    return fallback;
  }
  if (value < min || value > max) {
    field.report("must be from " + std::to_string(min) + " to " + std::to_string(max));
    return fallback;
  }
  return value;
}

int JsonReader::count(std::string_view key, int fallback) const {
  return static_cast<int>(integer(key, fallback, 0, std::numeric_limits<int>::max()));
}

bool JsonReader::flag(std::string_view key) const {
  const JsonReader field = child(key);
  bool value = false;
  if (field.present() && field.element_.get(value) != simdjson::SUCCESS) {
    field.report("expected true or false");
  }
  return value;
}

namespace {

std::optional<WallTime> or_report(const JsonReader& field, const Expected<WallTime>& value) {
  if (value) return *value;
  field.report(sanitize(value.error().message));
  return std::nullopt;
}

}  // namespace

std::optional<WallTime> JsonReader::time(std::string_view key) const {
  const JsonReader field = child(key);
  if (!field.present()) return std::nullopt;
  return or_report(field, parse_time(field.as_text()));
}

std::optional<WallTime> JsonReader::any_time(std::string_view key) const {
  const JsonReader field = child(key);
  if (!field.present()) return std::nullopt;
  return or_report(field, parse_any_time(field.as_text()));
}

std::optional<WallTime> JsonReader::time(std::string_view key, bool& readable) const {
  const JsonReader field = child(key);
  if (!field.present()) return std::nullopt;
  const Expected<WallTime> value = parse_time(field.as_text());
  if (value) return *value;
  readable = false;
  return std::nullopt;
}

std::optional<bool> JsonReader::optional_flag(std::string_view key) const {
  if (!has(key)) return std::nullopt;
  return flag(key);
}

std::string JsonReader::raw() const {
  if (!present_) return {};
  return simdjson::minify(element_);
}

std::vector<std::string> JsonReader::texts(std::string_view key) const {
  std::vector<std::string> values;
  each(key, [&](const JsonReader& item) { values.push_back(item.as_text()); });
  return values;
}

void JsonReader::report(std::string message) const {
  if (problem_->found()) return;
  problem_->path = path();
  problem_->message = std::move(message);
}

std::string JsonReader::path() const {
  if (parent_ == nullptr) return {};
  std::string text = parent_->path();
  if (index_ >= 0) return text + "[" + std::to_string(index_) + "]";
  if (!text.empty()) text += '.';
  return text + sanitize(key_);
}

}  // namespace loglink
