// The rules of a link's life, sentence by sentence.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;
using namespace std::chrono_literals;

class AgentRules : public OneWebPod {};

// A root inside a root has rules of its own: who may walk the outer one may not walk the inner.
TEST_F(AgentRules, AWalkNeverEntersARootInsideItsRoot) {
  world.files.add_root("inner");
  world.options.config.roots.push_back(Root{"inner", "/data/apps/shop/inner", {"vault"}, true});
  for (const char* path : {"shop/a.log", "shop/inner/vault/b.log", "shop/innermost/c.log"}) {
    world.files.write_file(kApps, path);
  }
  Source source = host_source("web-0", "shop");
  source.max_depth = 16;
  world.desire({source});
  world.settle();
  world.files.write_file(kApps, "shop/inner/vault/later.log");
  world.pass(2min);
  std::set<std::string> targets;
  for (const std::string& name : world.link_names()) targets.insert(world.target(name));
  EXPECT_EQ(targets, (std::set<std::string>{apps_target("shop/a.log"),
                                            apps_target("shop/innermost/c.log")}));
}

// Rule 1.

TEST_F(AgentRules, ARotationBehindTheLinkChangesNothing) {
  write("a.log");
  desire_web();
  const std::uint64_t changes = world.files.link_changes();
  rename("a.log", "a.log.1");
  world.pass(10s);
  write("a.log");
  world.pass(2h);
  EXPECT_EQ(world.files.link_changes(), changes);
}

TEST_F(AgentRules, ASetOfANewObjectIsItsOwnEvenIfItAsksForTheSame) {
  write("a.log");
  NodeLinkSet set;
  set.name = "node-1";
  set.uid = "first";
  set.generation = 3;
  set.spec.sources = {empty_dir_source("web-0")};
  world.agent().set_desired(set, world.now);
  world.settle();
  const std::uint64_t changes = world.files.link_changes();
  set.uid = "second";
  world.agent().set_desired(set, world.now);
  world.pass(10s);
  EXPECT_EQ(world.agent().desired()->uid, "second");
  set.uid = "third";
  set.generation = 1;
  world.agent().set_desired(set, world.now);
  world.pass(10s);
  EXPECT_EQ(world.agent().desired()->uid, "third");
  EXPECT_EQ(world.agent().status(world.now).observed_generation, 1);
  EXPECT_EQ(world.stored_sets.back().uid, "third");
  EXPECT_EQ(world.files.link_changes(), changes);
}

TEST_F(AgentRules, ANameIsRePointedAtOnceWhenItsOldTargetIsGone) {
  write("a.log");
  desire_web();
  world.files.remove(kPods, "uid-web-0");
  Source again = empty_dir_source("web-0");
  again.uid = "uid-new";
  again.path = "uid-new/volumes/kubernetes.io~empty-dir/logs";
  world.files.write_file(kPods, again.path + "/a.log");
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall + 5min), again});
  world.settle();
  EXPECT_EQ(world.target(a_link), pods_target(again.path + "/a.log"));
  EXPECT_EQ(world.agent().counters().links_replaced, 1U);
  EXPECT_TRUE(world.agent().counters().links_removed.empty());
}

TEST_F(AgentRules, ANameIsRePointedAtItsRemoveAfterWhileItsOldTargetIsThere) {
  const std::string old_target = apps_target("old/a.log");
  world.files.write_file(kApps, "old/a.log");
  world.files.write_file(kApps, "new/a.log");
  world.desire({host_source("web-0", "old")});
  world.settle();
  Source again = host_source("web-0", "new");
  world.desire({withdrawn(host_source("web-0", "old"), world.now.wall + 6min), again});
  world.pass(5min + 50s);
  EXPECT_EQ(world.target(a_link), old_target);
  EXPECT_EQ(world.reason("web-0"), "NameCollision");
  world.pass(12s);
  EXPECT_EQ(world.target(a_link), apps_target("new/a.log"));
  EXPECT_EQ(world.agent().counters().links_replaced, 1U);
}

// Rule 2.

