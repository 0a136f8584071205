// Random histories: files, sets, faults, lost notices, foreign hands and crashes in any order. What
// must never happen is looked for at each rest; when the faults stop, the agent must come to rest
// with every wanted file linked or answered.
#include <gtest/gtest.h>

#include "lib/model/glob.h"
#include "lib/model/path.h"
#include "tests/unit/agent/core/agent_world.h"

namespace loglink {
namespace {

using namespace std::chrono_literals;

class History {
 public:
  explicit History(std::uint64_t seed) : dice_(seed) {
    AgentLimits& limits = world_.options.config.limits;
    if (dice_.below(2) == 0) limits.links_per_source = 3;
    if (dice_.below(2) == 0) limits.links_per_node = 12;
    if (dice_.below(4) == 0) limits.entries_per_scan = 3;
    if (dice_.below(4) == 0) limits.event_burst = 3;
    if (dice_.below(4) == 0) limits.directories_per_source = 2;
    world_.options.watch_limit = 1 + dice_.below(8);
    world_.start();
  }

  std::string run() {
    for (int i = 0; i < 60 && trouble_.empty(); ++i) {
      happen();
      if (dice_.below(3) > 0) world_.settle();
      check_foreign();
    }
    finish();
    return trouble_;
  }

  std::string show() {
    std::string text;
    for (const std::string& line : world_.agent().explain()) text += "\n" + line;
    for (const Condition& each : world_.agent().status(world_.now).conditions) {
      text += "\n" + each.type + " " + each.status + " " + each.reason + " " + each.message;
    }
    for (const Operation& each : world_.agent().pending()) text += "\n" + describe(each);
    for (const auto& [where, directory] : world_.agent().scanner().observed()) {
      text += "\n" + where.path + ":";
      for (const DirectoryEntry& entry : directory.entries) text += " " + entry.name;
    }
    return text;
  }

 private:
  std::string some_file() {
    static const std::vector<std::string> kNames = {"a.log", "b.log", "a-1.log", "c d.log",
                                                    "x.txt"};
    return kNames[dice_.below(kNames.size())];
  }

  // A path that some source may want.
  Target some_path() {
    const std::string pod = "web-" + std::to_string(dice_.below(2));
    switch (dice_.below(4)) {
      case 0:
        return {kPods, in_empty_dir(pod, some_file())};
      case 1:
        return {kApps, "shared/" + some_file()};
      case 2:
        return {kApps, "shared/sub/" + some_file()};
      default:
        return {kApps, "shared/sub/deep/" + some_file()};
    }
  }

  std::vector<Source> some_set() {
    std::vector<Source> sources;
    for (const char* pod : {"web-0", "web-1"}) {
      if (dice_.below(4) > 0) sources.push_back(empty_dir_source(pod));
      Source shared = host_source(pod, "shared");
      shared.max_depth = static_cast<int>(1 + dice_.below(3));
      if (dice_.below(2) == 0) sources.push_back(shared);
      if (dice_.below(3) == 0) sources.push_back(host_source(pod, "shared/sub"));
    }
    for (Source& source : sources) {
      if (dice_.below(4) == 0) source = withdrawn(source, world_.now.wall + 1min);
      if (dice_.below(6) == 0) source.finished = true;
    }
    return sources;
  }

