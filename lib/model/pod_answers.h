// The three annotations with which the controller answers on a pod.
#pragma once

#include <compare>
#include <optional>
#include <string>

namespace loglink {

// nullopt: the annotation is not there, or is to be removed.
struct PodAnswers {
  std::optional<std::string> status;
  std::optional<std::string> links;
  std::optional<std::string> message;

  auto operator<=>(const PodAnswers&) const = default;
};

}  // namespace loglink
