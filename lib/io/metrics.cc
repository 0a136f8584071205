#include "lib/io/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string_view>

namespace loglink {
namespace {

constexpr std::size_t kSeries = 1000;
constexpr const char* kDropped = "loglink_dropped_series_total";

void require(bool condition, const std::string& name, std::string_view what) {
  if (condition) return;
  std::cerr << "metric " << name << ": " << what << "\n";
  std::abort();
}

bool ends_with(const std::string& name, std::string_view suffix) {
  return name.size() >= suffix.size() && name.substr(name.size() - suffix.size()) == suffix;
}

// One metric and its label sets. prometheus-cpp has no bound on them.
template <class T>
struct Metric {
  prometheus::Family<T>* family = nullptr;
  std::vector<double> buckets;  // of a histogram
  std::map<Metrics::Labels, T*> series;
};

template <class T>
using ByName = std::map<std::string, Metric<T>>;

template <class T>
Metric<T>& find(ByName<T>& metrics, const std::string& name) {
  const auto metric = metrics.find(name);
  require(metric != metrics.end(), name, "used before it is described");
  return metric->second;
}

}  // namespace

struct Metrics::Implementation {
  prometheus::Registry registry;
  ByName<prometheus::Counter> counters;
  ByName<prometheus::Gauge> gauges;
  ByName<prometheus::Histogram> histograms;

  void check_new(const std::string& name) const {
    require(name.rfind("loglink_", 0) == 0, name, "does not start with loglink_");
    require(counters.count(name) + gauges.count(name) + histograms.count(name) == 0, name,
            "is described twice");
  }

  void count_dropped(const std::string& name) {
    // Bounded by the number of metrics.
    find(counters, kDropped).family->Add({{"metric", name}}).Increment();
  }

  // The series of `labels`, made where it is new; nullptr beyond the bound.
  template <class T, class... Arguments>
  T* series(ByName<T>& metrics, const std::string& name, const Labels& labels,
            const Arguments&... arguments) {
    Metric<T>& metric = find(metrics, name);
    const auto known = metric.series.find(labels);
    if (known != metric.series.end()) return known->second;
    if (metric.series.size() >= kSeries) {
      count_dropped(name);
      return nullptr;
    }
    T& made = metric.family->Add(labels, arguments...);
    metric.series.emplace(labels, &made);
    return &made;
  }
};

Metrics::Metrics() : implementation_(std::make_unique<Implementation>()) {
  describe_counter(kDropped, "Label sets that were not kept, because a metric had too many");
}
Metrics::~Metrics() = default;

void Metrics::describe_counter(const std::string& name, const std::string& help) {
  implementation_->check_new(name);
  require(ends_with(name, "_total"), name, "a counter's name ends in _total");
  auto& family =
      prometheus::BuildCounter().Name(name).Help(help).Register(implementation_->registry);
  implementation_->counters[name].family = &family;
}

void Metrics::describe_gauge(const std::string& name, const std::string& help) {
  implementation_->check_new(name);
  require(!ends_with(name, "_total"), name, "only a counter's name ends in _total");
  auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(implementation_->registry);
  implementation_->gauges[name].family = &family;
}

void Metrics::describe_histogram(const std::string& name, const std::string& help,
                                 std::vector<double> buckets) {
  implementation_->check_new(name);
  require(!ends_with(name, "_total"), name, "only a counter's name ends in _total");
  auto& family =
      prometheus::BuildHistogram().Name(name).Help(help).Register(implementation_->registry);
  Metric<prometheus::Histogram>& metric = implementation_->histograms[name];
  metric.family = &family;
  metric.buckets = std::move(buckets);
}

void Metrics::add(const std::string& counter, const Labels& labels, double by) {
  require(by >= 0, counter, "a counter never falls");
  auto* const series = implementation_->series(implementation_->counters, counter, labels);
  if (series != nullptr) series->Increment(by);
}

void Metrics::set(const std::string& gauge, const Labels& labels, double value) {
  auto* const series = implementation_->series(implementation_->gauges, gauge, labels);
  if (series != nullptr) series->Set(value);
}

void Metrics::observe(const std::string& histogram, const Labels& labels, double value) {
  const std::vector<double>& buckets = find(implementation_->histograms, histogram).buckets;
  auto* const series =
      implementation_->series(implementation_->histograms, histogram, labels, buckets);
  if (series != nullptr) series->Observe(value);
}

void Metrics::clear(const std::string& gauge) {
  Metric<prometheus::Gauge>& metric = find(implementation_->gauges, gauge);
  for (const auto& [labels, series] : metric.series) metric.family->Remove(series);
  metric.series.clear();
}

std::string Metrics::text() const {
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, implementation_->registry.Collect());
  return out.str();
}

}  // namespace loglink
