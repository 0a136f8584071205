#include "controller/core/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "lib/base/text.h"
#include "lib/model/limits.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// One pod, its node's object and what the agent says, put together as in a cluster.
class World {
 public:
  explicit World(const PodView& pod, const ControllerConfig& config = {})
      : pod_{pod, resolve(pod, config, {})} {
    object_.name = pod.node_name;
    object_.generation = 1;
    publish();
  }

  // The pod's sources are in the spec.
  World& publish() {
    object_.spec.sources = pod_.resolution.sources;
    input_.sources_since_generation = object_.generation;
    return *this;
  }
  World& not_published() {
    object_.spec.sources.clear();
    input_.sources_since_generation = 0;
    return *this;
  }
  World& agent_says(int links, const std::string& reason = "", const std::string& message = "",
                    int refused = 0) {
    object_.status.observed_generation = object_.generation;
    const PodView& pod = pod_.pod;
    object_.status.pods = {
        {pod.namespace_name, pod.name, claimed_pod_id(pod), links, refused, reason, message}};
    return *this;
  }
  // The agent has answered, but not about this pod.
  World& forgotten() {
    object_.status.pods.clear();
    return *this;
  }
  World& left_out(const std::string& watch_dir, Reason reason) {
    input_.left_out.push_back({watch_dir, reason});
    return *this;
  }
  World& before(StatusWord word, const std::string& message = "") {
    input_.previous_word = word;
    input_.previous_message = message;
    return *this;
  }
  World& silent() {
    input_.agent_silent = true;
    return *this;
  }
  World& crd_outdated() {
    input_.crd_outdated = true;
    return *this;
  }
  World& unwritable(KubeErrorKind why) {
    input_.unwritable_because = why;
    return *this;
  }
  World& sources_since(std::int64_t generation) {
    input_.sources_since_generation = generation;
    return *this;
  }
  World& observed(std::int64_t generation) {
    object_.status.observed_generation = generation;
    return *this;
  }
  World& write_pending() {
    input_.write_pending = true;
    return *this;
  }
  World& entries_dropped() {
    input_.entries_dropped = true;
    return *this;
  }
  World& not_ready(const std::string& reason) {
    object_.status.conditions = {{"Ready", "False", reason, "", 1, {}}};
    return *this;
  }
  NodeLinkSet& object() { return object_; }

  [[nodiscard]] Answer answer() const {
    AnswerInput input = input_;
    input.pod = &pod_;
    input.node_object = &object_;
    return loglink::answer(input);
  }
  [[nodiscard]] Answer answer_without_object() const {
    AnswerInput input = input_;
    input.pod = &pod_;
    return loglink::answer(input);
  }
  [[nodiscard]] StatusWord word() const { return answer().word; }
  [[nodiscard]] std::string message() const { return answer().message; }

 private:
  ResolvedPod pod_;
  NodeLinkSet object_;
  AnswerInput input_;
};

PodBuilder two_directories() {
  return PodBuilder().empty_dir("v").mount("v", "/v").watch("/v/a,/v/b");
}
PodBuilder one_refused() { return simple_pod().watch("/var/log/app,/data"); }
PodBuilder all_refused() { return simple_pod().watch("/data"); }

// --- The word -----------------------------------------------------------------------------------

TEST(AnswerWord, LinkedWhenTheAgentKeepsTheLinks) {
  const Answer answer = World(simple_pod()).agent_says(2).answer();
  EXPECT_EQ(answer.word, StatusWord::kLinked);
  EXPECT_EQ(answer.links, 2);
  EXPECT_EQ(answer.message, "");
  EXPECT_EQ(answer.reason, std::nullopt);
}

TEST(AnswerWord, InvalidWhenNoWatchDirIsAccepted) {
  const Answer answer = World(all_refused()).answer();
  EXPECT_EQ(answer.word, StatusWord::kInvalid);
  EXPECT_EQ(answer.reason, Reason::kNotOnAVolume);
  EXPECT_EQ(answer.links, 0);
  EXPECT_THAT(answer.message, StartsWith("/data: NotOnAVolume: no container mounts a volume"));
}

