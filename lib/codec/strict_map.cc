#include "lib/codec/strict_map.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "lib/base/text.h"
#include "lib/base/time_text.h"
#include "lib/codec/yaml_scalar.h"

namespace loglink {
namespace {

char lower(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  return c;
}

// Changes of one character that make one word of the other, upper and lower case being equal.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t k = 0; k < b.size(); ++k) {
      std::size_t change = diagonal;
      if (lower(a[i]) != lower(b[k])) ++change;
      diagonal = row[k + 1];
      row[k + 1] = std::min({change, row[k + 1] + 1, row[k] + 1});
    }
  }
  return row.back();
}

std::string hint(const std::string& key, const std::vector<std::string>& known) {
  static constexpr std::size_t kWordMax = 64;
  if (key.size() <= kWordMax) {
    const auto closest = std::min_element(
        known.begin(), known.end(),
        [&](const auto& a, const auto& b) { return distance(key, a) < distance(key, b); });
    if (closest != known.end() && distance(key, *closest) <= 1 + closest->size() / 4) {
      return "did you mean \"" + *closest + "\"?";
    }
  }
  return "known here: " + join(known, ", ");
}

std::string_view kind_name(const YamlNode& node) {
  switch (node.kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kBool:
      return "a boolean";
    case YamlNode::Kind::kInteger:
    case YamlNode::Kind::kFloat:
      return "a number";
    case YamlNode::Kind::kString:
      return "a string";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "";
}

}  // namespace

void ConfigProblem::note(int at_line, std::string text) {
  if (found() && line <= at_line) return;
  line = at_line;
  message = std::move(text);
}

std::string StrictMap::path_of(std::string_view key) const {
  if (path_.empty()) return sanitize(key, 128);
  return path_ + "." + sanitize(key, 128);
}

void StrictMap::report(std::string_view key, const std::string& why) {
  const YamlNode::Entry* entry = map_->find(key);
  int line = map_->line;
  if (entry != nullptr) line = entry->line;
  problem_->note(line, path_of(key) + ": " + why);
}

void StrictMap::report_word(std::string_view key, const std::string& value,
                            const std::string& allowed) {
  report(key, "\"" + sanitize(value, 64) + "\" is not known; use one of: " + allowed);
}

bool StrictMap::is(const YamlNode& node, const std::string& path, int line, YamlNode::Kind kind,
                   std::string_view what) {
  if (node.kind == kind) return true;
  std::string why = "expected " + std::string(what) + ", but it is " + std::string(kind_name(node));
  const bool scalar = node.kind != YamlNode::Kind::kList && node.kind != YamlNode::Kind::kMap;
  if (scalar && !node.text.empty()) why += ", \"" + sanitize(node.text, 64) + "\"";
  if (node.kind == YamlNode::Kind::kNull) why += "; leave the key out for its default";
  if (what == "a string" && scalar && node.kind != YamlNode::Kind::kNull) {
    why += "; put it in quotes";
  }
  problem_->note(line, path + ": " + why);
  return false;
}

const YamlNode* StrictMap::take(std::string_view key, YamlNode::Kind kind, std::string_view what) {
  know(key);
  const YamlNode::Entry* entry = map_->find(key);
  if (entry == nullptr || !is(*entry->value, path_of(key), entry->line, kind, what)) return nullptr;
  return entry->value.get();
}

void StrictMap::require(std::string_view key) {
  if (!has(key)) report(key, "missing");
}

void StrictMap::text(std::string_view key, std::string& target) {
  const YamlNode* value = take(key, YamlNode::Kind::kString, "a string");
  if (value != nullptr) target = value->text;
}

void StrictMap::texts(std::string_view key, std::vector<std::string>& target) {
  const YamlNode* list = take(key, YamlNode::Kind::kList, "a list of strings");
  if (list == nullptr) return;
  target.clear();
  for (const YamlNodePointer& item : list->items) {
    const std::string path = path_of(key) + "[" + std::to_string(target.size()) + "]";
    if (!is(*item, path, item->line, YamlNode::Kind::kString, "a string")) return;
    target.push_back(item->text);
  }
}

void StrictMap::number(std::string_view key, int& target) {
  const YamlNode* value = take(key, YamlNode::Kind::kInteger, "a whole number");
  if (value == nullptr) return;
  const std::string digits = scalar_to_json(*value);
  int number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) {
    return report(key, sanitize(value->text, 64) + " is out of range");
  }
  target = number;
}

void StrictMap::flag(std::string_view key, bool& target) {
  const YamlNode* value = take(key, YamlNode::Kind::kBool, "true or false");
  if (value == nullptr) return;
  if (value->text != "true" && value->text != "false") {
    return report(key, "\"" + value->text +
                           "\" is read differently by different programs; use "
                           "true or false");
  }
  target = value->text == "true";
}

void StrictMap::duration(std::string_view key, Duration& target) {
  const YamlNode* value = take(key, YamlNode::Kind::kString, "a duration like 30s or 5m");
  if (value == nullptr) return;
  const Expected<Duration> parsed = parse_duration(value->text);
  if (!parsed) return report(key, sanitize(parsed.error().message));
  target = *parsed;
}

void StrictMap::belongs_elsewhere(std::string_view key, std::string_view why) {
  elsewhere_.emplace_back(key, why);
}

void StrictMap::finish() {
  for (const YamlNode::Entry& entry : map_->entries) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    const auto other = std::find_if(elsewhere_.begin(), elsewhere_.end(),
                                    [&](const auto& pair) { return pair.first == entry.key; });
    std::string why = "unknown key; " + hint(entry.key, known_);
    if (other != elsewhere_.end()) why = other->second;
    problem_->note(entry.line, path_of(entry.key) + ": " + why);
  }
}

}  // namespace loglink
