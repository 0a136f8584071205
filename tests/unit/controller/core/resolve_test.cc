#include "controller/core/resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "controller/core/host_directory.h"
#include "lib/model/source_bounds.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kUid = "3f0c1a2b-0000-4000-8000-000000000001";
const std::string kHash = "0123456789abcdef0123456789abcdef";

// Roots: /var/log/apps for all, /var/log/apps/secure for `bank` only, /srv/tenants by namespace.
ControllerConfig config_with_roots() {
  ControllerConfig config;
  config.roots.push_back({"apps", "/var/log/apps", {"*"}, false});
  config.roots.push_back({"secure", "/var/log/apps/secure", {"bank"}, false});
  config.roots.push_back({"tenants", "/srv/tenants", {"*"}, true});
  return config;
}

// "<container> <root> <path>" of each source, or "<watch dir> <reason>" of each refusal.
std::vector<std::string> outcome(const Resolution& resolution) {
  std::vector<std::string> lines;
  for (const Source& source : resolution.sources) {
    std::string path = source.path;
    const std::string empty_dirs = kUid + "/volumes/kubernetes.io~empty-dir/";
    if (path.rfind(empty_dirs, 0) == 0) path = "<emptyDir>/" + path.substr(empty_dirs.size());
    lines.push_back(source.container + " " + source.root + " " + path);
  }
  for (const Refusal& refusal : resolution.refusals) {
    lines.push_back(refusal.watch_dir + " " + std::string(to_string(refusal.reason)));
  }
  return lines;
}

std::vector<std::string> outcome(const PodBuilder& pod) {
  return outcome(resolve(pod, config_with_roots(), {}));
}

std::string message(const PodBuilder& pod) {
  const Resolution resolution = resolve(pod, config_with_roots(), {});
  if (resolution.refusals.empty()) return "(not refused)";
  return resolution.refusals.front().message;
}

struct Case {
  std::string what;
  PodBuilder pod;
  std::vector<std::string> outcome;
};

void check(const std::vector<Case>& cases) {
  for (const Case& each : cases) EXPECT_EQ(outcome(each.pod), each.outcome) << each.what;
}

// --- 1. Container -------------------------------------------------------------------------------

TEST(ResolveContainer, ANamedOneIsMeantAndNoOther) {
  const auto pod = [](const std::string& watch_dir) {
    return PodBuilder()
        .empty_dir("logs")
        .empty_dir("other")
        .mount("logs", "/logs")
        .add_container("side")
        .mount("other", "/logs")
        .add_container("setup", ContainerKind::kInit)
        .mount("logs", "/setup")
        .add_container("proxy", ContainerKind::kSidecar)
        .mount("logs", "/proxy")
        .watch(watch_dir);
  };
  check({
      {"container", pod("side:/logs"), {"side kubelet-pods <emptyDir>/other"}},
      {"init container", pod("setup:/setup"), {"setup kubelet-pods <emptyDir>/logs"}},
      {"native sidecar", pod("proxy:/proxy"), {"proxy kubelet-pods <emptyDir>/logs"}},
      {"no such container", pod("web:/logs"), {"web:/logs UnknownContainer"}},
      {"not mounted in that container", pod("side:/setup"), {"side:/setup NotOnAVolume"}},
  });
  EXPECT_EQ(message(pod("web:/logs")),
            "the pod has no container web; name one of app, side, setup, proxy");
}

TEST(ResolveContainer, WithoutANameTheLongestMountDecides) {
  check({{"longest mount",
          PodBuilder()
              .empty_dir("wide")
              .empty_dir("deep")
              .mount("wide", "/var")
              .add_container("side")
              .mount("deep", "/var/log")
              .watch("/var/log/x"),
          {"side kubelet-pods <emptyDir>/deep/x"}}});
}