TEST(AnswerWord, InvalidWhenTheWholeAnnotationIsRefused) {
  for (const PodBuilder& pod :
       {simple_pod().annotate("loglink/include", "a/b"),
        simple_pod().annotate("loglink/max-depth", "0"),
        PodBuilder().annotate("loglink/include", "*"),
        simple_pod().watch(join(std::vector<std::string>(17, "/a"), ","))}) {
    const Answer answer = World(pod).answer();
    EXPECT_EQ(answer.word, StatusWord::kInvalid);
    ASSERT_TRUE(answer.reason);
    EXPECT_THAT(answer.message, StartsWith(std::string(to_string(*answer.reason)) + ": loglink/"));
  }
}

TEST(AnswerWord, InvalidWhenOnlyAMisspeltKeyAsks) {
  const Answer answer = World(PodBuilder().annotate("loglink/watchdir", "/a")).answer();
  EXPECT_EQ(answer.word, StatusWord::kInvalid);
  EXPECT_EQ(answer.message,
            "UnknownAnnotation: loglink/watchdir is not an annotation of loglink and does nothing; "
            "did you mean loglink/watch-dir?");
}

TEST(AnswerWord, InvalidWhenTheAgentRefusesTheLastOne) {
  EXPECT_EQ(World(simple_pod()).agent_says(0, "PermissionDenied", "mode 0700", 1).word(),
            StatusWord::kInvalid);
  // The controller has refused the other one.
  EXPECT_EQ(World(one_refused()).agent_says(0, "PermissionDenied", "mode 0700", 1).word(),
            StatusWord::kInvalid);
  EXPECT_EQ(World(two_directories()).agent_says(0, "UnknownRoot", "root", 2).word(),
            StatusWord::kInvalid);
}

TEST(AnswerWord, DegradedWhenAWatchDirIsRefused) {
  EXPECT_EQ(World(one_refused()).agent_says(1).word(), StatusWord::kDegraded);
  EXPECT_EQ(World(two_directories()).agent_says(1, "PermissionDenied", "0700", 1).word(),
            StatusWord::kDegraded);
  EXPECT_EQ(World(two_directories()).agent_says(0, "PermissionDenied", "0700", 1).word(),
            StatusWord::kDegraded);
}

TEST(AnswerWord, DegradedBeforeTheAgentAnswers) {
  EXPECT_EQ(World(one_refused()).word(), StatusWord::kDegraded);
  EXPECT_EQ(World(one_refused()).answer_without_object().word, StatusWord::kDegraded);
}

TEST(AnswerWord, DegradedWhenALimitIsReached) {
  for (const Reason limit :
       {Reason::kPodLimitReached, Reason::kNamespaceLimitReached, Reason::kNodeLimitReached}) {
    const Answer answer = World(two_directories()).left_out("/v/b", limit).agent_says(1).answer();
    EXPECT_EQ(answer.word, StatusWord::kDegraded);
    EXPECT_EQ(answer.reason, limit);
    EXPECT_EQ(answer.message,
              "/v/b: " + std::string(to_string(limit)) + ": " + left_out_message(limit, "prod"));
  }
  // Also when nothing of the pod has a place: the annotation itself is in order.
  EXPECT_EQ(World(simple_pod())
                .left_out("/var/log/app", Reason::kNodeLimitReached)
                .not_published()
                .word(),
            StatusWord::kDegraded);
  EXPECT_EQ(World(simple_pod()).agent_says(5, "LinkLimitReached", "1000 links").word(),
            StatusWord::kDegraded);
}

TEST(AnswerWord, ASourceThatTheServerRejectsIsRefused) {
  EXPECT_EQ(World(simple_pod())
                .left_out("/var/log/app", Reason::kRejectedByServer)
                .not_published()
                .word(),
            StatusWord::kInvalid);
  EXPECT_EQ(
      World(two_directories()).left_out("/v/b", Reason::kRejectedByServer).agent_says(1).word(),
      StatusWord::kDegraded);
}

