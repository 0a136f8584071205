#include "controller/core/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controller/core/resolve.h"
#include "lib/base/text.h"
#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

using Annotations = std::map<std::string, std::string>;

Request parse_watch_dir(const std::string& value) {
  return parse_request({{"loglink/watch-dir", value}}, {});
}

std::vector<std::string> texts(const Request& request) {
  std::vector<std::string> all;
  for (const RequestedDirectory& each : request.directories) {
    all.push_back((each.refusal ? "!" : "") + each.text);
  }
  return all;
}

// The first reason that the controller gives before it looks at volumes.
std::string first_reason(const Resolution& resolution) {
  for (const Refusal& refusal : resolution.refusals) {
    if (refusal.reason != Reason::kNotOnAVolume) return std::string(to_string(refusal.reason));
  }
  if (!resolution.told.empty()) return std::string(to_string(resolution.told.front().reason));
  return {};
}

TEST(Request, AcceptsAndRefusesWhatTheAdmissionPoliciesDo) {
  std::ifstream file(LOGLINK_SOURCE_DIR "/tests/golden/annotation_cases.json");
  const nlohmann::json table = nlohmann::json::parse(file);
  ASSERT_GT(table.at("cases").size(), 100U);
  for (const nlohmann::json& each : table.at("cases")) {
    SCOPED_TRACE(each.at("name").get<std::string>());
    PodBuilder builder;
    builder.add_container("side").add_container("setup", ContainerKind::kInit);
    for (const auto& [key, value] : each.at("annotations").items()) {
      // What the decoders keep of a pod's annotations.
      if (key.rfind("loglink/", 0) == 0) builder.annotate(key, value.get<std::string>());
    }
    const std::string reason = each.at("reason").get<std::string>();
    EXPECT_EQ(first_reason(resolve(builder, {}, {})), reason);
    // Keys that mean nothing alone are the one thing that only the controller sees.
    if (reason != "NoWatchDir") {
      EXPECT_EQ(each.at("admitted").get<bool>(), reason.empty());
    }
  }
}

TEST(Request, NormalisesDirectoriesAndIgnoresBlanksAroundItems) {
  EXPECT_THAT(texts(parse_watch_dir("  /var//log/app/ ,app://data/// ")),
              ElementsAre("/var/log/app", "app:/data"));
}

TEST(Request, SplitsContainerAndDirectory) {
  const Request request = parse_watch_dir("app:/data");
  ASSERT_EQ(request.directories.size(), 1U);
  EXPECT_EQ(request.directories[0].container, "app");
  EXPECT_EQ(request.directories[0].directory, "/data");
}

TEST(Request, RefusesOneItemAndKeepsTheOthersInTheirOrder) {
  EXPECT_THAT(texts(parse_watch_dir("/a,b,,/c")), ElementsAre("/a", "!b", "!", "/c"));
}

TEST(Request, SaysWhatIsWrongWithAnItemAndWhatToDo) {
  struct Case {
    std::string item;
    std::string message;
  };
  for (const Case& each : std::vector<Case>{
           {"var/log", "is not an absolute directory; start it with /"},
           {"app:", "names no directory; write [<container>:]<absolute directory>"},
           {"/a/../b", "has a . or .. component; write the directory without it"},
           {"/",
            "is the root directory, which cannot be watched; name the directory of the log "
            "files"},
           {"/a b",
            "has the character \" \", which is not supported; put commas between directories, and "
            "no blanks into them"},
           {"app: /log",
            "has the character \" \", which is not supported; put commas between directories, and "
            "no blanks into them"},
           {"/a;/b",
            "has the character \";\", which is not supported; put commas between directories, and "
            "no blanks into them"},
           {"/log/*.log",
            "has the character \"*\", which is not supported; put patterns into loglink/include"},
           {"/log/$(POD_NAME)",
            "has the character \"$\", which is not supported; name the directory itself: variables "
            "are not expanded here"},
           {"[\"/log\"]",
            "has the character \"[\", which is not supported; write it without quotes and "
            "brackets"},
           {"/a\xc3\xa4",
            "has the character \"\\xc3\", which is not supported; use letters, digits and ._@+=~- "
            "only"},
           {"/log\n",
            "has the character \"\\x0a\", which is not supported; write all on one line, without "
            "tabs, and commas between directories: in YAML as \"/a,/b\", or after |- or >- instead "
            "of | or >"},
           {"App:/x", "\"App\" is not a container name; write [<container>:]<absolute directory>"},
           {"/" + std::string(320, 'a'), "is 321 characters long; shorten it to at most 320"},
           {"", "loglink/watch-dir is empty; name a directory or take the annotation away"},
       }) {
    const Request request = parse_watch_dir(each.item);
    ASSERT_EQ(request.directories.size(), 1U) << each.item;
    ASSERT_TRUE(request.directories[0].refusal) << each.item;
    EXPECT_EQ(request.directories[0].refusal->reason, Reason::kInvalidDirectory);
    EXPECT_EQ(request.directories[0].refusal->message, each.message);
  }
}