TEST(ResolveContainer, VolumesThatCannotBeLinkedComeLast) {
  check({
      {"a longer mount of a claim loses",
       PodBuilder()
           .volume("claim", "persistentVolumeClaim")
           .empty_dir("logs")
           .mount("claim", "/var/log")
           .add_container("side")
           .mount("logs", "/var")
           .watch("/var/log"),
       {"side kubelet-pods <emptyDir>/logs/log"}},
      {"a hostPath that is not allowed loses",
       PodBuilder()
           .host_path("host", "/etc")
           .empty_dir("logs")
           .mount("host", "/logs")
           .add_container("side")
           .mount("logs", "/logs")
           .watch("/logs"),
       {"side kubelet-pods <emptyDir>/logs"}},
      {"none can be linked: the best says why",
       PodBuilder()
           .volume("claim", "persistentVolumeClaim")
           .volume("secret", "secret")
           .mount("claim", "/var")
           .add_container("side")
           .mount("secret", "/var/log")
           .watch("/var/log"),
       {"/var/log VolumeKindNotSupported"}},
      {"an expression that is not resolved does not hand the directory to another container",
       PodBuilder()
           .empty_dir("logs")
           .mount_expr("logs", "/logs", "$(WHO)")
           .add_container("side")
           .mount("logs", "/logs")
           .watch("/logs"),
       {"/logs UnresolvedSubPathExpr"}},
  });
}

TEST(ResolveContainer, TiesGoToTheFirstInSpecOrderContainersBeforeInitContainers) {
  check({{"tie",
          PodBuilder()
              .without_containers()
              .empty_dir("logs")
              .add_container("b")
              .mount("logs", "/logs")
              .add_container("a")
              .mount("logs", "/logs")
              .add_container("0", ContainerKind::kInit)
              .mount("logs", "/logs")
              .watch("/logs"),
          {"b kubelet-pods <emptyDir>/logs"}}});
}

// --- 2. Mount -----------------------------------------------------------------------------------

TEST(ResolveMount, IsTheLongestOnAPathBoundary) {
  const auto pod = [](const std::string& watch_dir) {
    return PodBuilder()
        .empty_dir("outer")
        .empty_dir("inner")
        .mount("outer", "/var/log")
        .mount("inner", "/var/log/app/")
        .watch(watch_dir);
  };
  check({
      {"the mount itself", pod("/var/log"), {"app kubelet-pods <emptyDir>/outer"}},
      {"below", pod("/var/log/x/y"), {"app kubelet-pods <emptyDir>/outer/x/y"}},
      {"longest", pod("/var/log/app/x"), {"app kubelet-pods <emptyDir>/inner/x"}},
      {"not a boundary", pod("/var/logs"), {"/var/logs NotOnAVolume"}},
      {"not a boundary of the longer one",
       pod("/var/log/app2"),
       {"app kubelet-pods <emptyDir>/outer/app2"}},
      {"above every mount", pod("/var"), {"/var NotOnAVolume"}},
  });
}

TEST(ResolveMount, PathsAreReadAsTheRuntimeReadsThem) {
  check({
      {"relative",
       PodBuilder().empty_dir("v").mount("v", "logs").watch("/logs"),
       {"app kubelet-pods <emptyDir>/v"}},
      {"double slash and dot",
       PodBuilder().empty_dir("v").mount("v", "//a/./b/").watch("/a/b/c"),
       {"app kubelet-pods <emptyDir>/v/c"}},
      {"root",
       PodBuilder().empty_dir("v").mount("v", "/").watch("/a"),
       {"app kubelet-pods <emptyDir>/v/a"}},
      {"dot dot",
       PodBuilder().empty_dir("v").mount("v", "/a/../b").watch("/b/c"),
       {"/b/c PathNotSupported"}},
      {"two on one path: the later covers the earlier",
       PodBuilder().empty_dir("v").empty_dir("w").mount("v", "/a").mount("w", "/a/").watch("/a"),
       {"app kubelet-pods <emptyDir>/w"}},
  });
}

TEST(ResolveMount, WithoutAVolumeTheCureIsNamed) {
  EXPECT_EQ(message(PodBuilder().watch("/logs")),
            "no container mounts a volume there; write the log files to a volume, an emptyDir for "
            "example");
  EXPECT_EQ(message(PodBuilder().watch("app:/logs")),
            "container app mounts no volume there; write the log files to a volume, an emptyDir "
            "for example");
}