TEST_F(AgentRules, OnlyRegularFilesAreLinked) {
  for (const FileKind kind : {FileKind::kFifo, FileKind::kSocket, FileKind::kDevice,
                              FileKind::kSymlink, FileKind::kDirectory}) {
    world.files.make_special(
        kPods, in_empty_dir("web-0", std::to_string(static_cast<int>(kind)) + ".log"), kind);
  }
  desire_web();
  EXPECT_THAT(world.link_names(), IsEmpty());
  EXPECT_EQ(world.reason("web-0"), "NotARegularFile");
  EXPECT_EQ(world.agent().status(world.now).refused, 5);
}

TEST_F(AgentRules, ALinkGoesAtOnceWhenItsTargetTurnsIntoAFifo) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.files.make_special(kPods, in_empty_dir("web-0", "a.log"), FileKind::kFifo);
  world.settle();
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, ATargetThatTurnsIntoASymlinkCountsAsMissingInSafeMode) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.files.make_symlink(kPods, in_empty_dir("web-0", "a.log"));
  world.pass(59min);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  world.pass(2min);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, ATargetThatTurnsIntoASymlinkLosesItsLinkAtOnceInDirectMode) {
  world.options.config.link_mode = LinkMode::kDirect;
  world.files.set_target_prefix(kPods, "/var/lib/kubelet/pods/");
  write("a.log");
  desire_web();
  ASSERT_THAT(world.link_names(), SizeIs(1));
  remove("a.log");
  world.files.make_symlink(kPods, in_empty_dir("web-0", "a.log"));
  world.settle();
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, AnAbsentRootKeepsItsLinksAndStartsNoClock) {
  write("a.log");
  desire_web();
  world.files.set_root_state(kPods, RootState::kAbsent);
  world.pass(5h);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  EXPECT_EQ(world.ready_reason(), "UnsafeRoot");
  // It said DirectoryNotFound, as if the pod's owner had misspelt it.
  EXPECT_EQ(world.reason("web-0"), "UnsafeRoot");
  world.files.set_root_state(kPods, RootState::kUsable);
  write("b.log");
  world.pass(40s);
  EXPECT_THAT(world.link_names(), SizeIs(2));
  EXPECT_EQ(world.ready_reason(), "");
}

// It said that it was ready, until the first pod asked for a link.
TEST_F(AgentRules, WithoutItsSafeRootsItIsNotReadyAlsoWhenNothingAsksForThem) {
  struct Case {
    RootState pods;
    RootState apps;
    std::string missing;
  };
  for (const Case& each : std::vector<Case>{
           {RootState::kAbsent, RootState::kAbsent, "root kubelet-pods has no safe mount"},
           {RootState::kAbsent, RootState::kUsable, "root kubelet-pods has no safe mount"},
           {RootState::kUsable, RootState::kAbsent, ""},  // of other nodes
           {RootState::kUsable, RootState::kUsable, ""},
       }) {
    AgentWorld fresh;
    fresh.files.set_root_state(kPods, each.pods);
    fresh.files.set_root_state(kApps, each.apps);
    fresh.desire({});
    fresh.settle();
    EXPECT_EQ(fresh.agent().ready(), each.missing.empty());
    const Condition ready = fresh.agent().status(fresh.now).conditions.at(0);
    EXPECT_THAT(ready.message, HasSubstr(each.missing));
    EXPECT_EQ(ready.message.find("run `loglink-agent mount`") != std::string::npos,
              !each.missing.empty());
    fresh.files.set_root_state(kPods, RootState::kUsable);
    fresh.pass(40s);
    EXPECT_TRUE(fresh.agent().ready());
  }
}

TEST_F(AgentRules, WithOneRootThatIsNotTheKubeletsItIsNotReadyWithoutIt) {
  AgentWorld fresh;
  fresh.options.config.roots = {Root{kApps, "/data/apps", {"*"}, false}};
  fresh.files.set_root_state(kApps, RootState::kAbsent);
  fresh.desire({});
  fresh.settle();
  EXPECT_FALSE(fresh.agent().ready());
  fresh.options.config.link_mode = LinkMode::kDirect;
  fresh.restart();
  fresh.desire({});
  fresh.settle();
  EXPECT_TRUE(fresh.agent().ready());
}