TEST(AnswerWord, PendingUntilTheAgentHasAnEntry) {
  const Answer answer = World(simple_pod()).answer();
  EXPECT_EQ(answer.word, StatusWord::kPending);
  EXPECT_EQ(answer.links, std::nullopt);
  EXPECT_EQ(answer.message, "waiting for the agent on node node-a");
  EXPECT_EQ(World(simple_pod()).answer_without_object().word, StatusWord::kPending);
  EXPECT_EQ(World(simple_pod()).not_published().word(), StatusWord::kPending);
}

TEST(AnswerWord, PendingWhileThePodWaitsForANode) {
  EXPECT_EQ(World(simple_pod().on_node("")).message(), "the pod waits for a node");
  EXPECT_EQ(World(simple_pod().on_node("")).word(), StatusWord::kPending);
}

TEST(AnswerWord, PendingWhileNoDirectoryExists) {
  const Answer answer =
      World(simple_pod()).agent_says(0, "DirectoryNotFound", "it does not exist").answer();
  EXPECT_EQ(answer.word, StatusWord::kPending);
  EXPECT_EQ(answer.reason, Reason::kDirectoryNotFound);
  EXPECT_EQ(answer.links, 0);
  // Links that are there are of the directory that it asked for before.
  EXPECT_EQ(World(simple_pod()).agent_says(1, "DirectoryNotFound", "it does not exist").word(),
            StatusWord::kPending);
  // Both of two are missing.
  EXPECT_EQ(World(two_directories()).agent_says(0, "DirectoryNotFound", "v/a; and 1 more").word(),
            StatusWord::kPending);
  // One of two exists, and has no file yet.
  EXPECT_EQ(World(two_directories()).agent_says(0, "DirectoryNotFound", "v/a").word(),
            StatusWord::kLinked);
  // One of two exists, and its one file is another pod's: counted as a trouble, not as a directory.
  EXPECT_EQ(
      World(two_directories()).agent_says(0, "DirectoryNotFound", "v/a; and 1 more", 1).word(),
      StatusWord::kLinked);
  // One of two exists and has links.
  const World other =
      World(two_directories()).agent_says(3, "DirectoryNotFound", "it does not exist");
  EXPECT_EQ(other.word(), StatusWord::kLinked);
  EXPECT_EQ(other.message(), "DirectoryNotFound: it does not exist");
}

TEST(AnswerWord, SingleFilesAreNamedAndDoNotChangeTheWord) {
  for (const std::string reason :
       {"NotARegularFile", "NameTaken", "NameCollision", "NameTooLong", "AlreadyLinked"}) {
    const World world = World(simple_pod()).agent_says(1, reason, "x.log and 2 more", 3);
    EXPECT_EQ(world.word(), StatusWord::kLinked) << reason;
    EXPECT_EQ(world.message(), reason + ": x.log and 2 more");
  }
}

TEST(AnswerWord, AnUnknownAnnotationIsToldAndDoesNotChangeIt) {
  const World world = World(simple_pod().annotate("loglink/incude", "*")).agent_says(1);
  EXPECT_EQ(world.word(), StatusWord::kLinked);
  EXPECT_THAT(world.message(), StartsWith("UnknownAnnotation: loglink/incude is not"));
}

// --- Pending never flaps ------------------------------------------------------------------------

// What is only told must not look like what it waits for.
TEST(AnswerPending, SaysWhatItWaitsForBeforeWhatIsOnlyTold) {
  const World world = World(simple_pod().annotate("loglink/incude", "*"));
  EXPECT_EQ(world.word(), StatusWord::kPending);
  EXPECT_EQ(world.message(), "waiting for the agent on node node-a (and 1 more)");
}

TEST(AnswerPending, OtherPodsChangesDoNotMoveTheWord) {
  World world = World(simple_pod()).agent_says(1);
  world.object().generation = 9;  // others changed; the agent has observed 1
  EXPECT_EQ(world.word(), StatusWord::kLinked);
}