  void happen() {
    FakeFiles& files = world_.files;
    const Target path = some_path();
    const bool there = files.exists(path.root, path.path);
    switch (dice_.below(20)) {
      case 0:
      case 1:
      case 2:
      case 3:
        if (!there) files.write_file(path.root, path.path, dice_.below(100));
        break;
      case 4:
        if (!there) files.make_symlink(path.root, path.path);
        break;
      case 5:
        if (!there) files.make_special(path.root, path.path, FileKind::kFifo);
        break;
      case 6:
      case 7:
        if (there) files.remove(path.root, path.path);
        break;
      case 8:
      case 9: {
        const std::string to = join_path(std::string(parent_path(path.path)), some_file());
        if (there && to != path.path) files.rename(path.root, path.path, to);
        break;
      }
      case 10:
        if (files.exists(kApps, "shared/sub")) files.remove(kApps, "shared/sub");
        break;
      case 11:
      case 12:
      case 13:
        world_.desire(some_set());
        break;
      case 14:
        world_.pass(Duration(1ms) * static_cast<Duration::rep>(dice_.below(90'000)));
        break;
      case 15:
        dice_.below(2) == 0 ? files.overflow() : files.lose_notices();
        break;
      case 16: {
        const FileVerb verb = kAllFileVerbs[dice_.below(std::size(kAllFileVerbs))];
        static const std::vector<FileErrorKind> kKinds = {
            FileErrorKind::kNoSpace, FileErrorKind::kIo, FileErrorKind::kPermissionDenied,
            FileErrorKind::kNotFound, FileErrorKind::kTooManyOpenFiles};
        files.fail(verb, kKinds[dice_.below(kKinds.size())], static_cast<int>(1 + dice_.below(3)),
                   static_cast<int>(1 + dice_.below(2)));
        break;
      }
      case 17:
        put_foreign();
        break;
      case 18:
        world_.restart();
        break;
      default: {
        const RootState states[] = {RootState::kUsable, RootState::kUsable, RootState::kAbsent,
                                    RootState::kUnsafe};
        files.set_root_state(kApps, states[dice_.below(4)]);
        break;
      }
    }
  }

  void put_foreign() {
    const std::string name = "web-0_prod_app-" + some_file();
    const auto existing = world_.files.link_directory().find(name);
    if (existing != world_.files.link_directory().end()) return;
    LinkEntry entry{name, dice_.below(2) == 0, ""};
    if (entry.is_link) entry.target = "/somewhere/else";
    foreign_[name] = entry;
    world_.files.put_entry(entry);
  }

  void complain(const std::string& text) {
    if (trouble_.empty()) trouble_ = text;
  }

  void check_foreign() {
    for (const auto& [name, entry] : foreign_) {
      const auto found = world_.files.link_directory().find(name);
      if (found == world_.files.link_directory().end() || found->second != entry) {
        complain("foreign entry " + name + " was touched");
      }
    }
    for (const auto& [name, entry] : world_.files.link_directory()) {
      if (foreign_.count(name) > 0) continue;
      if (entry.target.rfind("/run/loglink/roots/", 0) != 0) complain("stray target " + name);
    }
  }

  // Whether the file system has a regular file there.
  bool is_regular(const std::string& root, const std::string& path) {
    const auto info = world_.files.stat(root, path);
    return info && info->kind == FileKind::kRegular;
  }

  void finish() {
    world_.files.heal();
    world_.files.set_root_state(kApps, RootState::kUsable);
    world_.desire(some_set());
    world_.pass(3min);
    // Looking at everything again, at the same moment: time alone may still move links later.
    const std::uint64_t changes = world_.files.link_changes();
    world_.files.overflow();
    world_.settle();
    if (world_.files.link_changes() != changes) complain("no rest");
    check_foreign();
    check_links();
    check_answers();
  }

  void check_links() {
    for (const auto& [name, entry] : world_.files.link_directory()) {
      const LinkEntry* known = nullptr;
      const auto found = world_.agent().link_directory().find(name);
      if (found != world_.agent().link_directory().end()) known = &found->second;
      if (known == nullptr || *known != entry) complain("the agent does not know link " + name);
    }
    if (world_.agent().link_directory().size() != world_.files.link_directory().size()) {
      complain("the agent knows a link that is not there");
    }
  }

  // Every wanted file of a live source in a directory that is looked at.
  void check_answers() {
    std::set<std::string> targets;
    for (const auto& [name, entry] : world_.files.link_directory()) targets.insert(entry.target);
    const SourceIndex& sources = world_.agent().sources();
    for (SourceId id = 0; id < sources.sources().size(); ++id) {
      const Source& source = sources.at(id).source;
      if (source.withdrawn() || !world_.agent().scanner().troubles(id).empty()) continue;
      int unlinked = 0;
      for (const Target& directory :
           {Target{source.root, source.path}, Target{source.root, source.path + "/sub"},
            Target{source.root, source.path + "/sub/deep"}}) {
        const int level = path_depth(directory.path) - path_depth(source.path) + 1;
        const auto entries = world_.files.entries(directory.root, directory.path);
        if (!entries || level > source.max_depth) continue;
        for (const DirectoryEntry& entry : *entries) {
          if (!is_wanted(source.include, source.exclude, entry.name)) continue;
          const std::string path = join_path(directory.path, entry.name);
          const std::string target = "/run/loglink/roots/" + source.root + "/" + path;
          if (targets.count(target) == 0) ++unlinked;
        }
      }
      const SourceOutcome& outcome = world_.agent().outcomes()[id];
      int answered = outcome.rotated + outcome.duplicates;
      for (const auto& [reason, trouble] : outcome.refusals) answered += trouble.files;
      if (unlinked > answered) {
        complain(source.pod + " " + source.path + ": " + std::to_string(unlinked) +
                 " files without a link, " + std::to_string(answered) + " answers");
      }
    }
  }

  SeededRandom dice_;
  AgentWorld world_;
  std::map<std::string, LinkEntry> foreign_;
  std::string trouble_;
};

TEST(AgentRandom, HistoriesStaySafeAndComeToRest) {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    History history(seed);
    std::string trouble;
    try {
      trouble = history.run();
    } catch (const std::exception& error) {
      trouble = error.what();
    }
    ASSERT_EQ(trouble, "") << "seed " << seed << history.show();
  }
}

}  // namespace
}  // namespace loglink
