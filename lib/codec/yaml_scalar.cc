// Unquoted scalars, and what becomes of them in JSON.
#include "lib/codec/yaml_scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>

namespace loglink {
namespace {

template <std::size_t Size>
bool is_one_of(std::string_view text, const std::array<std::string_view, Size>& words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

constexpr std::array<std::string_view, 4> kNull = {"~", "null", "Null", "NULL"};
constexpr std::array<std::string_view, 11> kTrue = {"true", "True", "TRUE", "yes", "Yes", "YES",
                                                    "on",   "On",   "ON",   "y",   "Y"};
constexpr std::array<std::string_view, 11> kFalse = {"false", "False", "FALSE", "no", "No", "NO",
                                                     "off",   "Off",   "OFF",   "n",  "N"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string without_underscores(std::string_view text) {
  std::string out(text);
  out.erase(std::remove(out.begin(), out.end(), '_'), out.end());
  return out;
}

int base_of(std::string_view& digits) {
  if (digits.size() < 2 || digits[0] != '0') return 10;
  int base = 8;
  std::size_t prefix = 1;
  if (digits[1] == 'x' || digits[1] == 'X') base = 16;
  if (digits[1] == 'b' || digits[1] == 'B') base = 2;
  if (!is_digit(digits[1])) prefix = 2;
  if (prefix == 2 && base == 8 && digits[1] != 'o' && digits[1] != 'O') return 0;
  digits.remove_prefix(prefix);
  return base;
}

// The canonical decimal text.
std::optional<std::string> integer_text(std::string_view text) {
  const std::string plain = without_underscores(text);
  std::string_view digits = plain;
  bool negative = false;
  if (!digits.empty() && (digits[0] == '-' || digits[0] == '+')) {
    negative = digits[0] == '-';
    digits.remove_prefix(1);
  }
  if (digits.empty() || !is_digit(digits[0])) return std::nullopt;
  const int base = base_of(digits);
  if (base == 0) return std::nullopt;
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr std::uint64_t kNegativeMax = std::uint64_t{1} << 63U;
  if (negative && value > kNegativeMax) return std::nullopt;
  std::string sign;
  if (negative && value != 0) sign = "-";
  return sign + std::to_string(value);
}

// [-+]? (.digits | digits[.digits]) [exponent], finite.
std::optional<double> float_value(std::string_view text) {
  const std::string plain = without_underscores(text);
  std::string_view number = plain;
  if (!number.empty() && number[0] == '+') number.remove_prefix(1);
  std::string_view unsigned_part = number;
  if (!unsigned_part.empty() && unsigned_part[0] == '-') unsigned_part.remove_prefix(1);
  const bool starts =
      !unsigned_part.empty() &&
      (is_digit(unsigned_part[0]) ||
       (unsigned_part.size() > 1 && unsigned_part[0] == '.' && is_digit(unsigned_part[1])));
  if (!starts) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc() || end != number.data() + number.size()) return std::nullopt;
  return value;
}

}  // namespace

YamlNode::Kind resolve_plain(std::string_view text) {
  if (text.empty() || is_one_of(text, kNull)) return YamlNode::Kind::kNull;
  if (is_one_of(text, kTrue) || is_one_of(text, kFalse)) return YamlNode::Kind::kBool;
  const char first = text[0];
  if (!is_digit(first) && first != '-' && first != '+' && first != '.') {
    return YamlNode::Kind::kString;
  }
  if (integer_text(text)) return YamlNode::Kind::kInteger;
  if (float_value(text)) return YamlNode::Kind::kFloat;
  return YamlNode::Kind::kString;
}

std::string scalar_to_json(const YamlNode& scalar) {
  switch (scalar.kind) {
    case YamlNode::Kind::kNull:
      return "null";
    case YamlNode::Kind::kBool:
      if (is_one_of(scalar.text, kTrue)) return "true";
      return "false";
    case YamlNode::Kind::kInteger:
      return integer_text(scalar.text).value_or("0");
    case YamlNode::Kind::kFloat:
      return nlohmann::json(float_value(scalar.text).value_or(0)).dump();
    case YamlNode::Kind::kString:
      return json_string(scalar.text);
    case YamlNode::Kind::kList:
    case YamlNode::Kind::kMap:
      break;
  }
  return "null";
}

std::string json_string(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace loglink
