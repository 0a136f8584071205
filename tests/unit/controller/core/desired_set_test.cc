#include "controller/core/desired_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "controller/core/source_size.h"
#include "lib/model/limits.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

const WallTime kNow = at("2026-01-02T12:00:00Z");

ResolvedPod resolved(const PodView& pod, const ControllerConfig& config = {}) {
  return {pod, resolve(pod, config, {})};
}

NodeLinkSetSpec spec_of(const std::vector<ResolvedPod>& pods, const NodeLinkSetSpec& previous = {},
                        WallTime now = kNow, const ControllerConfig& config = {}) {
  return desired_set(pods, previous, {}, config, now).spec;
}

// "<pod> <path's last component>[ until <time>]" of each source.
std::vector<std::string> lines(const NodeLinkSetSpec& spec) {
  std::vector<std::string> all;
  for (const Source& source : spec.sources) {
    std::string line = source.pod + " " + source.path.substr(source.path.rfind('/') + 1);
    if (source.withdrawn()) line += " until " + format_time(*source.remove_after);
    all.push_back(line);
  }
  return all;
}

std::vector<std::string> lines(const std::vector<PodLeftOut>& left_out) {
  std::vector<std::string> all;
  for (const PodLeftOut& pod : left_out) {
    for (const LeftOut& each : pod.sources) {
      all.push_back(pod.pod.name + " " + each.watch_dir + " " +
                    std::string(to_string(each.reason)));
    }
  }
  return all;
}

PodBuilder pod_with(const std::string& watch_dir) {
  return PodBuilder().empty_dir("v").mount("v", "/v").watch(watch_dir);
}

PodBuilder on_host(const std::string& watch_dir) {
  return PodBuilder().host_path("h", "/srv/logs").mount("h", "/h").watch(watch_dir);
}

ControllerConfig with_root(const std::string& name = "srv", const std::string& path = "/srv") {
  ControllerConfig config;
  config.roots.push_back({name, path, {"*"}, false});
  return config;
}

TEST(DesiredSet, OfNoPodsIsEmpty) {
  EXPECT_EQ(desired_set({}, {}, {}, {}, kNow).spec, NodeLinkSetSpec());
}

TEST(DesiredSet, IsTheSourcesOfAllPodsSorted) {
  EXPECT_THAT(lines(spec_of({resolved(pod_with("/v/b,/v/a").named("b", "y")),
                             resolved(pod_with("/v/c").named("a", "z")),
                             resolved(pod_with("/v/d").named("b", "x"))})),
              ElementsAre("z c", "x d", "y a", "y b"));
}

TEST(DesiredSet, KeepsFinishedPodsUntilTheirObjectIsGone) {
  const NodeLinkSetSpec spec = spec_of({resolved(pod_with("/v/a").phase("Failed"))});
  ASSERT_THAT(spec.sources, SizeIs(1));
  EXPECT_TRUE(spec.sources[0].finished);
  EXPECT_FALSE(spec.sources[0].withdrawn());
}

TEST(DesiredSet, RefusedDirectoriesAreNotInIt) {
  EXPECT_THAT(lines(spec_of({resolved(pod_with("/v/a,/nowhere"))})), ElementsAre("web-0 a"));
}

// --- Withdrawn ----------------------------------------------------------------------------------

TEST(Withdrawn, APodThatIsGoneLingers) {
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a"))});
  EXPECT_THAT(lines(spec_of({}, before)), ElementsAre("web-0 a until 2026-01-02T12:05:00Z"));
}

TEST(Withdrawn, ADirectoryNoLongerAskedForLingers) {
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a,/v/b"))});
  EXPECT_THAT(lines(spec_of({resolved(pod_with("/v/b"))}, before)),
              ElementsAre("web-0 a until 2026-01-02T12:05:00Z", "web-0 b"));
}

TEST(Withdrawn, RemoveAfterIsSetOnceAndNeverMoves) {
  const NodeLinkSetSpec gone = spec_of({}, spec_of({resolved(pod_with("/v/a"))}));
  EXPECT_EQ(spec_of({}, gone, kNow + std::chrono::minutes(1)), gone);
}