TEST(ResolveMount, WhereThereIsNoneThoseThatThereAreAreNamed) {
  PodBuilder pod = PodBuilder().empty_dir("v").watch("/logs");
  pod.mount("v", "/var/log/app").mount("v", "/data");
  pod.mount("v", "/var/run/secrets/kubernetes.io/serviceaccount");
  pod.add_container("nginx").mount("v", "/cache", "nginx");
  EXPECT_EQ(message(pod),
            "no container mounts a volume there; mount an emptyDir there, or name a directory in "
            "/cache, /data, /var/log/app");
  EXPECT_EQ(message(pod.watch("nginx:/logs")),
            "container nginx mounts no volume there; mount an emptyDir there, or name a directory "
            "in /cache");
}

TEST(ResolveMount, TheListOfThoseThatThereAreIsBounded) {
  PodBuilder pod = PodBuilder().empty_dir("v").watch("/logs");
  for (int i = 0; i < 100; ++i) pod.mount("v", "/" + std::string(100, 'a') + std::to_string(i));
  EXPECT_LE(message(pod).size(), 250U);
}

TEST(ResolvePatterns, ThatExcludeAllThatIsIncludedAreTold) {
  const auto notes = [](const std::string& include, const std::string& exclude) {
    return resolve(simple_pod()
                       .annotate("loglink/include", include)
                       .annotate("loglink/exclude", exclude),
                   {}, {})
        .notes;
  };
  const std::vector<Note> told = {
      {"", "loglink/exclude leaves no file that loglink/include names; narrow it"}};
  EXPECT_EQ(notes("*.log", "*"), told);
  EXPECT_EQ(notes("*.log,a*", "a*,*.log,b"), told);
  EXPECT_THAT(notes("*.log,a*", "a*"), IsEmpty());
  EXPECT_THAT(notes("*", "*.log"), IsEmpty());
}

TEST(ResolveMount, OneBelowTheWatchDirIsToldAndNotFollowed) {
  const Resolution resolution = resolve(PodBuilder()
                                            .empty_dir("logs")
                                            .volume("conf", "configMap")
                                            .mount("logs", "/logs")
                                            .mount("conf", "/logs/conf")
                                            .mount("conf", "/logs2")
                                            .watch("/logs"),
                                        {}, {});
  EXPECT_THAT(outcome(resolution), ElementsAre("app kubelet-pods <emptyDir>/logs"));
  ASSERT_EQ(resolution.notes.size(), 1U);
  EXPECT_EQ(resolution.notes[0].watch_dir, "/logs");
  EXPECT_EQ(resolution.notes[0].message,
            "what is mounted below it (/logs/conf) is not followed; if it is a volume that "
            "can be linked, name it in loglink/watch-dir too");
  EXPECT_THAT(resolve(simple_pod(), {}, {}).notes, IsEmpty());
}

// --- 3. Volume ----------------------------------------------------------------------------------

PodBuilder on_host(const std::string& host_path, const std::string& watch_dir = "/logs",
                   const std::string& sub_path = "") {
  return PodBuilder()
      .host_path("host", host_path)
      .mount("host", "/logs", sub_path)
      .watch(watch_dir);
}

TEST(ResolveHostPath, MustBeARootOrBelowOneThatAdmitsTheNamespace) {
  check({
      {"the root itself", on_host("/var/log/apps"), {"app apps "}},
      {"below", on_host("/var/log/apps/web/", "/logs/x"), {"app apps web/x"}},
      {"by subPath", on_host("/var/log", "/logs/x", "apps/web"), {"app apps web/x"}},
      {"by the rest", on_host("/var", "/logs/log/apps"), {"app apps "}},
      {"unclean", on_host("//var/./log/apps//web"), {"app apps web"}},
      {"not a boundary", on_host("/var/log/apps2"), {"/logs HostPathNotAllowed"}},
      {"above", on_host("/var/log"), {"/logs HostPathNotAllowed"}},
      {"elsewhere", on_host("/etc"), {"/logs HostPathNotAllowed"}},
      {"in the kubelet's pods directory, which is no hostPath root",
       on_host("/var/lib/kubelet/pods/other/volumes/kubernetes.io~empty-dir/x"),
       {"/logs HostPathNotAllowed"}},
      {"the longest root decides, also where it refuses",
       on_host("/var/log/apps/secure/x"),
       {"/logs HostPathNotAllowed"}},
      {"the longest root admits",
       on_host("/var/log/apps/secure/x").named("bank", "web-0"),
       {"app secure x"}},
      {"a tenant's own directory", on_host("/srv/tenants/prod/x"), {"app tenants prod/x"}},
      {"a tenant's own directory itself", on_host("/srv/tenants/prod"), {"app tenants prod"}},
      {"another tenant's", on_host("/srv/tenants/bank"), {"/logs HostPathNotAllowed"}},
      {"one that starts like it", on_host("/srv/tenants/prod2"), {"/logs HostPathNotAllowed"}},
      {"all tenants'", on_host("/srv/tenants"), {"/logs HostPathNotAllowed"}},
  });
}

