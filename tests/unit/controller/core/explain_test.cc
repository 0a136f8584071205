#include "controller/core/explain.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

const WallTime kNow = at("2026-01-02T04:00:00Z");

std::string text_of(const std::vector<PodView>& pods, const ControllerConfig& config = {}) {
  return explanation_to_text(explain(pods, config, kNow), config);
}

TEST(ExplainText, TellsWhatIsLinkedWhereAndAsWhatAndWhatIsNotWhyAndTheCure) {
  ControllerConfig config;
  config.roots.push_back({"apps", "/srv/apps", {"*"}, false});
  const PodBuilder pod = PodBuilder()
                             .uid("unassigned")
                             .on_node("unscheduled")
                             .empty_dir("logs")
                             .volume("data", "persistentVolumeClaim")
                             .host_path("host", "/srv/apps")
                             .mount("logs", "/var/log/app")
                             .mount("data", "/data")
                             .mount("data", "/var/log/app/data")
                             .mount("host", "/host")
                             .add_container("nginx")
                             .mount("logs", "/var/log/nginx", "nginx")
                             .watch("/var/log/app, /host, nginx:/var/log/nginx, /data/logs")
                             .annotate("loglink/exclude", "debug*")
                             .annotate("loglink/max-depth", "3")
                             .annotate("loglink/watchdir", "/x");
  EXPECT_EQ(text_of({pod}, config),
            R"(pod prod/web-0 (on any node): Degraded
  linked   /var/log/app  (container app)
           files    *.log but not debug*, 3 levels deep
           on node  /var/lib/kubelet/pods/<pod uid>/volumes/kubernetes.io~empty-dir/logs
           as       /run/loglink/links/web-0_prod_app-<logfile>.log
  linked   /host  (container app)
           files    *.log but not debug*, 3 levels deep
           on node  /srv/apps
           as       /run/loglink/links/web-0_prod_app-<logfile>-<8 hex digits>.log
  linked   nginx:/var/log/nginx  (container nginx)
           files    *.log but not debug*, 3 levels deep
           on node  /var/lib/kubelet/pods/<pod uid>/volumes/kubernetes.io~empty-dir/logs/nginx
           as       /run/loglink/links/web-0_prod_nginx-<logfile>.log
  refused  /data/logs: VolumeKindNotSupported
           volume "data" is a persistentVolumeClaim
           -> mount an emptyDir or an allowed hostPath
  note     UnknownAnnotation
           loglink/watchdir is not an annotation of loglink and does nothing
           -> did you mean loglink/watch-dir?
  note     /var/log/app: what is mounted below it (/var/log/app/data) is not followed; if it is a volume that can be linked, name it in loglink/watch-dir too

1 pod with loglink annotations: 3 directories linked, 1 refusal
<logfile> is the file's name without .log. A file in a subdirectory, or whose name does not end in .log
or has other characters than letters, digits, '.', '_' and '-', gets -<8 hex digits> before .log.
)");
}

TEST(ExplainText, NamesTheNodeOfAPodThatHasOne) {
  EXPECT_THAT(
      text_of({simple_pod()}),
      HasSubstr("pod prod/web-0 on node node-a: Pending, until the node's agent answers\n"));
  EXPECT_THAT(text_of({simple_pod()}), HasSubstr("/pods/3f0c1a2b-0000-4000-8000-000000000001/"));
}

TEST(ExplainText, ShowsTheNamesOfTheConfiguredNaming) {
  ControllerConfig config;
  config.naming = "kubelet";
  config.link_dir = "/var/log/gravity";
  EXPECT_THAT(
      text_of({simple_pod()}, config),
      HasSubstr("as       /var/log/gravity/web-0_prod_app-<logfile>-<64 hex digits>.log\n"));
}

TEST(ExplainText, LeavesTheEndOfAPodsNameOpenWhereAWorkloadMakesIt) {
  const std::vector<PodView> pods = {simple_pod().named("prod", "web"),
                                     PodBuilder().named("prod", "cron")};
  const std::string text = explanation_to_text(explain(pods, {}, kNow), {}, {0, 1});
  EXPECT_THAT(text, HasSubstr("pod prod/web-* on node"));
  EXPECT_THAT(text, HasSubstr("/run/loglink/links/web-*_prod_app-<logfile>.log\n"));
  EXPECT_THAT(text, HasSubstr("pod prod/cron-*: no loglink annotation\n"));
  const std::string own_name = "A workload's pods are shown under its own name";
  EXPECT_THAT(text, HasSubstr(own_name));
  EXPECT_THAT(explanation_to_text(explain(pods, {}, kNow), {}), Not(HasSubstr(own_name)));
}