// A former leader's clock was years ahead.
TEST(Withdrawn, ARemoveAfterThatIsTooFarAheadIsSetAnew) {
  ControllerConfig denied;
  denied.namespaces.deny = {"prod"};
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a"))});
  const auto withdrawn_until = [&](const std::string& time) {
    NodeLinkSetSpec spec = before;
    spec.sources[0].remove_after = at(time);
    return spec;
  };
  struct Case {
    std::string removed_after;
    std::string while_gone;
    std::string while_denied;
  };
  // policyLinger, an hour, is the longest that there is; ten minutes are for clocks that differ.
  for (const Case& each : std::vector<Case>{
           {"2099-01-01T00:00:00Z", "2026-01-02T12:05:00Z", "2026-01-02T13:00:00Z"},
           {"2261-12-31T00:00:00Z", "2026-01-02T12:05:00Z", "2026-01-02T13:00:00Z"},
           {"2026-01-02T13:10:01Z", "2026-01-02T12:05:00Z", "2026-01-02T13:00:00Z"},
           {"2026-01-02T13:10:00Z", "2026-01-02T13:10:00Z", "2026-01-02T13:10:00Z"},
           {"2026-01-02T11:59:00Z", "2026-01-02T11:59:00Z", "2026-01-02T11:59:00Z"},
       }) {
    SCOPED_TRACE(each.removed_after);
    const NodeLinkSetSpec gone = spec_of({}, withdrawn_until(each.removed_after));
    EXPECT_THAT(lines(gone), ElementsAre("web-0 a until " + each.while_gone));
    EXPECT_EQ(spec_of({}, gone, kNow + std::chrono::minutes(1)), gone) << "once";
    const NodeLinkSetSpec refused = spec_of({resolved(pod_with("/v/a"), denied)},
                                            withdrawn_until(each.removed_after), kNow, denied);
    EXPECT_THAT(lines(refused), ElementsAre("web-0 a until " + each.while_denied));
  }
}

TEST(Withdrawn, LeavesAtRemoveAfterPlusLinger) {
  const NodeLinkSetSpec gone = spec_of({}, spec_of({resolved(pod_with("/v/a"))}));
  const WallTime end = at("2026-01-02T12:10:00Z");
  EXPECT_EQ(next_change(gone, {}), end);
  EXPECT_EQ(spec_of({}, gone, end - Duration(1)), gone);
  EXPECT_THAT(spec_of({}, gone, end).sources, IsEmpty());
}

TEST(Withdrawn, NextChangeIsTheEarliestAndThereIsNoneWithoutWithdrawnSources) {
  EXPECT_EQ(next_change({}, {}), std::nullopt);
  NodeLinkSetSpec spec = spec_of({resolved(pod_with("/v/a,/v/b,/v/c"))});
  EXPECT_EQ(next_change(spec, {}), std::nullopt);
  spec.sources[0].remove_after = at("2026-01-02T12:02:00Z");
  spec.sources[2].remove_after = at("2026-01-02T12:01:00Z");
  EXPECT_EQ(next_change(spec, {}), at("2026-01-02T12:06:00Z"));
}

TEST(Withdrawn, IsLiveAgainWhenAskedForAgain) {
  const std::vector<ResolvedPod> pods = {resolved(pod_with("/v/a"))};
  const NodeLinkSetSpec before = spec_of(pods);
  const NodeLinkSetSpec gone = spec_of({}, before);
  EXPECT_EQ(spec_of(pods, gone, kNow + std::chrono::minutes(2)), before);
}

TEST(Withdrawn, APodOfTheSameNameIsAnother) {
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a").uid("old"))});
  EXPECT_THAT(lines(spec_of({resolved(pod_with("/v/a").uid("young"))}, before)),
              ElementsAre("web-0 a until 2026-01-02T12:05:00Z", "web-0 a"));
}

TEST(Withdrawn, TimesHaveWholeSecondsAndAreNeverEarly) {
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a"))});
  EXPECT_THAT(lines(spec_of({}, before, kNow + std::chrono::milliseconds(1))),
              ElementsAre("web-0 a until 2026-01-02T12:05:01Z"));
}

TEST(Withdrawn, WithoutLingerItLeavesAtOnce) {
  ControllerConfig config;
  config.linger = Duration(0);
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a"))});
  EXPECT_THAT(spec_of({}, before, kNow, config).sources, IsEmpty());
  // Nor is the rest of a second waited for.
  const WallTime later = kNow + std::chrono::milliseconds(1);
  EXPECT_THAT(spec_of({}, before, later, config).sources, IsEmpty());
}

