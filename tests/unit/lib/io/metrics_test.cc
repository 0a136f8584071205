#include "lib/io/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loglink {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(MetricsTest, WritesCountersGaugesAndHistograms) {
  Metrics metrics;
  metrics.describe_counter("loglink_watch_restarts_total", "Restarts");
  metrics.describe_gauge("loglink_links", "Links");
  metrics.describe_histogram("loglink_create_to_link_seconds", "Delay", {0.1, 1});
  metrics.add("loglink_watch_restarts_total", {{"reason", "Gone"}});
  metrics.add("loglink_watch_restarts_total", {{"reason", "Gone"}}, 2);
  metrics.set("loglink_links", {}, 12);
  metrics.observe("loglink_create_to_link_seconds", {}, 0.5);
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("# HELP loglink_watch_restarts_total Restarts\n"
                              "# TYPE loglink_watch_restarts_total counter\n"
                              "loglink_watch_restarts_total{reason=\"Gone\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE loglink_links gauge\nloglink_links 12\n"));
  EXPECT_THAT(text, HasSubstr("loglink_create_to_link_seconds_bucket{le=\"0.1\"} 0\n"));
  EXPECT_THAT(text, HasSubstr("loglink_create_to_link_seconds_bucket{le=\"1\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("loglink_create_to_link_seconds_bucket{le=\"+Inf\"} 1\n"));
}

TEST(MetricsTest, ForgetsLabelSetsOfAClearedGauge) {
  Metrics metrics;
  metrics.describe_gauge("loglink_node_links", "Links");
  metrics.set("loglink_node_links", {{"node", "gone"}}, 1);
  metrics.clear("loglink_node_links");
  metrics.set("loglink_node_links", {{"node", "here"}}, 2);
  EXPECT_THAT(metrics.text(), Not(HasSubstr("gone")));
  EXPECT_THAT(metrics.text(), HasSubstr("loglink_node_links{node=\"here\"} 2\n"));
}

TEST(MetricsTest, CountsLabelSetsBeyondTheBoundInsteadOfKeepingThem) {
  Metrics metrics;
  metrics.describe_gauge("loglink_links", "Links");
  for (int i = 0; i < 1003; ++i) metrics.set("loglink_links", {{"n", std::to_string(i)}}, i);
  metrics.set("loglink_links", {{"n", "7"}}, 70);  // known: still set
  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("loglink_links{n=\"999\"} 999\n"));
  EXPECT_THAT(text, HasSubstr("loglink_links{n=\"7\"} 70\n"));
  EXPECT_THAT(text, Not(HasSubstr("n=\"1000\"")));
  EXPECT_THAT(text, HasSubstr("loglink_dropped_series_total{metric=\"loglink_links\"} 3\n"));
}

TEST(MetricsDeathTest, AbortsOnAWrongName) {
  Metrics metrics;
  EXPECT_DEATH(metrics.describe_counter("loglink_x", "x"), "ends in _total");
  EXPECT_DEATH(metrics.describe_gauge("links", "x"), "does not start with loglink_");
  EXPECT_DEATH(metrics.set("loglink_unknown", {}, 1), "before it is described");
}

}  // namespace
}  // namespace loglink