TEST(ExplainText, APodAndAWorkloadOfOneNameAreToldApart) {
  const std::vector<PodView> pods = {
      simple_pod().named("prod", "web"), simple_pod().named("prod", "web"),
      PodBuilder().named("prod", "cron"), PodBuilder().named("prod", "cron")};
  const std::string text = explanation_to_text(explain(pods, {}, kNow, {1, 3}), {}, {1, 3});
  const std::size_t pod = text.find("pod prod/web on node");
  ASSERT_NE(pod, std::string::npos) << text;
  EXPECT_LT(pod, text.find("pod prod/web-* on node"));
  EXPECT_THAT(text, HasSubstr("/run/loglink/links/web_prod_app-<logfile>.log\n"));
  EXPECT_THAT(text, HasSubstr("/run/loglink/links/web-*_prod_app-<logfile>.log\n"));
  EXPECT_THAT(text, HasSubstr("pod prod/cron: no loglink annotation\n"
                              "pod prod/cron-*: no loglink annotation\n"));
}

TEST(ExplainText, LeavesTheEndOfAPodsNameOpenInADirectoryThatIsCalledAfterThePod) {
  PodBuilder pod = PodBuilder().named("prod", "web").watch("/logs");
  pod.host_path("logs", "/var/log/apps").env_field("POD_NAME", "metadata.name");
  pod.mount_expr("logs", "/logs", "$(POD_NAME)");
  ControllerConfig config;
  config.roots = {Root{"apps", "/var/log/apps", {"*"}, false}};
  const auto text = [&](const std::set<std::size_t>& workloads) {
    return explanation_to_text(explain({pod}, config, kNow), config, workloads);
  };
  EXPECT_THAT(text({0}), HasSubstr("on node  /var/log/apps/web-*\n"));
  EXPECT_THAT(text({}), HasSubstr("on node  /var/log/apps/web\n"));
}

TEST(ExplainText, SaysWhichPodsDoNotAsk) {
  EXPECT_EQ(text_of({PodBuilder()}),
            "pod prod/web-0: no loglink annotation\n\n"
            "0 pods with loglink annotations: 0 directories linked, 0 refusals\n");
}

TEST(ExplainText, IsPrintableWhateverThePodSays) {
  const std::string text = text_of({simple_pod()
                                        .watch("/\x1b[31m,\xc3\xa5\n")
                                        .annotate("loglink/\x07", "x")
                                        .annotate("loglink/include", "\x1b")});
  for (const char c : text) EXPECT_TRUE(c == '\n' || (c >= 0x20 && c < 0x7f)) << text;
  EXPECT_THAT(text, HasSubstr("/\\x1b[31m"));
}

TEST(Explain, MakesOneSetPerNodeWithSources) {
  const Explanation explanation =
      explain({simple_pod().named("prod", "a").on_node("node-b"),
               simple_pod().named("prod", "b").on_node(""),
               simple_pod().named("prod", "c").on_node("node-b"),
               simple_pod().named("prod", "d").on_node("node-c").watch("/nowhere"),
               simple_pod().named("prod", "e").on_node("unscheduled")},
              {}, kNow);
  ASSERT_THAT(explanation.node_link_sets, SizeIs(2));
  EXPECT_EQ(explanation.node_link_sets[0].name, "node-b");
  EXPECT_THAT(explanation.node_link_sets[0].spec.sources, SizeIs(2));
  EXPECT_EQ(explanation.node_link_sets[1].name, "unscheduled");
  EXPECT_THAT(explanation.node_link_sets[1].spec.sources, SizeIs(2));
}

TEST(Explain, KeepsThePodsInTheirOrderWithTheirAnswers) {
  const Explanation explanation =
      explain({simple_pod().named("z", "z"), simple_pod().named("a", "a").watch("/nowhere"),
               PodBuilder().named("m", "m")},
              {}, kNow);
  ASSERT_THAT(explanation.pods, SizeIs(2));
  EXPECT_EQ(explanation.pods[0].pod.pod.name, "z");
  EXPECT_EQ(explanation.pods[0].answer.word, StatusWord::kPending);
  EXPECT_EQ(explanation.pods[1].pod.pod.name, "a");
  EXPECT_EQ(explanation.pods[1].answer.word, StatusWord::kInvalid);
  EXPECT_THAT(explanation.not_asking, ElementsAre(PodNotAsking{2, ObjectKey{"m", "m"}}));
}

TEST(Explain, TellsWhatHasNoRoom) {
  std::string patterns(64, 'a');
  for (int i = 1; i < 16; ++i) patterns += "," + std::string(64, 'a');
  std::string watch_dirs = "/var/log/app/d0";
  for (int i = 1; i < 16; ++i) watch_dirs += ",/var/log/app/d" + std::to_string(i);
  const PodBuilder pod = simple_pod().watch(watch_dirs).annotate("loglink/include", patterns);
  const Explanation explanation = explain({pod}, {}, kNow);
  ASSERT_THAT(explanation.pods, SizeIs(1));
  EXPECT_THAT(explanation.pods[0].left_out, Not(IsEmpty()));
  EXPECT_EQ(explanation.pods[0].answer.word, StatusWord::kDegraded);
  const std::string text = explanation_to_text(explanation, {});
  EXPECT_THAT(text, HasSubstr("  no room  /var/log/app/d9: PodLimitReached\n"));
  EXPECT_THAT(text, Not(HasSubstr("linked   /var/log/app/d9 ")));
}

