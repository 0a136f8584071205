#include "controller/shell/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <string_view>
#include <vector>

namespace loglink {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

// Families are made from the state when they are asked for: nothing is counted twice.
class Page {
 public:
  void family(MetricType type, std::string name, std::string help) {
    MetricFamily family;
    family.type = type;
    family.name = std::move(name);
    family.help = std::move(help);
    families_.push_back(std::move(family));
  }
  void value(double number, std::vector<ClientMetric::Label> labels = {}) {
    ClientMetric metric;
    metric.label = std::move(labels);
    if (families_.back().type == MetricType::Counter) {
      metric.counter.value = number;
    } else {
      metric.gauge.value = number;
    }
    families_.back().metric.push_back(std::move(metric));
  }
  template <class Number>
  void gauge(std::string name, std::string help, Number number) {
    family(MetricType::Gauge, std::move(name), std::move(help));
    value(static_cast<double>(number));
  }
  template <class Number>
  void counter(std::string name, std::string help, Number number) {
    family(MetricType::Counter, std::move(name), std::move(help));
    value(static_cast<double>(number));
  }
  [[nodiscard]] std::string text() const {
    return prometheus::TextSerializer().Serialize(families_);
  }

 private:
  std::vector<MetricFamily> families_;
};

}  // namespace

std::string controller_metrics(const ControllerLoop& loop) {
  const ControllerFigures figures = loop.controller().figures();
  const ControllerCounters& counters = loop.counters();
  Page page;
  page.gauge("loglink_pods_annotated", "Pods that ask for links.", figures.pods_annotated);
  page.gauge("loglink_node_link_sets", "NodeLinkSet objects.", figures.node_link_sets);
  page.family(MetricType::Gauge, "loglink_sources", "Published sources, withdrawn ones included.");
  for (const auto& [root, count] : figures.sources_by_root) {
    page.value(static_cast<double>(count), {{"root", root}});
  }
  page.family(MetricType::Gauge, "loglink_refusals", "Watch dirs that are refused or do not fit.");
  for (const auto& [reason, count] : figures.refusals) {
    page.value(static_cast<double>(count), {{"reason", std::string(to_string(reason))}});
  }
  page.gauge("loglink_nodes_crd_outdated",
             "Nodes whose NodeLinkSet the server does not keep as it was sent.",
             figures.nodes_outdated);
  page.gauge("loglink_queued_nodes", "Nodes that wait to be looked at, withdrawals ahead included.",
             figures.nodes_queued);
  page.gauge("loglink_queued_pod_patches", "Pods whose answer waits to be written.",
             figures.patches_queued);
  page.gauge("loglink_queued_events", "Events that wait to be written.", figures.events_queued);
  page.counter("loglink_dropped_events_total", "Events that could not be written.",
               figures.events_dropped);
  page.gauge("loglink_leader", "1 while this controller leads.", loop.leading() ? 1 : 0);
  page.counter("loglink_leader_changes_total", "Times that this controller began to lead.",
               counters.leader_changes);
  page.gauge("loglink_drained", "1 while loglink-controller drain holds the lease.",
             loop.drained() ? 1 : 0);
  page.gauge("loglink_ready", "1 when pods and NodeLinkSets are listed.",
             loop.not_ready_because().empty() ? 1 : 0);
  page.family(MetricType::Counter, "loglink_api_writes_total",
              "Answers of the API server to requests other than watches.");
  for (const auto& [labels, count] : counters.api_requests) {
    page.value(static_cast<double>(count), {{"kind", labels.first}, {"result", labels.second}});
  }
  page.family(MetricType::Counter, "loglink_watch_restarts_total",
              "Streams that ended and were opened again.");
  for (const auto& [labels, count] : counters.watch_restarts) {
    page.value(static_cast<double>(count), {{"resource", labels.first}, {"reason", labels.second}});
  }
  return page.text();
}

}  // namespace loglink
