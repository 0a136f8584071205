#include "lib/model/kube_names.h"

#include <gtest/gtest.h>

#include <string>

namespace loglink {
namespace {

TEST(IsDnsLabel, TakesWhatTheApiTakes) {
  for (const std::string& good : {std::string("a"), std::string("0"), std::string("a-b"),
                                  std::string("a--b"), std::string(63, 'x')}) {
    EXPECT_TRUE(is_dns_label(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("-a"), std::string("a-"), std::string("A"), std::string("a.b"),
        std::string("a_b"), std::string("a/b"), std::string("a\n"), std::string(64, 'x')}) {
    EXPECT_FALSE(is_dns_label(bad)) << bad;
  }
}

TEST(IsDnsSubdomain, IsLabelsOfAnyLengthBetweenDots) {
  for (const std::string& good : {std::string("web-0"), std::string("a.b"), std::string(253, 'x'),
                                  std::string("ip-10-0.ec2")}) {
    EXPECT_TRUE(is_dns_subdomain(good)) << good;
  }
  for (const std::string& bad :
       {std::string(), std::string("."), std::string(".a"), std::string("a."), std::string("a..b"),
        std::string("a.-b"), std::string("a-.b"), std::string("a_b"), std::string(254, 'x')}) {
    EXPECT_FALSE(is_dns_subdomain(bad)) << bad;
  }
}

}  // namespace
}  // namespace loglink