TEST(AnswerPending, OwnChangesDoUntilTheyAreObserved) {
  World world = World(simple_pod()).agent_says(1);
  world.object().generation = 2;
  world.sources_since(2);
  EXPECT_EQ(world.word(), StatusWord::kPending);
  EXPECT_EQ(world.answer().links, 1) << "the links that exist are told meanwhile";
  world.object().status.observed_generation = 2;
  EXPECT_EQ(world.word(), StatusWord::kLinked);
}

TEST(AnswerPending, AnAgentsTroubleWithTheOldSourcesIsNotHeldAgainstTheNew) {
  World world = World(simple_pod()).agent_says(0, "PermissionDenied", "0700", 1);
  world.object().generation = 9;
  world.sources_since(9);
  EXPECT_EQ(world.word(), StatusWord::kPending);
  EXPECT_THAT(world.message(), Not(HasSubstr("PermissionDenied")));
}

TEST(AnswerPending, ANewLeaderTakesAnExistingEntryForTheAnswer) {
  EXPECT_EQ(World(simple_pod()).agent_says(1).sources_since(0).word(), StatusWord::kLinked);
  // Unless what is published is not what is asked for.
  EXPECT_EQ(World(simple_pod()).agent_says(1).not_published().word(), StatusWord::kPending);
  World withdrawn = World(simple_pod()).agent_says(1).sources_since(0);
  withdrawn.object().spec.sources[0].remove_after = at("2026-01-02T04:00:00Z");
  EXPECT_EQ(withdrawn.word(), StatusWord::kPending);
}

TEST(AnswerPending, AfterAMinuteTheMessageSaysThatNoAgentAnswers) {
  EXPECT_EQ(World(simple_pod()).silent().message(),
            "no agent answers on node node-a; ask the administrator whether loglink-agent runs "
            "there");
  EXPECT_EQ(World(simple_pod()).silent().word(), StatusWord::kPending);
  EXPECT_EQ(World(simple_pod()).silent().agent_says(1).message(), "");
}

TEST(AnswerPending, AnOutdatedCrdIsNamed) {
  const Answer answer = World(simple_pod()).not_published().crd_outdated().answer();
  EXPECT_EQ(answer.word, StatusWord::kPending);
  EXPECT_EQ(answer.reason, Reason::kCRDOutdated);
  EXPECT_EQ(World(simple_pod()).agent_says(1).crd_outdated().word(), StatusWord::kLinked);
}

TEST(AnswerPending, AnObjectThatCannotBeWrittenIsTheControllersTroubleNotTheAgents) {
  const auto pod = [] {
    return World(simple_pod()).not_published().silent().unwritable(KubeErrorKind::kForbidden);
  };
  EXPECT_EQ(pod().word(), StatusWord::kPending);
  EXPECT_EQ(pod().message(),
            "the controller cannot write the list of node node-a (Forbidden); ask the "
            "administrator");
  EXPECT_EQ(pod().answer_without_object().message, pod().message());
  EXPECT_EQ(pod().crd_outdated().answer().reason, Reason::kCRDOutdated) << "says what to do";
  // Who has what it asks for is not concerned.
  EXPECT_EQ(World(simple_pod()).unwritable(KubeErrorKind::kForbidden).agent_says(1).message(), "");
  EXPECT_EQ(World(simple_pod().on_node("")).unwritable(KubeErrorKind::kForbidden).message(),
            "the pod waits for a node");
}

TEST(AnswerFinished, PodsKeepTheirLastWordInsteadOfPending) {
  for (const StatusWord word : {StatusWord::kLinked, StatusWord::kDegraded, StatusWord::kInvalid}) {
    EXPECT_EQ(World(simple_pod().phase("Succeeded"))
                  .agent_says(0, "DirectoryNotFound", "gone")
                  .before(word)
                  .word(),
              word);
    EXPECT_EQ(World(simple_pod().phase("Failed")).not_published().silent().before(word).word(),
              word);
  }
  const Answer unanswered = World(simple_pod().phase("Failed")).answer();
  EXPECT_EQ(unanswered.word, StatusWord::kPending);
  EXPECT_THAT(unanswered.message, HasSubstr("the pod ended before"));
}