TEST(Withdrawn, ChangedFieldsOfALiveSourceDoNotWithdrawIt) {
  const NodeLinkSetSpec before = spec_of({resolved(pod_with("/v/a"))});
  const NodeLinkSetSpec after =
      spec_of({resolved(pod_with("/v/a").annotate("loglink/include", "*"))}, before);
  EXPECT_THAT(lines(after), ElementsAre("web-0 a"));
  EXPECT_THAT(after.sources[0].include, ElementsAre("*"));
}

TEST(Withdrawn, ByTheConfigurationItStaysForPolicyLinger) {
  struct Case {
    std::string what;
    PodBuilder pod;
    ControllerConfig before;
    ControllerConfig after;
    std::string until;
  };
  ControllerConfig denied;
  denied.namespaces.deny = {"prod"};
  ControllerConfig other_namespaces = with_root();
  other_namespaces.roots.back().namespaces = {"test"};
  ControllerConfig narrower = with_root("inner", "/srv/logs/inner");
  narrower.roots.push_back({"srv", "/srv", {"test"}, false});
  ControllerConfig reserved = with_root();
  reserved.link_dir = "/srv/logs/a";
  const std::string late = "2026-01-02T13:00:00Z";
  for (const Case& each : std::vector<Case>{
           {"namespace denied", pod_with("/v/a"), {}, denied, late},
           {"root gone", on_host("/h/a"), with_root(), {}, late},
           {"root renamed", on_host("/h/a"), with_root(), with_root("data"), late},
           {"root for others now", on_host("/h/a"), with_root(), other_namespaces, late},
           {"root smaller now", on_host("/h/a"), with_root(), narrower, late},
           {"directory reserved now", on_host("/h/a"), with_root(), reserved, late},
       }) {
    SCOPED_TRACE(each.what);
    const NodeLinkSetSpec before =
        spec_of({resolved(each.pod, each.before)}, {}, kNow, each.before);
    ASSERT_THAT(before.sources, SizeIs(1));
    NodeLinkSetSpec after = spec_of({resolved(each.pod, each.after)}, before, kNow, each.after);
    after.sources.erase(std::remove_if(after.sources.begin(), after.sources.end(),
                                       [](const Source& source) { return !source.withdrawn(); }),
                        after.sources.end());
    EXPECT_THAT(lines(after), ElementsAre("web-0 a until " + each.until));
    // The pod has gone as well: nothing to wait for the administrator's second thoughts.
    EXPECT_THAT(lines(spec_of({}, before, kNow, each.after)),
                ElementsAre("web-0 a until 2026-01-02T12:05:00Z"));
  }
}

TEST(Withdrawn, ByTheUserItStaysForLingerEvenBesideARefusal) {
  const ControllerConfig config = with_root("srv", "/srv/logs/a");
  const NodeLinkSetSpec before =
      spec_of({resolved(on_host("/h/a,/h/b"), config)}, {}, kNow, config);
  EXPECT_THAT(lines(spec_of({resolved(on_host("/h/b"), config)}, before, kNow, config)),
              ElementsAre("web-0 " + before.sources[0].path + " until 2026-01-02T12:05:00Z"));
}

// --- Rejected by the server ---------------------------------------------------------------------

TEST(Rejected, ASourceThatTheServerNamedIsKeptOut) {
  const std::vector<ResolvedPod> pods = {resolved(pod_with("/v/a,/v/b"))};
  const NodeLinkSetSpec before = spec_of(pods);
  const std::set<SourceIdentity> rejected = {identity(before.sources[0])};
  for (const NodeLinkSetSpec& previous : {NodeLinkSetSpec(), before}) {
    const DesiredSet desired = desired_set(pods, previous, rejected, {}, kNow);
    EXPECT_THAT(lines(desired.spec), ElementsAre("web-0 b"));
    EXPECT_THAT(lines(desired.left_out), ElementsAre("web-0 /v/a RejectedByServer"));
  }
  // Withdrawn it would be refused just the same.
  EXPECT_THAT(lines(desired_set({}, before, rejected, {}, kNow).spec),
              ElementsAre("web-0 b until 2026-01-02T12:05:00Z"));
}

