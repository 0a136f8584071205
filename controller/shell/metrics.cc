#include "controller/shell/metrics.h"

namespace loglink {

ControllerMetrics::ControllerMetrics() {
  metrics_.describe_gauge("loglink_pods_annotated", "Pods that ask for links");
  metrics_.describe_gauge("loglink_nodes", "Nodes with pods that ask, or with a NodeLinkSet");
  metrics_.describe_gauge("loglink_node_link_sets", "NodeLinkSet objects");
  metrics_.describe_gauge("loglink_sources", "Published sources, withdrawn ones included");
  metrics_.describe_gauge("loglink_refusals", "Watch dirs that are refused or do not fit");
  metrics_.describe_gauge("loglink_nodes_crd_outdated",
                          "Nodes whose NodeLinkSet the server does not keep as it was sent");
  metrics_.describe_gauge("loglink_nodes_unwritable",
                          "Nodes whose NodeLinkSet has not been written for long");
  metrics_.describe_gauge("loglink_queued_nodes", "Nodes that wait to be looked at");
  metrics_.describe_gauge("loglink_queued_pod_patches", "Pods whose answer waits to be written");
  metrics_.describe_gauge("loglink_queued_events", "Events that wait to be written");
  metrics_.describe_counter("loglink_dropped_events_total",
                            "Events that could not be written, or had no room to wait");
  metrics_.describe_gauge("loglink_leader", "1 while this controller leads");
  metrics_.describe_counter("loglink_leader_changes_total",
                            "Times that this controller began to lead");
  metrics_.describe_gauge("loglink_drained", "1 while loglink-controller drain holds the lease");
  metrics_.describe_gauge("loglink_ready",
                          "1 when pods and NodeLinkSets are listed and the Lease can be used");
  metrics_.describe_counter(
      "loglink_api_writes_total",
      "Answers of the API server to writes, and to reads of a Lease or a Node");
  metrics_.describe_counter("loglink_watch_restarts_total",
                            "Streams that ended and were opened again");
}

void ControllerMetrics::count_to(const std::string& name, const Metrics::Labels& labels,
                                 double total) {
  double& counted = counted_[{name, labels}];
  metrics_.add(name, labels, total - counted);
  counted = total;
}

std::string ControllerMetrics::text(const ControllerLoop& loop) {
  const ControllerFigures figures = loop.controller().figures();
  const auto gauge = [&](const std::string& name, auto number) {
    metrics_.set(name, {}, static_cast<double>(number));
  };
  gauge("loglink_pods_annotated", figures.pods_annotated);
  gauge("loglink_nodes", figures.nodes);
  gauge("loglink_node_link_sets", figures.node_link_sets);
  metrics_.clear("loglink_sources");
  for (const auto& [root, count] : figures.sources_by_root) {
    metrics_.set("loglink_sources", {{"root", root}}, static_cast<double>(count));
  }
  metrics_.clear("loglink_refusals");
  for (const auto& [reason, count] : figures.refusals) {
    metrics_.set("loglink_refusals", {{"reason", std::string(to_string(reason))}},
                 static_cast<double>(count));
  }
  gauge("loglink_nodes_crd_outdated", figures.nodes_outdated);
  gauge("loglink_nodes_unwritable", figures.nodes_unwritable);
  gauge("loglink_queued_nodes", figures.nodes_queued);
  gauge("loglink_queued_pod_patches", figures.patches_queued);
  gauge("loglink_queued_events", figures.events_queued);
  gauge("loglink_leader", loop.leading() ? 1 : 0);
  gauge("loglink_drained", loop.drained() ? 1 : 0);
  gauge("loglink_ready", loop.not_ready_because().empty() ? 1 : 0);
  const ControllerCounters& counters = loop.counters();
  count_to("loglink_dropped_events_total", {}, static_cast<double>(figures.events_dropped));
  count_to("loglink_leader_changes_total", {}, static_cast<double>(counters.leader_changes));
  for (const auto& [labels, count] : counters.api_requests) {
    count_to("loglink_api_writes_total", {{"kind", labels.first}, {"result", labels.second}},
             static_cast<double>(count));
  }
  for (const auto& [labels, count] : counters.watch_restarts) {
    count_to("loglink_watch_restarts_total",
             {{"resource", labels.first}, {"reason", labels.second}}, static_cast<double>(count));
  }
  return metrics_.text();
}

}  // namespace loglink
