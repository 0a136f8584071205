// The programs' metrics by name, so that only metrics.cc sees prometheus-cpp.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace loglink {

// Loop thread only. Names start with "loglink_" and end in a unit; counters in "_total". A name is
// described before it is used; a wrong or unknown name is a programmer's error and aborts.
class Metrics {
 public:
  using Labels = std::map<std::string, std::string>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void describe_counter(const std::string& name, const std::string& help);
  void describe_gauge(const std::string& name, const std::string& help);
  // `buckets` are upper bounds, ascending; +Inf is added.
  void describe_histogram(const std::string& name, const std::string& help,
                          std::vector<double> buckets);

  // A metric has at most 1,000 label sets; what comes beyond is dropped and counted in
  // loglink_dropped_series_total{metric}.
  void add(const std::string& counter, const Labels& labels = {}, double by = 1);  // by >= 0
  void set(const std::string& gauge, const Labels& labels, double value);
  void observe(const std::string& histogram, const Labels& labels, double value);
  // Forgets all label sets of a gauge, before they are set anew (nodes that are gone).
  void clear(const std::string& gauge);

  // Text exposition format 0.0.4; served as kContentType.
  [[nodiscard]] std::string text() const;
  static constexpr const char* kContentType = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace loglink
