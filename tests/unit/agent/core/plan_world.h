// The values that a plan is made of, and what becomes of them when its operations are applied.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/core/plan.h"
#include "tests/unit/agent/core/agent_world.h"

namespace loglink {

class PlanWorld {
 public:
  explicit PlanWorld(std::vector<Source> sources) {
    FakeFiles files;
    for (const char* root : {kPods, kApps}) {
      files.add_root(root);
      roots[root] = RootState::kUsable;
    }
    config.roots = {Root{kPods, "/var/lib/kubelet/pods", {"*"}, false},
                    Root{kApps, "/data/apps", {"*"}, false}};
    spelling_ = std::make_shared<const TargetSpelling>(config, files);
    desire(std::move(sources));
  }

  void desire(std::vector<Source> sources) {
    NodeLinkSetSpec spec;
    spec.sources = std::move(sources);
    index = SourceIndex(spec, config);
  }

  // A file of the hostPath root; its directory becomes known. The inode is new each time.
  FileInfo put(const std::string& path, FileKind kind = FileKind::kRegular) {
    FileInfo info;
    info.kind = kind;
    info.id = {1, next_inode++};
    info.birth_ns = static_cast<std::int64_t>(info.id.inode);
    put(path, info);
    return info;
  }
  void put(const std::string& path, const FileInfo& info) {
    ObservedDirectory& directory = directories[{kApps, std::string(parent_path(path))}];
    directory.knowledge = DirectoryKnowledge::kKnown;
    const std::string base(base_name(path));
    std::erase_if(directory.entries, [&](const auto& entry) { return entry.name == base; });
    directory.entries.push_back({base, info});
    std::sort(directory.entries.begin(), directory.entries.end());
  }
  void know_empty(const std::string& path) {
    directories[{kApps, path}].knowledge = DirectoryKnowledge::kKnown;
  }
  void link(const std::string& name, const std::string& target) {
    links[name] = {name, true, target};
  }

  PlanResult plan_once() {
    return loglink::plan(PlanInput{index, set_observed, directories, roots, links, memory, clocks,
                                   probes, *spelling_, config, now});
  }

  // Probes what the plan asks to see, until it asks for nothing new.
  PlanResult plan() {
    for (;;) {
      PlanResult result = plan_once();
      const std::size_t before = probes.size();
      for (const Target& target : result.probes) {
        if (probes.count(target) == 0) probes[target] = look(target);
      }
      if (probes.size() == before) return result;
    }
  }

  // What is really there, by the directories above; a file in no directory is not there.
  TargetView look(const Target& target) const {
    const auto directory = directories.find({target.root, std::string(parent_path(target.path))});
    if (directory == directories.end()) return {TargetState::kMissing, {}};
    for (const DirectoryEntry& entry : directory->second.entries) {
      if (entry.name != base_name(target.path)) continue;
      if (entry.info.kind == FileKind::kRegular) return {TargetState::kRegular, entry.info};
      if (entry.info.kind == FileKind::kFifo) return {TargetState::kFifo, entry.info};
      return {TargetState::kOther, entry.info};
    }
    return {TargetState::kMissing, {}};
  }

  void apply(const Operation& operation) {
    if (operation.kind == OperationKind::kRemove) {
      links.erase(operation.name);
    } else {
      link(operation.name, operation.new_target);
    }
  }

  // A plan, applied in full.
  PlanResult settle() {
    PlanResult result = plan();
    for (const Operation& operation : result.operations) apply(operation);
    for (const auto& [key, path] : result.linked) memory.refresh(key, path, now.wall);
    for (const Operation& operation : result.operations) {
      const auto key = inode_key(operation.file.root, operation.info);
      if (operation.kind != OperationKind::kRemove && key) {
        memory.remember(*key, operation.file.path, now.wall);
      }
    }
    clocks = result.clocks;
    return result;
  }

  void pass(Duration duration) {
    now.monotonic = now.monotonic + duration;
    now.wall += duration;
  }

  std::set<std::string> link_names() const {
    std::set<std::string> names;
    for (const auto& [name, entry] : links) names.insert(name);
    return names;
  }

  AgentConfig config;
  SourceIndex index;
  bool set_observed = true;
  ObservedDirectories directories;
  std::map<std::string, RootState> roots;
  LinkMap links;
  InodeMemory memory;
  PlanClocks clocks;
  std::map<Target, TargetView> probes;
  Now now{MonotonicTime{std::chrono::hours(1)}, WallTime(std::chrono::seconds(1'700'000'000))};
  std::uint64_t next_inode = 1000;

 private:
  std::shared_ptr<const TargetSpelling> spelling_;
};

}  // namespace loglink
