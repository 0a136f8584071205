#include "tests/e2e/chaos/audit_log.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

namespace loglink::testing {
namespace {

using Json = nlohmann::json;

std::string text_at(const Json& entry, const char* pointer) {
  const Json::json_pointer at(pointer);
  if (!entry.contains(at) || !entry.at(at).is_string()) return "";
  return entry.at(at).get<std::string>();
}

int status_of(const Json& entry) {
  const Json::json_pointer code("/responseStatus/code");
  return entry.contains(code) ? entry.at(code).get<int>() : 0;
}

void take_write(const Json& entry, std::vector<AuditedWrite>& writes, AuditLog& log) {
  const std::string verb = text_at(entry, "/verb");
  if (verb != "create" && verb != "update" && verb != "patch") return;
  const std::string version = text_at(entry, "/responseObject/metadata/resourceVersion");
  const int status = status_of(entry);
  if (status == 429) log.too_many.push_back(text_at(entry, "/user/username"));
  if (version.empty() || status / 100 != 2) return;
  AuditedWrite write;
  write.resource_version = std::stoull(version);
  write.resource = text_at(entry, "/objectRef/resource");
  write.name = text_at(entry, "/responseObject/metadata/name");
  write.uid = text_at(entry, "/responseObject/metadata/uid");
  write.user = text_at(entry, "/user/username");
  const Json::json_pointer generation("/responseObject/metadata/generation");
  if (entry.contains(generation)) write.generation = entry.at(generation).get<std::int64_t>();
  writes.push_back(std::move(write));
}

std::string describe(const AuditedWrite& write) {
  return write.resource + " " + write.name + " at resourceVersion " +
         std::to_string(write.resource_version) + ", generation " +
         std::to_string(write.generation) + ", by " + write.user;
}

// Who leads, as the writes of the lease tell it in their order.
class Reigns {
 public:
  explicit Reigns(std::string lease) : lease_(std::move(lease)) {}

  // False when it is no write of a lease.
  bool take(const AuditedWrite& write) {
    if (write.resource != "leases") return false;
    if (write.name != lease_) return true;
    if (write.user != leader_) last_[write.user] = ++count_;
    leader_ = write.user;
    return true;
  }
  [[nodiscard]] const std::string& leader() const { return leader_; }
  // The number of its last reign; 0 for one who never led.
  [[nodiscard]] int last_of(const std::string& user) const {
    const auto found = last_.find(user);
    return found == last_.end() ? 0 : found->second;
  }

 private:
  std::string lease_;
  std::string leader_;
  int count_ = 0;
  std::map<std::string, int> last_;
};

}  // namespace

AuditLog read_audit_log(const std::filesystem::path& path) {
  AuditLog log;
  std::vector<AuditedWrite> writes;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    // A server that is killed may leave a line torn.
    const Json entry = Json::parse(line, nullptr, false);
    if (entry.is_discarded()) continue;
    if (text_at(entry, "/stage") == "ResponseComplete") take_write(entry, writes, log);
    const bool lists =
        text_at(entry, "/requestURI").find("sendInitialEvents=true") != std::string::npos;
    if (lists && text_at(entry, "/objectRef/resource") == "pods" &&
        text_at(entry, "/stage") == "ResponseStarted") {
      log.pod_lists.push_back(text_at(entry, "/user/username"));
    }
  }
  std::stable_sort(writes.begin(), writes.end(),
                   [](const AuditedWrite& left, const AuditedWrite& right) {
                     return left.resource_version < right.resource_version;
                   });
  // One that changes nothing is answered with the version that is there: another's.
  std::set<std::uint64_t> seen;
  for (AuditedWrite& write : writes) {
    if (seen.insert(write.resource_version).second) log.writes.push_back(std::move(write));
  }
  return log;
}

std::vector<std::string> writes_out_of_order(const AuditLog& log, const std::string& lease) {
  struct Object {
    int reign = 0;  // of its last writer
    std::int64_t generation = 0;
  };
  std::vector<std::string> found;
  Reigns reigns(lease);
  std::map<std::string, Object> objects;  // by uid
  for (const AuditedWrite& write : log.writes) {
    if (reigns.take(write)) continue;
    Object& object = objects[write.uid];
    const int reign = reigns.last_of(write.user);
    if (reign < object.reign) found.push_back(describe(write) + ": after a later leader's");
    object.reign = std::max(object.reign, reign);
    if (write.generation < object.generation) {
      found.push_back(describe(write) + ": the generation went back");
    }
    object.generation = write.generation;
  }
  return found;
}

std::vector<std::string> late_writes(const AuditLog& log, const std::string& lease) {
  std::vector<std::string> found;
  Reigns reigns(lease);
  for (const AuditedWrite& write : log.writes) {
    if (reigns.take(write) || write.user == reigns.leader()) continue;
    found.push_back(describe(write) + " while " + reigns.leader() + " held the lease");
  }
  return found;
}

}  // namespace loglink::testing
