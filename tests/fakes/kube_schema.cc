#include "tests/fakes/kube_schema.h"

#include <algorithm>
#include <functional>
#include <map>
#include <regex>
#include <unordered_map>

#include "lib/base/text.h"
#include "lib/base/time_text.h"
#include "tests/fakes/kube_status.h"

namespace loglink::fakes {
namespace {

// Any year from 0000 to 9999, where our own times end in 2261.
bool is_date_time(const std::string& text) {
  const bool has_year = text.size() > 4 && text.find_first_not_of("0123456789") == 4;
  return has_year && parse_time("2000" + text.substr(4)).has_value();
}

using Causes = std::vector<StatusCause>;
using Rule = std::function<bool(const Json&)>;

bool has_component(const Json& path, const std::vector<std::string>& wanted) {
  const std::vector<std::string> parts = split(path.get<std::string>(), '/');
  return std::any_of(parts.begin(), parts.end(), [&](const std::string& part) {
    return std::find(wanted.begin(), wanted.end(), part) != wanted.end();
  });
}

bool has_control_character(const Json& text) {
  const std::string bytes = text.get<std::string>();
  return std::any_of(bytes.begin(), bytes.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

bool below_own_empty_dirs(const Json& source) {
  const std::string wanted = text_at(source, "/uid") + "/volumes/kubernetes.io~empty-dir/";
  return text_at(source, "/root") != "kubelet-pods" ||
         text_at(source, "/path").rfind(wanted, 0) == 0;
}

// The text of each CEL rule in the CRD and what it means.
const std::map<std::string, Rule>& known_rules() {
  static const std::map<std::string, Rule> rules = {
      {"!self.startsWith('/')",
       [](const Json& self) { return self.get<std::string>().rfind('/', 0) != 0; }},
      {"!self.matches('(^|/)[.][.](/|$)')",
       [](const Json& self) { return !has_component(self, {".."}); }},
      {"self == '' || !self.matches('(^|/)[.]?(/|$)')",
       [](const Json& self) {
         return self == "" || !has_component(self, {"", "."});
       }},
      {"!self.matches('[[:cntrl:]]')",
       [](const Json& self) { return !has_control_character(self); }},
      {"self.root != 'kubelet-pods' || self.path.startsWith(self.uid + "
       "'/volumes/kubernetes.io~empty-dir/')",
       below_own_empty_dirs},
  };
  return rules;
}

std::string json_type(const Json& value) {
  if (value.is_boolean()) return "boolean";
  if (value.is_number_integer()) return "integer";
  if (value.is_number()) return "number";
  if (value.is_string()) return "string";
  return value.is_array() ? "array" : value.is_object() ? "object" : "null";
}

std::size_t characters(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

std::string join_path(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

// Errors after which the server does not evaluate CEL rules.
bool blocks_rules(const StatusCause& cause) { return cause.reason != "FieldValueInvalid"; }

}  // namespace

struct StructuralSchema::Implementation {
  Json root;

  struct Pattern {
    std::regex expression;
    std::unordered_map<std::string, bool> answers;
  };
  mutable std::unordered_map<std::string, Pattern> patterns;

  bool pattern_matches(const std::string& pattern, const std::string& text) const;
  void drop_unknown(Json& value, const Json& schema, const std::string& path,
                    std::vector<std::string>& dropped) const;
  void set_defaults(Json& value, const Json& schema) const;
  void check(const Json& value, const Json& schema, const std::string& path, Causes& causes) const;
  void check_text(const std::string& text, const Json& schema, const std::string& path,
                  Causes& causes) const;
  void check_rules(const Json& value, const Json& schema, const std::string& path,
                   Causes& causes) const;
};

bool StructuralSchema::Implementation::pattern_matches(const std::string& pattern,
                                                       const std::string& text) const {
  auto found = patterns.find(pattern);
  if (found == patterns.end()) {
    found = patterns.emplace(pattern, Pattern{std::regex(pattern), {}}).first;
  }
  // std::regex is slow and the simulator asks the same few names over and over.
  std::unordered_map<std::string, bool>& answers = found->second.answers;
  constexpr std::size_t kAnswersMax = 10'000;
  if (answers.size() > kAnswersMax) answers.clear();
  const auto known = answers.find(text);
  if (known != answers.end()) return known->second;
  const bool matches = std::regex_search(text, found->second.expression);
  answers.emplace(text, matches);
  return matches;
}

void StructuralSchema::Implementation::drop_unknown(Json& value, const Json& schema,
                                                    const std::string& path,
                                                    std::vector<std::string>& dropped) const {
  if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      drop_unknown(value[i], schema["items"], path + "[" + std::to_string(i) + "]", dropped);
    }
  }
  if (!value.is_object() || !schema.contains("properties")) return;
  const Json& properties = schema["properties"];
  for (auto member = value.begin(); member != value.end();) {
    if (!properties.contains(member.key())) {
      dropped.push_back(join_path(path, member.key()));
      member = value.erase(member);
    } else if (member->is_null()) {
      member = value.erase(member);
    } else {
      drop_unknown(*member, properties[member.key()], join_path(path, member.key()), dropped);
      ++member;
    }
  }
}

void StructuralSchema::Implementation::set_defaults(Json& value, const Json& schema) const {
  if (value.is_array() && schema.contains("items")) {
    for (Json& item : value) set_defaults(item, schema["items"]);
  }
  if (!value.is_object() || !schema.contains("properties")) return;
  for (const auto& [key, property] : schema["properties"].items()) {
    if (!value.contains(key) && property.contains("default")) value[key] = property["default"];
    if (value.contains(key)) set_defaults(value[key], property);
  }
}

void StructuralSchema::Implementation::check_text(const std::string& text, const Json& schema,
                                                  const std::string& path, Causes& causes) const {
  const std::size_t length = characters(text);
  if (schema.contains("maxLength") && length > schema["maxLength"].get<std::size_t>()) {
    causes.push_back({"FieldValueTooLong",
                      "Too long: may not be more than " + dump(schema["maxLength"]) + " bytes",
                      path});
  }
  if (schema.contains("minLength") && length < schema["minLength"].get<std::size_t>()) {
    causes.push_back(cause_invalid(
        path, text,
        path + " in body should be at least " + dump(schema["minLength"]) + " chars long"));
  } else if (schema.contains("pattern") && !pattern_matches(text_at(schema, "/pattern"), text)) {
    causes.push_back(cause_invalid(
        path, text, path + " in body should match '" + text_at(schema, "/pattern") + "'"));
  }
  if (text_at(schema, "/format") == "date-time" && !is_date_time(text)) {
    causes.push_back({"FieldValueTypeInvalid",
                      "Invalid value: " + dump(text) + ": " + path +
                          " in body must be of type date-time: " + dump(text),
                      path});
  }
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), text) == schema["enum"].end()) {
    std::string supported;
    for (const Json& one : schema["enum"]) supported += (supported.empty() ? "" : ", ") + dump(one);
    causes.push_back({"FieldValueNotSupported",
                      "Unsupported value: " + dump(text) + ": supported values: " + supported,
                      path});
  }
}