TEST(AnswerFinished, PodsKeepTheirLastMessageToo) {
  const Answer kept = World(simple_pod().phase("Succeeded"))
                          .agent_says(0, "DirectoryNotFound", "gone")
                          .before(StatusWord::kDegraded, "/a: PermissionDenied: mode 0755")
                          .answer();
  EXPECT_EQ(kept.word, StatusWord::kDegraded);
  EXPECT_EQ(kept.message, "/a: PermissionDenied: mode 0755");
  EXPECT_EQ(kept.links, 0);
  // Without an object of the node too: it went with its Node.
  EXPECT_EQ(World(simple_pod().phase("Failed"))
                .before(StatusWord::kLinked, "no file matches *.log yet")
                .answer_without_object()
                .message,
            "no file matches *.log yet");
}

TEST(AnswerFinished, ADirectoryThatWentWithThePodIsNoTrouble) {
  EXPECT_EQ(World(simple_pod().phase("Succeeded"))
                .agent_says(0, "DirectoryNotFound", "gone")
                .before(StatusWord::kLinked)
                .message(),
            "");
  EXPECT_EQ(World(one_refused().phase("Succeeded")).agent_says(1).word(), StatusWord::kDegraded);
}

// --- Whose entry counts -------------------------------------------------------------------------

TEST(AnswerEntry, CountsOnlyForAPodBoundToTheObjectsNode) {
  World world = World(simple_pod()).agent_says(5);
  world.object().name = "node-b";
  EXPECT_EQ(world.word(), StatusWord::kPending);
  EXPECT_EQ(world.answer().links, std::nullopt);
}

TEST(AnswerEntry, CountsOnlyForAPodInTheSpec) {
  World world = World(simple_pod()).agent_says(5);
  world.object().spec.sources.clear();
  EXPECT_EQ(world.word(), StatusWord::kPending);
  EXPECT_EQ(world.answer().links, std::nullopt);
}

TEST(AnswerEntry, CountsOnlyForTheSameNamespaceNameAndUid) {
  for (int field = 0; field < 3; ++field) {
    World world = World(simple_pod()).agent_says(5);
    PodLinks& entry = world.object().status.pods[0];
    if (field == 0) entry.namespace_name = "other";
    if (field == 1) entry.pod = "web-1";
    if (field == 2) entry.uid = "other";
    EXPECT_EQ(world.word(), StatusWord::kPending) << field;
  }
}

TEST(AnswerEntry, AStaticPodsEntryHasItsHash) {
  const std::string hash = "0123456789abcdef0123456789abcdef";
  ControllerConfig config;
  config.static_pods = true;
  const PodBuilder pod = simple_pod()
                             .named("kube-system", "etcd-node-a")
                             .annotate("kubernetes.io/config.mirror", hash)
                             .annotate("kubernetes.io/config.hash", hash)
                             .owned_by_node("node-a");
  EXPECT_EQ(World(pod, config).agent_says(1).word(), StatusWord::kLinked);
}

TEST(AnswerLinks, CountLingeringOnesToo) {
  // Nothing is asked for any more, and the withdrawn source still has its links.
  World world = World(all_refused());
  Source withdrawn = World(simple_pod()).object().spec.sources.at(0);
  withdrawn.remove_after = at("2026-01-02T04:00:00Z");
  world.object().spec.sources = {withdrawn};
  world.agent_says(3);
  EXPECT_EQ(world.word(), StatusWord::kInvalid);
  EXPECT_EQ(world.answer().links, 3);
}

// --- Messages -----------------------------------------------------------------------------------

TEST(AnswerMessage, NamesThingReasonAndCure) {
  const PodBuilder pod = PodBuilder()
                             .volume("data", "persistentVolumeClaim")
                             .mount("data", "/data")
                             .watch("/data/logs");
  EXPECT_EQ(World(pod).message(),
            "/data/logs: VolumeKindNotSupported: volume \"data\" is a persistentVolumeClaim; mount "
            "an emptyDir or an allowed hostPath");
}

