// A typed view of a JSON tree that knows its own path, so that a wrong type is told as
// "spec.containers[0].name: expected a string". For the .cc files of this library only.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/clock.h"

namespace loglink {

// The first thing that is wrong in a document. Readers go on with defaults after it, so that a
// decoder is written once, without a check after every field.
struct DecodeProblem {
  std::string path;     // "" for the document as a whole
  std::string message;  // "" while all is well

  [[nodiscard]] bool found() const { return !message.empty(); }
  [[nodiscard]] std::string text() const { return path.empty() ? message : path + ": " + message; }
};

// Null and absent are the same everywhere: Go writes null for an absent list.
// A reader made from another one points into it: it must not outlive it.
class JsonReader {
 public:
  // A document. `problem` must outlive the reader.
  JsonReader(simdjson::dom::element element, DecodeProblem& problem)
      : element_(element), present_(!element.is_null()), problem_(&problem) {}

  // Neither absent nor null.
  [[nodiscard]] bool present() const { return present_; }
  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] bool is_list() const { return present_ && element_.is_array(); }

  // A field of this object.
  [[nodiscard]] JsonReader child(std::string_view key) const;
  [[nodiscard]] std::string text(std::string_view key) const;
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                     std::int64_t max) const;
  // From 0, within an int.
  [[nodiscard]] int count(std::string_view key, int fallback = 0) const;
  [[nodiscard]] bool flag(std::string_view key) const;
  [[nodiscard]] std::optional<WallTime> time(std::string_view key) const;
  // Of any year, see parse_any_time.
  [[nodiscard]] std::optional<WallTime> any_time(std::string_view key) const;
  // The same without a problem: `readable` becomes false for a string that is no time in range.
  [[nodiscard]] std::optional<WallTime> time(std::string_view key, bool& readable) const;
  [[nodiscard]] std::optional<bool> optional_flag(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
  // This value as JSON, without blanks; "" when absent.
  [[nodiscard]] std::string raw() const;

  // function(const JsonReader& item) for each object of the list `key`.
  template <class Function>
  void each(std::string_view key, Function function) const {
    const JsonReader list = child(key);
    if (!list.present()) return;
    simdjson::dom::array array;
    if (list.element_.get(array) != simdjson::SUCCESS) {
      list.report("expected a list");
      return;
    }
    std::ptrdiff_t index = 0;
    for (const simdjson::dom::element item : array) {
      const JsonReader reader(item, *problem_, &list, {}, index++);
      if (reader.present()) function(reader);
    }
  }

  // function(std::string_view key, const JsonReader& value) for each field of this object.
  template <class Function>
  void members(Function function) const {
    simdjson::dom::object object;
    if (!present_ || !as_object(object)) return;
    for (const simdjson::dom::key_value_pair field : object) {
      function(field.key, JsonReader(field.value, *problem_, this, field.key, -1));
    }
  }

  // This value itself as a string.
  [[nodiscard]] std::string as_text() const;

  // Notes a problem here, unless there is one already.
  void report(std::string message) const;
  [[nodiscard]] std::string path() const;

 private:
  JsonReader(simdjson::dom::element element, DecodeProblem& problem, const JsonReader* parent,
             std::string_view key, std::ptrdiff_t index)
      : element_(element),
        present_(!element.is_null()),
        problem_(&problem),
        parent_(parent),
        key_(key),
        index_(index) {}
  // An absent field.
  JsonReader(DecodeProblem& problem, const JsonReader* parent, std::string_view key)
      : problem_(&problem), parent_(parent), key_(key) {}

  bool as_object(simdjson::dom::object& object) const;

  simdjson::dom::element element_;
  bool present_ = false;
  DecodeProblem* problem_;
  const JsonReader* parent_ = nullptr;
  std::string_view key_;
  std::ptrdiff_t index_ = -1;
};

}  // namespace loglink