TEST(Request, LinksNothingBeyondSixteenItems) {
  std::vector<std::string> items(17, "/a");
  const Request request = parse_watch_dir(join(items, ","));
  EXPECT_THAT(request.directories, IsEmpty());
  ASSERT_EQ(request.refusals.size(), 1U);
  EXPECT_EQ(request.refusals[0].reason, Reason::kTooManyDirectories);
  EXPECT_EQ(request.refusals[0].watch_dir, "");
  EXPECT_THAT(request.refusals[0].message, HasSubstr("names 17 directories"));
}

TEST(Request, DefaultsComeFromTheConfiguration) {
  ControllerConfig config;
  config.include = {"*.txt"};
  config.max_depth = 3;
  const Request defaults = parse_request({{"loglink/watch-dir", "/a"}}, config);
  EXPECT_THAT(defaults.include, ElementsAre("*.txt"));
  EXPECT_THAT(defaults.exclude, IsEmpty());
  EXPECT_EQ(defaults.max_depth, 3);

  const Request own = parse_request({{"loglink/watch-dir", "/a"},
                                     {"loglink/include", "a*, b?"},
                                     {"loglink/exclude", "*.1"},
                                     {"loglink/max-depth", "2"}},
                                    config);
  EXPECT_THAT(own.include, ElementsAre("a*", "b?"));
  EXPECT_THAT(own.exclude, ElementsAre("*.1"));
  EXPECT_EQ(own.max_depth, 2);
  EXPECT_THAT(own.refusals, IsEmpty());
}

TEST(Request, WithoutTheDefaultConfigurationIsLogFilesOneLevelDeep) {
  const Request request = parse_watch_dir("/a");
  EXPECT_THAT(request.include, ElementsAre("*.log"));
  EXPECT_EQ(request.max_depth, 1);
}

TEST(Request, TellsEveryWrongPatternListAndDepth) {
  const Request request = parse_request({{"loglink/watch-dir", "/a"},
                                         {"loglink/include", "a/b"},
                                         {"loglink/exclude", ""},
                                         {"loglink/max-depth", "0"}},
                                        {});
  ASSERT_EQ(request.refusals.size(), 3U);
  EXPECT_EQ(request.refusals[0].reason, Reason::kInvalidPattern);
  EXPECT_THAT(request.refusals[0].message, AllOf(HasSubstr("loglink/exclude"), HasSubstr("\"\"")));
  EXPECT_EQ(request.refusals[1].reason, Reason::kInvalidPattern);
  EXPECT_THAT(request.refusals[1].message,
              AllOf(HasSubstr("loglink/include"), HasSubstr("\"a/b\"")));
  EXPECT_EQ(request.refusals[2].reason, Reason::kInvalidDepth);
  EXPECT_EQ(request.refusals[2].message,
            "loglink/max-depth is \"0\"; write a whole number from 1 to 16");
}

// A block scalar of YAML ends with one.
TEST(Request, TellsInEachAnnotationHowToWriteALineBreakAway) {
  const Request request = parse_request({{"loglink/watch-dir", "/a\n,app\n:/b,/a"},
                                         {"loglink/exclude", "a\nb"},
                                         {"loglink/include", "*.log\n"},
                                         {"loglink/max-depth", "2\n"}},
                                        {});
  const std::string cure = "\", or after |- or >- instead of | or >";
  ASSERT_EQ(request.directories.size(), 3U);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(request.directories[i].refusal);
    EXPECT_THAT(request.directories[i].refusal->message, EndsWith("as \"/a,/b" + cure));
  }
  EXPECT_THAT(request.directories[1].refusal->message,
              HasSubstr("\"app\\x0a\" is not a container name; write all on one line"));
  EXPECT_FALSE(request.directories[2].refusal);
  ASSERT_EQ(request.refusals.size(), 3U);
  EXPECT_EQ(request.refusals[0].message,
            "loglink/exclude has the pattern \"a\\x0ab\"; write all on one line, without tabs, and "
            "commas between patterns: in YAML as \"*.log,*.txt" +
                cure);
  EXPECT_THAT(request.refusals[1].message,
              AllOf(HasSubstr("loglink/include"), EndsWith("as \"*.log,*.txt" + cure)));
  EXPECT_EQ(request.refusals[2].message,
            "loglink/max-depth is \"2\\x0a\"; write all on one line, without tabs: in YAML as \"3" +
                cure);
}