TEST_F(AgentRules, ADirectoryThatCannotBeReadKeepsItsLinksAndIsTriedAgain) {
  write("a.log");
  desire_web();
  const std::string directory = "uid-web-0/volumes/kubernetes.io~empty-dir/logs";
  world.files.set_readable(kPods, directory, false);
  world.pass(5h);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  EXPECT_EQ(world.reason("web-0"), "PermissionDenied");
  world.files.set_readable(kPods, directory, true);
  write("b.log");
  world.pass(40s);
  EXPECT_THAT(world.link_names(), SizeIs(2));
  EXPECT_EQ(world.reason("web-0"), "");
}

TEST_F(AgentRules, OneUnsafeReadingOfARootRemovesNothingTwoRemoveItsLinks) {
  write("a.log");
  desire_web();
  world.files.set_root_state(kPods, RootState::kUnsafe);
  world.pass(33s);  // one rescan and its second look
  EXPECT_THAT(world.link_names(), IsEmpty());
  EXPECT_EQ(world.ready_reason(), "UnsafeRoot");
  EXPECT_FALSE(world.agent().ready());
  world.files.set_root_state(kPods, RootState::kUsable);
  world.pass(34s);
  ASSERT_THAT(world.link_names(), SizeIs(1));

  const std::uint64_t rescans = world.agent().counters().rescans;
  world.files.set_root_state(kPods, RootState::kUnsafe);
  while (world.agent().counters().rescans == rescans) world.pass(100ms);
  world.files.set_root_state(kPods, RootState::kUsable);
  world.pass(5s);
  EXPECT_THAT(world.link_names(), SizeIs(1));
}

// Rule 3.

TEST_F(AgentRules, AFileThatWasLinkedIsNotLinkedAgainUnderAnotherNameAfterARestart) {
  write("app.log");
  desire_web();
  world.pass(31s);  // the memory is stored
  rename("app.log", "app-2026-01-01.log");
  write("app.log");
  world.restart();
  world.pass(5min);
  EXPECT_THAT(world.link_names(), ElementsAre("web-0_prod_app-app.log"));
}

TEST_F(AgentRules, AFileRenamedIntoPlaceThatGrowsIsLinkedAfterAMinute) {
  write("a.log");
  desire_web();
  rename("a.log", "b.log");
  world.pass(20s);
  world.files.append(kPods, in_empty_dir("web-0", "b.log"), 100);
  world.pass(35s);
  EXPECT_THAT(world.link_names(), Not(Contains("web-0_prod_app-b.log")));
  world.pass(10s);
  EXPECT_THAT(world.link_names(), Contains("web-0_prod_app-b.log"));
}

TEST_F(AgentRules, AFileRenamedAwayThatDoesNotGrowStaysRotated) {
  write("a.log");
  desire_web();
  rename("a.log", "b.log");
  world.pass(50min);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
}

TEST_F(AgentRules, AReusedInodeNumberIsANewFileOnceItsFormerFileWasDeleted) {
  write("parents.txt");
  world.files.set_next_inode(5000);
  write("a.log");
  desire_web();
  remove("a.log");
  world.settle();
  world.files.set_next_inode(5000);  // in the same tick of the clock: the same birth time, too
  write("b.log");
  world.settle();
  EXPECT_THAT(world.link_names(), Contains("web-0_prod_app-b.log"));
}

TEST_F(AgentRules, OneInodeIsLinkedOnce) {
  write("a.log");
  world.files.make_hard_link(kPods, in_empty_dir("web-0", "b.log"), in_empty_dir("web-0", "a.log"));
  desire_web();
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  EXPECT_EQ(world.reason("web-0"), "");  // within one pod it is a skip
}

TEST_F(AgentRules, ALinkWithoutItsTargetIsKeptForAnHour) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(59min + 50s);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  world.pass(12s);
  EXPECT_THAT(world.link_names(), IsEmpty());
  EXPECT_EQ(world.agent().counters().links_removed.at(OperationReason::kTargetGone), 1U);
}

