// A map of a configuration file, read strictly: each key that is asked for is known, finish()
// reports the others. For the .cc files of this library only.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/clock.h"
#include "lib/codec/yaml_tree.h"

namespace loglink {

// The first thing in the file that is wrong.
struct ConfigProblem {
  int line = 0;
  std::string message;  // "key: why"; "" while all is well

  [[nodiscard]] bool found() const { return !message.empty(); }
  void note(int at_line, std::string text);
};

// Targets keep their value when their key is absent or wrong.
class StrictMap {
 public:
  // `path` names the map in messages, "" at the top. `map` and `problem` must outlive this.
  StrictMap(const YamlNode& map, std::string path, ConfigProblem& problem)
      : map_(&map), path_(std::move(path)), problem_(&problem) {}

  [[nodiscard]] bool has(std::string_view key) const { return map_->find(key) != nullptr; }
  void require(std::string_view key);

  void text(std::string_view key, std::string& target);
  void texts(std::string_view key, std::vector<std::string>& target);
  void number(std::string_view key, int& target);
  void flag(std::string_view key, bool& target);
  void duration(std::string_view key, Duration& target);

  template <class Value>
  void word(std::string_view key, const std::vector<std::pair<std::string, Value>>& words,
            Value& target) {
    std::string text_value;
    if (!has(key)) return know(key);
    text(key, text_value);
    std::string allowed;
    for (const auto& [name, value] : words) {
      if (name == text_value) {
        target = value;
        return;
      }
      if (!allowed.empty()) allowed += ", ";
      allowed += name;
    }
    report_word(key, text_value, allowed);
  }

  // function(StrictMap) for the map under `key`.
  template <class Function>
  void child(std::string_view key, Function function) {
    const YamlNode* value = take(key, YamlNode::Kind::kMap, "a map of keys and values");
    if (value != nullptr) function(StrictMap(*value, path_of(key), *problem_));
  }

  // function(StrictMap) for each map of the list under `key`.
  template <class Function>
  void each(std::string_view key, Function function) {
    const YamlNode* list = take(key, YamlNode::Kind::kList, "a list");
    if (list == nullptr) return;
    std::size_t index = 0;
    for (const YamlNodePointer& item : list->items) {
      const std::string path = path_of(key) + "[" + std::to_string(index++) + "]";
      if (is(*item, path, item->line, YamlNode::Kind::kMap, "a map of keys and values")) {
        function(StrictMap(*item, path, *problem_));
      }
    }
  }

  // A key of another file, so that it is not told as a typo: `why` says of which one.
  void belongs_elsewhere(std::string_view key, std::string_view why);
  void finish();

 private:
  void know(std::string_view key) { known_.emplace_back(key); }
  [[nodiscard]] std::string path_of(std::string_view key) const;
  // The value under `key` if it is there and of that kind.
  const YamlNode* take(std::string_view key, YamlNode::Kind kind, std::string_view what);
  bool is(const YamlNode& node, const std::string& path, int line, YamlNode::Kind kind,
          std::string_view what);
  void report(std::string_view key, const std::string& why);
  void report_word(std::string_view key, const std::string& value, const std::string& allowed);

  const YamlNode* map_;
  std::string path_;
  ConfigProblem* problem_;
  std::vector<std::string> known_;
  std::vector<std::pair<std::string, std::string>> elsewhere_;  // key, why
};

}  // namespace loglink
