// Pods for tests, written like the manifests they stand for.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "lib/base/time_text.h"
#include "lib/model/pod_view.h"

namespace loglink {

inline WallTime at(const std::string& time) { return parse_time(time).value(); }

// Pod prod/web-0 on node-a with a container `app` that has nothing mounted.
class PodBuilder {
 public:
  PodBuilder() {
    pod_.namespace_name = "prod";
    pod_.name = "web-0";
    pod_.uid = "3f0c1a2b-0000-4000-8000-000000000001";
    pod_.node_name = "node-a";
    pod_.service_account = "web";
    pod_.phase = "Running";
    pod_.created = at("2026-01-02T03:04:05Z");
    add_container("app");
  }

  PodBuilder& named(const std::string& namespace_name, const std::string& name) {
    pod_.namespace_name = namespace_name;
    pod_.name = name;
    return *this;
  }
  PodBuilder& uid(const std::string& uid) {
    pod_.uid = uid;
    return *this;
  }
  PodBuilder& on_node(const std::string& node) {
    pod_.node_name = node;
    return *this;
  }
  PodBuilder& phase(const std::string& phase) {
    pod_.phase = phase;
    return *this;
  }
  PodBuilder& created(const std::string& time) {
    pod_.created = at(time);
    return *this;
  }
  PodBuilder& annotate(const std::string& key, const std::string& value) {
    pod_.annotations[key] = value;
    return *this;
  }
  PodBuilder& watch(const std::string& watch_dir) {
    return annotate("loglink/watch-dir", watch_dir);
  }
  PodBuilder& owned_by_node(const std::string& node) {
    pod_.owners.push_back({"v1", "Node", node, "node-uid"});
    return *this;
  }
  PodBuilder& without_containers() {
    pod_.containers.clear();
    return *this;
  }
  // The following calls are about the last container added.
  PodBuilder& add_container(const std::string& name,
                            ContainerKind kind = ContainerKind::kContainer) {
    ContainerView container;
    container.name = name;
    container.kind = kind;
    pod_.containers.push_back(container);
    return *this;
  }
  PodBuilder& mount(const std::string& volume, const std::string& path,
                    const std::string& sub_path = "") {
    pod_.containers.back().mounts.push_back({volume, path, sub_path, ""});
    return *this;
  }
  PodBuilder& mount_expr(const std::string& volume, const std::string& path,
                         const std::string& sub_path_expr) {
    pod_.containers.back().mounts.push_back({volume, path, "", sub_path_expr});
    return *this;
  }
  PodBuilder& env(const std::string& name, const std::string& value) {
    pod_.containers.back().env.push_back({name, EnvironmentVariable::Kind::kLiteral, value});
    return *this;
  }
  PodBuilder& env_field(const std::string& name, const std::string& field) {
    pod_.containers.back().env.push_back({name, EnvironmentVariable::Kind::kField, field});
    return *this;
  }
  PodBuilder& env_other(const std::string& name) {
    pod_.containers.back().env.push_back({name, EnvironmentVariable::Kind::kOther, ""});
    return *this;
  }
  PodBuilder& env_from() {
    pod_.containers.back().has_env_from = true;
    return *this;
  }

  PodBuilder& empty_dir(const std::string& name, const std::string& medium = "") {
    pod_.volumes.push_back({name, "emptyDir", "", "", medium});
    return *this;
  }
  PodBuilder& host_path(const std::string& name, const std::string& path,
                        const std::string& type = "") {
    pod_.volumes.push_back({name, "hostPath", path, type, ""});
    return *this;
  }
  PodBuilder& volume(const std::string& name, const std::string& kind) {
    pod_.volumes.push_back({name, kind, "", "", ""});
    return *this;
  }

  [[nodiscard]] PodView pod() const { return pod_; }
  operator PodView() const { return pod_; }  // NOLINT(google-explicit-constructor)

 private:
  PodView pod_;
};

// web-0 with an emptyDir `logs` at /var/log/app, asking for it.
inline PodBuilder simple_pod() {
  return PodBuilder().empty_dir("logs").mount("logs", "/var/log/app").watch("/var/log/app");
}

}  // namespace loglink
