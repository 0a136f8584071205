#include "lib/kube/resource_version.h"

namespace loglink {
namespace {

bool is_number(std::string_view version) {
  return !version.empty() && version.front() != '0' &&
         version.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

bool is_older_version(std::string_view a, std::string_view b) {
  if (!is_number(a) || !is_number(b)) return false;
  if (a.size() != b.size()) return a.size() < b.size();
  return a < b;
}

}  // namespace loglink
