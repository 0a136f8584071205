// An events.k8s.io/v1 Event as we write it.
#pragma once

#include <compare>
#include <string>

#include "lib/base/clock.h"

namespace loglink {

struct KubeEvent {
  std::string namespace_name;
  std::string name;
  std::string type;  // "Normal" or "Warning"
  std::string reason;
  std::string action;
  std::string note;  // at most 1,024 bytes
  std::string reporting_controller;
  std::string reporting_instance;
  std::string regarding_api_version;
  std::string regarding_kind;
  std::string regarding_namespace;
  std::string regarding_name;
  std::string regarding_uid;
  WallTime time{};

  auto operator<=>(const KubeEvent&) const = default;
};

}  // namespace loglink
