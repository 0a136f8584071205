// labelSelector and fieldSelector as the API server reads them. Internal to the fakes.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "tests/fakes/kube_json.h"
#include "tests/fakes/kube_types.h"

namespace loglink::fakes {

struct Selector {
  struct Label {
    enum class Operator { kIn, kNotIn, kExists, kNotExists };
    std::string key;
    Operator op = Operator::kExists;
    std::vector<std::string> values;
  };
  struct Field {
    std::string pointer;  // JSON pointer of the stored object
    std::string value;
    bool equal = true;
  };
  std::vector<Label> labels;
  std::vector<Field> fields;

  [[nodiscard]] bool matches(const Json& object) const;
};

// The error is the message of the server's 400.
tl::expected<Selector, std::string> parse_selector(const KubeType& type, std::string_view labels,
                                                   std::string_view fields);

}  // namespace loglink::fakes