TEST(ResolveHostPath, ARefusalByNamespaceNamesThePartThatIsTheNamespaces) {
  EXPECT_EQ(message(on_host("/srv/tenants/web-0")),
            "in the host directory \"/srv/tenants\" namespace prod may use \"/srv/tenants/prod\" "
            "only, and this is \"/srv/tenants/web-0\"; let the path begin with the namespace, as "
            "with subPathExpr: $(NAMESPACE)/$(POD_NAME)");
}

TEST(ResolveHostPath, ARefusalNeverListsTheRoots) {
  EXPECT_EQ(message(on_host("/etc/x")),
            "the administrator has not allowed the host directory \"/etc/x\" for namespace prod; "
            "mount an emptyDir, or ask the administrator to allow that directory");
  for (const PodBuilder& pod : {on_host("/var/log/apps2"), on_host("/srv/x")}) {
    EXPECT_THAT(message(pod), AllOf(Not(HasSubstr("apps\"")), Not(HasSubstr("/srv/tenants")),
                                    Not(HasSubstr("secure"))));
  }
}

TEST(ResolveHostPath, TypeDecidesWhetherItIsADirectory) {
  const auto typed = [](const std::string& type) {
    return PodBuilder()
        .host_path("host", "/var/log/apps", type)
        .mount("host", "/logs")
        .watch("/logs");
  };
  for (const std::string type : {"", "Directory", "DirectoryOrCreate"}) {
    EXPECT_THAT(outcome(typed(type)), ElementsAre("app apps ")) << type;
  }
  for (const std::string type : {"File", "FileOrCreate", "Socket", "CharDevice", "BlockDevice"}) {
    EXPECT_THAT(outcome(typed(type)), ElementsAre("/logs NotADirectory")) << type;
    EXPECT_EQ(message(typed(type)), "volume \"host\" is a hostPath of type " + type +
                                        "; mount the directory that holds the log files");
  }
}

TEST(ResolveEmptyDir, OnDiskIsBelowThePodsOwnDirectory) {
  check({
      {"plain", simple_pod(), {"app kubelet-pods <emptyDir>/logs"}},
      {"subPath and rest",
       PodBuilder().empty_dir("logs").mount("logs", "/l", "a//b/").watch("/l/c"),
       {"app kubelet-pods <emptyDir>/logs/a/b/c"}},
      {"expression",
       PodBuilder()
           .empty_dir("logs")
           .env_field("POD", "metadata.name")
           .mount_expr("logs", "/l", "pods/$(POD)")
           .watch("/l"),
       {"app kubelet-pods <emptyDir>/logs/pods/web-0"}},
  });
}

TEST(ResolveVolume, OtherKindsAreNamedWithTheCure) {
  const auto of_kind = [](const std::string& kind) {
    return PodBuilder().volume("data", kind).mount("data", "/data").watch("/data/logs");
  };
  for (const std::string kind :
       {"persistentVolumeClaim", "csi", "ephemeral", "nfs", "configMap", "secret", "projected",
        "downwardAPI", "image", "iscsi", "unknown", ""}) {
    EXPECT_THAT(outcome(of_kind(kind)), ElementsAre("/data/logs VolumeKindNotSupported")) << kind;
  }
  EXPECT_EQ(message(of_kind("persistentVolumeClaim")),
            "volume \"data\" is a persistentVolumeClaim; mount an emptyDir or an allowed hostPath");
  EXPECT_EQ(message(of_kind("image")),
            "volume \"data\" is an image; mount an emptyDir or an allowed hostPath");
  EXPECT_EQ(message(of_kind("unknown")),
            "volume \"data\" is of a kind that loglink does not know; mount an emptyDir or an "
            "allowed hostPath");
  EXPECT_EQ(message(PodBuilder().mount("claim", "/data").watch("/data")),
            "volume \"claim\" is not among the pod's volumes; correct the name in volumeMounts or "
            "in volumes");
}

