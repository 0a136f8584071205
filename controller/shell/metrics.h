// The text of /metrics, made of the loop's state when it is asked for.
#pragma once

#include <map>
#include <string>

#include "controller/shell/controller_loop.h"
#include "lib/io/metrics.h"

namespace loglink {

class ControllerMetrics {
 public:
  ControllerMetrics();
  std::string text(const ControllerLoop& loop);

 private:
  // Brings a counter to what the loop has counted so far.
  void count_to(const std::string& name, const Metrics::Labels& labels, double total);

  Metrics metrics_;
  std::map<std::pair<std::string, Metrics::Labels>, double> counted_;
};

}  // namespace loglink
