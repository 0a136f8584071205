#include "controller/core/sub_path_expr.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/controller/core/pod_builder.h"

namespace loglink {
namespace {

using testing::HasSubstr;

Expected<std::string> expand(const std::string& expression, const PodBuilder& builder) {
  const PodView pod = builder.pod();
  return expand_sub_path_expr(expression, pod.containers.back(), pod, pod.uid);
}

TEST(SubPathExpr, ExpandsAsTheKubeletDoes) {
  const PodBuilder pod = PodBuilder()
                             .env("A", "a")
                             .env("AB", "$(A)b")
                             .env("ABC", "$(AB)$(A)c")
                             .env("DOLLAR", "$$(A)")
                             .env("LONE", "$A $")
                             .env("A", "again")
                             .env("SELF", "1")
                             .env("SELF", "$(SELF)2")
                             .env("with space", "s");
  struct Case {
    std::string expression;
    std::string expanded;
  };
  for (const Case& each : std::vector<Case>{
           {"", ""},
           {"plain", "plain"},
           {"$(A)", "again"},    // the last definition of a name
           {"x$(AB)y", "xaby"},  // what a name was when it was referred to
           {"$(ABC)", "abac"},
           {"$(A)$(A)", "againagain"},
           {"$$(A)", "$(A)"},  // escaped
           {"$$$(A)", "$again"},
           {"$$$$", "$$"},
           {"$(DOLLAR)", "$(A)"},  // an expansion is not expanded again
           {"$(LONE)", "$A $"},
           {"$", "$"},  // dollars that begin nothing stand for themselves
           {"a$", "a$"},
           {"$A", "$A"},
           {"$(A", "$(A"},
           {"${A}", "${A}"},
           {"$(SELF)", "12"},
           {"$(with space)", "s"},
       }) {
    const Expected<std::string> result = expand(each.expression, pod);
    ASSERT_TRUE(result.has_value()) << each.expression << ": " << result.error().message;
    EXPECT_EQ(*result, each.expanded) << each.expression;
  }
}

TEST(SubPathExpr, KnowsTheFieldsThatNeverChange) {
  const PodBuilder pod = PodBuilder()
                             .env_field("NAME", "metadata.name")
                             .env_field("NAMESPACE", "metadata.namespace")
                             .env_field("UID", "metadata.uid")
                             .env_field("NODE", "spec.nodeName")
                             .env_field("ACCOUNT", "spec.serviceAccountName")
                             .uid("u-1");
  EXPECT_EQ(expand("$(NAME)", pod), "web-0");
  EXPECT_EQ(expand("$(NAMESPACE)", pod), "prod");
  EXPECT_EQ(expand("$(UID)", pod), "u-1");
  EXPECT_EQ(expand("$(NODE)", pod), "node-a");
  EXPECT_EQ(expand("$(ACCOUNT)", pod), "web");
}

TEST(SubPathExpr, StandsInForWhatAPodHasNotGotYet) {
  PodView pod = PodBuilder()
                    .env_field("NODE", "spec.nodeName")
                    .env_field("ACCOUNT", "spec.serviceAccountName")
                    .on_node("")
                    .pod();
  pod.service_account.clear();
  EXPECT_EQ(expand_sub_path_expr("$(NODE)", pod.containers[0], pod, "u"), "unscheduled");
  EXPECT_EQ(expand_sub_path_expr("$(ACCOUNT)", pod.containers[0], pod, "u"), "default");
}

TEST(SubPathExpr, AStaticPodsUidIsItsHashAndItHasNoAccount) {
  PodView pod = PodBuilder()
                    .env_field("UID", "metadata.uid")
                    .env_field("ACCOUNT", "spec.serviceAccountName")
                    .annotate("kubernetes.io/config.mirror", "h")
                    .pod();
  pod.service_account.clear();
  EXPECT_EQ(expand_sub_path_expr("$(UID)", pod.containers[0], pod, "hash"), "hash");
  EXPECT_FALSE(expand_sub_path_expr("$(ACCOUNT)", pod.containers[0], pod, "hash").has_value());
}

TEST(SubPathExpr, RefusesWhatCanChangeOrIsUnknown) {
  struct Case {
    std::string what;
    PodBuilder pod;
    std::string expression;
    std::string why;
  };
  const std::string huge(5000, 'a');
  for (const Case& each : std::vector<Case>{
           {"undefined", PodBuilder(), "$(A)", "$(A) is not defined before it is used"},
           {"empty name", PodBuilder(), "$()", "$() is not defined before it is used"},
           {"a name ends at the first )", PodBuilder().env("A", "a"), "$(A$(A)",
            "$(A$(A) is not defined before it is used"},
           {"undefined, envFrom", PodBuilder().env_from(), "$(A)", "$(A) may come from envFrom"},
           {"used before it is defined", PodBuilder().env("B", "$(A)").env("A", "a"), "$(B)",
            "$(A) is not defined before it is used"},
           {"refers to itself", PodBuilder().env("A", "$(A)"), "$(A)", "$(A) is not defined"},
           {"empty", PodBuilder().env("A", ""), "x$(A)", "$(A) is empty"},
           {"label", PodBuilder().env_field("A", "metadata.labels['app']"), "$(A)",
            "$(A) is the field metadata.labels['app'], which can change"},
           {"annotation", PodBuilder().env_field("A", "metadata.annotations['x']"), "$(A)",
            "which can change"},
           {"status", PodBuilder().env_field("A", "status.podIP"), "$(A)", "which can change"},
           {"configMap, secret, resource", PodBuilder().env_other("A"), "$(A)",
            "$(A) comes from a configMap, a secret or a resource"},
           {"unknown through others", PodBuilder().env_other("A").env("B", "$(A)").env("C", "$(B)"),
            "$(C)", "$(A) comes from a configMap"},
           {"too long", PodBuilder().env("A", huge), "$(A)", "longer than 4096 characters"},
       }) {
    SCOPED_TRACE(each.what);
    const Expected<std::string> result = expand(each.expression, each.pod);
    ASSERT_FALSE(result.has_value()) << *result;
    EXPECT_THAT(result.error().message, HasSubstr(each.why));
    EXPECT_THAT(result.error().message, HasSubstr("; use literals or a fieldRef to metadata.name"));
  }
}

TEST(SubPathExpr, VariablesThatAreNotUsedDoNotMatter) {
  EXPECT_EQ(expand("$(A)", PodBuilder().env_from().env_other("X").env("Y", "$(X)").env("A", "a")),
            "a");
  // Defined in env, which wins over envFrom.
  EXPECT_EQ(expand("$(E)", PodBuilder().env("E", "").env("E", "e").env_from()), "e");
  // An empty variable inside another one is nothing.
  EXPECT_EQ(expand("$(B)", PodBuilder().env("A", "").env("B", "x$(A)y")), "xy");
}

TEST(SubPathExpr, DoublingAtEachStepStaysSmall) {
  PodBuilder pod;
  pod.env("V0", "0123456789");
  for (int i = 1; i <= 200; ++i) {
    const std::string before = "$(V" + std::to_string(i - 1) + ")";
    pod.env("V" + std::to_string(i), before + before);
  }
  EXPECT_FALSE(expand("$(V200)", pod).has_value());
  EXPECT_EQ(expand("$(V3)", pod).value().size(), 80U);
}

TEST(SubPathExpr, ManyVariablesThatRepeatALongOneStaySmall) {
  PodBuilder pod;
  pod.env("A", "a").env("LONG", std::string(4000, 'x'));
  for (int i = 0; i < 1000; ++i) pod.env("V" + std::to_string(i), "$(LONG)");
  EXPECT_EQ(expand("$(A)", pod), "a");
  EXPECT_TRUE(expand("$(V10)", pod).has_value());
  const Expected<std::string> last = expand("$(V999)", pod);
  ASSERT_FALSE(last.has_value());
  EXPECT_THAT(last.error().message, HasSubstr("the container's env is longer than 1 MiB"));
}

}  // namespace
}  // namespace loglink