// Found by seed 11037: the clock of the former link was still running.
TEST_F(AgentRules, ANameThatWasFreedAndIsLinkedAgainHasAGraceOfItsOwn) {
  write("a.log");
  desire_web();
  remove("a.log");
  world.pass(61min);
  ASSERT_THAT(world.link_names(), IsEmpty());
  write("a.log");
  world.pass(1s);
  ASSERT_THAT(world.link_names(), SizeIs(1));
  remove("a.log");
  world.pass(59min);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  world.pass(2min);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, AFileSystemWithoutBirthTimesRepeatsRatherThanLoses) {
  world.files.set_birth_times(kPods, false);
  write("a.log");
  desire_web();
  rename("a.log", "b.log");
  write("a.log");
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(2));
  const std::vector<Condition> conditions = world.agent().status(world.now).conditions;
  ASSERT_THAT(conditions, SizeIs(2));
  EXPECT_EQ(conditions[1].type, "NoBirthTime");
}

// Rule 4.

TEST_F(AgentRules, ARemoveAfterFarAheadIsCutToTheLingerAndTenMinutes) {
  write("a.log");
  desire_web();
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall + 24h * 365)});
  world.pass(14min + 50s);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  world.pass(12s);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, AWithdrawnLinkWithoutItsTargetGoesAfterAMinute) {
  write("a.log");
  desire_web();
  world.files.remove(kPods, "uid-web-0");
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall + 5min)});
  world.pass(58s);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  world.pass(4s);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, ALinkOfAFinishedPodWithoutItsTargetGoesAfterAMinute) {
  write("a.log");
  desire_web();
  Source finished = empty_dir_source("web-0");
  finished.finished = true;
  world.desire({finished});
  world.pass(10min);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  remove("a.log");
  world.pass(62s);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

TEST_F(AgentRules, AWithdrawnSourceIsLinkedLikeALiveOneUntilItsTime) {
  write("a.log");
  world.desire({withdrawn(empty_dir_source("web-0"), world.now.wall + 5min)});
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(1));
}

TEST_F(AgentRules, ASourceThatIsToGoAtOnceDoesNotLinger) {
  write("a.log");
  desire_web();
  // The controller's clock is ahead.
  Source source = withdrawn(empty_dir_source("web-0"), world.now.wall + 10min);
  source.required_features = {"remove-now"};
  world.desire({source});
  world.settle();
  EXPECT_THAT(world.link_names(), IsEmpty());
  write("b.log");
  world.pass(1min);
  EXPECT_THAT(world.link_names(), IsEmpty());
  EXPECT_EQ(world.agent().link_count(), 0);

  world.desire({empty_dir_source("web-0")});
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(2)) << "asked for again";
}

// Without removeAfter nothing is withdrawn.
TEST_F(AgentRules, TheFeatureAloneRemovesNothing) {
  write("a.log");
  Source source = empty_dir_source("web-0");
  source.required_features = {"remove-now"};
  world.desire({source});
  world.pass(10min);
  EXPECT_THAT(world.link_names(), SizeIs(1));
}

// Rule 5.

TEST_F(AgentRules, ForeignEntriesAreNeverTouchedAndTakeTheirNames) {
  const LinkEntry file{a_link, false, ""};
  const LinkEntry link{"web-0_prod_app-b.log", true, "/elsewhere/b.log"};
  world.files.put_entry(file);
  world.files.put_entry(link);
  write("a.log");
  write("b.log");
  desire_web();
  world.pass(2h);
  EXPECT_THAT(world.files.link_directory(),
              ElementsAre(testing::Pair(file.name, file), testing::Pair(link.name, link)));
  EXPECT_EQ(world.reason("web-0"), "NameTaken");
}

TEST_F(AgentRules, AForeignHandThatRemovesALinkGetsItMadeAgain) {
  write("a.log");
  desire_web();
  world.files.remove_entry(a_link);
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(1));
}

TEST_F(AgentRules, AChangeOfModeRePointsOurLinks) {
  write("a.log");
  desire_web();
  world.options.config.link_mode = LinkMode::kDirect;
  world.files.set_target_prefix(kPods, "/var/lib/kubelet/pods/");
  world.restart();
  desire_web();
  EXPECT_EQ(world.target(a_link), "/var/lib/kubelet/pods/" + in_empty_dir("web-0", "a.log"));
  EXPECT_EQ(world.agent().counters().links_replaced, 1U);
  EXPECT_TRUE(world.agent().counters().links_removed.empty());
}