void StructuralSchema::Implementation::check(const Json& value, const Json& schema,
                                             const std::string& path, Causes& causes) const {
  const std::string wanted = text_at(schema, "/type");
  const std::string type = json_type(value);
  if (!wanted.empty() && type != wanted && !(wanted == "number" && type == "integer")) {
    causes.push_back({"FieldValueTypeInvalid",
                      "Invalid value: " + dump(type) + ": " + path + " in body must be of type " +
                          wanted + ": " + dump(type),
                      path});
    return;
  }
  if (value.is_string()) check_text(value.get<std::string>(), schema, path, causes);
  if (value.is_number()) {
    if (schema.contains("minimum") && value < schema["minimum"]) {
      causes.push_back(cause_invalid(
          path, value,
          path + " in body should be greater than or equal to " + dump(schema["minimum"])));
    }
    if (schema.contains("maximum") && value > schema["maximum"]) {
      causes.push_back(cause_invalid(
          path, value,
          path + " in body should be less than or equal to " + dump(schema["maximum"])));
    }
  }
  if (value.is_array()) {
    if (schema.contains("maxItems") && value.size() > schema["maxItems"].get<std::size_t>()) {
      causes.push_back({"FieldValueTooMany",
                        "Too many: " + std::to_string(value.size()) + ": must have at most " +
                            dump(schema["maxItems"]) + " items",
                        path});
    }
    if (schema.contains("minItems") && value.size() < schema["minItems"].get<std::size_t>()) {
      causes.push_back(cause_invalid(
          path, value.size(),
          path + " in body should have at least " + dump(schema["minItems"]) + " items"));
    }
    for (std::size_t i = 0; i < value.size() && schema.contains("items"); ++i) {
      check(value[i], schema["items"], path + "[" + std::to_string(i) + "]", causes);
    }
  }
  if (value.is_object()) {
    for (const Json& required : at_path(schema, "/required")) {
      if (!value.contains(required.get<std::string>())) {
        causes.push_back(cause_required(join_path(path, required.get<std::string>())));
      }
    }
    for (const auto& [key, property] : at_path(schema, "/properties").items()) {
      if (value.contains(key)) check(value[key], property, join_path(path, key), causes);
    }
  }
}

