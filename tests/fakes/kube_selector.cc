#include "tests/fakes/kube_selector.h"

#include <algorithm>
#include <map>

#include "lib/base/text.h"

namespace loglink::fakes {
namespace {

using Label = Selector::Label;
using Problem = tl::unexpected<std::string>;

// Splits at commas that are not inside parentheses.
std::vector<std::string> split_requirements(std::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += c == '(' ? 1 : 0;
    depth -= c == ')' ? 1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

std::string trimmed(std::string_view text) { return std::string(trim_spaces(text)); }

tl::expected<Label, std::string> parse_set(const std::string& key, Label::Operator op,
                                           std::string_view rest) {
  Label label{key, op, {}};
  const std::string values = trimmed(rest);
  if (values.size() < 2 || values.front() != '(' || values.back() != ')') {
    return Problem("unable to parse requirement: found '" + values + "', expected: '('");
  }
  for (const std::string& value : split(values.substr(1, values.size() - 2), ',')) {
    label.values.push_back(trimmed(value));
  }
  return label;
}

tl::expected<Label, std::string> parse_label(std::string_view requirement) {
  const std::string text = trimmed(requirement);
  if (text.empty()) return Problem("unable to parse requirement: found '', expected: identifier");
  if (text[0] == '!') return Label{trimmed(text.substr(1)), Label::Operator::kNotExists, {}};
  const std::size_t end = text.find_first_of(" =!");
  const std::string key = text.substr(0, end);
  if (end == std::string::npos) return Label{key, Label::Operator::kExists, {}};
  const std::string rest = trimmed(text.substr(end));
  if (rest.rfind("!=", 0) == 0)
    return Label{key, Label::Operator::kNotIn, {trimmed(rest.substr(2))}};
  if (rest.rfind("==", 0) == 0) return Label{key, Label::Operator::kIn, {trimmed(rest.substr(2))}};
  if (rest.rfind('=', 0) == 0) return Label{key, Label::Operator::kIn, {trimmed(rest.substr(1))}};
  if (rest.rfind("in ", 0) == 0 || rest.rfind("in(", 0) == 0) {
    return parse_set(key, Label::Operator::kIn, rest.substr(2));
  }
  if (rest.rfind("notin ", 0) == 0 || rest.rfind("notin(", 0) == 0) {
    return parse_set(key, Label::Operator::kNotIn, rest.substr(5));
  }
  return Problem("unable to parse requirement: found '" + rest.substr(0, rest.find(' ')) +
                 "', expected: in, notin, =, ==, !=, gt, lt");
}

bool label_matches(const Label& label, const Json& labels) {
  const bool present = labels.is_object() && labels.contains(label.key);
  const bool listed = present && std::find(label.values.begin(), label.values.end(),
                                           labels.at(label.key)) != label.values.end();
  switch (label.op) {
    case Label::Operator::kIn:
      return listed;
    case Label::Operator::kNotIn:
      return !listed;
    case Label::Operator::kExists:
      return present;
    case Label::Operator::kNotExists:
      return !present;
  }
  __builtin_unreachable();
}

// Field name of a request → pointer into the stored object.
std::map<std::string, std::string> known_fields(const KubeType& type) {
  std::map<std::string, std::string> fields = {{"metadata.name", "/metadata/name"}};
  if (type.namespaced) fields["metadata.namespace"] = "/metadata/namespace";
  if (type.plural == "pods") {
    fields["spec.nodeName"] = "/spec/nodeName";
    fields["spec.restartPolicy"] = "/spec/restartPolicy";
    fields["status.phase"] = "/status/phase";
    fields["status.podIP"] = "/status/podIP";
  } else if (type.plural == "namespaces") {
    fields["status.phase"] = "/status/phase";
  } else if (type.plural == "events") {
    const std::string prefix = type.group.empty() ? "involvedObject" : "regarding";
    for (const char* part : {"kind", "namespace", "name", "uid", "apiVersion", "fieldPath"}) {
      fields[prefix + "." + part] = std::string("/regarding/") + part;
    }
    fields["reason"] = "/reason";
    fields["type"] = "/type";
    fields[type.group.empty() ? "reportingComponent" : "reportingController"] =
        "/reportingController";
  }
  return fields;
}

tl::expected<Selector::Field, std::string> parse_field(const KubeType& type,
                                                       const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Problem("invalid selector: '" + text + "'; can't understand '" + text + "'");
  }
  Selector::Field field;
  field.equal = text[equals - 1] != '!';
  const std::string name = text.substr(0, field.equal ? equals : equals - 1);
  field.value = text.substr(equals + (text.substr(equals, 2) == "==" ? 2 : 1));
  const auto known = known_fields(type);
  const auto found = known.find(name);
  if (found == known.end()) return Problem("field label not supported: " + name);
  field.pointer = found->second;
  return field;
}

}  // namespace

bool Selector::matches(const Json& object) const {
  const Json& object_labels = at_path(object, "/metadata/labels");
  for (const Label& label : labels) {
    if (!label_matches(label, object_labels)) return false;
  }
  for (const Field& field : fields) {
    if ((text_at(object, field.pointer) == field.value) != field.equal) return false;
  }
  return true;
}

tl::expected<Selector, std::string> parse_selector(const KubeType& type, std::string_view labels,
                                                   std::string_view fields) {
  Selector selector;
  if (!trim_spaces(labels).empty()) {
    for (const std::string& part : split_requirements(labels)) {
      auto label = parse_label(part);
      if (!label) return Problem(label.error());
      selector.labels.push_back(*std::move(label));
    }
  }
  if (!trim_spaces(fields).empty()) {
    for (const std::string& part : split(fields, ',')) {
      auto field = parse_field(type, part);
      if (!field) return Problem(field.error());
      selector.fields.push_back(*std::move(field));
    }
  }
  return selector;
}

}  // namespace loglink::fakes