TEST(ResolveVolume, AnEmptyDirInMemoryIsNoDirectoryOfTheNode) {
  for (const std::string medium : {"Memory", "HugePages", "HugePages-2Mi"}) {
    const PodBuilder pod =
        PodBuilder().empty_dir("fast", medium).mount("fast", "/logs").watch("/logs");
    EXPECT_THAT(outcome(pod), ElementsAre("/logs VolumeKindNotSupported"));
    EXPECT_EQ(message(pod), "volume \"fast\" is an emptyDir with medium " + medium +
                                ", which the node cannot see; leave medium out, or mount an "
                                "allowed hostPath");
  }
}

TEST(ResolvePath, EachPartIsCheckedBeforeJoining) {
  const auto expression = [](const std::string& value) {
    return PodBuilder()
        .host_path("host", "/var/log/apps/a")
        .env("V", value)
        .mount_expr("host", "/logs", "$(V)")
        .watch("/logs");
  };
  check({
      {"plain expansion", expression("b"), {"app apps a/b"}},
      {"expansion to the neighbour", expression("../victim"), {"/logs PathNotSupported"}},
      {"dot dot inside", expression("b/../../victim"), {"/logs PathNotSupported"}},
      {"two dots in a name", expression("..b"), {"app apps a/..b"}},
      {"absolute expansion", expression("/etc"), {"/logs PathNotSupported"}},
      {"control character", expression("a\nb"), {"/logs PathNotSupported"}},
      {"not UTF-8", expression("a\xff"), {"/logs PathNotSupported"}},
      {"unclean expansion", expression("./b//c/"), {"app apps a/b/c"}},
      {"1,024 bytes", expression(std::string(1022, 'x')), {"app apps a/" + std::string(1022, 'x')}},
      {"1,025 bytes", expression(std::string(1023, 'x')), {"/logs PathNotSupported"}},
      {"unknown expansion", expression("$(NO)"), {"/logs UnresolvedSubPathExpr"}},
      {"hostPath with dot dot", on_host("/var/log/apps/../x"), {"/logs PathNotSupported"}},
      {"hostPath that collapses into a root",
       on_host("/x/../var/log/apps"),
       {"/logs PathNotSupported"}},
      {"relative hostPath", on_host("var/log/apps"), {"/logs PathNotSupported"}},
      {"hostPath with control character",
       on_host("/var/log/apps/\x7f"),
       {"/logs PathNotSupported"}},
      {"subPath with dot dot",
       on_host("/var/log/apps", "/logs", "a/.."),
       {"/logs PathNotSupported"}},
      {"absolute subPath", on_host("/var/log/apps", "/logs", "/a"), {"/logs PathNotSupported"}},
      {"blanks and other letters",
       on_host("/var/log/apps/v\xc3\xa5r log"),
       {"app apps v\xc3\xa5r log"}},
  });
  EXPECT_EQ(message(expression("../victim")),
            "subPathExpr \"../victim\" has a .. component; use a relative path");
}

TEST(ResolveReserved, DirectoriesOfLoglinkAndTheKubeletAreNotLinked) {
  ControllerConfig config = config_with_roots();
  config.link_dir = "/var/log/loglink";
  config.roots.push_back({"logs", "/var/log", {"*"}, false});
  config.roots.push_back({"srv", "/srv/loglink", {"*"}, false});
  config.roots_dir = "/srv/loglink/roots";
  config.state_dir = "/srv/loglink/state";
  for (const std::string directory :
       {"/var/log/pods", "/var/log/pods/x", "/var/log/containers", "/var/log/loglink",
        "/srv/loglink/roots", "/srv/loglink/roots/kubelet-pods/x", "/srv/loglink/state",
        "/srv/loglink/state/x"}) {
    EXPECT_THAT(outcome(resolve(on_host(directory), config, {})),
                ElementsAre("/logs DirectoryReserved"))
        << directory;
  }
  EXPECT_THAT(outcome(resolve(on_host("/var/log/loglink/web"), config, {})),
              ElementsAre("app logs loglink/web"));
  EXPECT_THAT(outcome(resolve(on_host("/var/log/podsx"), config, {})),
              ElementsAre("app logs podsx"));
  EXPECT_THAT(outcome(resolve(on_host("/var/log"), config, {})), ElementsAre("app logs "));
}

