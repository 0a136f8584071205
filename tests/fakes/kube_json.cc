#include "tests/fakes/kube_json.h"

#include <algorithm>

namespace loglink::fakes {

const Json& at_path(const Json& value, const std::string& pointer) {
  static const Json null;
  const Json* at = &value;
  std::size_t begin = 1;
  while (begin <= pointer.size()) {
    const std::size_t end = std::min(pointer.find('/', begin), pointer.size());
    const std::string key = pointer.substr(begin, end - begin);
    if (!at->is_object()) return null;
    const auto found = at->find(key);
    if (found == at->end()) return null;
    at = &*found;
    begin = end + 1;
  }
  return *at;
}

std::string text_at(const Json& value, const std::string& pointer) {
  const Json& found = at_path(value, pointer);
  return found.is_string() ? found.get<std::string>() : std::string();
}

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace loglink::fakes