// Rule 6.

TEST_F(AgentRules, AnIncumbentKeepsASharedFileFromADeeperAndOlderNewcomer) {
  world.files.write_file(kApps, "shared/sub/a.log");
  Source shallow = host_source("web-1", "shared");
  shallow.max_depth = 2;
  world.desire({shallow});
  world.settle();
  ASSERT_THAT(world.link_names(), SizeIs(1));
  const std::set<std::string> before = world.link_names();
  Source deeper = host_source("web-0", "shared/sub");
  deeper.since = WallTime(1s);
  world.desire({shallow, deeper});
  world.pass(1h);
  EXPECT_EQ(world.link_names(), before);
  EXPECT_EQ(world.reason("web-0"), "AlreadyLinked");
}

TEST_F(AgentRules, AmongNewcomersTheDeepestThenTheOldestGetsTheFile) {
  world.files.write_file(kApps, "shared/sub/a.log");
  Source shallow = host_source("web-9", "shared");
  shallow.max_depth = 2;
  Source young = host_source("web-1", "shared/sub");
  young.since = WallTime(200s);
  Source old = host_source("web-2", "shared/sub");
  old.since = WallTime(100s);
  world.desire({shallow, young, old});
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre("web-2_prod_app-a.log"));
  EXPECT_EQ(world.reason("web-1"), "AlreadyLinked");
  for (const PodLinks& pod : world.agent().status(world.now).pods) {
    if (pod.pod != "web-1") continue;
    EXPECT_THAT(pod.message, HasSubstr("by pod web-2"));
  }
}

TEST_F(AgentRules, TheOwnerOfASharedFileIsNotNamedAcrossNamespaces) {
  world.files.write_file(kApps, "shared/a.log");
  Source other = host_source("secret-0", "shared");
  other.namespace_name = "secret";
  other.since = WallTime(1s);
  world.desire({other, host_source("web-0", "shared")});
  world.settle();
  EXPECT_EQ(world.reason("web-0"), "AlreadyLinked");
  for (const PodLinks& pod : world.agent().status(world.now).pods) {
    EXPECT_THAT(pod.message, Not(HasSubstr("secret")));
  }
}

TEST_F(AgentRules, WhoWaitsForASharedFileGetsItWhenItsHoldersTimeIsUp) {
  world.files.write_file(kApps, "shared/a.log");
  Source holder = host_source("web-1", "shared");
  world.desire({holder});
  world.settle();
  world.desire({withdrawn(holder, world.now.wall + 5min), host_source("web-0", "shared")});
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre("web-1_prod_app-a.log"));
  world.turn_clock(5min + 1s);
  const std::uint64_t plans = world.agent().counters().plans;
  world.settle();
  EXPECT_THAT(world.link_names(), ElementsAre(a_link));
  EXPECT_EQ(world.agent().counters().plans, plans + 1);
}

// Rule 7.

TEST_F(AgentRules, WithoutADesiredSetNothingChanges) {
  world.files.put_entry({a_link, true, pods_target(in_empty_dir("web-0", "a.log"))});
  world.pass(3h);
  EXPECT_EQ(world.files.link_changes(), 0U);
}

TEST_F(AgentRules, ARestartedAgentGoesOnWithTheLastKnownSet) {
  write("a.log");
  desire_web();
  world.restart();
  write("b.log");
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(2));
  EXPECT_EQ(world.agent().status(world.now).observed_generation, 1);
}

TEST_F(AgentRules, AStoredSetOfAnUnknownVersionIsSetAside) {
  world.files.set_state("desired.json", "from the future");
  world.start();
  world.settle();
  EXPECT_EQ(world.files.state().at("desired.json.set-aside"), "from the future");
}

TEST_F(AgentRules, OnlyALongAbsenceOfTheObjectEmptiesTheSet) {
  write("a.log");
  desire_web();
  world.agent().set_absent(world.now);
  world.pass(4min);
  world.agent().set_unknown();
  world.agent().set_absent(world.now);
  world.pass(4min + 59s);
  EXPECT_THAT(world.agent().sources().sources(), SizeIs(1));
  world.pass(2s);
  EXPECT_THAT(world.agent().sources().sources(), IsEmpty());
  world.pass(5min + 1s);
  EXPECT_THAT(world.link_names(), IsEmpty());
}