TEST(AnswerMessage, TheMostSevereComesFirstAndTheRestIsCounted) {
  const PodBuilder pod =
      two_directories().watch("/v/a,/v/b,/nowhere").annotate("loglink/incude", "*");
  EXPECT_EQ(World(pod)
                .left_out("/v/b", Reason::kNodeLimitReached)
                .agent_says(1, "NameTaken", "x.log", 1)
                .message(),
            "/nowhere: NotOnAVolume: no container mounts a volume there; mount an emptyDir there, "
            "or name a directory in /v (and 3 more)");
}

TEST(AnswerMessage, SeverityIsSourceLimitDirectoryFileTold) {
  const auto first = [](World world) {
    const std::string message = world.message();
    return message.substr(0, message.find(':'));
  };
  const PodBuilder told = two_directories().annotate("loglink/incude", "*");
  EXPECT_EQ(first(World(told).agent_says(1)), "UnknownAnnotation");
  EXPECT_EQ(first(World(told).agent_says(1, "NameTaken", "x")), "NameTaken");
  EXPECT_EQ(first(World(told).agent_says(0, "DirectoryNotFound", "x")), "DirectoryNotFound");
  EXPECT_EQ(first(World(told)
                      .agent_says(0, "DirectoryNotFound", "x")
                      .left_out("/v/b", Reason::kNodeLimitReached)),
            "/v/b");
  EXPECT_EQ(
      first(
          World(told).agent_says(1, "ReadError", "x").left_out("/v/b", Reason::kNodeLimitReached)),
      "ReadError");
}

TEST(AnswerMessage, IsOneSanitizedLineWithinItsBound) {
  const World world =
      World(simple_pod()).agent_says(1, "NameTaken", "a\nb\xc3\xa5" + std::string(600, 'x'), 1);
  const std::string message = world.message();
  EXPECT_LE(message.size(), limits::kMessageBytes);
  EXPECT_THAT(message, StartsWith("NameTaken: a\\x0ab\\xc3\\xa5xxx"));
  EXPECT_THAT(message, EndsWith("..."));
  const std::string long_item = "x" + std::string(300, 'y');
  const std::string two = World(simple_pod().watch(long_item + "," + long_item)).message();
  EXPECT_LE(two.size(), limits::kMessageBytes);
  EXPECT_THAT(two, EndsWith("start it with / (and 1 more)"));
}

TEST(AnswerMessage, SaysThatNoFileMatchesYet) {
  EXPECT_EQ(World(simple_pod()).agent_says(0).message(), "no file matches *.log yet");
  EXPECT_EQ(World(simple_pod().annotate("loglink/include", "a*,b*")).agent_says(0).message(),
            "no file matches a*, b* yet");
  EXPECT_EQ(World(simple_pod().phase("Succeeded")).agent_says(0).message(),
            "no file matched *.log before the pod ended");
  EXPECT_EQ(World(simple_pod()).agent_says(0, "NameTaken", "x.log", 1).message(),
            "NameTaken: x.log");
}

TEST(AnswerMessage, SaysThatTheAgentCannotLink) {
  EXPECT_EQ(World(simple_pod()).agent_says(0).not_ready("UnsafeRoot").message(),
            "the agent on node node-a cannot link now (UnsafeRoot), so that new files have no "
            "link; ask the administrator");
}

// The disk was full with some links made: the pod said Linked, and nothing else.
TEST(AnswerMessage, SaysThatTheAgentCannotLinkAlsoWhereSomeLinksAreThere) {
  World full(simple_pod());
  full.agent_says(3).not_ready("DiskFull");
  EXPECT_EQ(full.word(), StatusWord::kLinked);
  EXPECT_EQ(full.message(),
            "the agent on node node-a cannot link now (DiskFull), so that new files have no link; "
            "ask the administrator");
  // Each restart passes through this; the links stand meanwhile.
  EXPECT_EQ(World(simple_pod()).agent_says(3).not_ready("Starting").message(), "");
}

