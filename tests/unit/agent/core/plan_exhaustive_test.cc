// Every small world: three names, each with every kind of file and every kind of entry in its place
// in the link directory, under every kind of desired set.
#include <gtest/gtest.h>

#include <array>

#include "lib/model/link_name.h"
#include "tests/unit/agent/core/plan_world.h"

namespace loglink {
namespace {

using namespace std::chrono_literals;

enum class FileCase { kAbsent, kRegular, kFifo, kDirectory };
enum class LinkCase { kAbsent, kOurs, kOursElsewhere, kForeignLink, kForeignFile };
enum class SetCase { kNone, kLive, kWithdrawn, kOver, kShared, kNotObserved };

constexpr std::array kFileCases = {FileCase::kAbsent, FileCase::kRegular, FileCase::kFifo,
                                   FileCase::kDirectory};
constexpr std::array kLinkCases = {LinkCase::kAbsent, LinkCase::kOurs, LinkCase::kOursElsewhere,
                                   LinkCase::kForeignLink, LinkCase::kForeignFile};
constexpr std::array kSetCases = {SetCase::kNone, SetCase::kLive,   SetCase::kWithdrawn,
                                  SetCase::kOver, SetCase::kShared, SetCase::kNotObserved};
constexpr std::array<const char*, 3> kFiles = {"a.log", "b.log", "c.log"};

struct Case {
  std::array<FileCase, 3> files{};
  std::array<LinkCase, 3> links{};
  SetCase set{};
};

std::string name_of(const std::string& file) { return "web-0_prod_app-" + file; }

std::vector<Source> sources_of(SetCase set, const Now& now) {
  const Source live = host_source("web-0", "d");
  switch (set) {
    case SetCase::kNone:
    case SetCase::kNotObserved:
      return {};
    case SetCase::kLive:
      return {live};
    case SetCase::kWithdrawn:
      return {withdrawn(live, now.wall + 5min)};
    case SetCase::kOver:
      return {withdrawn(live, now.wall - 5min)};
    case SetCase::kShared:
      return {live, host_source("web-1", "d")};
  }
  __builtin_unreachable();
}

PlanWorld make_world(const Case& each) {
  PlanWorld world({});
  world.desire(sources_of(each.set, world.now));
  world.set_observed = each.set != SetCase::kNotObserved;
  if (each.set == SetCase::kOver) {
    world.clocks.withdrawn_since[world.index.at(0).identity] = world.now.monotonic - 1h;
  }
  world.know_empty("d");
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    const std::string path = std::string("d/") + kFiles[i];
    switch (each.files[i]) {
      case FileCase::kAbsent:
        break;
      case FileCase::kRegular:
        world.put(path);
        break;
      case FileCase::kFifo:
        world.put(path, FileKind::kFifo);
        break;
      case FileCase::kDirectory:
        world.put(path, FileKind::kDirectory);
        break;
    }
    const std::string name = name_of(kFiles[i]);
    switch (each.links[i]) {
      case LinkCase::kAbsent:
        break;
      case LinkCase::kOurs:
        world.link(name, apps_target(path));
        break;
      case LinkCase::kOursElsewhere:
        // The neighbour's file, there or not.
        world.link(name, apps_target(std::string("d/") + kFiles[(i + 1) % kFiles.size()]));
        break;
      case LinkCase::kForeignLink:
        world.link(name, "/var/log/other/" + std::string(kFiles[i]));
        break;
      case LinkCase::kForeignFile:
        world.links[name] = {name, false, ""};
        break;
    }
  }
  return world;
}

std::string describe_case(const Case& each) {
  std::string text = "set " + std::to_string(static_cast<int>(each.set));
  for (std::size_t i = 0; i < kFiles.size(); ++i) {
    text += std::string(", ") + kFiles[i] + " file " +
            std::to_string(static_cast<int>(each.files[i])) + " link " +
            std::to_string(static_cast<int>(each.links[i]));
  }
  return text;
}

// Empty when all is well; otherwise what is not.
class Checker {
 public:
  explicit Checker(const Case& each) : each_(each), world_(make_world(each)) {}

  std::string check() {
    const LinkMap before = world_.links;
    const PlanResult result = world_.plan();
    world_.clocks = result.clocks;
    check_operations(before, result);
    check_fixed_point(result);
    check_prefixes(before, result);
    check_everything_is_answered(result);
    return trouble_;
  }

 private:
  void complain(const std::string& text) {
    if (trouble_.empty()) trouble_ = text;
  }