// Rule 8.

TEST_F(AgentRules, ASourceOfANewerVersionIsRefusedAndKeepsItsLinks) {
  write("a.log");
  desire_web();
  Source newer = empty_dir_source("web-0");
  newer.required_features = {"time-travel"};
  Source other = empty_dir_source("web-1");
  world.files.write_file(kPods, in_empty_dir("web-1", "a.log"));
  world.desire({newer, other});
  world.pass(3h);
  EXPECT_THAT(world.link_names(), ElementsAre(a_link, "web-1_prod_app-a.log"));
  EXPECT_EQ(world.reason("web-0"), "AgentTooOld");
  EXPECT_EQ(world.reason("web-1"), "");
}

TEST_F(AgentRules, ASourceInAnUnknownRootIsRefusedAndKeepsItsLinks) {
  const std::string name = "web-0_prod_app-a.log";
  world.files.put_entry({name, true, "/run/loglink/roots/gone/logs/a.log"});
  Source source = host_source("web-0", "logs");
  source.root = "gone";
  world.desire({source});
  world.pass(3h);
  EXPECT_THAT(world.link_names(), ElementsAre(name));
  EXPECT_EQ(world.reason("web-0"), "UnknownRoot");
}

// Loop and limits.

TEST_F(AgentRules, EverythingConvergesWithoutNotices) {
  world.files.set_notices(false);
  desire_web();
  write("a.log");
  world.pass(34s);
  EXPECT_THAT(world.link_names(), SizeIs(1));
  remove("a.log");
  write("b.log");
  world.pass(34s);
  EXPECT_THAT(world.link_names(), Contains("web-0_prod_app-b.log"));
}

TEST_F(AgentRules, AQuietDirectoryCostsOneStatPerRescanAndNoPlan) {
  write("a.log");
  desire_web();
  world.pass(2min);
  const int listings = world.files.calls(FileVerb::kOpenDirectory);
  const int stats = world.files.calls(FileVerb::kStat);
  const std::uint64_t plans = world.agent().counters().plans;
  const std::uint64_t rescans = world.agent().counters().rescans;
  world.pass(2min);
  const auto done = static_cast<int>(world.agent().counters().rescans - rescans);
  EXPECT_GE(done, 3);
  EXPECT_EQ(world.files.calls(FileVerb::kOpenDirectory), listings);
  EXPECT_EQ(world.files.calls(FileVerb::kStat), stats + done);
  EXPECT_EQ(world.agent().counters().plans, plans);
}

TEST_F(AgentRules, AnOverflowIsRepairedAtOnce) {
  desire_web();
  write("a.log");
  world.files.overflow();
  world.settle();
  world.pass(2s);
  EXPECT_EQ(world.agent().counters().overflows, 1U);
  EXPECT_THAT(world.link_names(), SizeIs(1));
}

TEST_F(AgentRules, ATreeThatIsMadeInOneGoIsFoundToItsDepth) {
  Source deep = empty_dir_source("web-0");
  deep.max_depth = 3;
  world.desire({deep});
  world.settle();
  write("b/c/f.log");
  write("b/c/d/too-deep.log");
  world.settle();
  EXPECT_THAT(world.link_names(), SizeIs(1));
  EXPECT_THAT(*world.link_names().begin(), HasSubstr("web-0_prod_app-f-"));
}

TEST_F(AgentRules, WaitingForADirectoryEndsWhenItIsThere) {
  desire_web();
  EXPECT_EQ(world.files.watch_count(), 1U);  // the nearest parent that exists
  write("a.log");
  world.settle();
  EXPECT_EQ(world.files.watch_count(), 1U);  // the directory itself
  world.desire({});
  world.pass(1s);
  EXPECT_EQ(world.files.watch_count(), 0U);
}

TEST_F(AgentRules, ADryRunChangesNothing) {
  world.options.dry_run = true;
  write("a.log");
  desire_web();
  EXPECT_THAT(world.link_names(), IsEmpty());
  EXPECT_TRUE(world.files.state().empty());
  ASSERT_THAT(world.agent().pending(), SizeIs(1));
  EXPECT_THAT(describe(world.agent().pending()[0]), HasSubstr("make " + a_link + " -> "));
}

