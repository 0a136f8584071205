// NodeLinkSets as people read them: what `kubectl get -o yaml` and `-o json` would print.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "lib/codec/encode_object.h"
#include "lib/codec/manifest.h"
#include "lib/codec/yaml_scalar.h"

namespace loglink {
namespace {

using Json = nlohmann::json;

Json to_json(const NodeLinkSet& object) { return Json::parse(encode_whole_node_link_set(object)); }

bool is_printable_ascii(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// "2026-01-02…": a time to YAML 1.1.
bool looks_like_date(std::string_view text) {
  return text.size() > 4 && text[4] == '-' &&
         std::all_of(text.begin(), text.begin() + 4, [](char c) { return c >= '0' && c <= '9'; });
}

bool can_be_plain(const std::string& text) {
  static constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`=<~ ";
  return kIndicators.find(text.front()) == std::string_view::npos && text.back() != ' ' &&
         text.back() != ':' && text.find(": ") == std::string::npos &&
         text.find(" #") == std::string::npos;
}

std::string yaml_string(const std::string& text) {
  if (!is_printable_ascii(text)) return json_string(text);  // JSON's escapes are YAML's
  if (resolve_plain(text) != YamlNode::Kind::kString || looks_like_date(text)) {
    return json_string(text);
  }
  if (can_be_plain(text)) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') quoted += '\'';
    quoted += c;
  }
  return quoted + "'";
}

void append_yaml(const Json& value, std::size_t indent, std::string& out);

// Behind "key:" or "- ": on the same line what fits there.
void append_value(const Json& value, std::size_t indent, bool in_list, std::string& out) {
  if (value.is_string()) {
    out += (in_list ? "" : " ") + yaml_string(value.get<std::string>()) + '\n';
  } else if (!value.is_structured() || value.empty()) {
    out += (in_list ? "" : " ") + value.dump() + '\n';
  } else {
    if (!in_list) out += '\n';
    append_yaml(value, indent, out);
  }
}

// Writes a map or a list. Behind a "- " the first line is already indented.
void append_yaml(const Json& value, std::size_t indent, std::string& out) {
  const std::string margin(indent, ' ');
  const auto start_line = [&] {
    if (out.empty() || out.back() == '\n') out += margin;
  };
  if (value.is_array()) {
    for (const Json& item : value) {
      start_line();
      out += "- ";
      append_value(item, indent + 2, true, out);
    }
    return;
  }
  for (const auto& [key, field] : value.items()) {
    start_line();
    out += yaml_string(key) + ":";
    // A list stands in the column of its key.
    const std::size_t below = field.is_array() ? indent : indent + 2;
    append_value(field, below, false, out);
  }
}

}  // namespace

std::string node_link_set_to_yaml(const NodeLinkSet& object) {
  std::string out;
  append_yaml(to_json(object), 0, out);
  return out;
}

std::string node_link_set_to_json(const NodeLinkSet& object) {
  return to_json(object).dump(4, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace loglink