TEST(AnswerWord, IsPendingWhileNothingIsLinkedBecauseOfAnUnsafeRoot) {
  const std::string text = "root kubelet-pods has no safe mount on this node; ask someone";
  World none(simple_pod());
  none.agent_says(0, "UnsafeRoot", text);
  EXPECT_EQ(none.word(), StatusWord::kPending);
  EXPECT_EQ(none.message(), "UnsafeRoot: " + text);
  // What was linked before is there still.
  World some(simple_pod());
  some.agent_says(2, "UnsafeRoot", text);
  EXPECT_EQ(some.word(), StatusWord::kLinked);
  EXPECT_EQ(some.message(), "UnsafeRoot: " + text);
}

TEST(AnswerMessage, SpeaksOfWatchDirsWhereTheAgentNamesDirectoriesOfTheNode) {
  // The agent names an emptyDir's directory by volume.
  EXPECT_EQ(World(simple_pod()).agent_says(0, "DirectoryNotFound", "logs").message(),
            "/var/log/app: DirectoryNotFound: the directory does not exist yet; check its "
            "spelling, or wait until the application makes it");
  EXPECT_EQ(World(simple_pod()).agent_says(0, "PermissionDenied", "logs/sub", 1).message(),
            "/var/log/app/sub: PermissionDenied: the node's agent may not read the directory; let "
            "others read it (mode 0755)");
  EXPECT_EQ(World(simple_pod())
                .agent_says(1, "NameTaken",
                            "something else has the link's name: logs/x.log, "
                            "logs/y.log and 3 more",
                            5)
                .message(),
            "NameTaken: something else has the link's name: /var/log/app/x.log, "
            "/var/log/app/y.log and 3 more");
  // A word that only looks like the directory stays.
  EXPECT_EQ(World(simple_pod()).agent_says(1, "NameTaken", "the logs of logs2/x", 1).message(),
            "NameTaken: the logs of logs2/x");
  // One watch dir inside another.
  EXPECT_EQ(World(two_directories().watch("/v/a,/v/a/b"))
                .agent_says(1, "NameTaken", "v/a/b/x.log, v/a/x.log", 2)
                .message(),
            "NameTaken: /v/a/b/x.log, /v/a/x.log");
}

TEST(AnswerMessage, ExplainsAReasonWhoseMessageDidNotFitIntoTheStatus) {
  EXPECT_EQ(World(simple_pod()).agent_says(0, "PermissionDenied", "", 1).message(),
            "/var/log/app: PermissionDenied: the node's agent may not read the directory; let "
            "others read it (mode 0755)");
  EXPECT_EQ(World(two_directories()).agent_says(0, "DirectoryNotFound").message(),
            "DirectoryNotFound: the directory does not exist yet; check its spelling, or wait "
            "until the application makes it");
  EXPECT_EQ(World(two_directories()).agent_says(1, "NameTaken", "", 1).message(), "NameTaken");
}

TEST(AnswerMessage, AddsTheAgentsOtherTroublesToTheCount) {
  EXPECT_EQ(World(two_directories().annotate("loglink/incude", "*"))
                .agent_says(0, "ReadError", "v/a; and 2 more", 2)
                .message(),
            "/v/a: ReadError: the directory cannot be read; ask the administrator to look at the "
            "node's disk (and 3 more)");
  for (const std::string text : {"a; and more", "a; and x more", "a; and 2 more files"}) {
    EXPECT_EQ(World(simple_pod()).agent_says(1, "NameTaken", text, 1).message(),
              "NameTaken: " + text);
  }
}

TEST(AnswerMessage, TellsWordsOfNewerAgents) {
  const World newer = World(simple_pod()).agent_says(1, "SomethingNew", "text");
  EXPECT_EQ(newer.word(), StatusWord::kLinked);
  EXPECT_EQ(newer.message(), "SomethingNew: text");
}

TEST(AnswerMessage, TellsWhatAMountHides) {
  const PodBuilder pod =
      simple_pod().volume("conf", "configMap").mount("conf", "/var/log/app/conf");
  EXPECT_EQ(World(pod).agent_says(1).message(),
            "/var/log/app: what is mounted below it (/var/log/app/conf) is not followed; if it "
            "is a volume that can be linked, name it in loglink/watch-dir too");
}