TEST_F(AgentRules, TroublesOfAWithdrawnDirectoryAreNotThePodsAnyMore) {
  world.files.make_directory(kApps, "new");
  const Source old = host_source("web-0", "old");
  world.desire({withdrawn(old, world.now.wall + 5min), host_source("web-0", "new")});
  world.settle();
  EXPECT_EQ(world.reason("web-0"), "");
  world.desire({old, host_source("web-0", "new")});
  world.settle();
  EXPECT_EQ(world.reason("web-0"), "DirectoryNotFound");
}

// A tenant's large directory is read in pieces, and what happens meanwhile is not lost.
TEST_F(AgentRules, WhileALargeDirectoryIsReadOthersFilesAreLinkedAndItsOwnChangesAreSeen) {
  constexpr int kFiles = 3500;
  world.options.config.limits.links_per_source = kFiles + 1;
  world.options.config.limits.links_per_pod = kFiles + 1;
  const auto file = [](int i) { return std::to_string(1'000'000 + i) + ".log"; };
  write(file(0));
  world.files.write_file(kPods, in_empty_dir("web-1", "old.log"));
  world.desire({empty_dir_source("web-0"), empty_dir_source("web-1")});
  world.pass(10s);
  for (int i = 1; i < kFiles; ++i) write(file(i));
  world.files.lose_notices();
  world.turn_clock(40s);
  world.agent().step(world.now);
  ASSERT_TRUE(world.agent().scanner().is_scanning());

  world.files.write_file(kPods, in_empty_dir("web-1", "new.log"));
  remove(file(1));           // read already
  write(file(-1));           // before what was read
  remove(file(kFiles - 1));  // not read yet
  world.agent().step(world.now);
  EXPECT_TRUE(world.agent().scanner().is_scanning());
  EXPECT_THAT(world.link_names(), Contains("web-1_prod_app-new.log"));

  world.settle();
  world.pass(1s);
  std::set<std::string> names = world.link_names();
  EXPECT_EQ(names.count("web-0_prod_app-" + file(-1)), 1U);
  EXPECT_EQ(names.count("web-0_prod_app-" + file(1)), 0U);
  EXPECT_EQ(names.count("web-0_prod_app-" + file(kFiles - 1)), 0U);
  EXPECT_EQ(names.size(), 2U + kFiles - 1);
}

TEST_F(AgentRules, OwnChangesNeedNoListingOfTheLinkDirectoryAStrangersDo) {
  write("a.log");
  desire_web();
  world.pass(40s);
  const int listings = world.files.calls(FileVerb::kListLinks);
  for (const char* name : {"b.log", "c.log"}) {
    write(name);
    world.pass(40s);
  }
  EXPECT_THAT(world.link_names(), SizeIs(3));
  EXPECT_EQ(world.files.calls(FileVerb::kListLinks), listings);
  world.files.put_entry({"theirs", false, ""});
  world.files.lose_notices();
  world.pass(40s);
  EXPECT_EQ(world.files.calls(FileVerb::kListLinks), listings + 1);
}

// Until everything that a new set asks for has been read, the answer is the one about the old set.
// Directories may be read again just when a set comes, as at a rescan, and show nothing new.
TEST_F(AgentRules, ASetThatComesWhileDirectoriesAreReadIsAnsweredOnceTheyHaveBeen) {
  write("a.log");
  world.desire({empty_dir_source("web-0"), empty_dir_source("web-1")});
  world.settle();
  world.turn_clock(40s);
  world.desire({empty_dir_source("web-0")});
  // The first step finds at the rescan that a directory has changed just before its listing.
  world.agent().step(world.now);
  ASSERT_TRUE(world.agent().scanner().is_scanning());
  world.settle();
  EXPECT_EQ(world.agent().status(world.now).observed_generation, 2);
  EXPECT_EQ(world.reason("web-1"), "absent");
}

// They lie in its directory, and a collector still reads them.
// Whoever changes its patterns again and again leaves lingering links each time: they take places
// like all others, and bring it no ten new ones.

}  // namespace
}  // namespace loglink