  bool is_foreign(const LinkEntry& entry) const {
    return !entry.is_link || entry.target.rfind("/run/loglink/roots/", 0) != 0;
  }

  bool is_regular(const std::string& target) const {
    const std::string prefix = apps_target("");
    if (target.rfind(prefix, 0) != 0) return false;
    return world_.look({kApps, target.substr(prefix.size())}).state == TargetState::kRegular;
  }

  void check_operations(const LinkMap& before, const PlanResult& result) {
    std::set<std::string> names;
    const bool live = each_.set == SetCase::kLive || each_.set == SetCase::kShared;
    for (const Operation& operation : result.operations) {
      if (!names.insert(operation.name).second) complain("two operations on one name");
      const auto old = before.find(operation.name);
      const bool is_make = operation.kind == OperationKind::kMake;
      if (is_make != (old == before.end())) complain("make on a taken name, or the reverse");
      if (old != before.end() && is_foreign(old->second)) complain("a foreign entry is touched");
      if (old != before.end() && old->second.target != operation.old_target) {
        complain("the old target is not what is there");
      }
      const bool removes = operation.kind == OperationKind::kRemove;
      if (!removes && !is_regular(operation.new_target)) complain("a link to no regular file");
      const bool correct = old != before.end() && is_regular(old->second.target) &&
                           old->second.target == apps_target("d/" + own_file(operation.name));
      if (live && correct) complain("a correct link is displaced");
    }
  }

  static std::string own_file(const std::string& name) { return name.substr(name.rfind('-') + 1); }

  void check_fixed_point(const PlanResult& result) {
    PlanWorld after = world_;
    for (const Operation& operation : result.operations) after.apply(operation);
    if (!after.plan().operations.empty()) complain("the plan of its own outcome is not empty");
  }

  // A crash after any operation: what is left is as safe as the beginning and leads to rest.
  void check_prefixes(const LinkMap& before, const PlanResult& result) {
    PlanWorld after = world_;
    for (const Operation& operation : result.operations) {
      after.apply(operation);
      PlanWorld again = after;
      again.clocks = {};
      if (each_.set == SetCase::kOver) again.clocks = world_.clocks;
      again.settle();
      if (!again.plan().operations.empty()) complain("no rest after a crash");
      for (const auto& [name, entry] : before) {
        if (!is_foreign(entry)) continue;
        const auto found = again.links.find(name);
        if (found == again.links.end() || found->second != entry) complain("foreign entry lost");
      }
    }
  }

  void check_everything_is_answered(const PlanResult& result) {
    if (world_.index.sources().empty() || each_.set == SetCase::kOver) return;
    PlanWorld after = world_;
    for (const Operation& operation : result.operations) after.apply(operation);
    std::set<std::string> targets;
    for (const auto& [name, entry] : after.links) {
      if (!is_foreign(entry)) targets.insert(entry.target);
    }
    int unlinked = 0;
    for (const char* file : kFiles) {
      const std::string path = std::string("d/") + file;
      const TargetView seen = world_.look({kApps, path});
      const bool linked = targets.count(apps_target(path)) > 0;
      if (seen.state != TargetState::kMissing && !linked) ++unlinked;
    }
    int answered = 0;
    for (const auto& [reason, trouble] : result.outcomes[0].refusals) answered += trouble.files;
    answered += result.outcomes[0].rotated + result.outcomes[0].duplicates;
    if (answered < unlinked) complain("a wanted file has neither link nor reason");
  }

  Case each_;
  PlanWorld world_;
  std::string trouble_;
};

TEST(PlanExhaustive, EverySmallWorldHasASafePlanThatLeadsToRest) {
  int worlds = 0;
  Case each;
  for (const SetCase set : kSetCases) {
    each.set = set;
    constexpr std::size_t kPerName = kFileCases.size() * kLinkCases.size();
    // The third name's file is there or not: what else it may be shows with two names already.
    for (std::size_t code = 0; code < kPerName * kPerName * kPerName / 2; ++code) {
      std::size_t rest = code;
      for (std::size_t i = 0; i < kFiles.size(); ++i) {
        const std::size_t kinds = i == 2 ? 2 : kFileCases.size();
        each.files[i] = kFileCases[rest % kinds];
        rest /= kinds;
        each.links[i] = kLinkCases[rest % kLinkCases.size()];
        rest /= kLinkCases.size();
      }
      const std::string trouble = Checker(each).check();
      ASSERT_EQ(trouble, "") << describe_case(each);
      ++worlds;
    }
  }
  EXPECT_EQ(worlds, 24'000);
}

}  // namespace
}  // namespace loglink
