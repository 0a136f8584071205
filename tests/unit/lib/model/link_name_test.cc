#include "lib/model/link_name.h"

#include <gtest/gtest.h>

#include "lib/base/sha256.h"

namespace loglink {
namespace {

constexpr std::string_view kDirectory = "u1/volumes/kubernetes.io~empty-dir/logs/";

struct Target {
  std::string path;
  std::string pod = "web-0";
  std::string namespace_name = "prod";
  std::string container = "app";
  bool plain_allowed = true;
};

LinkTarget view(const Target& target) {
  return {target.namespace_name, target.pod,  target.container,
          "kubelet-pods",        target.path, target.plain_allowed};
}

std::string in_directory(const std::string& base) { return std::string(kDirectory) + base; }

std::string name_of(std::string_view naming, const Target& target) {
  const LinkName name = link_name(naming, view(target));
  EXPECT_FALSE(name.error.has_value()) << target.path;
  EXPECT_LE(name.text.size(), 255U);
  EXPECT_TRUE(has_link_name_form(name.text)) << name.text;
  return name.text;
}

// The digest, spelled out once more.
std::string digest(const Target& target) {
  const std::string nul(1, '\0');
  return sha256_hex(target.namespace_name + nul + target.pod + nul + target.container + nul +
                    "kubelet-pods" + nul + target.path + nul);
}

TEST(LogfileNaming, IsTheAncestorsPattern) {
  Target target{in_directory("logfile1.log"), "pod1", "namespace1", "container"};
  EXPECT_EQ(name_of("logfile", target), "pod1_namespace1_container-logfile1.log");
}

TEST(LogfileNaming, KeepsWhatIsLegalAsItIs) {
  for (const char* logfile :
       {"access", "Access", "a.b", "a_b", "a-b", "x.log", "2026-01-01", "a.", "a-", "deadbee",
        "deadbeeff", "xdeadbeef", "x_deadbeef", "x.deadbeef", "x-DEADBEEF", "x-deadbeeg"}) {
    EXPECT_EQ(name_of("logfile", {in_directory(std::string(logfile) + ".log")}),
              "web-0_prod_app-" + std::string(logfile) + ".log");
  }
}

struct DigestCase {
  const char* why;
  std::string base;
  std::string logfile;  // "" when it is left out with its dash
};

class LogfileDigest : public testing::TestWithParam<DigestCase> {};

TEST_P(LogfileDigest, IsAddedWherePlainCouldBeAmbiguousOrIllegal) {
  const Target target{in_directory(GetParam().base)};
  const std::string middle = GetParam().logfile.empty() ? "" : "-" + GetParam().logfile;
  EXPECT_EQ(name_of("logfile", target),
            "web-0_prod_app" + middle + "-" + digest(target).substr(0, 8) + ".log");
}

INSTANTIATE_TEST_SUITE_P(
    Rules, LogfileDigest,
    testing::Values(
        DigestCase{"NoLogSuffix", "access", "access"},
        DigestCase{"RotatedSuffix", "access.log.1", "access.log.1"},
        DigestCase{"UpperCaseSuffix", "access.LOG", "access.LOG"},
        DigestCase{"OnlyTheSuffix", ".log", ""}, DigestCase{"StartsWithDash", "-x.log", "-x"},
        DigestCase{"StartsWithDot", ".x.log", ".x"}, DigestCase{"Blank", "a b.log", "a-b"},
        DigestCase{"RunOfBytesIsOneDash",
                   "a \n\xc3\xa9"
                   "b.log",
                   "a-b"},
        DigestCase{"RunAtTheStart", "%%a.log", "-a"},
        DigestCase{"OnlyOtherBytes", "\xe6\x97\xa5.log", "-"},
        DigestCase{"EndsInEightHex", "x-deadbeef.log", "x-deadbeef"},
        DigestCase{"IsEightHex", "deadbeef.log", "deadbeef"},
        DigestCase{"EndsInSixtyFour", "x-" + std::string(64, 'z') + ".log",
                   "x-" + std::string(64, 'z')},
        DigestCase{"LongerThanSixtyFour", std::string(65, 'q') + ".log", std::string(65, 'q')}),
    [](const auto& each) { return each.param.why; });

TEST(LogfileNaming, SixtyThreeAreNoContainerId) {
  const std::string logfile(63, 'a');
  EXPECT_EQ(name_of("logfile", {in_directory(logfile + ".log")}),
            "web-0_prod_app-" + logfile + ".log");
}

TEST(LogfileNaming, FilesElsewhereThanInTheFirstDirectoryGetADigest) {
  Target target{in_directory("access.log")};
  target.plain_allowed = false;
  EXPECT_EQ(name_of("logfile", target), "web-0_prod_app-access-3f18cf5f.log");
}

TEST(LogfileNaming, TheDigestIsPinnedForEver) {
  EXPECT_EQ(name_of("logfile", {in_directory("Access Log.log")}),
            "web-0_prod_app-Access-Log-605b3ebe.log");
}

TEST(LogfileNaming, PlainNamesReach255BytesAndLongerOnesAreCutToExactlyThat) {
  const std::string prefix = "web-0_prod_app-";
  // A dash every ten bytes, so that no 64 in a row look like an id.
  std::string logfile;
  while (logfile.size() < 300) logfile += "abcdefghi-";
  const std::string fits = logfile.substr(0, 255 - prefix.size() - 4);
  EXPECT_EQ(name_of("logfile", {in_directory(fits + ".log")}), prefix + fits + ".log");

  const Target longer{in_directory(logfile.substr(0, fits.size() + 1) + ".log")};
  const std::string name = name_of("logfile", longer);
  EXPECT_EQ(name.size(), 255U);
  EXPECT_EQ(name, prefix + logfile.substr(0, 255 - prefix.size() - 13) + "-" +
                      digest(longer).substr(0, 8) + ".log");
}

TEST(LogfileNaming, ReplacesBeforeItCuts) {
  // 250 multi-byte characters are one dash: nothing is left to cut.
  std::string base;
  for (int i = 0; i < 80; ++i) base += "\xe6\x97\xa5";
  const Target target{in_directory("a" + base + ".log")};
  EXPECT_EQ(name_of("logfile", target),
            "web-0_prod_app-a--" + digest(target).substr(0, 8) + ".log");
}

TEST(LogfileNaming, PodNamespaceAndContainerAreNeverCut) {
  Target target{in_directory("x.log")};
  target.namespace_name = "n";
  target.container = "c";
  // <pod>_n_c-<8>.log: 17 bytes beside the pod.
  target.pod = std::string(238, 'p');
  target.plain_allowed = false;
  EXPECT_EQ(name_of("logfile", target),
            target.pod + "_n_c-" + digest(target).substr(0, 8) + ".log");
  // The plain name is shorter by six and may still fit.
  target.pod = std::string(239, 'p');
  EXPECT_EQ(link_name("logfile", view(target)).error, NameError::kNameTooLong);
  EXPECT_EQ(link_name("logfile", view(target)).text, "");
  target.plain_allowed = true;
  EXPECT_EQ(name_of("logfile", target), target.pod + "_n_c-x.log");
}

TEST(LogfileNaming, ALogfileThatHasNoRoomIsLeftOutWithItsDash) {
  Target target{in_directory("abc.log")};
  target.namespace_name = "n";
  target.container = "c";
  target.plain_allowed = false;
  target.pod = std::string(237, 'p');  // room for the dash alone
  EXPECT_EQ(name_of("logfile", target).size(), 254U);
  target.pod = std::string(236, 'p');  // room for one byte
  EXPECT_EQ(name_of("logfile", target),
            target.pod + "_n_c-a-" + digest(target).substr(0, 8) + ".log");
}

struct KubeletCase {
  const char* base;
  const char* logfile;
};

TEST(KubeletNaming, LowersReplacesAndTrims) {
  const KubeletCase cases[] = {
      {"access.log", "access"},    {"Access.log", "access"},     {"a.b_c.log", "a-b-c"},
      {"--a--.log", "a"},          {"access", "access"},         {"access.log.1", "access-log-1"},
      {"a \xc3\xa9 b.log", "a-b"}, {"deadbeef.log", "deadbeef"}, {"a--b.log", "a-b"},
  };
  for (const KubeletCase& each : cases) {
    const Target target{in_directory(each.base)};
    EXPECT_EQ(name_of("kubelet", target),
              "web-0_prod_app-" + std::string(each.logfile) + "-" + digest(target) + ".log");
  }
}

TEST(KubeletNaming, AnEmptyLogfileIsLeftOutWithItsDash) {
  for (const char* base : {".log", "---.log", "\xe6\x97\xa5.log"}) {
    const Target target{in_directory(base)};
    EXPECT_EQ(name_of("kubelet", target), "web-0_prod_app-" + digest(target) + ".log");
  }
}

TEST(KubeletNaming, IgnoresWhetherPlainNamesAreAllowed) {
  Target target{in_directory("access.log")};
  const std::string name = name_of("kubelet", target);
  EXPECT_EQ(name,
            "web-0_prod_app-access-3f18cf5f297a414a5215b4fd87d0f12f775021d47ca6fc7f4e568ce87a2dbecd"
            ".log");
  target.plain_allowed = false;
  EXPECT_EQ(name_of("kubelet", target), name);
}

TEST(KubeletNaming, CutsTheLogfileAndNeverEndsItInADash) {
  Target target;
  target.path = in_directory(std::string(200, 'a') + ".log");
  EXPECT_EQ(name_of("kubelet", target).size(), 255U);
  const std::size_t room = 255 - std::string("web-0_prod_app--").size() - 64 - 4;
  target.path = in_directory(std::string(room - 1, 'a') + "-bbb.log");
  EXPECT_EQ(name_of("kubelet", target),
            "web-0_prod_app-" + std::string(room - 1, 'a') + "-" + digest(target) + ".log");
}

TEST(KubeletNaming, RefusesWhatCannotFit) {
  Target target{in_directory("x.log")};
  target.namespace_name = "n";
  target.container = "c";
  target.pod = std::string(182, 'p');
  EXPECT_EQ(name_of("kubelet", target).size(), 255U);
  target.pod += 'p';
  EXPECT_EQ(link_name("kubelet", view(target)).error, NameError::kNameTooLong);
}

TEST(LinkNaming, UnknownOnesAreRefused) {
  const Target target{in_directory("x.log")};
  for (const char* naming : {"", "Logfile", "container-id", "kubelet "}) {
    EXPECT_EQ(link_name(naming, view(target)).error, NameError::kUnknownNaming);
    EXPECT_FALSE(is_known_naming(naming));
  }
  EXPECT_TRUE(is_known_naming("logfile"));
  EXPECT_TRUE(is_known_naming("kubelet"));
}

TEST(HasLinkNameForm, RefusesWhatLinkNameNeverMakes) {
  const std::string hex(64, 'a');
  for (const std::string& name : {
           std::string(""),
           std::string(".log"),
           std::string("app.log"),
           std::string("a_b.log"),
           std::string("a_b_c.log"),      // no tail
           std::string("a_b_c-.log"),     // empty tail
           std::string("a_b_c-x"),        // no suffix
           std::string("a_b_c-x.log.1"),  //
           std::string("A_b_c-x.log"),    // no pod's name
           std::string("a_b.c_d-x.log"),  // no namespace's
           std::string("a_b_C-x.log"),    // no container's
           std::string("_b_c-x.log"),
           std::string("a__c-x.log"),
           std::string("a_b_-x.log"),
           std::string("a_b_c-.x.log"),         // plain never starts with a dot
           std::string("a_b_c-x y.log"),        // a byte outside
           std::string("a_b_c-x\n.log"),        //
           std::string("a_b_c--deadbeef.log"),  // empty <logfile> keeps no dash
           "a_b_c-x." + hex + ".log",           // looks like an id, is no digest of ours
           "a_b_c-" + hex + hex + ".log",       //
           "a_b_c-X-" + hex + ".log",           // kubelet naming is lower-case
           std::string(".loglink"),
           std::string(".loglink-tmp-a_b_c-x.log"),
           "a_b_c-" + std::string(250, 'x') + ".log",  // too long
       }) {
    EXPECT_FALSE(has_link_name_form(name)) << name;
  }
}

TEST(HasLinkNameForm, TakesWhatEveryValidPodMayBeCalled) {
  for (const std::string& name :
       {std::string("a_b_c-x.log"), std::string("a.b-c_n-1_c-d-x.log"),
        std::string("a_b_c-deadbeef.log"), std::string("a_b_c--x-deadbeef.log"),
        std::string("a_b_c-.x-deadbeef.log"), "a_b_c-" + std::string(64, '0') + ".log",
        "a_b_c-x-" + std::string(64, '0') + ".log"}) {
    EXPECT_TRUE(has_link_name_form(name)) << name;
  }
}

}  // namespace
}  // namespace loglink