// --- Static pods, namespaces --------------------------------------------------------------------

PodBuilder static_pod() {
  return simple_pod()
      .named("kube-system", "etcd-node-a")
      .annotate("kubernetes.io/config.mirror", kHash)
      .annotate("kubernetes.io/config.hash", kHash)
      .owned_by_node("node-a");
}

TEST(ResolveStaticPod, IsRefusedUnlessTheAdministratorAllowsIt) {
  EXPECT_THAT(outcome(static_pod()), ElementsAre("/var/log/app StaticPod"));
  EXPECT_THAT(message(static_pod()), HasSubstr("ask the administrator for staticPods: true"));
}

TEST(ResolveStaticPod, IsBelievedOnlyWithEveryMarkOfTheKubelets) {
  ControllerConfig config;
  config.static_pods = true;
  const Resolution good = resolve(static_pod(), config, {"other"});
  ASSERT_EQ(good.sources.size(), 1U);
  EXPECT_EQ(good.sources[0].uid, kHash);
  EXPECT_EQ(good.sources[0].path, kHash + "/volumes/kubernetes.io~empty-dir/logs");

  struct Refused {
    std::string what;
    PodBuilder pod;
  };
  PodView other_owner = static_pod();
  other_owner.owners[0].kind = "ReplicaSet";
  for (const Refused& each : std::vector<Refused>{
           {"another node's", static_pod().on_node("node-b").named("kube-system", "etcd-node-b")},
           {"name of another node", static_pod().named("kube-system", "etcd-node-b")},
           {"the node's name alone", static_pod().named("kube-system", "-node-a")},
           {"hash is a uid",
            static_pod().annotate("kubernetes.io/config.hash", "3f0c1a2b-0000-4000-8000-1")},
           {"upper-case hash",
            static_pod().annotate("kubernetes.io/config.hash", "0123456789ABCDEF0123456789ABCDEF")},
           {"hash with a path",
            static_pod().annotate("kubernetes.io/config.hash", "../456789abcdef0123456789abcdef")},
           {"short hash", static_pod().annotate("kubernetes.io/config.hash", "0123")},
           {"not bound", static_pod().on_node("")},
       }) {
    EXPECT_THAT(outcome(resolve(each.pod, config, {})), ElementsAre("/var/log/app StaticPod"))
        << each.what;
  }
  EXPECT_THAT(outcome(resolve(other_owner, config, {})), ElementsAre("/var/log/app StaticPod"));
  PodView no_hash = static_pod();
  no_hash.annotations.erase("kubernetes.io/config.hash");
  EXPECT_THAT(outcome(resolve(no_hash, config, {})), ElementsAre("/var/log/app StaticPod"));
  EXPECT_THAT(outcome(resolve(static_pod(), config, {kHash})),
              ElementsAre("/var/log/app StaticPod"));
}

TEST(ResolveStaticPod, AHashWithoutTheMirrorAnnotationMeansNothing) {
  const PodBuilder pod = simple_pod().annotate("kubernetes.io/config.hash", kHash);
  EXPECT_EQ(claimed_pod_id(pod), kUid);
  EXPECT_THAT(outcome(pod), ElementsAre("app kubelet-pods <emptyDir>/logs"));
}