void StructuralSchema::Implementation::check_rules(const Json& value, const Json& schema,
                                                   const std::string& path, Causes& causes) const {
  for (const Json& rule : at_path(schema, "/x-kubernetes-validations")) {
    if (known_rules().at(text_at(rule, "/rule"))(value)) continue;
    const std::string message = text_at(rule, "/message");
    if (value.is_object()) {
      causes.push_back(
          {"FieldValueInvalid", "Invalid value: " + message, path + text_at(rule, "/fieldPath")});
    } else {
      causes.push_back(cause_invalid(path, value, message));
    }
  }
  if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      check_rules(value[i], schema["items"], path + "[" + std::to_string(i) + "]", causes);
    }
  }
  if (value.is_object()) {
    for (const auto& [key, property] : at_path(schema, "/properties").items()) {
      if (value.contains(key)) check_rules(value[key], property, join_path(path, key), causes);
    }
  }
}

namespace {

// "" when all rules below are known.
std::string unknown_rule(const Json& schema) {
  for (const Json& rule : at_path(schema, "/x-kubernetes-validations")) {
    if (!known_rules().count(text_at(rule, "/rule"))) return text_at(rule, "/rule");
  }
  if (schema.contains("items")) {
    const std::string found = unknown_rule(schema["items"]);
    if (!found.empty()) return found;
  }
  for (const auto& [key, property] : at_path(schema, "/properties").items()) {
    const std::string found = unknown_rule(property);
    if (!found.empty()) return found;
  }
  return "";
}

}  // namespace

StructuralSchema::StructuralSchema(std::unique_ptr<Implementation> implementation)
    : implementation_(std::move(implementation)) {}
StructuralSchema::StructuralSchema(StructuralSchema&&) noexcept = default;
StructuralSchema& StructuralSchema::operator=(StructuralSchema&&) noexcept = default;
StructuralSchema::~StructuralSchema() = default;

Expected<StructuralSchema> StructuralSchema::of(const Json& definition) {
  const Json& versions = at_path(definition, "/spec/versions");
  if (!versions.is_array() || versions.empty()) {
    return fail(ErrorCode::kInvalidArgument, "the definition has no versions");
  }
  auto implementation = std::make_unique<Implementation>();
  implementation->root = at_path(versions[0], "/schema/openAPIV3Schema");
  const std::string unknown = unknown_rule(implementation->root);
  if (!unknown.empty()) {
    return fail(ErrorCode::kUnsupported, "the fake API server cannot evaluate the rule " + unknown);
  }
  return StructuralSchema(std::move(implementation));
}

std::vector<std::string> StructuralSchema::normalise(Json& object) const {
  std::vector<std::string> dropped;
  // metadata has a schema of its own.
  Json metadata = std::move(object["metadata"]);
  object.erase("metadata");
  implementation_->drop_unknown(object, implementation_->root, "", dropped);
  implementation_->set_defaults(object, implementation_->root);
  object["metadata"] = std::move(metadata);
  return dropped;
}

std::vector<StatusCause> StructuralSchema::validate(const Json& object) const {
  Causes causes;
  implementation_->check(object, implementation_->root, "", causes);
  if (std::any_of(causes.begin(), causes.end(), blocks_rules)) {
    causes.push_back({"FieldValueInvalid",
                      "Invalid value: null: some validation rules were not checked because the "
                      "object was invalid; correct the existing errors to complete validation",
                      "<nil>"});
  } else {
    implementation_->check_rules(object, implementation_->root, "", causes);
  }
  return causes;
}

}  // namespace loglink::fakes
