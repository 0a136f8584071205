#include "agent/core/scan_budget.h"

#include <algorithm>
#include <utility>

namespace loglink {
namespace {

// In units of entries_per_scan: at once, kept by a namespace.
constexpr double kBurst = 10;
constexpr std::size_t kKeptPerNamespace = 5;

void subtract(std::map<std::string, std::size_t>& counts, const std::string& key,
              std::size_t count) {
  const auto found = counts.find(key);
  if (found == counts.end()) return;
  found->second -= std::min(found->second, count);
  if (found->second == 0) counts.erase(found);
}

std::size_t count_of(const std::map<std::string, std::size_t>& counts, const std::string& key) {
  const auto found = counts.find(key);
  return found == counts.end() ? 0 : found->second;
}

std::size_t rest(std::size_t limit, std::size_t used) { return limit - std::min(limit, used); }

}  // namespace

MonotonicTime ScanBudget::ready_at(const std::string& namespace_name, MonotonicTime now) const {
  const auto rate = rates_.find(namespace_name);
  return rate == rates_.end() ? now : rate->second.ready_at(now);
}

void ScanBudget::spend(const std::string& namespace_name, std::size_t entries, MonotonicTime now) {
  const auto per_second = static_cast<double>(entries_per_scan_);
  const auto rate = rates_.try_emplace(namespace_name, per_second, kBurst * per_second).first;
  rate->second.take(now, static_cast<double>(entries));
}

std::size_t ScanBudget::room(const std::string& identity, const std::string& namespace_name) const {
  return std::min(
      rest(entries_per_scan_, count_of(by_source_, identity)),
      rest(kKeptPerNamespace * entries_per_scan_, count_of(by_namespace_, namespace_name)));
}

void ScanBudget::charge(Charge& charge, std::string identity, std::string namespace_name,
                        std::size_t entries) {
  release(charge);
  charge = Charge{std::move(identity), std::move(namespace_name), entries};
  if (entries == 0) return;
  by_source_[charge.identity] += entries;
  by_namespace_[charge.namespace_name] += entries;
}

void ScanBudget::add_one(Charge& charge) {
  ++charge.entries;
  ++by_source_[charge.identity];
  ++by_namespace_[charge.namespace_name];
}

void ScanBudget::take_one(Charge& charge) {
  if (charge.entries == 0) return;
  --charge.entries;
  subtract(by_source_, charge.identity, 1);
  subtract(by_namespace_, charge.namespace_name, 1);
}

void ScanBudget::release(Charge& charge) {
  subtract(by_source_, charge.identity, charge.entries);
  subtract(by_namespace_, charge.namespace_name, charge.entries);
  charge.entries = 0;
}

void ScanBudget::keep_namespaces(const std::set<std::string>& namespaces) {
  std::erase_if(rates_, [&](const auto& each) { return namespaces.count(each.first) == 0; });
}

}  // namespace loglink
