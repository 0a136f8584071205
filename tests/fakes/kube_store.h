// Objects with one global version counter, and the changes that watches replay. Internal to the
// fakes.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>

#include "tests/fakes/kube_json.h"

namespace loglink::fakes {

// Immutable once stored. Built-in types are kept without kind and apiVersion, as lists send them.
class KubeObject {
 public:
  KubeObject(Json value, std::uint64_t version);

  [[nodiscard]] const Json& value() const { return value_; }
  [[nodiscard]] std::uint64_t version() const { return version_; }
  // The value as JSON text, made once.
  [[nodiscard]] const std::string& text() const;

 private:
  Json value_;
  std::uint64_t version_;
  mutable std::string text_;
};
using ObjectPtr = std::shared_ptr<const KubeObject>;

struct KubeChange {
  std::uint64_t version = 0;
  std::string key;
  ObjectPtr before;  // null: created
  ObjectPtr after;   // null: deleted
};

class KubeStore {
 public:
  using Objects = std::map<std::string, ObjectPtr>;  // by "namespace/name" or "name"

  explicit KubeStore(std::size_t changes_max) : changes_max_(changes_max) {}

  [[nodiscard]] std::uint64_t version() const { return version_; }
  [[nodiscard]] const Objects& objects(const std::string& plural) const;
  [[nodiscard]] ObjectPtr find(const std::string& plural, const std::string& key) const;
  // Both take the next version; put() writes it into metadata.resourceVersion.
  ObjectPtr put(const std::string& plural, const std::string& key, Json value);
  void erase(const std::string& plural, const std::string& key);

  // All changes after oldest() are still known.
  [[nodiscard]] std::uint64_t oldest(const std::string& plural) const;
  // The version of the newest change, known or forgotten.
  [[nodiscard]] std::uint64_t last_change(const std::string& plural) const;
  [[nodiscard]] const std::deque<KubeChange>& changes(const std::string& plural) const;
  // REQUIRES: oldest(plural) <= version <= this->version().
  [[nodiscard]] Objects objects_at(const std::string& plural, std::uint64_t version) const;

  void forget_changes(const std::string& plural);
  void forget_all_changes();

 private:
  struct Collection {
    Objects objects;
    std::deque<KubeChange> changes;
    std::uint64_t oldest = 0;
    std::uint64_t last_change = 0;
  };

  void record(Collection& collection, KubeChange change);

  std::size_t changes_max_;
  std::uint64_t version_ = 100;  // a real server has written things of its own before us
  std::map<std::string, Collection> collections_;
};

}  // namespace loglink::fakes