// `explain -f pod.yaml -f pod.yaml` said PodLimitReached.
TEST(Explain, APodThatIsGivenTwiceIsJudgedOnceAsTheLastOneSays) {
  std::string patterns(64, 'a');
  for (int i = 1; i < 16; ++i) patterns += "," + std::string(64, 'a');
  const PodBuilder pod = simple_pod()
                             .watch("/var/log/app/a,/var/log/app/b,/var/log/app/c,/var/log/app/d")
                             .annotate("loglink/include", patterns);
  const Explanation twice = explain({pod, pod}, {}, kNow);
  ASSERT_THAT(twice.pods, SizeIs(1));
  EXPECT_EQ(twice.pods[0].place, 1U);
  EXPECT_THAT(twice.pods[0].left_out, IsEmpty());
  ASSERT_THAT(twice.node_link_sets, SizeIs(1));
  EXPECT_THAT(twice.node_link_sets[0].spec.sources, SizeIs(4));

  const Explanation changed =
      explain({pod, PodBuilder(pod).watch("/nowhere"), PodBuilder().named("prod", "b"),
               simple_pod().named("prod", "c"), PodBuilder().named("prod", "c")},
              {}, kNow);
  ASSERT_THAT(changed.pods, SizeIs(1));
  EXPECT_EQ(changed.pods[0].answer.word, StatusWord::kInvalid);
  EXPECT_THAT(changed.node_link_sets, IsEmpty());
  EXPECT_THAT(changed.not_asking, ElementsAre(PodNotAsking{2, ObjectKey{"prod", "b"}},
                                              PodNotAsking{4, ObjectKey{"prod", "c"}}));
  // It is no other pod with its own id.
  const std::string hash = "0123456789abcdef0123456789abcdef";
  ControllerConfig config;
  config.static_pods = true;
  const PodView mirror = simple_pod()
                             .named("kube-system", "etcd-node-a")
                             .annotate("kubernetes.io/config.mirror", hash)
                             .annotate("kubernetes.io/config.hash", hash)
                             .owned_by_node("node-a");
  EXPECT_THAT(explain({mirror, mirror}, config, kNow).node_link_sets, SizeIs(1));
}

TEST(Explain, SeesTwoStaticPodsThatClaimOneId) {
  const std::string hash = "0123456789abcdef0123456789abcdef";
  ControllerConfig config;
  config.static_pods = true;
  const auto pod = [&](const std::string& name) {
    return simple_pod()
        .named("kube-system", name)
        .annotate("kubernetes.io/config.mirror", hash)
        .annotate("kubernetes.io/config.hash", hash)
        .owned_by_node("node-a");
  };
  EXPECT_THAT(explain({pod("etcd-node-a")}, config, kNow).node_link_sets, SizeIs(1));
  EXPECT_THAT(explain({pod("etcd-node-a"), pod("evil-node-a")}, config, kNow).node_link_sets,
              IsEmpty());
}

// On a node the agent sees it; a manifest has only the name.
TEST(Explain, AWatchDirThatLooksLikeAFileIsDoubted) {
  const auto text = [](const std::string& watch_dir, const std::string& include) {
    return text_of({simple_pod().watch(watch_dir).annotate("loglink/include", include)});
  };
  EXPECT_THAT(text("/var/log/app/app.log", "*.log"),
              HasSubstr("  note     /var/log/app/app.log: looks like a log file; loglink/watch-dir "
                        "names the directory, and loglink/include the files\n"));
  EXPECT_THAT(text("/var/log/app/v1.2", "*.log"), Not(HasSubstr("looks like")));
  for (const std::string all : {"*", "?*", "*.*", "v1*"}) {
    EXPECT_THAT(text("/var/log/app/v1.2", all), Not(HasSubstr("looks like"))) << all;
  }
  EXPECT_THAT(text("/var/log/app", "app*"), Not(HasSubstr("looks like")));
}

// A file of a thousand Deployments is not one node.
TEST(Explain, PodsWithoutANodeHaveOnlyTheirOwnBounds) {
  std::vector<PodView> pods;
  for (int i = 0; i < 600; ++i) {
    pods.push_back(simple_pod().named("prod", "web-" + std::to_string(i)).on_node(""));
  }
  // Of one name, as a Deployment and a CronJob may be.
  pods.push_back(pods.front());
  const Explanation explanation = explain(pods, {}, kNow, {0, 600});
  ASSERT_THAT(explanation.node_link_sets, SizeIs(1));
  EXPECT_THAT(explanation.node_link_sets[0].spec.sources, SizeIs(601));
  for (const ExplainedPod& pod : explanation.pods) EXPECT_THAT(pod.left_out, IsEmpty());
}

TEST(ExplainText, SaysThatThePodSelectorIsNotLookedAt) {
  ControllerConfig config;
  config.pod_selector = "team=a";
  EXPECT_THAT(text_of({simple_pod()}, config),
              HasSubstr("podSelector team=a is not looked at here: pods that it leaves out get no "
                        "links.\n"));
}

}  // namespace
}  // namespace loglink
