#include "lib/model/kube_names.h"

#include <algorithm>

#include "lib/base/text.h"

namespace loglink {
namespace {

constexpr std::size_t kLabelBytes = 63;
constexpr std::size_t kSubdomainBytes = 253;

bool is_label_of_any_length(std::string_view name) {
  static constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  return !name.empty() && name.front() != '-' && name.back() != '-' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

bool is_dns_label(std::string_view name) {
  return name.size() <= kLabelBytes && is_label_of_any_length(name);
}

bool is_dns_subdomain(std::string_view name) {
  if (name.size() > kSubdomainBytes) return false;
  const std::vector<std::string> parts = split(name, '.');
  return std::all_of(parts.begin(), parts.end(), is_label_of_any_length);
}

}  // namespace loglink
