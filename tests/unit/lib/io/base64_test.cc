#include "lib/io/base64.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace loglink {
namespace {

TEST(Base64Test, FollowsTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> vectors = {
      {"", ""},
      {"f", "Zg=="},
      {"fo", "Zm8="},
      {"foo", "Zm9v"},
      {"foob", "Zm9vYg=="},
      {"fooba", "Zm9vYmE="},
      {"foobar", "Zm9vYmFy"},
      {std::string("\x00\xff\xfe", 3), "AP/+"},
  };
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(base64_encode(plain), encoded);
    EXPECT_EQ(base64_decode(encoded), plain);
  }
}

TEST(Base64Test, SkipsFoldsAndRefusesTheRest) {
  EXPECT_EQ(base64_decode("Zm9v\n  YmFy\n"), "foobar");
  for (const std::string bad : {"Zg", "Zg=", "Z", "Zg===", "Zg==Zg==", "Z!==", "=", "Zm9vZ"}) {
    EXPECT_EQ(base64_decode(bad), std::nullopt) << bad;
  }
}

}  // namespace
}  // namespace loglink
