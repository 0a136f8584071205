// The commands that look once and end, where there is more to read than may be read at once.
#include <gtest/gtest.h>

#include "tests/integration/agent/test_node.h"

namespace loglink {
namespace {

namespace fs = std::filesystem;

constexpr int kFilesAtOnce = 1000;  // of a namespace: ten times entriesPerScan

TEST(OnePassTest, WaitsForDirectoriesWhoseNamespaceHasReadTooMuch) {
  TestNode node("direct", "limits: {entriesPerScan: 100}\n");
  std::vector<TestPod> pods;
  int files = 0;
  for (int i = 0; files <= kFilesAtOnce; ++i) {
    pods.push_back({"large-" + std::to_string(i), "uid-" + std::to_string(i)});
    fs::create_directories(node.logs(pods.back()));
    for (int j = 0; j < 95; ++j, ++files) {
      write_text(node.logs(pods.back()) / (std::to_string(j) + ".txt"), "x");
    }
  }
  // The last to be read.
  const TestPod small{"small", "uid-z"};
  pods.push_back(small);
  fs::create_directories(node.logs(small));
  write_text(node.logs(small) / "a.log", "x");
  node.set_pods(pods);

  const auto apply = node.start("apply");
  EXPECT_EQ(apply->wait(), 0) << apply->errors();
  EXPECT_TRUE(node.is_linked(small, "a.log"));
}

}  // namespace
}  // namespace loglink