TEST(ResolveNamespace, AllowAndDenyListsDecideAndDenyWins) {
  struct Policy {
    std::vector<std::string> allow;
    std::vector<std::string> deny;
    bool allowed;
  };
  for (const Policy& each : std::vector<Policy>{{{"*"}, {}, true},
                                                {{"prod"}, {}, true},
                                                {{"test", "prod"}, {"test"}, true},
                                                {{"test"}, {}, false},
                                                {{}, {}, false},
                                                {{"*"}, {"prod"}, false},
                                                {{"prod"}, {"*"}, false},
                                                {{"prod2"}, {}, false}}) {
    ControllerConfig config;
    config.namespaces = {each.allow, each.deny};
    const Resolution resolution = resolve(simple_pod(), config, {});
    if (each.allowed) {
      EXPECT_THAT(outcome(resolution), ElementsAre("app kubelet-pods <emptyDir>/logs"));
    } else {
      EXPECT_THAT(outcome(resolution), ElementsAre("/var/log/app NamespaceNotAllowed"));
      EXPECT_EQ(
          resolution.refusals[0].message,
          "the administrator has not allowed links for namespace prod; ask the administrator to "
          "allow it");
    }
  }
}

// --- The source ---------------------------------------------------------------------------------

TEST(ResolveSource, CarriesEveryFieldOfTheRequest) {
  ControllerConfig config;
  config.naming = "kubelet";
  const Resolution resolution = resolve(simple_pod()
                                            .annotate("loglink/include", "*.txt")
                                            .annotate("loglink/exclude", "a*")
                                            .annotate("loglink/max-depth", "4")
                                            .phase("Succeeded"),
                                        config, {});
  ASSERT_EQ(resolution.sources.size(), 1U);
  Source expected;
  expected.namespace_name = "prod";
  expected.pod = "web-0";
  expected.uid = kUid;
  expected.container = "app";
  expected.root = "kubelet-pods";
  expected.path = kUid + "/volumes/kubernetes.io~empty-dir/logs";
  expected.include = {"*.txt"};
  expected.exclude = {"a*"};
  expected.max_depth = 4;
  expected.naming = "kubelet";
  expected.plain_names = true;
  expected.finished = true;
  expected.since = at("2026-01-02T03:04:05Z");
  EXPECT_EQ(resolution.sources[0], expected);
  EXPECT_TRUE(check_source_bounds(resolution.sources[0]).has_value());
  EXPECT_THAT(resolution.watch_dirs, ElementsAre("/var/log/app"));
}

TEST(ResolveSource, TimesHaveWholeSeconds) {
  PodView pod = simple_pod();
  pod.created += std::chrono::milliseconds(900);
  EXPECT_EQ(resolve(pod, {}, {}).sources.at(0).since, at("2026-01-02T03:04:05Z"));
}

TEST(ResolveSource, FinishedIsSucceededOrFailed) {
  for (const auto& [phase, finished] : std::vector<std::pair<std::string, bool>>{
           {"Pending", false}, {"Running", false}, {"Succeeded", true}, {"Failed", true}}) {
    EXPECT_EQ(resolve(simple_pod().phase(phase), {}, {}).sources.at(0).finished, finished) << phase;
  }
}

std::vector<bool> plain_names(const PodBuilder& pod) {
  std::vector<bool> all;
  for (const Source& source : resolve(pod, config_with_roots(), {}).sources) {
    all.push_back(source.plain_names);
  }
  return all;
}

TEST(ResolveSource, PlainNamesAreForTheFirstWatchDirOfEachContainer) {
  const auto pod = [](const std::string& watch_dir) {
    return PodBuilder()
        .empty_dir("a")
        .volume("claim", "persistentVolumeClaim")
        .mount("a", "/a")
        .mount("claim", "/claim")
        .add_container("side")
        .mount("a", "/side")
        .watch(watch_dir);
  };
  EXPECT_THAT(plain_names(pod("/a/x,/a/y,/side,side:/side/z")),
              ElementsAre(true, false, true, false));
  // A refused first one keeps its place, so that a change of policy renames nothing.
  EXPECT_THAT(plain_names(pod("/claim,/a/y")), ElementsAre(false));
  // One that is on no volume belongs to no container.
  EXPECT_THAT(plain_names(pod("/nowhere,/a/y")), ElementsAre(true));
}