// Its emptyDir went with it; the links that linger are its own, and their lines are read.
TEST(AnswerWord, AJobThatEndedBeforeItsAnswerIsLinkedByTheLinksItHas) {
  for (const StatusWord before : {StatusWord::kPending, StatusWord::kLinked}) {
    const Answer answer = World(simple_pod().phase("Succeeded"))
                              .before(before, "no file matches *.log yet")
                              .agent_says(3, "DirectoryNotFound", "app/log")
                              .answer();
    EXPECT_EQ(answer.word, StatusWord::kLinked);
    EXPECT_EQ(answer.links, 3);
    EXPECT_EQ(answer.message, "");
  }
}

// Its agent answers for others: the namespace's directories wait for each other.
TEST(AnswerMessage, SaysThatTheDirectoriesAreNotReadYet) {
  const Answer answer = World(simple_pod()).agent_says(0).forgotten().silent().answer();
  EXPECT_EQ(answer.word, StatusWord::kPending);
  EXPECT_THAT(answer.message, HasSubstr("has not read the pod's directories yet"));
}

// A new leader does not know since when they are there; only the present generation is sure to
// have them.
TEST(AnswerMessage, ANewLeaderNamesAnAgentThatHasNotSeenThePresentGeneration) {
  World world = World(simple_pod()).sources_since(0).observed(1);
  world.object().generation = 2;
  EXPECT_EQ(world.message(), "waiting for the agent on node node-a");
  EXPECT_THAT(world.silent().message(), StartsWith("no agent answers on node node-a"));
  EXPECT_THAT(world.observed(2).message(), HasSubstr("has not read the pod's directories yet"));
}

TEST(AnswerMessage, WhatIsNotPublishedIsNotWhatTheAgentHasNotRead) {
  const auto unread = [] { return World(simple_pod()).agent_says(0).forgotten(); };
  EXPECT_THAT(unread().message(), HasSubstr("has not read"));
  const std::string waiting = "waiting for the agent on node node-a";
  EXPECT_EQ(unread().write_pending().message(), waiting);
  World other = unread();
  other.object().spec.sources[0].path += "/elsewhere";  // what the pod asked for before
  EXPECT_EQ(other.message(), waiting);
  other.object().spec.sources.clear();
  EXPECT_EQ(other.message(), waiting);
}

// The pod's other troubles hid it.
TEST(AnswerMessage, AnAgentThatGivesNoAnswerIsCountedBesideOtherTroubles) {
  EXPECT_THAT(World(one_refused()).message(), Not(EndsWith("more)")));
  EXPECT_THAT(World(one_refused()).silent().message(), EndsWith(" (and 1 more)"));
  EXPECT_THAT(World(one_refused()).agent_says(0).forgotten().message(), Not(EndsWith("more)")));
  EXPECT_THAT(World(one_refused()).agent_says(0).forgotten().silent().message(),
              EndsWith(" (and 1 more)"));
  EXPECT_THAT(World(simple_pod()).agent_says(0).forgotten().silent().message(),
              EndsWith("ask the administrator whether loglink-agent runs there"));
}

TEST(AnswerMessage, SaysWhereTheAgentsAnswerHasNoRoomForThePod) {
  const World world = World(simple_pod()).agent_says(0).forgotten().entries_dropped();
  EXPECT_EQ(world.word(), StatusWord::kPending);
  EXPECT_EQ(world.message(),
            "the agent on node node-a has no room in its answer for all pods of the node, so that "
            "this one's files may be linked and not counted; spread the pods over more nodes");
  // Who is in it is not concerned.
  EXPECT_EQ(World(simple_pod()).agent_says(1).entries_dropped().message(), "");
}

TEST(AnswerMessage, ThatThePatternsLeaveNoFileComesBeforeThatNoneMatches) {
  const Answer answer = World(simple_pod().annotate("loglink/exclude", "*")).agent_says(0).answer();
  EXPECT_EQ(answer.word, StatusWord::kLinked);
  EXPECT_EQ(answer.message,
            "loglink/exclude leaves no file that loglink/include names; narrow it (and 1 more)");
}

}  // namespace
}  // namespace loglink
