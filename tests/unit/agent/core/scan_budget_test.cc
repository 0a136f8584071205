#include "agent/core/scan_budget.h"

#include <gtest/gtest.h>

#include <vector>

namespace loglink {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kStart{1h};

TEST(ScanBudget, ANamespaceThatReadsTooMuchWaitsAndNoOther) {
  ScanBudget budget(1000);
  EXPECT_EQ(budget.ready_at("bad", kStart), kStart);
  budget.spend("bad", 12'000, kStart);  // ten times a scan at once, then a scan a second
  EXPECT_GT(budget.ready_at("bad", kStart), kStart + 1900ms);
  EXPECT_LE(budget.ready_at("bad", kStart), kStart + 2100ms);
  EXPECT_EQ(budget.ready_at("good", kStart), kStart);
  budget.keep_namespaces({"good"});
  EXPECT_EQ(budget.ready_at("bad", kStart), kStart);
}

TEST(ScanBudget, ASourceKeepsWhatOneScanMayReadOverAllItsDirectories) {
  ScanBudget budget(100);
  ScanBudget::Charge first;
  ScanBudget::Charge second;
  budget.charge(first, "pod-a", "ns", 70);
  EXPECT_EQ(budget.room("pod-a", "ns"), 30U);
  EXPECT_EQ(budget.room("pod-b", "ns"), 100U);
  budget.charge(second, "pod-a", "ns", 30);
  EXPECT_EQ(budget.room("pod-a", "ns"), 0U);
  budget.charge(first, "pod-a", "ns", 50);  // listed again: replaced, not added
  EXPECT_EQ(budget.room("pod-a", "ns"), 20U);
  budget.add_one(second);
  budget.add_one(second);
  budget.take_one(second);
  EXPECT_EQ(budget.room("pod-a", "ns"), 19U);
  budget.release(first);
  budget.release(second);
  EXPECT_EQ(budget.room("pod-a", "ns"), 100U);
}

TEST(ScanBudget, ANamespaceKeepsAFewScansOverAllItsSources) {
  ScanBudget budget(100);
  std::vector<ScanBudget::Charge> charges(5);
  for (std::size_t i = 0; i < charges.size(); ++i) {
    budget.charge(charges[i], "pod-" + std::to_string(i), "ns", 96);
  }
  EXPECT_EQ(budget.room("pod-new", "ns"), 20U);
  EXPECT_EQ(budget.room("pod-new", "other"), 100U);
}

}  // namespace
}  // namespace loglink