// --- Bounds -------------------------------------------------------------------------------------

std::string numbered(const std::string& prefix, int number, int width = 4) {
  std::string digits = std::to_string(number);
  return prefix + std::string(static_cast<std::size_t>(width) - digits.size(), '0') + digits;
}

// `count` pods of a namespace, each with one source; the higher the number, the younger.
std::vector<ResolvedPod> small_pods(const std::string& namespace_name, int count, int first = 0) {
  std::vector<ResolvedPod> pods;
  for (int i = first; i < first + count; ++i) {
    PodView pod = pod_with("/v/a").named(namespace_name, numbered("p", i)).uid(numbered("u", i));
    pod.uid = namespace_name + pod.uid;
    pod.created += std::chrono::seconds(i);
    pods.push_back(resolved(pod));
  }
  return pods;
}

std::vector<ResolvedPod> operator+(std::vector<ResolvedPod> a, const std::vector<ResolvedPod>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

// Directories and patterns as large as they may be.
std::string wide_annotation(int items) {
  std::string value;
  for (int i = 0; i < items; ++i) {
    if (i > 0) value += ",";
    value += "/v/" + numbered("d", i) + std::string(240, 'x');
  }
  return value;
}
std::string wide_patterns() {
  std::string value = std::string(64, 'a');
  for (int i = 1; i < 16; ++i) value += "," + std::string(64, 'a');
  return value;
}

TEST(Bounds, APodHasAtMostEightKibibytes) {
  const DesiredSet desired = desired_set(
      {resolved(pod_with(wide_annotation(16)).annotate("loglink/include", wide_patterns()))}, {},
      {}, {}, kNow);
  EXPECT_LE(spec_bytes(desired.spec), limits::kSpecBytesPerPod);
  EXPECT_GT(desired.spec.sources.size(), 2U);
  ASSERT_THAT(desired.left_out, SizeIs(1));
  ASSERT_EQ(desired.spec.sources.size() + desired.left_out[0].sources.size(), 16U);
  for (const LeftOut& each : desired.left_out[0].sources) {
    EXPECT_EQ(each.reason, Reason::kPodLimitReached);
    EXPECT_THAT(left_out_message(each.reason, "prod"), HasSubstr("fewer and shorter patterns"));
  }
}

TEST(Bounds, APodHasAtMostSixteenSourcesWithdrawnOnesIncluded) {
  std::string first = "/v/a0";
  std::string second = "/v/b0";
  for (int i = 1; i < 16; ++i) {
    first += ",/v/a" + std::to_string(i);
    second += ",/v/b" + std::to_string(i);
  }
  const NodeLinkSetSpec before = spec_of({resolved(pod_with(first))});
  ASSERT_THAT(before.sources, SizeIs(16));
  // What is asked for now has the place; what was asked for lingers by the agent's clock.
  const DesiredSet after = desired_set({resolved(pod_with(second))}, before, {}, {}, kNow);
  EXPECT_THAT(after.left_out, IsEmpty());
  EXPECT_THAT(after.spec.sources, SizeIs(16));
  EXPECT_EQ(std::count_if(after.spec.sources.begin(), after.spec.sources.end(),
                          [](const Source& source) { return source.withdrawn(); }),
            0);
}

std::map<std::string, int> per_namespace(const NodeLinkSetSpec& spec) {
  std::map<std::string, int> counts;
  for (const Source& source : spec.sources) ++counts[source.namespace_name];
  return counts;
}

TEST(Bounds, NoNamespaceHasMoreThanHalf) {
  const DesiredSet desired =
      desired_set(small_pods("big", 600) + small_pods("small", 10), {}, {}, {}, kNow);
  const std::map<std::string, int> counts = per_namespace(desired.spec);
  EXPECT_EQ(counts.at("small"), 10);
  EXPECT_LE(counts.at("big"), 500);
  ASSERT_THAT(desired.left_out, SizeIs(600 - counts.at("big")));
  for (const PodLeftOut& each : desired.left_out) {
    EXPECT_EQ(each.pod.namespace_name, "big");
    EXPECT_THAT(each.sources, ElementsAre(LeftOut{"/v/a", Reason::kNamespaceLimitReached}));
  }
  EXPECT_THAT(left_out_message(Reason::kNamespaceLimitReached, "big"),
              HasSubstr("namespace big has used its half"));
  // The oldest have the places.
  EXPECT_EQ(desired.left_out.front().pod.name, numbered("p", counts.at("big")));
}

TEST(Bounds, TheNodeHasAtMostItsBytes) {
  const DesiredSet desired = desired_set(
      small_pods("a", 400) + small_pods("b", 400) + small_pods("c", 400), {}, {}, {}, kNow);
  EXPECT_LE(spec_bytes(desired.spec), limits::kSpecBytes);
  EXPECT_LE(desired.spec.sources.size(), limits::kSourcesPerNode);
  EXPECT_TRUE(
      std::any_of(desired.left_out.begin(), desired.left_out.end(), [](const PodLeftOut& each) {
        return each.sources.front().reason == Reason::kNodeLimitReached;
      }));
  EXPECT_EQ(desired.spec.sources.size() + desired.left_out.size(), 1200U);
}

TEST(Bounds, ANewcomerNeverDisplacesWhatIsPublished) {
  // The published pods are younger than the newcomers, and still keep their places.
  const std::vector<ResolvedPod> published =
      small_pods("a", 400, 1000) + small_pods("b", 400, 1000);
  const NodeLinkSetSpec before = spec_of(published);
  const DesiredSet after =
      desired_set(small_pods("a", 300) + small_pods("c", 300) + published, before, {}, {}, kNow);
  for (const Source& source : before.sources) {
    EXPECT_TRUE(std::binary_search(after.spec.sources.begin(), after.spec.sources.end(), source))
        << source.namespace_name << "/" << source.pod;
  }
}

TEST(Bounds, WithdrawnSourcesTakeOnlyWhatLivePodsLeave) {
  const std::vector<ResolvedPod> old = small_pods("a", 250) + small_pods("b", 250);
  const NodeLinkSetSpec before = spec_of(old);
  ASSERT_THAT(before.sources, SizeIs(500));
  const DesiredSet after =
      desired_set(small_pods("c", 250) + small_pods("d", 250), before, {}, {}, kNow);
  EXPECT_THAT(after.left_out, IsEmpty());
  EXPECT_EQ(per_namespace(after.spec).at("c") + per_namespace(after.spec).at("d"), 500);
  EXPECT_LE(spec_bytes(after.spec), limits::kSpecBytes);
}

// A file may name a pod twice, or a Deployment as a pod (explain); a cluster cannot.
TEST(Bounds, APodThatIsGivenTwiceHasEachSourceOnce) {
  const std::vector<ResolvedPod> once = {resolved(pod_with("/v/a,/v/b"))};
  EXPECT_EQ(spec_of(once + once), spec_of(once));
  // Also of a pod that alone takes more than half of what one may.
  PodBuilder wide = pod_with("/v/a,/v/b,/v/c,/v/d");
  const std::vector<ResolvedPod> large = {
      resolved(wide.annotate("loglink/include", wide_patterns()))};
  const DesiredSet twice = desired_set(large + large, {}, {}, {}, kNow);
  EXPECT_THAT(twice.spec.sources, SizeIs(4));
  EXPECT_THAT(twice.left_out, IsEmpty());
}

// --- Properties ---------------------------------------------------------------------------------

// A random small world: pods of a few namespaces, some with too much, some refused.
std::vector<ResolvedPod> random_pods(std::mt19937& random, const ControllerConfig& config) {
  std::vector<ResolvedPod> pods;
  const int count = static_cast<int>(random() % 30);
  for (int i = 0; i < count; ++i) {
    PodBuilder builder;
    const std::string space = numbered("n", static_cast<int>(random() % 3), 1);
    const std::string name = numbered("p", i);
    builder.named(space, name).uid(name + "-" + std::to_string(random() % 2));
    builder.empty_dir("v").mount("v", "/v").host_path("h", "/srv/logs").mount("h", "/h");
    switch (random() % 4) {
      case 0:
        builder.watch(wide_annotation(static_cast<int>(random() % 16) + 1));
        break;
      case 1:
        builder.watch("/v/a,/h/" + std::to_string(random() % 3));
        break;
      case 2:
        builder.watch("/v/b,/nowhere");
        break;
      default:
        break;
    }
    if (random() % 3 == 0) builder.annotate("loglink/include", wide_patterns());
    PodView pod = builder;
    pod.created += std::chrono::seconds(random() % 5);
    pods.push_back(resolved(pod, config));
  }
  return pods;
}

void expect_within_bounds(const NodeLinkSetSpec& spec) {
  EXPECT_LE(spec.sources.size(), limits::kSourcesPerNode);
  EXPECT_LE(spec_bytes(spec), limits::kSpecBytes);
  std::map<std::string, NodeLinkSetSpec> namespaces;
  std::map<std::string, NodeLinkSetSpec> pods;
  std::set<SourceIdentity> identities;
  for (const Source& source : spec.sources) {
    namespaces[source.namespace_name].sources.push_back(source);
    pods[source.namespace_name + "/" + source.pod + "/" + source.uid].sources.push_back(source);
    EXPECT_TRUE(identities.insert(identity(source)).second) << "two of one identity";
  }
  for (const auto& [name, part] : namespaces) {
    EXPECT_LE(part.sources.size(), limits::kSourcesPerNode / 2) << name;
    EXPECT_LE(spec_bytes(part), limits::kSpecBytes / 2) << name;
  }
  for (const auto& [name, part] : pods) {
    EXPECT_LE(part.sources.size(), limits::kSourcesPerPod) << name;
    EXPECT_LE(spec_bytes(part), limits::kSpecBytesPerPod) << name;
  }
  EXPECT_TRUE(std::is_sorted(spec.sources.begin(), spec.sources.end()));
}

TEST(Properties, HoldInRandomHistories) {
  for (unsigned seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    NodeLinkSetSpec spec;
    WallTime now = kNow;
    for (int step = 0; step < 8; ++step) {
      ControllerConfig config = with_root();
      if (random() % 4 == 0) config.namespaces.deny = {"n1"};
      std::vector<ResolvedPod> pods = random_pods(random, config);
      const DesiredSet desired = desired_set(pods, spec, {}, config, now);

      expect_within_bounds(desired.spec);
      // Its own output changes nothing.
      EXPECT_EQ(desired_set(pods, desired.spec, {}, config, now).spec, desired.spec);
      // The order of pods and of previous sources is irrelevant.
      NodeLinkSetSpec shuffled = spec;
      std::shuffle(shuffled.sources.begin(), shuffled.sources.end(), random);
      std::shuffle(pods.begin(), pods.end(), random);
      const DesiredSet again = desired_set(pods, shuffled, {}, config, now);
      EXPECT_EQ(again.spec, desired.spec);
      EXPECT_EQ(again.left_out, desired.left_out);
      // Every source asked for is in the spec or left out with a reason.
      std::size_t asked = 0;
      for (const ResolvedPod& pod : pods) asked += pod.resolution.sources.size();
      const auto live = std::count_if(desired.spec.sources.begin(), desired.spec.sources.end(),
                                      [](const Source& source) { return !source.withdrawn(); });
      EXPECT_EQ(static_cast<std::size_t>(live) + lines(desired.left_out).size(), asked);

      spec = desired.spec;
      now += std::chrono::seconds(random() % 240);
    }
  }
}

TEST(Properties, PublishedSourcesKeepTheirPlaceWhateverComes) {
  std::mt19937 random(7);
  const std::vector<ResolvedPod> first = small_pods("a", 300, 500) + small_pods("b", 250, 500);
  NodeLinkSetSpec spec = spec_of(first);
  ASSERT_THAT(spec.sources, SizeIs(AllOf(testing::Gt(300U), testing::Le(550U))));
  for (int step = 0; step < 5; ++step) {
    const NodeLinkSetSpec next =
        spec_of(small_pods("c", static_cast<int>(random() % 300)) + first +
                    small_pods("d", static_cast<int>(random() % 300)) + small_pods("a", 100),
                spec, kNow);
    for (const Source& source : spec.sources) {
      if (source.namespace_name != "a" && source.namespace_name != "b") continue;
      EXPECT_TRUE(std::binary_search(next.sources.begin(), next.sources.end(), source));
    }
    spec = next;
  }
}

}  // namespace
}  // namespace loglink