TEST(ResolveSource, NoPlainNamesWhereAnotherContainerIsCalledAlmostTheSame) {
  const auto pod = [](const std::string& other, ContainerKind kind) {
    return simple_pod().add_container(other, kind);
  };
  EXPECT_THAT(plain_names(pod("app-web", ContainerKind::kContainer)), ElementsAre(false));
  EXPECT_THAT(plain_names(pod("app-setup", ContainerKind::kInit)), ElementsAre(false));
  EXPECT_THAT(plain_names(pod("app2", ContainerKind::kContainer)), ElementsAre(true));
  EXPECT_THAT(plain_names(pod("web-app", ContainerKind::kContainer)), ElementsAre(true));
}

TEST(ResolveSource, TheSameDirectoryTwiceIsOneSource) {
  check({{"written twice",
          simple_pod().watch("/var/log/app,/var/log/app/,app:/var/log/app"),
          {"app kubelet-pods <emptyDir>/logs"}},
         {"mounted twice",
          PodBuilder().empty_dir("v").mount("v", "/a").mount("v", "/b").watch("/a,/b"),
          {"app kubelet-pods <emptyDir>/v"}}});
}

TEST(Resolve, RefusesItemsOneByOneAndInTheirOrder) {
  check({{"mixed",
          simple_pod().watch("x,/var/log/app,/nowhere,web:/a"),
          {"app kubelet-pods <emptyDir>/logs", "x InvalidDirectory", "/nowhere NotOnAVolume",
           "web:/a UnknownContainer"}}});
}

TEST(Resolve, LinksNothingWhereTheWholeAnnotationIsRefused) {
  check({
      {"pattern", simple_pod().annotate("loglink/include", "a/b"), {" InvalidPattern"}},
      {"depth", simple_pod().annotate("loglink/max-depth", "x"), {" InvalidDepth"}},
      {"both, and an item",
       simple_pod()
           .watch("/var/log/app,b")
           .annotate("loglink/include", "")
           .annotate("loglink/max-depth", "0"),
       {" InvalidPattern", " InvalidDepth", "b InvalidDirectory"}},
      {"no watch dir",
       PodBuilder().annotate("loglink/include", "*").annotate("loglink/max-depth", "2"),
       {" NoWatchDir"}},
  });
}

TEST(Resolve, AnUnknownAnnotationIsToldAndChangesNothing) {
  const Resolution resolution = resolve(simple_pod().annotate("loglink/watchdir", "/a"), {}, {});
  EXPECT_THAT(outcome(resolution), ElementsAre("app kubelet-pods <emptyDir>/logs"));
  ASSERT_EQ(resolution.told.size(), 1U);
  EXPECT_EQ(resolution.told[0].reason, Reason::kUnknownAnnotation);
}

// Each event of such a pod would otherwise hold the controller up for seconds.
TEST(Resolve, APodOfThousandsOfPartsIsRefused) {
  const auto pod = [](int mounts, int variables) {
    PodBuilder builder = simple_pod();  // a container, a volume, a mount
    for (int i = 0; i < mounts; ++i) builder.mount("logs", "/m/" + std::to_string(i));
    for (int i = 0; i < variables; ++i) builder.env("V" + std::to_string(i), "$(V0)");
    return builder;
  };
  EXPECT_THAT(outcome(pod(2093, 2000)), ElementsAre("app kubelet-pods <emptyDir>/logs"));
  EXPECT_THAT(outcome(pod(2093, 2001)), ElementsAre("/var/log/app PodLimitReached"));
  EXPECT_THAT(outcome(pod(60000, 0)), ElementsAre("/var/log/app PodLimitReached"));
  EXPECT_THAT(outcome(pod(2093, 2000).owned_by_node("node-a")),
              ElementsAre("/var/log/app PodLimitReached"));
}

TEST(Resolve, APodThatIsNotBoundYetHasItsRefusalsAlready) {
  EXPECT_THAT(outcome(PodBuilder().on_node("").watch("/a")), ElementsAre("/a NotOnAVolume"));
}

TEST(Resolve, APodWithoutAnnotationsOfOursAsksForNothing) {
  EXPECT_EQ(resolve(PodBuilder().empty_dir("a").mount("a", "/a"), {}, {}), Resolution());
}

}  // namespace
}  // namespace loglink