TEST(Request, MessagesStayShortAndPrintableWhateverTheValue) {
  const std::string noise = std::string(1000, '\x01');
  const Request request = parse_request({{"loglink/watch-dir", noise + ":/x"},
                                         {"loglink/include", noise},
                                         {"loglink/max-depth", noise},
                                         {"loglink/" + noise, ""}},
                                        {});
  for (const Refusal& refusal : request.refusals) {
    EXPECT_EQ(sanitize(refusal.message), refusal.message);
  }
  for (const Refusal& told : request.told) EXPECT_EQ(sanitize(told.message), told.message);
  EXPECT_EQ(request.refusals.size(), 2U);
  EXPECT_EQ(request.told.size(), 1U);
}

TEST(Request, NamesTheNearestKnownKey) {
  struct Case {
    std::string key;
    std::string nearest;
  };
  for (const Case& each : std::vector<Case>{{"loglink/watchdir", "loglink/watch-dir"},
                                            {"loglink/Watch-Dir", "loglink/watch-dir"},
                                            {"loglink/include-files", "loglink/include"},
                                            {"loglink/excludes", "loglink/exclude"},
                                            {"loglink/depth", "loglink/max-depth"}}) {
    const Request request = parse_request({{each.key, "/a"}}, {});
    EXPECT_TRUE(request.requested);
    ASSERT_EQ(request.told.size(), 1U) << each.key;
    EXPECT_EQ(request.told[0].reason, Reason::kUnknownAnnotation);
    EXPECT_EQ(request.told[0].message,
              each.key + " is not an annotation of loglink and does nothing; did you mean " +
                  each.nearest + "?");
  }
}

// The nearest known key of each of thousands takes longer than the controller may stand still.
TEST(Request, OfThousandsOfUnknownKeysAFewAreNamed) {
  std::map<std::string, std::string> annotations;
  for (int i = 1000; i < 6000; ++i) annotations["loglink/" + std::to_string(i)] = "";
  const Request request = parse_request(annotations, {});
  EXPECT_TRUE(request.requested);
  ASSERT_EQ(request.told.size(), 17U);
  EXPECT_THAT(request.told[15].message, HasSubstr("loglink/1015 is not an annotation"));
  EXPECT_EQ(request.told[16].reason, Reason::kUnknownAnnotation);
  EXPECT_EQ(request.told[16].message,
            "4984 more annotations that begin with loglink/ do nothing; take them away");
}

TEST(Request, TellsThatOtherKeysNeedAWatchDir) {
  for (const std::string key : {"loglink/include", "loglink/exclude", "loglink/max-depth"}) {
    const Request request = parse_request({{key, "1"}}, {});
    EXPECT_TRUE(request.requested);
    ASSERT_EQ(request.refusals.size(), 1U) << key;
    EXPECT_EQ(request.refusals[0].reason, Reason::kNoWatchDir);
    EXPECT_THAT(request.refusals[0].message, HasSubstr(key + " does nothing alone; add "));
  }
}

TEST(Request, AnswersOfOursAndForeignKeysAreNoRequest) {
  EXPECT_FALSE(parse_request({}, {}).requested);
  EXPECT_FALSE(parse_request({{"loglink/status", "Linked"},
                              {"loglink/links", "1"},
                              {"loglink/message", "x"},
                              {"kubernetes.io/config.hash", "x"}},
                             {})
                   .requested);
}

TEST(Request, NamesTheMisspelledKeyWhereWatchDirIsMissing) {
  const Request request = parse_request({{"loglink/watchdir", "/a"}, {"loglink/include", "*"}}, {});
  ASSERT_EQ(request.refusals.size(), 1U);
  EXPECT_EQ(request.refusals[0].message,
            "loglink/include does nothing alone; add loglink/watch-dir with the directory of the "
            "log files, as loglink/watchdir may mean");
}

TEST(Request, OfferesNoKeyThatIsFarFromWhatWasWritten) {
  for (const std::string key : {"loglink/enabled", "loglink/"}) {
    const Request request = parse_request({{key, "true"}}, {});
    ASSERT_EQ(request.told.size(), 1U);
    EXPECT_THAT(request.told[0].message,
                HasSubstr("there are loglink/watch-dir, include, exclude and max-depth"));
  }
}

}  // namespace
}  // namespace loglink
